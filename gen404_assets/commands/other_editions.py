"""What `gen404 status` says of a competition of another edition, which this platform doesn't
operate: what it is, and what the repository holds of it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from gen404_assets.competition.round import STATE, round_of, round_path
from gen404_assets.replay.editions.choosing import COMPETITION_1, edition_at_head
from resources.repository import Snapshot

_LOOKED_AT = 3
"""Rounds, up to the one under way, whose files tell the edition."""


@dataclass(frozen=True, slots=True)
class OtherEdition:
    """A competition by another edition's rules. `round` and `stage` are as its state says, None
    where that can't be read; `rounds` are those of which the repository has files.
    """

    edition: str
    title: str
    round: int | None
    stage: str | None
    rounds: Sequence[int]


class _Latest:
    """The files of the latest rounds at a snapshot: a status costs no more in a long season."""

    def __init__(self, snapshot: Snapshot, number: int) -> None:
        self._snapshot = snapshot
        self.round_numbers = range(max(0, number - _LOOKED_AT + 1), number + 1)

    def of_round(self, number: int) -> Sequence[str]:
        return [*self._snapshot.listed([round_path(number, "").rstrip("/")], below=True)]

    def read(self, path: str) -> bytes | None:
        return self._snapshot.read(path)


def other_edition(snapshot: Snapshot) -> OtherEdition | None:
    """The competition at a snapshot; None where it is by the rules that the platform operates."""
    number, stage = _state(snapshot)
    edition = edition_at_head(_Latest(snapshot, -1 if number is None else number))
    if edition is COMPETITION_1:
        return None
    rounds = {other for path in snapshot.blobs if (other := round_of(path)) is not None}
    return OtherEdition(edition.name, edition.title, number, stage, sorted(rounds))


def edition_text(other: OtherEdition) -> str:
    """For a person."""
    at = "its state can't be read"
    if other.round is not None:
        at = f"round {other.round}: {other.stage or 'no stage'}"
    held = f"rounds {', '.join(map(str, other.rounds))}" if other.rounds else "no round"
    return "\n".join(
        [
            f"{at}, by the rules of {other.title}",
            f"  holds     files of {held}",
            "  platform  operates competition 1 alone; `gen404 browse`, `replay`, `report` and "
            "`export` show this one",
        ]
    )


def _state(snapshot: Snapshot) -> tuple[int | None, str | None]:
    """Round and stage as `state.json` says, whatever its edition."""
    try:
        state = json.loads(snapshot.read(STATE) or b"null")
    except ValueError:
        return None, None
    if not isinstance(state, dict):
        return None, None
    number, stage = state.get("current_round"), state.get("stage")
    is_round = isinstance(number, int) and not isinstance(number, bool)
    return number if is_round else None, stage if isinstance(stage, str) else None
