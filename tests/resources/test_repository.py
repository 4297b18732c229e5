"""What reading from the repository promises, against real git repositories."""

import os
import random
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gen404_assets.competition_repository import history_of
from resources.git_commands import RepositoryError
from resources.git_history import NO_COMMIT
from resources.repository import PublishFailed, Repository
from tests.resources.repositories import Files, Person, git, put

pytestmark = pytest.mark.usefixtures("own_git_settings")


def test_a_snapshot_stays_the_same_when_the_remote_moves_on(
    repository: Repository, person: Person
) -> None:
    before = repository.snapshot()
    moved = person.push(start="1", new="n")
    assert repository.snapshot().commit == before.commit  # until told to look
    assert repository.refresh() == moved
    after = repository.snapshot()
    assert (before.read("start"), before.read("new"), len(before.commits)) == (b"0", None, 1)
    assert (after.read("start"), after.read("new"), len(after.commits)) == (b"1", b"n", 2)
    assert repository.snapshot(before.commit.sha).read_many(["start", "new"]) == {"start": b"0"}


def test_a_commit_that_the_mirror_lacks_is_fetched(repository: Repository, person: Person) -> None:
    assert repository.snapshot(person.push(new="n")).read("new") == b"n"
    for unknown in ("f" * 40, "--all"):
        with pytest.raises(RepositoryError):
            repository.snapshot(unknown)


def test_a_branch_that_does_not_exist_yet_reads_as_nothing(
    repository: Repository, remote: Path
) -> None:
    nothing = repository.snapshot()
    assert nothing.commit == NO_COMMIT
    assert repository.refresh() == NO_COMMIT.sha
    assert (nothing.blobs, nothing.history, nothing.commits, nothing.read("a")) == (
        {},
        [],
        [],
        None,
    )
    published = repository.publish("first", put({"a": b"1"}))
    assert repository.snapshot().read("a") == b"1"
    git("update-ref", "-d", "refs/heads/main", at=remote)
    assert repository.refresh() == NO_COMMIT.sha
    assert repository.snapshot(published.sha).read("a") == b"1"


def test_history_shows_merges_deletions_and_readditions(
    repository: Repository, person: Person
) -> None:
    work = person.work
    git("checkout", "-qb", "side", at=work)
    person.commit(side="s", start="side's")
    git("checkout", "-q", "main", at=work)
    person.commit(own="o")
    git("merge", "-q", "-m", "merged\n\nwith a body", "side", at=work)
    git("mv", "own", "renamed", at=work)
    git("commit", "-qm", ":moved", at=work)
    person.commit(own="again")
    git("commit", "-q", "--allow-empty", "--allow-empty-message", "-m", "", at=work)
    git("push", "-q", "origin", "main", at=work)
    repository.refresh()
    snapshot = repository.snapshot()
    seen = [
        (change.commit.subject, change.path, change.blob is not None) for change in snapshot.history
    ]
    assert seen == [
        ("start", "start", True),
        ("own by hand", "own", True),
        ("side, start by hand", "side", True),
        ("side, start by hand", "start", True),
        (":moved", "own", False),
        (":moved", "renamed", True),
        ("own by hand", "own", True),
    ]
    assert [commit.subject for commit in snapshot.commits][-2:] == ["own by hand", ""]
    assert snapshot.commits[3].message == "merged\n\nwith a body"
    assert snapshot.commits[-1] == snapshot.commit
    versions = [
        change.blob for change in snapshot.history if change.path == "start" and change.blob
    ]
    assert [snapshot.read_blob(blob) for blob in versions] == [b"0", b"side's"]


