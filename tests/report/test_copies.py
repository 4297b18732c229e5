"""Copies among submissions, as a round's page names them."""

import json

from gen404_assets.competition.round import Round
from gen404_assets.report.copies import Copy, copies
from tests.replay.tampering import SUBMISSIONS, Tampered, open_history

SIZES = "files have the same size in bytes"


def submitted(hotkey: str) -> str:
    return f"rounds/0/{hotkey}/submitted.json"


def with_sizes(tampered: Tampered, sizes: dict[str, list[int]]) -> Round:
    """Round 0, whose miners have submitted files of these sizes."""
    files: dict[str, bytes | None] = {}
    for hotkey, each in sizes.items():
        document = tampered.json(submitted(hotkey))
        for entry, size in zip(document.values(), each, strict=False):
            entry["size"] = size
        files[submitted(hotkey)] = json.dumps(document).encode()
    tampered.write(files)
    return open_history(tampered.path).round(0)


def miners(tampered: Tampered) -> list[str]:
    """Those of whom every file is there."""
    return [
        hotkey
        for hotkey in tampered.json(SUBMISSIONS)
        if all(
            entry["png"] and entry["size"] for entry in tampered.json(submitted(hotkey)).values()
        )
    ]


def test_all_who_have_the_same_files_are_named_once(tampered: Tampered) -> None:
    first, second, third = miners(tampered)[:3]
    count = len(tampered.json(submitted(first)))
    same = [70_000 + at for at in range(count)]
    other = [90_000 + at for at in range(count - 4)]
    sizes = {first: same, second: same, third: [*other, *same[-4:]]}
    found = [copy for copy in copies(with_sizes(tampered, sizes)) if copy.what.endswith(SIZES)]
    assert found[0] == Copy((first, second), f"all {count} {SIZES}")
    assert {copy.hotkeys for copy in found[1:]} == {(first, third), (second, third)}
    assert {copy.what for copy in found[1:]} == {f"4 of {count} {SIZES}"}


def test_a_few_files_of_the_same_size_are_no_copy(tampered: Tampered) -> None:
    first, second = miners(tampered)[:2]
    found = copies(with_sizes(tampered, {first: [70_000, 70_001], second: [70_000, 70_001]}))
    assert [copy for copy in found if copy.what.endswith(SIZES)] == []
