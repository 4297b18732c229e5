"""What publishing to the repository promises, against real git repositories: all of a commit or
nothing, whoever else publishes and whatever breaks."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from resources.git_commands import RepositoryError
from resources.repository import PublishFailed, Repository, Snapshot
from tests.resources.repositories import Files, Person, git, hook, leftovers, put

pytestmark = pytest.mark.usefixtures("own_git_settings")
ROOT = Path(__file__).parents[2]


def test_files_are_set_and_deleted_in_one_commit(
    repository: Repository, remote: Path, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = repository.publish("first", put({"keep": b"k", "drop": b"d", "change/me": b"1"}))
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Platform")
    monkeypatch.setenv("GIT_AUTHOR_EMAIL", "platform@example.org")
    second = repository.publish(
        " second\n\nwhy: ü\n",
        put({"drop": None, "never was": None, "change/me": b"2", "new": b"\0\n\xff"}),
    )
    assert (second.message, second.subject) == ("second\n\nwhy: ü", "second")
    assert second.author == "Platform <platform@example.org>"
    assert first.author == "404-gen <platform@404-gen.invalid>"
    snapshot = repository.snapshot()  # which needs no refresh to show what was published here
    assert snapshot.commits == [first, second]
    assert snapshot.read_many(snapshot.blobs) == {
        "keep": b"k",
        "change/me": b"2",
        "new": b"\0\n\xff",
    }
    assert git("rev-parse", "main", at=remote) == second.sha
    assert leftovers(mirror) == []


def test_a_commit_has_the_date_it_was_asked_for_or_is_dated_by_this_machines_clock(
    repository: Repository,
) -> None:
    zone = timezone(timedelta(hours=-5))
    dated = repository.publish(
        "dated", put({"a": b"1"}), time=datetime(2026, 2, 1, 3, 4, 5, 678_900, zone)
    )
    assert dated.time == datetime(2026, 2, 1, 8, 4, 5, tzinfo=UTC)
    assert repository.snapshot(dated.sha).commit.time == dated.time
    before = datetime.now(UTC).replace(microsecond=0)
    assert before <= repository.publish("untold", put({"a": b"2"})).time <= datetime.now(UTC)


def test_what_changes_nothing_makes_no_commit(repository: Repository, person: Person) -> None:
    head = person.push(a="1")
    assert repository.publish("same", put({"a": b"1", "not there": None})).sha == head
    assert repository.publish("none", put({})).sha == head


def test_paths_may_hold_any_character(repository: Repository) -> None:
    names = [
        '"',
        "\\",
        "a b ",
        "ü/\t",
        "-",
        ":x",
        "'",
        "\\n\r",
        "tab\tin",
        "*?",
        "raw\udcff",
        "dir/:000 ",
        "😀",
        '"q"',
    ]
    files: Files = {name: str(number).encode() for number, name in enumerate(names)}
    repository.publish("strange", put(files))
    snapshot = repository.snapshot()
    assert snapshot.read_many(snapshot.blobs) == files
    assert {change.path for change in snapshot.history} == set(names)
    repository.publish("gone", put(dict.fromkeys(names)))
    assert repository.snapshot().blobs == {}


IMPROPER = [
    "",
    "/a",
    "a/",
    "a//b",
    "../a",
    "a/../b",
    "./a",
    ".git/hooks/x",
    "a/.GIT",
    "a\nb",
    "a\0b",
    "start/under",
]


@pytest.mark.parametrize("path", IMPROPER)
def test_improper_paths_are_refused(repository: Repository, person: Person, path: str) -> None:
    head = person.push(a="1")
    with pytest.raises(ValueError, match=r"path|file and a folder"):
        repository.publish("bad", put({"fine": b"1", path: b"2"}))
    assert repository.refresh() == head


def test_an_error_of_derive_is_the_callers_own(
    repository: Repository, person: Person, mirror: Path
) -> None:
    head = person.push(a="1")

    def derive(_: Snapshot) -> Files:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        repository.publish("never", derive)
    assert repository.refresh() == head
    assert leftovers(mirror) == []


def test_who_loses_a_race_derives_again_from_what_the_winner_published(
    repository: Repository, person: Person, remote: Path, mirror: Path
) -> None:
    heads: list[str] = []
    theirs: list[str] = []

    def derive(base: Snapshot) -> Files:
        heads.append(base.commit.sha)
        if len(heads) < 3:
            theirs.append(person.push(start=f"person's {len(heads)}"))
        return {"result": b"after " + (base.read("start") or b"")}

    commit = repository.publish("ours", derive)
    assert heads[1:] == theirs
    assert git("rev-list", "main", at=remote).split()[:3] == [commit.sha, *reversed(theirs)]
    assert repository.snapshot().read("result") == b"after person's 2"
    assert leftovers(mirror) == []


def test_who_always_loses_gives_up(repository: Repository, person: Person) -> None:
    head = ""

    def derive(_: Snapshot) -> Files:
        nonlocal head
        head = person.push(start=f"after {head}")
        return {"result": b"r"}

    with pytest.raises(PublishFailed, match="10 times"):
        repository.publish("ours", derive)
    assert repository.refresh() == head


COUNT = """
import sys; from pathlib import Path; from resources.repository import Repository
repository = Repository(sys.argv[1], mirror=Path(sys.argv[2]))
for _ in range(5):
    repository.publish(
        "one more", lambda base: {"count": b"%d" % (int(base.read("count") or 0) + 1)}
    )
