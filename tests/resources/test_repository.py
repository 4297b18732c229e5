"""What reading from and publishing to the repository promises, against real git repositories."""

import base64
import os
import random
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from gen404_assets.competition_repository import history_of
from gen404_assets.settings import RepositorySettings
from resources.git_commands import RepositoryError
from resources.git_history import NO_COMMIT
from resources.repository import PublishFailed, Repository, Snapshot
from resources.settings import BadSetting, git_address, read_settings

ROOT = Path(__file__).parents[2]
Files = Mapping[str, bytes | None]


def git(*arguments: str | Path, at: Path, data: bytes = b"") -> str:
    done = subprocess.run(
        ["git", "-C", at, *arguments], input=data, capture_output=True, check=True
    )
    return done.stdout.decode().strip()


def put(files: Files) -> Callable[[Snapshot], Files]:
    return lambda _: files


def leftovers(mirror: Path) -> list[str]:
    packs = mirror / "objects/pack"
    partial = [part for part in packs.glob("*") if not part.with_suffix(".idx").exists()]
    named = [
        path
        for kind in ("outgoing*", "**/tmp_*", "**/*.lock", "**/*crash*")
        for path in mirror.glob(kind)
    ]
    refs = git("for-each-ref", "--format=%(refname)", at=mirror).split()
    return [*map(str, partial + named), *(ref for ref in refs if ref != "refs/heads/main")]


class Person:
    """Somebody who works on the repository in a clone."""

    def __init__(self, remote: Path, work: Path) -> None:
        self.work = work
        git("clone", "-q", remote, work, at=remote)

    def commit(self, **files: str) -> str:
        for name, text in files.items():
            (self.work / name).write_text(text)
        git("add", "--all", at=self.work)
        git("commit", "-qm", f"{', '.join(files)} by hand", at=self.work)
        return git("rev-parse", "HEAD", at=self.work)

    def push(self, **files: str) -> str:
        git("pull", "-q", "--rebase", "origin", "main", at=self.work)
        sha = self.commit(**files)
        git("push", "-q", "origin", "main", at=self.work)
        return sha