def test_a_pull_takes_nobodys_commits_away_and_a_merge_has_changed_what_it_settled(
    repository: Repository, person: Person
) -> None:
    work = person.work
    for number in range(3):
        repository.publish(
            f"ours {number}",
            put({f"ours {number}": b"o", "both": b"ours", "state": b"%d" % number}),
        )
    person.commit(theirs="t", both="theirs", state="0")
    subprocess.run(
        ["git", "-C", work, "pull", "-q", "--no-rebase", "origin", "main"],
        capture_output=True,
        check=False,
    )
    (work / "both").write_text("settled")
    (work / "state").write_text("2")
    git("add", "both", "state", at=work)
    git("commit", "-qm", "pulled", at=work)
    git("push", "-q", "origin", "main", at=work)
    repository.refresh()
    snapshot = repository.snapshot()
    subjects = [commit.subject for commit in snapshot.commits]
    assert subjects == [
        "start",
        "theirs, both, state by hand",
        "ours 0",
        "ours 1",
        "ours 2",
        "pulled",
    ]
    by_commit = {
        subject: {c.path for c in snapshot.history if c.commit.subject == subject}
        for subject in subjects
    }
    assert by_commit["ours 2"] == {"ours 2", "state"}
    assert by_commit["pulled"] == {"both"}
    last = {change.path: change.blob for change in snapshot.history}
    assert last == snapshot.blobs


@pytest.mark.parametrize("seed", range(8))
def test_however_people_merge_the_history_ends_with_the_files_at_the_head(
    repository: Repository, remote: Path, seed: int
) -> None:
    rng = random.Random(seed)
    stream = []
    for mark in range(1, 60):
        before = (
            rng.sample(range(max(1, mark - 5), mark), min(mark - 1, rng.choice([1, 1, 2, 3])))
            if mark > 1
            else []
        )
        lines = [
            f"commit refs/heads/b{mark}\nmark :{mark}\ncommitter A <a@b> {mark} +0000\ndata 1\nx"
        ]
        lines += [f"{'merge' if at else 'from'} :{parent}" for at, parent in enumerate(before)]
        for path in rng.sample("abcdef", rng.randint(0, 3)):
            gone = rng.random() < 0.2
            lines.append(f"D {path}" if gone else f"M 100644 inline {path}\ndata 2\n{mark:02}")
        stream.append("\n".join(lines) + "\n")
    git("fast-import", "--quiet", at=remote, data="".join(stream).encode())
    git("update-ref", "refs/heads/main", "refs/heads/b59", at=remote)
    repository.refresh()
    snapshot = repository.snapshot()
    shown = [commit.sha for commit in snapshot.commits]
    assert sorted(shown) == sorted(git("rev-list", "main", at=remote).split())
    for number, commit in enumerate(snapshot.commits):
        assert set(commit.parents) <= set(shown[:number])
    last = {change.path: change.blob for change in snapshot.history}
    assert {path: blob for path, blob in last.items() if blob} == snapshot.blobs


def test_commits_carry_the_committers_date_in_utc(
    repository: Repository, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_AUTHOR_DATE", "2001-01-01T00:00:00+0000")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2026-05-01T02:00:00+0200")
    commit = repository.snapshot(person.push(a="1")).commit
    assert commit.time == datetime(2026, 5, 1, tzinfo=UTC)
    assert commit.author == "Person <person@example.org>"
    assert commit.sha.startswith(commit.short)


def test_ten_thousand_commits_are_read_in_seconds(repository: Repository, remote: Path) -> None:
    files = "M 100644 inline {0}/a\ndata 1\n{1}\nM 100644 inline {0}/b\ndata 1\n{1}\n"
    commits = (
        f"commit refs/heads/main\ncommitter A <a@b> {number} +0000\ndata 1\nx\n"
        + files.format(number % 50, number // 50 % 10)
        for number in range(10_000)
    )
    git("fast-import", "--quiet", at=remote, data="".join(commits).encode())
    repository.refresh()
    snapshot = repository.snapshot()
    started = time.monotonic()
    assert [commit.time.timestamp() for commit in snapshot.commits] == list(range(10_000))
    assert len(snapshot.history) == 20_000
    assert time.monotonic() - started < 60  # a fifth of a second of CPU time


def test_a_bundle_can_be_read_but_not_published_to(person: Person, tmp_path: Path) -> None:
    git("bundle", "create", "-q", tmp_path / "all.bundle", "main", at=person.work)
    repository = Repository(str(tmp_path / "all.bundle"), mirror=tmp_path / "of the bundle")
    assert repository.snapshot().read("start") == b"0"
    with pytest.raises(PublishFailed):
        repository.publish("no", put({"a": b"1"}))


def test_a_persons_repository_is_left_as_it_is(person: Person, tmp_path: Path) -> None:
    (person.work / "start").write_text("dirty")
    (person.work / "untracked").write_text("u")
    git("add", "start", at=person.work)

    def state() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in person.work.rglob("*") if path.is_file()}

    before = state()
    repository = Repository(str(person.work), mirror=tmp_path / "of the work")
    assert repository.snapshot().read_many(["start", "untracked"]) == {"start": b"0"}
    assert len(repository.snapshot().history) == 1
    assert state() == before
    with pytest.raises(PublishFailed, match="checked out"):
        repository.publish("under their feet", put({"a": b"1"}))
    assert {path: text for path, text in state().items() if "objects" not in path.parts} == {
        path: text for path, text in before.items() if "objects" not in path.parts
    }


