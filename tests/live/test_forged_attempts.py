"""A draw for want of a usable answer that its attempts don't give is found by a replay."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import pytest

from gen404_assets.competition.duels import NO_USABLE_ANSWER
from simulators.outside import SimulatedDownloads, SimulatedOutside
from tests.live.unusable_answers import PATH, PROMPT, SEED, dueled, loops_at, replayed


def changed(
    outside: SimulatedOutside, prompt: str, change: Callable[[dict[str, Any]], object]
) -> dict[str, str]:
    """What the rules give, by entry, where a replay differs after somebody changed a duel."""
    report = json.loads(outside.repository.head.files[PATH])
    change(next(duel for duel in report["duels"] if duel["name"] == prompt))
    outside.repository.commit({PATH: json.dumps(report, indent=2).encode()}, "By hand")
    return {difference.entry: difference.derived for difference in replayed(outside).differences}


def answer_of(first: int, second: int) -> dict[str, str]:
    return {"text": json.dumps({"penalty_1": first, "penalty_2": second, "issues": ""})}


@pytest.fixture
def drawn() -> Iterator[SimulatedOutside]:
    yield dueled(loops_at(PROMPT))


@pytest.mark.parametrize(
    ("change", "entry", "derived"),
    [
        (lambda duel: duel.update(winner="right"), "winner", "draw"),
        (lambda duel: duel.update(issues="fine"), "issues", NO_USABLE_ANSWER),
        (lambda duel: duel["evidence"]["unusable"][0].pop(), "winner", "none: "),
        (lambda duel: duel["evidence"].pop("unusable"), "winner", "none: "),
        (
            lambda duel: _be_usable(duel["evidence"]["unusable"][1][2]),
            "winner",
            "none: the judge was asked again",
        ),
        (
            lambda duel: _be_usable(duel["evidence"]["answers"][0], duel["evidence"]["answers"][1]),
            "winner",
            "left",
        ),
        (
            lambda duel: duel["evidence"]["unusable"][0].reverse(),
            "evidence.unusable[0][0].key",
            "answers/",
        ),
        (
            lambda duel: _exchange_first(*duel["evidence"]["unusable"]),
            "evidence.unusable[0][0].key",
            "answers/",
        ),
        (lambda duel: duel["evidence"].update(seed=SEED + 1), "evidence.seed", f"{SEED}"),
    ],
)
def test_a_draw_that_its_attempts_do_not_give_is_found(
    drawn: SimulatedOutside, change: Callable[[dict[str, Any]], object], entry: str, derived: str
) -> None:
    differences = changed(drawn, PROMPT, change)
    assert differences[f"duels[1].{entry}"].startswith(derived)


def _exchange_first(first: list[object], swapped: list[object]) -> None:
    """Each order's first attempt is said to be the other's. Were all exchanged, the report would
    be closer to one by the outputs that were published while they were still collected.
    """
    first[0], swapped[0] = swapped[0], first[0]


def _be_usable(*attempts: dict[str, Any]) -> None:
    for attempt, penalties in zip(attempts, ((0, 9), (9, 0)), strict=False):
        attempt.update(answer_of(*penalties))
        del attempt["finish_reason"]


def test_a_usable_answer_that_was_asked_again_is_found() -> None:
    outside = dueled(lambda _: False)

    def ask_again(duel: dict[str, Any]) -> None:
        answers = duel["evidence"]["answers"]
        duel["evidence"]["unusable"] = [[dict(answers[0])], []]

    differences = changed(outside, PROMPT, ask_again)
    assert differences["duels[1].winner"].startswith(
        "none: the judge was asked again although it had answered"
    )


def test_an_empty_list_of_attempts_is_not_how_a_report_is_written() -> None:
    outside = dueled(lambda _: False)
    differences = changed(outside, PROMPT, lambda duel: duel["evidence"].update(unusable=[[], []]))
    assert "duels[1].evidence.unusable" in differences


def test_a_forgery_is_held_to_what_was_there_when_the_duels_began(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not to what was published while files were still collected, of which its own came last."""
    download = SimulatedDownloads.download

    def late(downloads: SimulatedDownloads, url: str, to: Path) -> int:
        if PurePosixPath(urlsplit(url).path).stem == PROMPT:
            time.sleep(0.3)
        return download(downloads, url, to)

    monkeypatch.setattr(SimulatedDownloads, "download", late)
    outside = dueled(loops_at(PROMPT))
    published = [each for each in outside.repository.messages if "Update submitted" in each]
    assert len(published) > 1
    differences = changed(outside, PROMPT, lambda duel: duel["evidence"].update(seed=SEED + 1))
    assert differences["duels[1].evidence.seed"] == str(SEED)
    assert "duels[1].winner" not in differences
