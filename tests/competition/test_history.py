"""A history that is read on from the one before is as one that is read whole."""

import json

from hypothesis import given
from hypothesis import strategies as st

from gen404_assets.competition.history import History
from gen404_assets.competition.state import Stage, State
from gen404_assets.competition.versions import Version
from gen404_assets.competition_repository import history_of
from simulators.memory_repository import MemoryRepository

Change = tuple[Version, State | None, State]
STATES = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from([Stage.OPEN, Stage.DUELS]), st.booleans()),
    max_size=12,
)
"""Round, stage, and whether somebody looks then."""


def by_looking_at_all(history: History, number: int) -> list[Change]:
    changes: list[Change] = []
    before: State | None = None
    for version, after in history.states:
        if after.current_round == number or (before and before.current_round == number):
            changes.append((version, before, after))
        before = after
    return changes


@given(STATES)
def test_the_states_of_a_round_are_those_before_or_after_which_it_was_under_way(
    states: list[tuple[int, Stage, bool]],
) -> None:
    repository = MemoryRepository()
    for at, (number, stage, looks) in enumerate(states):
        content = {"current_round": number, "stage": stage, "next_stage_eta": None, "at": at}
        repository.commit({"state.json": json.dumps(content).encode()}, f"State {at}")
        if looks:
            history_of(repository.head).states_of(number)  # type: ignore[arg-type]
    history = history_of(repository.head)  # type: ignore[arg-type]
    for number in range(4):
        assert history.states_of(number) == by_looking_at_all(history, number)
    assert history.rounds_under_way == {number for number, _, _ in states}


FILES = st.lists(
    st.dictionaries(
        st.sampled_from([f"rounds/{number}/{name}" for number in range(3) for name in "ab"]),
        st.sampled_from([b"1", b"2", None]),
        min_size=1,
    ),
    max_size=8,
)
"""Of each commit: the files that it sets, or deletes."""


@given(FILES)
def test_the_rounds_are_those_that_have_files_at_the_head(
    commits: list[dict[str, bytes | None]],
) -> None:
    repository = MemoryRepository()
    for at, files in enumerate(commits):
        repository.commit(files, f"Commit {at}")
    read_on, whole = repository.head.past, repository.head
    read_whole = History(whole.commits, whole.history, whole.read_blobs)
    present = sorted({int(path.split("/")[1]) for path in read_on.paths})
    assert read_on.round_numbers == read_whole.round_numbers == present