@pytest.fixture(autouse=True)
def _own_git_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    settings = tmp_path / "settings"
    settings.write_text(
        "[user]\nname = Person\nemail = person@example.org\n[init]\ndefaultBranch = main\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    git("init", "-q", "--bare", "remote.git", at=tmp_path)
    return tmp_path / "remote.git"


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    return tmp_path / "mirror"


@pytest.fixture
def repository(remote: Path, mirror: Path) -> Repository:
    return Repository(str(remote), mirror=mirror)


@pytest.fixture
def person(repository: Repository, remote: Path, tmp_path: Path) -> Person:
    repository.publish("start", put({"start": b"0"}))
    return Person(remote, tmp_path / "person")


def hook(remote: Path, name: str, script: str) -> Path:
    path = remote / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


# Reading


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


# Publishing


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
    repository.publish("one more", lambda base: {"count": b"%d" % (int(base.read("count") or 0) + 1)})
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


# Settings and secrets


def test_settings_of_the_user_do_no_harm(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing = hook(tmp_path, "pre-push", "exit 1").parent
    order = tmp_path / "order"
    order.write_text("b\na\n")
    settings = {
        **{
            "commit.gpgSign": "true",
            "push.gpgSign": "true",
            "gpg.program": "false",
            "log.showSignature": "true",
        },
        **{"core.hooksPath": str(refusing), "core.autocrlf": "true", "core.quotePath": "true"},
        **{
            "diff.orderFile": str(order),
            "diff.renames": "copies",
            "log.showRoot": "false",
            "color.ui": "always",
        },
        **{"fetch.prune": "true", "protocol.version": "0", "i18n.logOutputEncoding": "latin1"},
    }
    text = "".join(
        f"[{key.partition('.')[0]}]\n{key.partition('.')[2]} = {value}\n"
        for key, value in settings.items()
    )
    (tmp_path / "settings").write_text(text)
    monkeypatch.setenv("GIT_EDITOR", "false")
    commit = repository.publish("ü", put({"a": b"1\r\n", "b": b"1\r\n"}))
    repository.refresh()
    snapshot = repository.snapshot()
    assert snapshot.commits == [commit]
    assert [(change.path, snapshot.read(change.path)) for change in snapshot.history] == [
        ("a", b"1\r\n"),
        ("b", b"1\r\n"),
    ]


def test_a_remote_that_cannot_be_reached_is_an_error_that_names_the_action(
    mirror: Path, tmp_path: Path
) -> None:
    repository = Repository(str(tmp_path / "nowhere"), mirror=mirror)
    for action in (
        repository.refresh,
        repository.snapshot,
        lambda: repository.publish("no", put({"a": b"1"})),
    ):
        with pytest.raises(RepositoryError, match=r"git fetch of .*nowhere: "):
            action()


TOKEN = "secret-token-1234"
ENCODED = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()


class Observer(BaseHTTPRequestHandler):
    """A server that admits nobody, and sees what was sent and what runs on the machine
    meanwhile.
    """

    sent: list[str | None] = []  # noqa: RUF012 - of the one test below
    running = ""

    def do_GET(self) -> None:
        Observer.sent.append(self.headers["Authorization"])
        for arguments in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                Observer.running += arguments.read_text(errors="replace")
            except OSError:
                continue
        self.send_error(403, f"not with {self.headers['Authorization']}")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def observer(tmp_path: Path) -> Iterator[str]:
    if not shutil.which("openssl"):
        pytest.skip("makes its certificate with openssl")
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    make = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
    ]
    make += ["-keyout", str(key), "-out", str(certificate), "-subj", "/CN=localhost"]
    subprocess.run(make, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with HTTPServer(("127.0.0.1", 0), Observer) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"https://127.0.0.1:{server.server_address[1]}/repository.git"
        server.shutdown()
        thread.join()


def test_the_token_reaches_its_server_and_nothing_else(
    observer: str, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_SSL_NO_VERIFY", "1")
    monkeypatch.setenv("GIT_CURL_VERBOSE", "1")
    monkeypatch.setenv("GIT_TRACE_REDACT", "0")
    with pytest.raises(RepositoryError, match="403") as refused:
        Repository(observer, mirror=mirror, token=TOKEN).refresh()
    assert "the remote refuses the token: set GITHUB_TOKEN" in str(refused.value)
    with pytest.raises(RepositoryError, match="the remote asks who this is: set GITHUB_TOKEN"):
        Repository(observer, mirror=mirror.with_name("without"), token=None).refresh()
    assert Observer.sent.pop() is None
    assert Observer.sent == [f"Basic {ENCODED}"]
    assert "git-remote-https" in Observer.running or "remote-https" in Observer.running
    kept = "".join(path.read_text(errors="replace") for path in mirror.rglob("*") if path.is_file())
    for secret in (TOKEN, ENCODED):
        assert secret not in str(refused.value) + Observer.running + kept


@pytest.mark.parametrize(
    "url",
    [
        *("https://me:canary@example.org/r.git", "https://canary@example.org/r.git"),
        *("https://:canary@example.org/r.git", "https://example.org/r.git?token=canary"),
        *("HTTPS://canary@example.org/r.git", "https://example.org/r.git#canary"),
        *("ssh://git:canary@example.org/r.git", "git+https://canary@example.org/r"),
    ],
)
def test_a_token_in_the_url_is_refused_in_a_sentence_without_it(url: str, mirror: Path) -> None:
    """It would show in the arguments of git's processes, and in errors."""
    with pytest.raises(BadSetting, match="GITHUB_TOKEN") as refused:
        Repository(url, mirror=mirror)
    assert "canary" not in str(refused.value)
    with pytest.raises(BadSetting, match="GITHUB_TOKEN") as refused:
        read_settings(RepositorySettings, {"COMPETITION_REPO": url})
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        *("ssh://git@example.org/r.git", "git@example.org:r.git", "https://example.org/@me/r.git"),
        *("file:///a/b.git", "/a/b@c.git", "../b.git", "git+ssh://git@example.org/r"),
    ],
)
def test_an_address_without_a_token_is_one(url: str) -> None:
    assert git_address(url) == url


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
