"""A mirror some of whose small files a full disk or a power cut has spoilt goes on."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from resources.git_mending import set_aside_spoilt
from resources.repository import Repository

NOW = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("refs/heads/main", b""),
        ("refs/heads/main", b"\0" * 41),
        ("HEAD", b""),
        ("config", b"[cor"),
        ("config", b"\0" * 66),
        ("packed-refs", b"# pack-refs with: peeled\n0123"),
    ],
)
def test_g15_a_file_of_the_mirror_that_is_cut_is_set_aside_and_made_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, content: bytes
) -> None:
    remote, mirror = tmp_path / "remote.git", tmp_path / "mirror"
    subprocess.run(["git", "init", "--quiet", "--bare", "-b", "main", remote], check=True)
    Repository(str(remote), mirror=mirror).publish("One", lambda _: {"a": b"1"}, time=NOW)
    (mirror / name).write_bytes(content)
    repository = Repository(str(remote), mirror=mirror)  # after the machine has come up again
    repository.publish("Two", lambda _: {"b": b"2"}, time=NOW)
    head = repository.snapshot(repository.refresh())
    assert head.read_many(["a", "b"]) == {"a": b"1", "b": b"2"}
    assert [commit.message for commit in head.commits] == ["One", "Two"]
    (message,) = caplog.messages
    assert f"{name} can't be read" in message
    assert (mirror / f"{name.replace('/', '-')}.spoilt").read_bytes() == content


def test_nothing_that_git_has_written_is_set_aside(tmp_path: Path) -> None:
    remote, mirror = tmp_path / "remote.git", tmp_path / "mirror"
    subprocess.run(["git", "init", "--quiet", "--bare", "-b", "main", remote], check=True)
    repository = Repository(str(remote), mirror=mirror)
    for name in ("a", "b"):
        repository.publish(name, lambda _, name=name: {name: b"1"}, time=NOW)  # type: ignore[misc]
        subprocess.run(["git", "-C", mirror, "pack-refs", "--all"], check=True)
    tag = [
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@example.org",
        "tag",
        "-a",
        "-m",
        "t",
        "t",
        "main",
    ]
    subprocess.run(["git", "-C", mirror, *tag], check=True)
    subprocess.run(["git", "-C", mirror, "pack-refs", "--all"], check=True)
    repository.refresh()
    assert set_aside_spoilt(mirror) == set_aside_spoilt(remote) == []


def test_a_remote_that_fails_is_no_reason_to_touch_the_mirror(tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    with pytest.raises(Exception, match="git fetch"):
        Repository(str(tmp_path / "nowhere"), mirror=mirror).refresh()
    assert not [*mirror.rglob("*.spoilt")]
