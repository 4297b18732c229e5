"""The thirteen interventions by hand that the first real rounds needed (competition 1, rounds 0 and
1, January and February 2026): the platform needs none of them, or takes the person's commit as
told.

Each test builds the state in which people found the competition, does what they did, in their
words, and plays on.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gen404_assets.commands.operating import begin
from gen404_assets.competition.audits import SourceVerdict
from gen404_assets.competition.due import due
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.round import CONFIG, LEADERS, STATE, Round
from gen404_assets.competition.settings import Rules
from gen404_assets.competition.state import Stage
from gen404_assets.live.auditing import make_baseline
from gen404_assets.live.regenerating import Regenerated
from gen404_assets.live.results import Subject
from gen404_assets.replay.result import Finding
from gen404_assets.replay.rounds import replay_round
from simulators.examples import MINERS
from simulators.outside import SimulatedOutside
from simulators.rounds import CONFIG as COMPETITION
from simulators.rounds import FOUNDER, POOL, now, stage, work
from simulators.whole_rounds import MinerDoes, World, play, simulate, step

BEST, GOOD = MINERS[:2]
SERVES = MinerDoes("success", True, 1, True, True, SourceVerdict.PASSED)
WORLD = World((SERVES, replace(SERVES, penalty=3)), leader_works=True, leader_penalty=7)
ONE_ROUND = {"last_competition_date": "2026-01-06"}


def until(outside: SimulatedOutside, there: Callable[[Round], bool]) -> Round:
    """Play until something is there."""
    for _ in range(100):
        if there(now(outside)):
            return now(outside)
        head = outside.repository.head
        step(outside, due(now(outside).files, outside.chain.number))
        if outside.repository.head is head:
            outside.chain.number += 100
    raise AssertionError("it never is")


def at(outside: SimulatedOutside, wanted: Stage) -> Round:
    return until(outside, lambda current: bool(current.state and current.state.stage is wanted))


def edit(
    outside: SimulatedOutside, message: str, changes: dict[str, Callable[[Any], Any] | None]
) -> None:
    """A person's commit: each JSON file edited, or deleted."""
    files = outside.repository.head.files
    outside.repository.commit(
        {
            path: None if change is None else json.dumps(change(json.loads(files[path]))).encode()
            for path, change in changes.items()
        },
        message,
        outside.chain.finalized().time,
    )


def read(outside: SimulatedOutside, path: str) -> Any:
    return json.loads(outside.repository.head.files[path])


def replays(outside: SimulatedOutside, number: int) -> dict[str, Finding]:
    """What a replay finds wrong."""
    replayed = replay_round(outside.repository.history(), number, Rules())
    fine = {Finding.IDENTICAL, Finding.NOT_DERIVABLE}
    return {file.path: file.finding for file in replayed.files if file.finding not in fine}


def begun(config: dict[str, Any]) -> SimulatedOutside:
    """`gen404 init` with this config."""
    outside = SimulatedOutside(downloads=None, judging=None)  # type: ignore[arg-type]
    files = {
        CONFIG: json.dumps(config, indent=2).encode(),
        "prompts.txt": POOL.encode(),
        LEADERS: json.dumps([{"hotkey": MINERS[-1]} | FOUNDER]).encode(),
    }
    begin(outside.repository, files, outside.chain.finalized())  # type: ignore[arg-type]
    return outside


def test_1_a_round_start_time_of_one_digit_is_refused_before_the_competition_begins() -> None:
    """Their commit: "fix: proper time format for pydantic"."""
    with pytest.raises(MalformedFile, match=r"config.json:5: round_start_time"):
        begun(COMPETITION | {"round_start_time": "8:00:00"})


def test_2_a_leader_is_asked_for_before_the_competition_begins() -> None:
    """Their commit: "Preparing leader.json for the competition start", a day before the round."""
    outside = SimulatedOutside(downloads=None, judging=None)  # type: ignore[arg-type]
    files = {
        CONFIG: json.dumps(COMPETITION).encode(),
        "prompts.txt": POOL.encode(),
        LEADERS: b"[]",
    }
    with pytest.raises(Exception, match=r"leader.json must name who leads"):
        begin(outside.repository, files, outside.chain.finalized())  # type: ignore[arg-type]
    assert outside.repository.head.read(STATE) is None


