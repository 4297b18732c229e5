"""A prompt whose picture can't be had: the round is judged, audited and ended without it, and
replays clean.
"""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from gen404_assets.assets.views import VIEWS
from gen404_assets.commands.operating import audit_source
from gen404_assets.competition.builds import BuildRun
from gen404_assets.competition.catalogue import Lane
from gen404_assets.competition.due import due
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.prompts import picture_key
from gen404_assets.competition.round import outputs_path, report_path
from gen404_assets.competition.settings import Rules
from gen404_assets.competition.state import Stage
from gen404_assets.live.auditing import audit_candidates, make_baseline
from gen404_assets.live.building import track_builds
from gen404_assets.live.collecting import collect
from gen404_assets.live.judging import crown_winner, judge_matches
from gen404_assets.live.opening import open_round
from gen404_assets.live.work import Work
from gen404_assets.replay.result import Finding
from gen404_assets.replay.rounds import replay_round
from simulators.outside import SimulatedOutside, picture_of
from simulators.rounds import now, stage, work
from tests.live.missing_prompts import DEADLINE, FINE, POOR, SEED, copies, gone, window_closed

# --- the round


def generated(missing: str, names: str = "abcd", **config: object) -> SimulatedOutside:
    """All is downloaded, also for prompts without a picture, which some miners know; the baseline
    is made.
    """
    outside = window_closed(missing, names, **config)
    open_round(work(outside))
    outside.chain.number = DEADLINE
    collect(work(outside))
    outside.builds.run = BuildRun(ended=True, jobs=dict.fromkeys([FINE, POOR], "success"))
    track_builds(work(outside))
    make_baseline(work(outside))
    penalties = {LEADER: 5, FINE: 1, POOR: 9}
    outside.judging.penalty = lambda url: penalties[url.split("/")[5]]
    return outside


def report(outside: SimulatedOutside, hotkey: str = FINE) -> dict[str, Any]:
    content = outside.repository.head.read(report_path(0, (LEADER, hotkey)))
    return dict(json.loads(content or b"{}"))


def outputs(outside: SimulatedOutside, hotkey: str, name: str) -> dict[str, Any]:
    return dict(json.loads(outside.repository.head.read(f"rounds/0/{hotkey}/{name}") or b"{}"))


def replayed(outside: SimulatedOutside) -> dict[str, list[str]]:
    """What the replay finds of round 0: path -> differences."""
    files = replay_round(outside.repository.history(), 0, Rules()).files
    return {
        file.path: [str(difference) for difference in file.differences] or [file.reason]
        for file in files
        if file.finding not in {Finding.IDENTICAL, Finding.NOT_DERIVABLE}
    }


def test_a_whole_round_is_judged_audited_and_ended_without_the_picture_and_replays_clean() -> None:
    outside = generated("b")
    judge_matches(work(outside))
    audit_candidates(work(outside))
    audit_source(outside, FINE, outside.verdict(FINE), "")  # type: ignore[arg-type]
    crown_winner(work(outside))
    assert stage(outside) is Stage.FINALIZING
    assert (now(outside).winner or pytest.fail()).winner_hotkey == FINE
    assert replayed(outside) == {}


def test_baseline_and_audits_leave_it_out_and_downloads_do_not() -> None:
    outside = generated("b")
    assert set(outputs(outside, LEADER, "generated.json")) == {"a", "c", "d"}
    assert set(outputs(outside, FINE, "submitted.json")) == {"a", "b", "c", "d"}
    judge_matches(work(outside))
    audit_candidates(work(outside))
    assert set(outputs(outside, FINE, "generated.json")) == {"a", "c", "d"}
    audit = now(outside).audits[FINE]
    assert (audit.outcome, audit.checked_prompts, audit.failed_prompts) == ("passed", 3, 0)


def test_its_duels_are_skipped_and_the_number_of_prompts_stays() -> None:
    outside = generated("b")
    judge_matches(work(outside))
    recorded = report(outside)
    assert [(duel["name"], duel["winner"]) for duel in recorded["duels"]] == [
        ("a", "right"),
        ("b", "skipped"),
        ("c", "right"),
        ("d", "right"),
    ]
    assert (recorded["score"], recorded["margin"]) == (3, 0.75)
    skipped = recorded["duels"][1]
    assert skipped["issues"] == "The picture of prompt b could not be had"
    assert skipped["prompt"] == "https://pool.example/b.png"
    assert "evidence" not in skipped
    assert outputs(outside, FINE, "submitted.json")["b"]["png"] == skipped["right_png"]


