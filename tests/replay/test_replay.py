"""What replay promises: honest rounds replay clean; what was changed is found, alone, with the
commit that did it.

Tampering is tried on round 0 of a made-up competition, and on round 2, in which nobody submitted.
"""

from pathlib import Path
from typing import Any

import pytest

from gen404_assets.competition.catalogue import REPLAYED, Asset
from gen404_assets.competition.hotkeys import LEADER, short
from gen404_assets.competition.settings import Rules
from gen404_assets.replay.result import Finding, RoundReplay
from gen404_assets.replay.rounds import replay_round
from simulators.histories import REGISTRY, Competition, make_competition
from tests.replay.tampering import (
    AUDITS,
    BUILDS,
    MATRIX,
    REQUESTS,
    SUBMISSIONS,
    WINNER,
    Tampered,
    differing,
    entries,
    git,
    is_clean,
    open_history,
    replay,
)

EVIDENCE = {"baseline", "renders", "regenerated", "source_audits"}
PLAYED = set(REPLAYED) - EVIDENCE - {"schedule"}
"""The assets that a round in which matches were played derives."""


# --- honest rounds


@pytest.mark.parametrize("output_format", ["glb", "ply"])
@pytest.mark.parametrize("seed", range(5))
def test_an_honest_competition_replays_clean_and_nothing_is_written_to_it(
    seed: int, output_format: str, tmp_path: Path
) -> None:
    path = make_competition(
        tmp_path / "repository", rounds=5, seed=seed, output_format=output_format
    )
    before = {file: (file.stat().st_size, file.stat().st_mtime_ns) for file in path.rglob("*")}
    refs = git(path, "for-each-ref"), git(path, "rev-parse", "HEAD")
    history = open_history(path)
    assert not differing(history, 6)
    files = list(replay(history, 2))
    assert {file.asset for file in files if file.finding is Finding.IDENTICAL} == PLAYED | {
        "schedule"
    }
    assert (git(path, "for-each-ref"), git(path, "rev-parse", "HEAD")) == refs
    assert {
        file: (file.stat().st_size, file.stat().st_mtime_ns) for file in path.rglob("*")
    } == before


def test_the_same_seed_makes_the_same_competition(honest: Path, tmp_path: Path) -> None:
    again, other = (
        make_competition(tmp_path / "again"),
        make_competition(tmp_path / "other", seed=1),
    )
    heads = [git(path, "rev-parse", "main") for path in (honest, again, other)]
    assert heads[0] == heads[1] != heads[2]


def test_g11_a_round_against_a_leader_whose_image_is_gone_replays_clean(tmp_path: Path) -> None:
    path = make_competition(tmp_path / "repository", rounds=6)
    assert b",100.0" in git(path, "show", "main:rounds/5/matches_matrix.csv")
    assert not differing(open_history(path), 7)


# --- tampering


def test_a_margin_changed_in_the_matrix_is_found(tampered: Tampered) -> None:
    tampered.write_matrix([f"{row}1" if row == tampered.lost else row for row in tampered.rows])
    assert entries(tampered.only(MATRIX)) == [f"leader,{short(tampered.loser)}"]


def test_two_rows_swapped_in_the_matrix_are_found(tampered: Tampered) -> None:
    header, first, second, third, *rest = tampered.rows
    tampered.write_matrix([header, first, third, second, *rest])
    assert set(entries(tampered.only(MATRIX))) == {"the order"}


def test_a_row_deleted_from_the_matrix_is_found(tampered: Tampered) -> None:
    tampered.write_matrix([row for row in tampered.rows if row != tampered.lost])
    assert f"leader,{short(tampered.loser)}" in entries(tampered.differing()[MATRIX])


@pytest.mark.parametrize("key", ["score", "margin"])
def test_a_score_or_margin_changed_in_a_report_is_found(tampered: Tampered, key: str) -> None:
    tampered.edit(tampered.report, lambda report: report.update({key: report[key] + 1}))
    assert entries(tampered.only(tampered.report)) == [key]