def test_3_source_audits_typed_before_anybody_asks_stand_and_cost_no_pod() -> None:
    """Their commit: "Source audit: missing repositories found", while builds were under way."""
    outside = simulate(WORLD, **ONE_ROUND)
    at(outside, Stage.MINER_GENERATION)
    entry = {"hotkey": BEST, "verdict": "failed", "reason": "Repository not found"}
    outside.repository.commit(
        {"rounds/0/source_audit.json": json.dumps([entry]).encode()},
        "Source audit: missing repositories found",
    )
    play(outside, 100)
    assert read(outside, "rounds/0/source_audit.json")[0] == entry
    assert read(outside, "rounds/0/winner.json")["winner_hotkey"] == GOOD
    assert f"rounds/0/{BEST}/generated.json" not in outside.repository.head.files
    assert replays(outside, 0) == {}


def test_4_an_images_name_that_a_person_mends_is_the_one_that_runs_and_leads() -> None:
    """Their commit: "docker image name fixed": the images had been named after another registry."""
    outside = simulate(WORLD, **ONE_ROUND)
    path = "rounds/0/builds.json"
    until(outside, lambda current: current.builds is not None and current.builds[BEST].status.ended)

    def renamed(builds: Any) -> Any:
        for build in builds.values():
            build["docker_image"] = build["docker_image"].replace("europe-west3", "asia")
        return builds

    ran: list[str] = []
    regenerate = outside.regenerate

    def regenerated(subject: Subject, *more: Any) -> Regenerated:
        ran.append(subject.image)
        return regenerate(subject, *more)

    outside.regenerate = regenerated  # type: ignore[method-assign,assignment]
    edit(outside, "docker image name fixed", {path: renamed})
    play(outside, 100)
    image = read(outside, path)[BEST]["docker_image"]
    assert image.startswith("asia")
    assert image in ran
    assert read(outside, LEADERS)[-1]["docker"] == image


def test_5_a_person_who_passes_a_miner_lets_the_line_go_on() -> None:
    """Their commit: "Source audit results": added to what was typed before."""
    outside = simulate(WORLD, **ONE_ROUND)
    failed = {"hotkey": BEST, "verdict": "failed", "reason": "Repository not found"}
    at(outside, Stage.DUELS)
    outside.repository.commit(
        {"rounds/0/source_audit.json": json.dumps([failed]).encode()}, "Source audit"
    )
    passed = {"hotkey": BEST, "verdict": "passed", "reason": "it was renamed"}
    edit(
        outside,
        "Source audit results",
        {"rounds/0/source_audit.json": lambda audits: [*audits, passed]},
    )
    play(outside, 100)
    assert read(outside, "rounds/0/winner.json")["winner_hotkey"] == BEST, "the last word counts"


def test_6_a_verdict_that_a_person_types_ends_an_audit_also_with_anothers_name_inside() -> None:
    """Their commit: "Generation audit early stop": the entry of one hotkey named another inside."""
    outside = simulate(WORLD, **ONE_ROUND)
    until(outside, lambda current: len(current.requests) > 0)
    verdict = {
        "hotkey": GOOD,
        "outcome": "rejected",
        "checked_prompts": 102,
        "failed_prompts": 9,
        "failed_critical": 0,
        "generation_time": 67.99,
        "reason": "Non-critical mismatches (9) exceed tolerance (6)",
    }
    outside.repository.commit(
        {"rounds/0/generation_audits.json": json.dumps({BEST: verdict}).encode()},
        "Generation audit early stop",
    )
    play(outside, 100)
    assert read(outside, "rounds/0/generation_audits.json")[BEST] == verdict
    assert read(outside, "rounds/0/winner.json")["winner_hotkey"] == GOOD


def finished_too_early() -> SimulatedOutside:
    """Round 0 is over, and the competition with it, since its last day was of the year before."""
    outside = simulate(WORLD, last_competition_date="2026-01-05")
    assert play(outside, 100)[-1] == (0, Stage.FINISHED)
    return outside


def extended(config: Any) -> Any:
    return config | {"last_competition_date": "2027-01-26"}


def back_to_finalizing(state: Any) -> Any:
    return state | {"stage": "finalizing"}


@pytest.mark.parametrize("take_back", [True, False], ids=["entry taken back", "entry left"])
def test_7_to_9_a_competition_that_ended_by_a_wrong_year_is_extended_and_led_on(
    take_back: bool,
) -> None:
    """Their commit: "competition schedule fix and faulty commit rollback": the last day mended, the
    leader's new entry taken back, the state set back to FINALIZING. The second need not be done."""
    outside = finished_too_early()
    leaders = len(read(outside, LEADERS))
    changes: dict[str, Callable[[Any], Any] | None] = {
        CONFIG: extended,
        STATE: back_to_finalizing,
    }
    if take_back:
        changes[LEADERS] = lambda entries: entries[:-1]
    edit(outside, "competition schedule fix and faulty commit rollback", changes)
    step(outside, due(now(outside).files, outside.chain.number))
    assert (now(outside).number, stage(outside)) == (1, Stage.OPEN)
    entries = read(outside, LEADERS)
    assert len(entries) == leaders
    assert (entries[-1]["hotkey"], entries[-1]["weight"]) == (BEST, 1.0)
    schedule = read(outside, "rounds/1/schedule.json")
    assert entries[-1]["effective_block"] == schedule["latest_reveal_block"]


