"""`gen404 status` on a competition of another edition: what it is and holds, and nothing that only
competition 1's rules would make due.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from gen404_assets.commands.other_editions import OtherEdition, edition_text, other_edition
from gen404_assets.commands.status import status_json, status_text
from resources.repository import Repository, Snapshot
from simulators.edition_histories import make_competition_0, make_competition_2
from simulators.memory_repository import MemoryRepository


def at_head(path: Path, folder: Path) -> Snapshot:
    repository = Repository(str(path), mirror=folder / "mirror")
    return repository.snapshot(repository.refresh())


@pytest.mark.parametrize(
    ("make", "name", "number"),
    [(make_competition_0, "competition-0", 2), (make_competition_2, "competition-2", 1)],
)
def test_another_edition_is_named_with_what_the_repository_holds(
    tmp_path: Path, make: Callable[[Path], Path], name: str, number: int
) -> None:
    found = other_edition(at_head(make(tmp_path / "made.git"), tmp_path))
    assert found is not None
    assert (found.edition, found.round, 0 in found.rounds) == (name, number, True)
    text = status_text(found)
    assert text.startswith(f"round {number}: ")
    assert f"by the rules of {found.title}" in text
    assert "due" not in text
    assert status_json(found)["edition"] == name


def memory(files: dict[str, bytes]) -> MemoryRepository:
    repository = MemoryRepository()
    repository.commit(files, "By hand")
    return repository


@pytest.mark.parametrize("state", [b"", b"[]", b"{", b'{"current_round": true, "stage": 3}'])
def test_what_no_edition_could_read_is_left_to_competition_1(state: bytes) -> None:
    assert other_edition(memory({"state.json": state}).snapshot()) is None  # type: ignore[arg-type]


def test_a_state_that_cannot_be_read_is_said() -> None:
    found = OtherEdition("competition-0", "competition 0", None, None, [])
    assert edition_text(found).splitlines()[:2] == [
        "its state can't be read, by the rules of competition 0",
        "  holds     files of no round",
    ]