def test_a_forced_outcome_changed_in_a_report_is_found(tampered: Tampered) -> None:
    duels = tampered.json(tampered.report)["duels"]
    at = next(at for at, duel in enumerate(duels) if "from left took too long" in duel["issues"])
    tampered.edit(tampered.report, lambda report: report["duels"][at].update(winner="left"))
    assert entries(tampered.only(tampered.report)) == [f"duels[{at}].winner"]


def test_a_url_changed_in_a_report_is_found(tampered: Tampered) -> None:
    better = "https://elsewhere.invalid/better.png"
    tampered.edit(tampered.report, lambda report: report["duels"][3].update(right_png=better))
    assert entries(tampered.only(tampered.report)) == ["duels[3].right_png"]


def test_a_match_judged_otherwise_contradicts_the_matrix(tampered: Tampered) -> None:
    def judge_again(report: Any) -> None:
        duel = next(duel for duel in report["duels"] if duel["winner"] == "draw")
        duel["winner"] = "right"
        report["score"] += 1
        report["margin"] = report["score"] / len(report["duels"])

    tampered.edit(tampered.report, judge_again)
    files = tampered.differing()
    assert {path: entries(file) for path, file in files.items()} == {
        MATRIX: [f"leader,{short(tampered.loser)}"]
    }


def test_a_prompt_replaced_is_found(tampered: Tampered) -> None:
    path = "rounds/2/prompts.txt"
    lines = tampered.read(path).split(b"\n")
    tampered.write(
        {path: b"\n".join([*lines[:4], b"https://elsewhere.invalid/easier.png", *lines[5:]])}
    )
    assert entries(tampered.only(path)) == ["line 5"]


def test_submissions_reordered_are_found_with_what_follows_from_their_order(
    tampered: Tampered,
) -> None:
    tampered.edit(SUBMISSIONS, lambda submissions: dict(reversed(submissions.items())))
    files = tampered.differing()
    assert set(files) <= {SUBMISSIONS, BUILDS, MATRIX, REQUESTS, WINNER}
    assert entries(files[SUBMISSIONS]) == ["the order"]
    assert files[SUBMISSIONS].by_person == [tampered.commit]


@pytest.mark.parametrize("at", [0, -1])
@pytest.mark.parametrize("key", ["docker_image", "tag"])
def test_a_builds_image_or_tag_changed_is_found(tampered: Tampered, key: str, at: int) -> None:
    winner = tampered.json(WINNER)["winner_hotkey"]
    built = [
        hotkey
        for hotkey, build in tampered.json(BUILDS).items()
        if build["docker_image"] and hotkey != winner
    ]
    tampered.edit(
        BUILDS, lambda builds: builds[built[at]].update({key: f"x{builds[built[at]][key]}"})
    )
    assert entries(tampered.only(BUILDS)) == [f"{built[at]}.{key}"]


def test_a_number_typed_into_an_audit_is_found(tampered: Tampered) -> None:
    hotkey = next(iter(tampered.json(AUDITS)))
    tampered.edit(AUDITS, lambda audits: audits[hotkey].update(checked_prompts=3))
    file = tampered.only(AUDITS)
    assert entries(file) == [f"{hotkey}.checked_prompts"]
    assert file.differences[0].origin == f"typed by a person in {tampered.commit}"


def test_an_audit_request_added_by_hand_is_found(tampered: Tampered) -> None:
    tampered.edit(
        REQUESTS, lambda requests: [*requests, {"hotkey": tampered.loser, "critical_prompts": []}]
    )
    file = tampered.only(REQUESTS)
    assert entries(file) == [tampered.loser]
    assert (
        file.differences[0].origin
        == f"asked for in {tampered.commit}; no match of the history calls for it"
    )