def test_the_judge_is_shown_our_own_copies_and_never_the_missing_one_nor_are_its_canaries() -> None:
    outside = generated("abc", "cadbefgh")
    shown = []
    ask = outside.judging.ask

    def asked(question: Any) -> Any:
        shown.append(question.prompt)
        return ask(question)

    outside.judging.ask = asked  # type: ignore[method-assign]
    judge_matches(work(outside))
    assert set(shown) == {outside.store.url(f"rounds/0/prompts/{name}.png") for name in "defgh"}


def test_g02_the_evidence_holds_the_digest_of_the_copy_whatever_the_host_serves_later() -> None:
    outside = generated("")
    outside.downloads.prompt = lambda url: b"another picture at " + url.encode()
    judge_matches(work(outside))
    for duel in report(outside)["duels"]:
        assert duel["evidence"]["prompt"] == hashlib.sha256(picture_of(duel["prompt"])).hexdigest()


def test_a_close_match_asks_for_critical_prompts_among_those_that_were_won() -> None:
    outside = generated("b", win_margin=0.75)
    judge_matches(work(outside))
    (request,) = now(outside).requests.root
    assert set(request.critical_prompts) == {"a", "c", "d"}


def test_a_match_is_clinched_within_what_is_left_of_it() -> None:
    names = "abcdefghijk"
    outside = generated("bd", names)
    outside.rules = Rules(clinch_matches=True)
    judge_matches(work(outside))
    recorded = report(outside, POOR)
    assert recorded["clinched"]["prompts"] == len(names)
    assert {duel["name"] for duel in recorded["duels"]} >= {"b", "d"}, (
        "what needs no judge counts first"
    )
    assert replayed(outside) == {}


def test_g11_a_round_without_any_picture_is_the_leaders_and_nobody_is_asked() -> None:
    outside = window_closed("abcd")
    outside.chain.number = DEADLINE
    open_round(work(outside))
    collect(work(outside))
    due_now = due(now(outside).files, DEADLINE)
    assert not due_now.assets(Lane.BASELINE)
    make_baseline(work(outside))
    judge_matches(work(outside))
    crown_winner(work(outside))
    assert (now(outside).winner or pytest.fail()).winner_hotkey == LEADER
    assert [match.margin for match in now(outside).matrix.matches] == [0.0, 0.0]
    assert not outside.judging.asked
    assert replayed(outside) == {}


def test_g11_a_leader_who_made_nothing_does_not_lose_by_what_is_there_of_a_missing_prompt_alone() -> (  # noqa: E501
    None
):
    outside = generated("b")
    nothing = {
        "glb": None,
        "png": None,
        "generation_time": 0.0,
        "size": 0,
        "attempts": 3,
        "distance": 0.0,
    }
    outside.repository.commit(
        {
            outputs_path(0, LEADER): json.dumps(dict.fromkeys("acd", nothing)).encode(),
            outputs_path(0, FINE): json.dumps(
                outputs(outside, FINE, "submitted.json") | dict.fromkeys("acd", nothing)
            ).encode(),
        },
        "By hand",
    )
    judge_matches(work(outside))
    assert {match.right: match.margin for match in now(outside).matrix.matches} == {
        FINE: 0.0,
        POOR: 100.0,
    }
    assert replayed(outside) == {}


# --- later


def test_a_round_that_was_opened_without_copies_is_judged_from_copies_made_now() -> None:
    outside = generated("")
    for key in copies(outside):
        del outside.store.objects[key]
    judge_matches(work(outside))
    assert len(copies(outside)) == 4
    assert replayed(outside) == {}


@pytest.mark.parametrize("needs", [judge_matches, make_baseline])
def test_g01_a_copy_that_is_lost_and_not_to_be_had_again_is_no_result(
    needs: Callable[[Work], None],
) -> None:
    outside = generated("")
    if needs is make_baseline:
        outside.repository.commit({outputs_path(0, LEADER): None}, "By hand")
    del outside.store.objects[picture_key(0, "https://pool.example/c.png")]
    gone(outside, "c")
    with pytest.raises(
        InfrastructureFault, match=r"rounds/0/prompts/c.png is not in the store.*missing_prompts of"
    ):
        needs(work(outside))
    assert not now(outside).matrix.matches


def test_a_person_may_name_it_then_and_the_round_goes_on() -> None:
    outside = generated("")
    del outside.store.objects[picture_key(0, "https://pool.example/c.png")]
    gone(outside, "c")
    seed = json.loads(outside.repository.head.read(SEED) or b"")
    outside.repository.commit(
        {SEED: json.dumps(seed | {"missing_prompts": ["c"]}).encode()}, "By hand"
    )
    judge_matches(work(outside))
    assert len(now(outside).matrix.matches) == 2
    assert replayed(outside) == {}


