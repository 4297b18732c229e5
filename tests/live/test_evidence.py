"""What a report keeps of its judging, and that the outcomes follow from it: anybody can derive them
again.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from gen404_assets.assets.views import VIEWS
from gen404_assets.competition.catalogue import Asset
from gen404_assets.competition.history import History
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.prompts import picture_key
from gen404_assets.competition.round import report_path
from gen404_assets.competition.settings import Rules
from gen404_assets.live.judging import judge_matches
from gen404_assets.replay.plays import ANSWERS
from gen404_assets.replay.result import FileReplay
from gen404_assets.replay.rounds import replay_round
from simulators.examples import MINERS
from simulators.outside import SimulatedOutside
from simulators.rounds import dueling, now, work

FINE = MINERS[0]
PATH = report_path(0, (LEADER, FINE))


@pytest.fixture
def outside() -> SimulatedOutside:
    """A match that the challenger has won, every duel 2 to 7."""
    outside = dueling([FINE])
    outside.judging.penalty = lambda url: 7 if f"/{LEADER}/" in url else 2
    judge_matches(work(outside))
    return outside


def duels(outside: SimulatedOutside) -> list[dict[str, Any]]:
    return list(json.loads(outside.repository.head.files[PATH])["duels"])


def replayed(outside: SimulatedOutside, rules: Rules | None = None) -> FileReplay:
    replay = replay_round(outside.repository.history(), 0, rules or Rules(), assets=[Asset.DUELS])
    return next(file for file in replay.files if file.path == PATH)


def changed(outside: SimulatedOutside, change: Callable[[dict[str, Any]], object]) -> FileReplay:
    """The replay after somebody changed the first duel of the report."""
    report = json.loads(outside.repository.head.files[PATH])
    change(report["duels"][0])
    outside.repository.commit({PATH: json.dumps(report, indent=2).encode()}, "By hand")
    return replayed(outside)


def differing(file: FileReplay) -> dict[str, tuple[str, str]]:
    return {
        difference.entry: (difference.recorded, difference.derived)
        for difference in file.differences
    }


def test_g02_a_duel_holds_the_digests_of_its_pictures_the_models_name_and_both_answers(
    outside: SimulatedOutside,
) -> None:
    for duel in duels(outside):
        evidence = duel["evidence"]
        copy = outside.store.url(picture_key(0, duel["prompt"]))
        for side, url in (
            ("prompt", copy),
            ("left", duel["left_png"]),
            ("right", duel["right_png"]),
        ):
            assert evidence[side] == hashlib.sha256(outside.read(url)).hexdigest()
        assert (evidence["model"], evidence["prompt_version"]) == ("simulated", "1")
        assert evidence["seed"] == (now(outside).seed or pytest.fail()).seed
        penalties = [json.loads(answer["text"]) for answer in evidence["answers"]]
        assert [(answer["penalty_1"], answer["penalty_2"]) for answer in penalties] == [
            (7, 2),
            (2, 7),
        ]


def test_g03_the_answers_are_in_the_store_under_the_name_that_the_duel_gives_them(
    outside: SimulatedOutside,
) -> None:
    for answer in answers(outside):
        kept = json.loads(outside.store.objects[answer["key"]])
        assert (kept["answer"], kept["answered_by"]) == (answer["text"], answer["model"])
        assert answer["model"] == "simulated, as served"


def answers(outside: SimulatedOutside) -> Iterator[dict[str, Any]]:
    for duel in duels(outside):
        yield from duel["evidence"]["answers"]


def test_g03_a_copy_of_anothers_file_is_the_same_question() -> None:
    outside = dueling(MINERS[:2])
    for key in [key for key in outside.store.objects if f"/{MINERS[1]}/" in key]:
        outside.store.objects[key] = outside.store.objects[key.replace(MINERS[1], MINERS[0])]
    judge_matches(work(outside))
    assert len(outside.judging.asked) == len(set(outside.judging.asked))
    against_leader = [
        question for question in outside.judging.asked if f"/{LEADER}/" in question.first
    ]
    assert len(against_leader) == len(now(outside).stems)


def test_what_the_rounds_answers_say_of_the_judge_is_shown(outside: SimulatedOutside) -> None:
    shown = VIEWS["duels"](now(outside))
    assert (shown["position bias"], shown["agreement of the two orders"]) == (0.0, 1.0)
    assert (shown["duels"], shown["close matches"]) == (4, 0)


def test_a_replay_derives_outcomes_from_the_answers_and_says_how_many(
    outside: SimulatedOutside,
) -> None:
    file = replayed(outside)
    assert (file.finding, file.from_answers, file.as_recorded) == ("identical", 4, 0)


def test_a_replay_takes_outcomes_as_recorded_where_no_answers_were_kept(
    outside: SimulatedOutside,
) -> None:
    repository = outside.repository

    def read(blobs: Iterable[str]) -> dict[str, bytes]:
        return {blob: without_evidence(repository.contents[blob]) for blob in blobs}

    changes = [change for changes in repository.changes for change in changes]
    history = History(repository.commits, changes, read)
    [file] = replay_round(history, 0, Rules(), assets=[Asset.DUELS]).files
    assert (file.path, file.finding) == (PATH, "identical")
    assert (file.from_answers, file.as_recorded) == (0, 4)


def without_evidence(raw: bytes) -> bytes:
    """A report as it was before answers were kept."""
    if b'"evidence"' not in raw:
        return raw
    report = json.loads(raw)
    for duel in report["duels"]:
        del duel["evidence"]
    return json.dumps(report, indent=2).encode()


def test_answers_that_are_gone_where_others_of_the_time_are_kept_are_missed(
    outside: SimulatedOutside,
) -> None:
    file = changed(outside, lambda duel: duel.pop("evidence"))
    assert (file.finding, file.from_answers, file.as_recorded) == ("differs", 3, 1)
    assert differing(file) == {"duels[0].evidence": ("nothing", ANSWERS)}


def verdict(first: int, second: int) -> str:
    return json.dumps({"penalty_1": first, "penalty_2": second, "issues": "colours"})


def test_an_outcome_that_the_answers_do_not_give_is_found(outside: SimulatedOutside) -> None:
    differences = differing(
        changed(outside, lambda duel: duel.update(winner="left", issues="all wrong"))
    )
    assert differences["duels[0].winner"] == ("left", "right")
    assert differences["duels[0].issues"] == ("all wrong", "colours")


@pytest.mark.parametrize(
    ("text", "winner"),
    [
        (verdict(0, 10), "left"),
        (verdict(11, 0), "none: the judge's answer is no judgement"),
        ("right", "none: "),
    ],
)
def test_an_answer_that_was_tampered_with_gives_another_outcome(
    outside: SimulatedOutside, text: str, winner: str
) -> None:
    differences = differing(
        changed(outside, lambda duel: duel["evidence"]["answers"][0].update(text=text))
    )
    assert differences["duels[0].winner"][1].startswith(winner)


@pytest.mark.parametrize("part", ["prompt", "left", "right", "model", "prompt_version"])
def test_an_answers_name_gives_away_that_something_else_was_asked(
    outside: SimulatedOutside, part: str
) -> None:
    differences = differing(
        changed(outside, lambda duel: duel["evidence"].update({part: "0" * 64}))
    )
    assert set(differences) == {
        "duels[0].evidence.answers[0].key",
        "duels[0].evidence.answers[1].key",
    }


def test_a_seed_that_is_not_the_rounds_is_found(outside: SimulatedOutside) -> None:
    seed = (now(outside).seed or pytest.fail()).seed
    differences = differing(changed(outside, lambda duel: duel["evidence"].update(seed=seed + 1)))
    assert differences["duels[0].evidence.seed"] == (str(seed + 1), str(seed))