def test_another_winner_is_found_and_that_it_would_lead(tampered: Tampered) -> None:
    tampered.edit(WINNER, lambda winner: winner.update(winner_hotkey=tampered.loser))
    files = tampered.differing()
    assert set(files) == {WINNER, "leader.json"}
    assert entries(files[WINNER]) == ["winner_hotkey"]
    assert files[WINNER].by_person == [tampered.commit]


@pytest.mark.parametrize(
    ("path", "change", "entry"),
    [
        ("rounds/2/winner.json", {"commit": "0" * 40}, "commit"),
        ("rounds/2/seed.json", {"seed": 1}, "seed"),
        (
            "rounds/1/schedule.json",
            {"generation_deadline_block": 2**31},
            "generation_deadline_block",
        ),
        (
            "rounds/3/schedule.json",
            {"generation_deadline_block": 2**31},
            "generation_deadline_block",
        ),
        ("rounds/3/schedule.json", {"earliest_reveal_block": 0}, "earliest_reveal_block"),
    ],
)
def test_a_value_changed_is_found(
    tampered: Tampered, path: str, change: dict[str, Any], entry: str
) -> None:
    tampered.edit(path, lambda content: content.update(change))
    assert entries(tampered.only(path)) == [entry]


def test_a_leaders_weight_changed_is_found(tampered: Tampered) -> None:
    tampered.edit("leader.json", lambda leaders: leaders[-1].update(weight=0.9))
    block = tampered.json("leader.json")[-1]["effective_block"]
    assert entries(tampered.only("leader.json")) == [f"from block {block}"]


def test_a_stage_skipped_is_a_fault_of_the_platform_and_a_persons_right(tampered: Tampered) -> None:
    tampered.edit("state.json", lambda state: state.update(stage="downloading"))
    state = replay_round(open_history(tampered.path), 3, Rules(), assets=[Asset.STATE]).files[0]
    assert state.finding is Finding.IDENTICAL
    assert f"a person set it from open to downloading in {tampered.commit}" in state.notes
    assert state.by_person == [tampered.commit]
    tampered.edit(
        "state.json",
        lambda state: state.update(stage="finalizing"),
        "Update state (finalizing) for round 3",
    )
    assert entries(tampered.only("state.json")) == [tampered.commit]


# --- what people do to matches


def test_a_match_deleted_by_hand_and_played_again_is_named_and_replays_clean(
    tampered: Tampered,
) -> None:
    rows, report = (
        [row for row in tampered.rows if row != tampered.lost],
        tampered.read(tampered.report),
    )
    tampered.insert("Round 0 winner", {MATRIX: "\n".join(rows).encode(), tampered.report: None})
    by_hand = tampered.commit
    again = {MATRIX: "\n".join([*rows, tampered.lost]).encode(), tampered.report: report}
    names = f"leader vs {short(tampered.loser)}"
    message = f"Match report: {names}\nUpdate matches matrix for round 0"
    tampered.insert("Round 0 winner", again, message)
    files = list(replay(open_history(tampered.path)))
    assert not [file for file in files if file.finding is Finding.DIFFERS]
    assert {file.path for file in files if file.by_person == [by_hand]} == {MATRIX, tampered.report}


def test_an_audit_request_whose_match_was_deleted_is_named_with_the_commits(
    tampered: Tampered,
) -> None:
    hotkey = tampered.json(REQUESTS)[0]["hotkey"]
    assert tampered.json(AUDITS)[hotkey]["outcome"] == "rejected"
    rows = [row for row in tampered.rows if not row.startswith(f"{LEADER},{hotkey}")]
    asked = git(
        tampered.path, "log", "--reverse", "--format=%h", "--abbrev=7", "main", "--", REQUESTS
    ).decode()[:7]
    tampered.write(
        {MATRIX: "\n".join(rows).encode(), f"rounds/0/{hotkey}/duels_{LEADER}.json": None}
    )
    files = tampered.differing()
    assert {path: entries(file) for path, file in files.items()} == {
        MATRIX: [f"leader,{short(hotkey)}"],
        REQUESTS: [hotkey],
    }
    origin = files[REQUESTS].differences[0].origin
    assert files[REQUESTS].explained, "by what a person did"
    assert origin.startswith(f"asked for in {asked} ")
    assert f"after leader,{short(hotkey)} ended " in origin
    assert origin.endswith(
        f"with these critical prompts; a person deleted the match in {tampered.commit}"
    )


