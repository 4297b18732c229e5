"""A round's files: what is there is read, and what is missing is reported by whoever needs it."""

from collections.abc import Callable

import pytest

from gen404_assets.competition.due import due
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.leader import FULL_WEIGHT, Leader, Transition
from gen404_assets.competition.round import LEADERS, STATE, Overlay, Round
from gen404_assets.competition.schedule import Schedule
from gen404_assets.competition.seed import Seed
from simulators.examples import MINERS

SCHEDULE = Schedule(
    earliest_reveal_block=0, latest_reveal_block=100, generation_deadline_block=200
).to_bytes()


class Nothing:
    """A repository without files."""

    def read(self, path: str) -> bytes | None:  # noqa: ARG002
        return None


def round_with(**files: bytes) -> Round:
    """Round 3 with these files, named by their stem."""
    written = {f"rounds/3/{name}.json": content for name, content in files.items()}
    return Round(Overlay(Nothing(), written), 3)


def leader_from(block: int) -> Overlay:
    leader = Transition(
        hotkey=MINERS[0],
        repo="miner/three-d",
        commit="0" * 40,
        docker=None,
        weight=FULL_WEIGHT,
        effective_block=block,
    )
    files = {LEADERS: Leader([leader]).to_bytes(), "rounds/3/schedule.json": SCHEDULE}
    return Overlay(Nothing(), files)


@pytest.mark.parametrize(
    ("path", "read"),
    [
        (STATE, lambda current: current.required_state),
        (LEADERS, lambda current: current.leaders),
        ("config.json", lambda current: current.config),
        ("rounds/3/schedule.json", lambda current: current.required_schedule),
        ("rounds/3/seed.json", lambda current: current.required_seed),
        ("rounds/3/submissions.json", lambda current: current.required_submissions),
        ("rounds/3/winner.json", lambda current: current.required_winner),
        ("rounds/3/schedule.json", lambda current: current.required_defending),
    ],
)
def test_a_missing_file_is_reported_with_its_path_and_what_to_do(
    path: str, read: Callable[[Round], object]
) -> None:
    with pytest.raises(MalformedFile) as raised:
        read(round_with())
    assert raised.value.path == path
    assert "the file is missing; restore it" in str(raised.value)


def test_a_missing_state_is_reported_by_whoever_asks_what_is_due() -> None:
    with pytest.raises(MalformedFile, match=r"^state.json:1: the file is missing"):
        due(Nothing(), 0)


def test_a_file_that_is_there_is_read() -> None:
    current = round_with(seed=Seed(seed=7).to_bytes(), schedule=SCHEDULE)
    assert current.required_seed.seed == 7
    assert current.required_schedule == current.schedule
    assert round_with().seed is None


def test_the_leader_in_effect_when_the_round_starts_defends() -> None:
    assert Round(leader_from(100), 3).required_defending.hotkey == MINERS[0]


def test_leaders_of_which_none_is_in_effect_are_reported_with_the_block() -> None:
    current = Round(leader_from(101), 3)
    assert current.defending is None
    with pytest.raises(MalformedFile, match="no entry is in effect at block 100") as raised:
        assert current.required_defending
    assert raised.value.path == LEADERS