@pytest.mark.parametrize("partial", [True, False])
def test_wanted_files_come_in_one_fetch(
    person: Person, remote: Path, tmp_path: Path, partial: bool
) -> None:
    git("config", "uploadpack.allowFilter", str(partial).lower(), at=remote)
    person.push(**{f"f{number}": f"content {number}" for number in range(300)})
    mirror = tmp_path / "blobless"
    repository = Repository(remote.as_uri(), mirror=mirror)
    snapshot = repository.snapshot()

    def packs() -> int:
        return len(list(mirror.glob("objects/pack/*.pack")))

    missing = git("rev-list", "--objects", "--missing=print", "main", at=mirror).count("?")
    assert (packs(), missing) == (1, 301 if partial else 0)
    assert len(snapshot.history) == 301
    assert packs() == 1
    wanted = {f"f{number}": b"content %d" % number for number in range(299)}
    for _ in range(2):
        assert snapshot.read_many([*wanted, "none"]) == wanted
        assert packs() == (2 if partial else 1)
    repository.publish("in part", put({"f1": b"other", "start": None}))
    repository.refresh()
    assert repository.snapshot().read_many(["f1", "f299", "start"]) == {
        "f1": b"other",
        "f299": b"content 299",
    }
    git("fsck", "--strict", at=remote)


def test_a_blob_that_nobody_has_is_an_error(repository: Repository, person: Person) -> None:
    assert person
    with pytest.raises(RepositoryError):
        repository.snapshot().read_blob("e" * 40)


def test_threads_share_a_snapshot(repository: Repository, mirror: Path, remote: Path) -> None:
    files: Files = {f"f{number}": random.Random(number).randbytes(70_000) for number in range(300)}
    repository.publish("large", put(files))
    shutil.rmtree(mirror)
    snapshot = Repository(str(remote), mirror=mirror).snapshot()
    with ThreadPoolExecutor(4) as threads:
        assert all(list(threads.map(lambda _: snapshot.read_many(files) == files, range(4))))
    packs = sorted(mirror.glob("objects/pack/*"))
    assert snapshot.read_many(files) == files
    assert sorted(mirror.glob("objects/pack/*")) == packs, "nothing is fetched twice"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a repository to somebody else")
def test_a_repository_of_another_user_can_be_used(person: Person, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    git("clone", "-q", "--bare", person.work, theirs, at=tmp_path)
    for path in (theirs, *theirs.rglob("*")):
        os.chown(path, 12345, 12345)
    repository = Repository(str(theirs), mirror=tmp_path / "of theirs")
    assert repository.snapshot().read("start") == b"0"
    assert repository.publish("more", put({"a": b"1"})).subject == "more"


def test_what_came_since_the_head_itself_is_nothing(tmp_path: Path) -> None:
    """A run that looks at the history twice, while nobody publishes, reads on from its end."""
    remote = tmp_path / "remote.git"
    git("init", "-q", "--bare", "-b", "main", remote, at=tmp_path)
    repository = Repository(str(remote), mirror=tmp_path / "mirror")
    first = repository.publish("one", put({"a.json": b"1"}))
    second = repository.publish("two", put({"a.json": b"2"}))
    snapshot = repository.snapshot(second.sha)
    assert snapshot.since(second.sha) == ([], [])
    since = snapshot.since(first.sha)
    assert since is not None
    assert [commit.sha for commit in since[0]] == [second.sha]
    assert len(history_of(snapshot).commits) == 2
    assert history_of(repository.snapshot()).read("a.json") == b"2"