# --- files that can't be read


@pytest.mark.parametrize(
    "path",
    [
        *(
            f"rounds/0/{Asset(asset).entry.file}"
            for asset in sorted(PLAYED - {"prompts", "duels", "leader", "state"})
        ),
        *("rounds/0/schedule.json", "rounds/0/leader/generated.json", "rounds/0/source_audit.json"),
        *("leader.json", "state.json", "config.json"),
    ],
)
def test_g17_a_malformed_file_is_named_with_its_line_and_the_others_are_replayed(
    tampered: Tampered, path: str
) -> None:
    tampered.write({path: b"left,right,margin\n,,\n" if path == MATRIX else b'{\n  "seed": }'})
    files = list(replay(open_history(tampered.path)))
    assert not [file for file in files if file.finding is Finding.DIFFERS]
    assert any(f"{path}:2: " in file.reason for file in files)
    unread = {file.finding for file in files if file.path == path}
    assert unread == {Finding.MALFORMED}
    identical = {file.path for file in files if file.finding is Finding.IDENTICAL}
    assert identical >= (
        {"rounds/1/prompts.txt", "rounds/1/builds.json"} if path != "config.json" else set()
    )


@pytest.mark.parametrize(
    "path", [MATRIX, REQUESTS, AUDITS, BUILDS, "state.json", "rounds/0/source_audit.json"]
)
def test_a_file_that_was_broken_and_mended_is_replayed(tampered: Tampered, path: str) -> None:
    sound = tampered.read(path)
    tampered.write({path: b"oops"})
    tampered.write({path: sound})
    assert not tampered.differing()


# --- older rules


def fits(replay: RoundReplay) -> dict[str, str]:
    return {version.rule: version.fits for version in replay.versions}


def test_a_round_played_with_more_overtime_forgiven_is_explained_by_that_rule(
    tmp_path: Path,
) -> None:
    older = Rules(docker_image_format=REGISTRY, overtime_tolerance_ratio=0.1)
    history = open_history(Competition(rounds=1, rules=older).make(tmp_path / "repository"))
    replayed = replay_round(history, 0, Rules())
    assert is_clean(replayed)
    assert fits(replayed)["overtime"] == "10%"
    forced = replay_round(history, 0, Rules(), chosen={"overtime": "5%"})
    assert {file.asset for file in forced.files if file.finding is Finding.DIFFERS} == {"duels"}


def test_weights_that_were_not_rounded_are_explained_by_that_rule(tmp_path: Path) -> None:
    older = Rules(weight_digits=None)
    history = open_history(
        Competition(rounds=2, miners=0, rules=older).make(tmp_path / "repository")
    )
    replayed = replay_round(history, 1, Rules())
    assert is_clean(replayed)
    assert fits(replayed)["weights"] == "unrounded"
    forced = replay_round(history, 1, Rules(), chosen={"weights": "rounded"})
    assert [file.path for file in forced.files if file.finding is Finding.DIFFERS] == [
        "leader.json"
    ]


def test_prompts_drawn_twice_are_explained_by_that_rule(tmp_path: Path) -> None:
    older = Rules(unique_prompts=False)
    history = open_history(
        Competition(rounds=12, miners=0, rules=older).make(tmp_path / "repository")
    )
    rounds = [
        replay_round(history, number, Rules(), assets=[Asset.PROMPTS]) for number in range(12)
    ]
    assert all(map(is_clean, rounds))
    assert {fits(each)["prompts"] for each in rounds} == {"unique", "as drawn"}
