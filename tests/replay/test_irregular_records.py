"""Records that the rules of today would not have taken: they stand with a note, or are found."""

import json
from typing import Any

import pytest

from gen404_assets.replay.result import Finding
from simulators.hotkeys import to_hotkey
from tests.replay.tampering import SUBMISSIONS, Tampered, entries, noted, open_history, replay


@pytest.mark.parametrize(
    ("change", "note"),
    [
        ({"cdn_url": "https://cdn.invalid/x/"}, "the rules of today write https://cdn.invalid/x"),
        (
            {"cdn_url": "https://cdn.invalid/a b"},
            "the rules of today refuse it: not a valid cdn_url",
        ),
        (
            {"cdn_url": "https://me:pass@cdn.invalid"},
            "the rules of today refuse it: not a valid cdn_url",
        ),
        ({"repo": "owner/repo.git"}, "the rules of today refuse it: not a valid repo"),
        ({"commit": "main"}, "the rules of today refuse it: not a valid commit"),
    ],
)
def test_a_submission_that_was_accepted_stands_with_a_note(
    tampered: Tampered, change: dict[str, str], note: str
) -> None:
    tampered.insert(
        "Update build statuses for round 0",
        {SUBMISSIONS: json.dumps(edited(tampered, change)).encode()},
    )
    files = {file.path: file for file in replay(open_history(tampered.path), 1)}
    assert files[SUBMISSIONS].finding is Finding.IDENTICAL
    assert f"{tampered.loser}: {note}" in files[SUBMISSIONS].notes


def edited(tampered: Tampered, change: dict[str, str]) -> Any:
    submissions = tampered.json(SUBMISSIONS)
    submissions[tampered.loser].update(change)
    return submissions


def test_hotkeys_that_ten_characters_cannot_tell_apart_are_noted(tampered: Tampered) -> None:
    entry = tampered.json(SUBMISSIONS)[tampered.loser]
    block = tampered.json("rounds/2/schedule.json")["latest_reveal_block"]
    alike = [to_hotkey(bytes(31) + bytes([last])) for last in range(2)]
    entries_ = {
        hotkey: entry | {"revealed_at_block": block, "round": "made-up-2"} for hotkey in alike
    }
    tampered.write({"rounds/2/submissions.json": json.dumps(entries_, indent=2).encode()})
    files = {file.path: file for file in replay(open_history(tampered.path))}
    assert files["rounds/2/submissions.json"].finding is Finding.IDENTICAL
    assert "first ten characters" in "".join(files["rounds/2/submissions.json"].notes)


@pytest.mark.parametrize(("block", "where"), [(2**31, "5"), (0, "the order")])
def test_a_reveal_outside_the_window_or_out_of_order_is_found(
    tampered: Tampered, block: int, where: str
) -> None:
    tampered.edit(
        SUBMISSIONS, lambda submissions: submissions[tampered.loser].update(revealed_at_block=block)
    )
    files = tampered.differing()
    assert set(files) == {SUBMISSIONS}, "what was built is what was submitted then"
    assert entries(files[SUBMISSIONS]) == [tampered.loser if where == "5" else where]


def test_skipped_duels_stand_with_a_note(tampered: Tampered) -> None:
    report = tampered.json(tampered.report)
    for duel in report["duels"]:
        if duel["winner"] == "draw":
            duel["winner"] = "skipped"
    tampered.write({tampered.report: json.dumps(report, indent=2).encode()})
    assert "duels were skipped; the verdict " in noted(tampered, tampered.report)


def test_draws_that_no_judge_decided_are_told(tampered: Tampered) -> None:
    report = tampered.json(tampered.report)
    for duel in report["duels"]:
        if duel["winner"] == "draw":
            duel["issues"] = "Internal error"
    tampered.write({tampered.report: json.dumps(report, indent=2).encode()})
    assert "duels were recorded as draws that the judge never decided; the verdict " in noted(
        tampered, tampered.report
    )
