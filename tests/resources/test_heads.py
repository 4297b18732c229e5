"""A history that follows the one before is the same as one that is read whole, whatever came."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gen404_assets.competition.history import History
from gen404_assets.competition_repository import history_of
from resources.git_history import Change, Commit, follows, in_line
from resources.repository import Repository, Snapshot
from simulators.history_repository import fast_import


def whole(snapshot: Snapshot) -> History:
    return History(snapshot.commits, snapshot.history, snapshot.read_blobs)


def seen(history: History) -> dict[str, object]:
    """All that a history tells."""
    return {
        "commits": [commit.sha for commit in history.commits],
        "paths": dict(history.paths),
        "rounds": history.round_numbers,
        "of rounds": {number: history.of_round(number) for number in range(4)},
        "versions": {
            path: [(version.index, version.blob) for version in history.versions(path)]
            for path in ("state.json", "rounds/0/a", "rounds/1/a", "rounds/2/a")
        },
        "states": [(version.index, state.stage) for version, state in history.states],
        "past": [history.is_past(number) for number in range(4)],
    }


class Branch:
    """A branch that anybody writes, by force too."""

    def __init__(self, path: Path) -> None:
        with fast_import(path):
            pass
        self.path, self.marks = path, 0

    def git(self, *arguments: str, data: bytes = b"") -> str:
        done = subprocess.run(
            ["git", "-C", str(self.path), *arguments],
            input=data, capture_output=True, check=True,
        )  # fmt: skip
        return done.stdout.decode().strip()

    def commit(self, files: dict[str, str | None], *parents: str) -> str:
        """A commit on parents (none: the head), which becomes the head; its sha."""
        self.marks += 1
        on = parents or tuple(filter(None, [self.head()]))
        lines = [
            f"commit refs/heads/main\nmark :1\ncommitter a <b> {self.marks} +0000\ndata 1\nx\n"
        ]
        lines += [f"{'merge' if at else 'from'} {parent}\n" for at, parent in enumerate(on)]
        for path, content in files.items():
            lines.append(
                f"D {path}\n"
                if content is None
                else f"M 100644 inline {path}\ndata {len(content)}\n{content}\n"
            )
        self.git("fast-import", "--quiet", "--force", data="".join(lines).encode())
        return self.head()

    def head(self) -> str:
        return self.git("for-each-ref", "--format=%(objectname)", "refs/heads/main")


def state(number: int, stage: str = "open") -> str:
    return f'{{"current_round": {number}, "stage": "{stage}", "next_stage_eta": null}}'


def test_a_history_follows_the_one_before_through_pulls_deletions_and_rewriting_by_force(
    tmp_path: Path,
) -> None:
    branch = Branch(tmp_path / "remote.git")
    repository = Repository(str(branch.path), mirror=tmp_path / "mirror")
    read_whole = 0

    def look() -> History:
        nonlocal read_whole
        snapshot = repository.snapshot(repository.refresh())
        history = history_of(snapshot)
        read_whole += "commits" in vars(snapshot) or "_log" in vars(snapshot)
        assert seen(history) == seen(whole(repository.snapshot()))
        return history

    first = branch.commit({"state.json": state(0), "rounds/0/a": "1"})
    look()
    assert read_whole == 1
    branch.commit({"rounds/0/a": "2", "rounds/0/b": "1"})
    second = branch.commit({"state.json": state(0, "finalizing"), "rounds/0/b": None})
    look()
    assert read_whole == 1  # two commits at once
    branch.commit({"state.json": state(1), "rounds/1/a": "1"})
    look()
    side = branch.commit({"rounds/0/c": "by hand"}, second)
    branch.git("update-ref", "refs/heads/main", third := branch.commit({"x": "1"}, second))
    look()  # rewritten by force, of one that stood on the head before last
    assert read_whole == 2
    branch.commit({"rounds/1/a": "3"}, third, side)
    look()  # a merge of what others committed beside, on the head
    assert read_whole == 2
    mine = branch.commit({"rounds/2/a": "mine"}, second)
    branch.commit({"rounds/2/a": "pulled"}, mine, third)
    look()  # a person's pull: the head before is the second parent
    assert read_whole == 3
    branch.commit({"state.json": state(0), "y": "1"}, first)
    look()
    assert read_whole == 4


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_the_line_of_any_history_is_that_up_to_a_first_parent_and_what_came_after(
    data: st.DataObject,
) -> None:
    trees: dict[str, dict[str, str]] = {}
    commits: list[Commit] = []
    changes: list[Change] = []
    for number in range(data.draw(st.integers(1, 14))):
        known = [commit.sha for commit in commits]
        parents = (
            data.draw(st.lists(st.sampled_from(known), max_size=3, unique=True)) if known else []
        )
        commit = Commit(f"c{number}", "a <b>", datetime(2028, 1, 1, tzinfo=UTC), "", tuple(parents))
        written = data.draw(
            st.dictionaries(st.sampled_from("abcd"), st.sampled_from("123"), max_size=3)
        )
        base = dict(trees[parents[0]]) if parents else {}
        trees[commit.sha] = base | written
        commits.append(commit)
        if len(parents) < 2:  # a merge's own changes are not in the log
            changes += [
                Change(commit, path, blob)
                for path, blob in written.items()
                if base.get(path) != blob
            ]
    by_sha = {commit.sha: commit for commit in commits}

    def reachable(sha: str) -> set[str]:
        return {sha}.union(*(reachable(parent) for parent in by_sha[sha].parents))

    def line(
        among: set[str], head: str, after: str | None = None
    ) -> tuple[list[Commit], list[Change]]:
        some = [commit for commit in commits if commit.sha in among]
        made = [change for change in changes if change.commit.sha in among]
        assert after is None or follows(head, some, after)
        return in_line(head, some, made, trees.__getitem__, after)

    head = after = commits[-1].sha
    for _ in range(data.draw(st.integers(0, 5))):
        after = next(iter(by_sha[after].parents), after)
    before = line(reachable(after), after)
    since = line(reachable(head) - reachable(after), head, after)
    assert (before[0] + since[0], before[1] + since[1]) == line(reachable(head), head)


@pytest.mark.parametrize("name", ["..", "a//b", "/a", ":(glob)*", "*", "rounds", "nul\0"])
def test_a_path_that_is_no_file_is_not_there(tmp_path: Path, name: str) -> None:
    branch = Branch(tmp_path / "remote.git")
    branch.commit({"rounds/0/a": "1", "b": "2"})
    repository = Repository(str(branch.path), mirror=tmp_path / "mirror")
    assert repository.snapshot().read(name) is None