"""


def child(script: str, remote: Path, mirror: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", script, str(remote), str(mirror)], env=environment
    )


def test_concurrent_processes_lose_nothing(
    repository: Repository, remote: Path, mirror: Path, tmp_path: Path
) -> None:
    children = [child(COUNT, remote, own) for own in (mirror, mirror, tmp_path / "another mirror")]
    assert [process.wait(60) for process in children] == [0, 0, 0]
    repository.refresh()
    assert repository.snapshot().read("count") == b"15"
    assert len(repository.snapshot().commits) == 15
    assert leftovers(mirror) == []


def test_a_refusal_of_the_server_leaves_everything_as_it_was(
    repository: Repository, person: Person, remote: Path, mirror: Path
) -> None:
    head = person.push(a="1")
    refusing = hook(remote, "pre-receive", "echo not today >&2; exit 1")
    with pytest.raises(PublishFailed, match="not today"):
        repository.publish("refused", put({"a": b"2"}))
    assert git("rev-parse", "main", at=remote) == head == repository.snapshot().commit.sha
    assert leftovers(mirror) == []
    refusing.unlink()
    assert repository.publish("accepted", put({"a": b"2"})).sha == git(
        "rev-parse", "main", at=remote
    )


def test_a_connection_that_dies_is_no_answer(
    repository: Repository, person: Person, remote: Path, mirror: Path
) -> None:
    head = person.push(a="1")
    hook(remote, "post-receive", "kill -9 $PPID")  # the server's process, once it has the commit
    commit = repository.publish("taken", put({"a": b"2"}))
    assert git("rev-list", "main", at=remote).split()[:2] == [commit.sha, head]
    assert repository.snapshot().commit == commit
    hook(remote, "pre-receive", "kill -9 $PPID")  # before it has
    with pytest.raises(PublishFailed):
        repository.publish("not taken", put({"a": b"3"}))
    assert git("rev-parse", "main", at=remote) == commit.sha
    hook(remote, "pre-receive", f"mv {remote} {remote}.gone; kill -9 $PPID")
    with pytest.raises(RepositoryError, match="unknown") as unknown:
        repository.publish("who knows", put({"a": b"3"}))
    assert not isinstance(unknown.value, PublishFailed)
    assert leftovers(mirror) == []


def test_a_remote_that_hangs_is_given_up(person: Person, remote: Path, mirror: Path) -> None:
    head = person.push(a="1")
    hook(remote, "pre-receive", "sleep 30")
    started = time.monotonic()
    with pytest.raises(PublishFailed, match="no end after 1 s"):
        Repository(str(remote), mirror=mirror, timeout=1).publish("hangs", put({"a": b"2"}))
    assert time.monotonic() - started < 25
    assert git("rev-parse", "main", at=remote) == head


def test_five_thousand_files_take_a_moment(repository: Repository, mirror: Path) -> None:
    files: Files = {
        f"{number % 40}/{number}.json": b'{"value": %d}' % number for number in range(5_000)
    }
    started = time.monotonic()
    repository.publish("many", put(files))
    assert time.monotonic() - started < 60  # half a second of CPU time
    assert repository.snapshot().read_many(files) == files
    assert leftovers(mirror) == []


KILLED = """
import os, sys; from pathlib import Path; from resources.repository import Repository
Repository(sys.argv[1], mirror=Path(sys.argv[2])).publish(
    "killed", lambda base: {f"f{number}": os.urandom(3000) for number in range(2000)})
"""


def test_a_kill_at_any_moment_leaves_all_in_order(remote: Path, mirror: Path) -> None:
    repository = Repository(str(remote), mirror=mirror)
    moments = [0.05, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3, 0.4, 0.5, 0.7]
    for number, moment in enumerate(moments):
        process = child(KILLED, remote, mirror)
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        process.wait()
        repository.publish(f"after {number}", put({"after": b"%d" % number}))
        assert leftovers(mirror) == []
    subjects = [
        commit.subject for commit in repository.snapshot().commits if commit.subject != "killed"
    ]
    assert subjects == [f"after {number}" for number in range(len(moments))]
    git("fsck", "--strict", at=remote)


def test_what_a_killed_git_leaves_is_removed(
    repository: Repository, person: Person, mirror: Path
) -> None:
    left = [
        "refs/heads/main.lock",
        "packed-refs.lock",
        "objects/pack/tmp_pack_1",
        "objects/pack/pack-1.pack",
    ]
    for name in left:
        (mirror / name).touch()
    (mirror / "outgoing-1").mkdir()
    person.push(a="1")
    repository.refresh()
    repository.publish("goes on", put({"a": b"2"}))
    assert leftovers(mirror) == []
    assert sorted(repository.snapshot().blobs) == ["a", "start"]