def test_10_the_next_stages_time_is_there_when_a_round_opens_and_one_that_is_typed_stands() -> None:
    """Their commit: "next stage ETA updated": it was null in round 1."""
    outside = simulate(WORLD)
    until(outside, lambda current: current.number == 1)
    assert read(outside, STATE)["next_stage_eta"] == "2026-01-06T02:00:00Z"
    edit(outside, "next stage ETA updated", {STATE: lambda state: state | {"next_stage_eta": "x"}})
    step(outside, due(now(outside).files, outside.chain.number))
    assert read(outside, STATE)["next_stage_eta"] == "x"
    until(outside, lambda current: current.state is None or current.state.stage is not Stage.OPEN)
    assert read(outside, STATE)["next_stage_eta"] != "x"


def test_11_a_baselines_entry_that_a_person_deletes_is_made_again() -> None:
    """Their commit: "manual generation reset - rendering service issues": a prompt whose attempts
    had all failed."""
    outside = simulate(WORLD, **ONE_ROUND)
    path = f"rounds/0/{LEADER}/generated.json"
    outside.makes = lambda _: False
    until(outside, lambda current: current.baseline is not None)
    first = next(iter(read(outside, path)))
    assert read(outside, path)[first]["glb"] is None
    outside.makes = lambda _: True
    edit(
        outside,
        "manual generation reset - rendering service issues",
        {path: lambda outputs: {name: out for name, out in outputs.items() if name != first}},
    )
    make_baseline(work(outside))
    assert read(outside, path)[first]["glb"] is not None


def test_12_a_baseline_and_matches_that_a_person_deletes_are_made_again_with_new_reports() -> None:
    """Their commit: "rendering service bug: base miner generations reset": the reports stayed."""
    outside = simulate(WORLD, **ONE_ROUND)
    baseline, matrix = f"rounds/0/{LEADER}/generated.json", "rounds/0/matches_matrix.csv"
    report = f"rounds/0/{BEST}/duels_leader.json"
    until(outside, lambda _: report in outside.repository.head.files)
    before = outside.repository.head.files[report]
    outside.judging.penalty = lambda url: 2 if f"/{LEADER}/" in url else 9
    outside.judging.model = "another"  # so that no answer is kept
    outside.repository.commit(
        {baseline: None, matrix: None}, "rendering service bug: base miner generations reset"
    )
    play(outside, 100)
    assert outside.repository.head.files[report] != before
    assert read(outside, report)["margin"] < 0
    assert read(outside, "rounds/0/winner.json")["winner_hotkey"] == LEADER


def test_13_a_round_that_is_set_back_to_duels_without_its_winner_gets_it() -> None:
    """Their commit: "revert to duels to save winner.json": the stage had gone on without it."""
    outside = simulate(WORLD)
    at(outside, Stage.FINALIZING)
    winner = read(outside, "rounds/0/winner.json")
    edit(outside, "it was never written", {"rounds/0/winner.json": None})
    edit(
        outside,
        "revert to duels to save winner.json",
        {STATE: lambda state: state | {"stage": "duels"}},
    )
    until(outside, lambda current: current.number == 1)
    assert read(outside, "rounds/0/winner.json") == winner
    assert read(outside, LEADERS)[-1]["hotkey"] == winner["winner_hotkey"]
    assert replays(outside, 0) == {}


def test_13_a_stage_ends_in_one_commit_with_the_files_that_end_it() -> None:
    """So the state can't go on without them, as it did then."""
    outside = simulate(WORLD, **ONE_ROUND)
    play(outside, 100)
    needed = {
        "miner_generation": {"seed.json", "prompts.txt", "submissions.json"},
        "duels": {f"{BEST}/submitted.json", f"{GOOD}/submitted.json"},
        "finalizing": {"winner.json"},
    }
    seen = set()
    for commit in outside.repository.commits:
        snapshot = outside.repository.snapshot(commit.sha)
        state = json.loads(snapshot.files[STATE])
        if state["current_round"] == 0:
            seen.add(state["stage"])
            files = {f"rounds/0/{name}" for name in needed.get(state["stage"], ())}
            assert files <= snapshot.files.keys()
    assert seen >= needed.keys()