def by_hand(outside: SimulatedOutside, files: dict[str, bytes]) -> None:
    outside.repository.commit(files, "By hand")


def test_a_person_who_names_a_prompt_while_a_match_is_played_has_it_played_without_it() -> None:
    outside = generated("")
    seed = json.loads(outside.repository.head.read(SEED) or b"")
    named = {SEED: json.dumps(seed | {"missing_prompts": ["c"]}).encode()}
    outside.repository.before_push = lambda: by_hand(outside, named)
    judge_matches(work(outside))
    assert [duel["winner"] for duel in report(outside)["duels"]] == [
        "right",
        "right",
        "skipped",
        "right",
    ]
    assert replayed(outside) == {}


def test_a_prompt_whose_picture_is_found_again_is_regenerated_and_played_from_then_on() -> None:
    outside = generated("b")
    judge_matches(work(outside))
    seed = json.loads(outside.repository.head.read(SEED) or b"")
    del seed["missing_prompts"]
    outside.repository.commit({SEED: json.dumps(seed).encode()}, "By hand")
    gone(outside, "")
    assert due(now(outside).files, DEADLINE).hotkeys("baseline") == [LEADER]
    make_baseline(work(outside))
    assert set(outputs(outside, LEADER, "generated.json")) == {"a", "b", "c", "d"}
    assert replayed(outside) == {}, "matches that were played stand as they were judged"


# --- the replay


@pytest.fixture
def judged() -> SimulatedOutside:
    outside = generated("b")
    judge_matches(work(outside))
    audit_candidates(work(outside))
    return outside


def tampered(
    outside: SimulatedOutside, path: str, change: Callable[[Any], Any]
) -> dict[str, list[str]]:
    content = json.loads(outside.repository.head.read(path) or b"")
    change(content)
    outside.repository.commit({path: json.dumps(content, indent=2).encode()}, "By hand")
    return replayed(outside)


REPORT = report_path(0, (LEADER, FINE))


def test_a_duel_that_should_have_been_skipped_is_found(judged: SimulatedOutside) -> None:
    differences = tampered(judged, REPORT, lambda report: report["duels"][1].update(winner="left"))
    assert "duels[1].winner: recorded left, derived skipped" in differences[REPORT][0]


@pytest.mark.parametrize("evidence", [True, False])
def test_a_duel_that_should_not_have_been_skipped_is_found(
    judged: SimulatedOutside, *, evidence: bool
) -> None:
    def skip(report: Any) -> None:
        report["duels"][2].update(winner="skipped")
        if not evidence:
            del report["duels"][2]["evidence"]

    differences = tampered(judged, REPORT, skip)
    assert any("duels[2].winner: recorded skipped" in line for line in differences[REPORT])


def test_a_duel_that_is_skipped_in_a_round_without_missing_prompts_is_found() -> None:
    outside = generated("")
    judge_matches(work(outside))
    differences = tampered(
        outside, REPORT, lambda report: report["duels"][2].update(winner="skipped")
    )
    assert "duels[2].winner: recorded skipped, derived right" in differences[REPORT][0]


def test_a_missing_stem_that_is_no_prompt_of_the_round_is_found(judged: SimulatedOutside) -> None:
    differences = tampered(judged, SEED, lambda seed: seed["missing_prompts"].append("zebra"))
    [difference] = differences[SEED]
    assert difference.startswith(
        "missing_prompts: recorded zebra, derived no prompt of the round (written by a person in "
    )


def test_an_audit_that_counts_the_missing_prompt_is_found(judged: SimulatedOutside) -> None:
    path = "rounds/0/generation_audits.json"
    differences = tampered(judged, path, lambda audits: audits[FINE].update(checked_prompts=4))
    assert "checked_prompts: recorded 4, derived 3" in differences[path][0]


def test_the_replay_says_how_many_are_missing(judged: SimulatedOutside) -> None:
    files = {
        file.path: file for file in replay_round(judged.repository.history(), 0, Rules()).files
    }
    assert files[SEED].notes == ["1 prompts' pictures could not be had, as recorded"]
    assert files[REPORT].notes == [
        "1 prompts of the round have no picture: their duels are skipped"
    ]
    assert (files[REPORT].from_answers, files[REPORT].as_recorded) == (3, 0)


def test_what_is_missing_is_shown(judged: SimulatedOutside) -> None:
    assert VIEWS["seed"](now(judged))["missing_prompts"] == ["b"]
    shown = VIEWS["prompts"](now(judged))
    assert shown["without a picture"] == 1
    assert shown["prompts"] == 4
