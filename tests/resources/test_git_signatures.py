"""Commits signed with SSH and OpenPGP keys, and heads that no named signer signed, in real git."""

import os
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gen404_assets.competition_repository import open_repository
from resources.git_commands import RepositoryError
from resources.git_signatures import Signatures, Signers, SigningKey, UntrustedHead
from resources.repository import Repository
from resources.settings import BadSetting

TIME = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)


def run(*command: str | Path, **variables: str) -> str:
    done = subprocess.run(command, capture_output=True, check=True, env={**os.environ, **variables})
    return done.stdout.decode().strip()


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    run("git", "init", "-q", "--bare", "-b", "main", tmp_path / "remote.git")
    return tmp_path / "remote.git"


def ssh_key(folder: Path, name: str) -> Path:
    """A new SSH key without a passphrase; its public half lies beside it."""
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / name)
    return folder / name


def allowed(*keys: Path, options: str = "") -> Path:
    """A file that allows keys to sign."""
    file = keys[0].with_suffix(".allowed")
    lines = [
        f"somebody@example.org {options} {key.with_suffix('.pub').read_text()}" for key in keys
    ]
    file.write_text("".join(lines))
    return file


@pytest.fixture
def gnupg(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A keyring with a key of the platform's; its fingerprint."""
    # A short path: GnuPG's agent listens on a socket in it.
    home = Path(run("mktemp", "-d", "/tmp/gnupg.XXXXXX"))
    monkeypatch.setenv("GNUPGHOME", str(home))
    run(
        *("gpg", "--batch", "--passphrase", "", "--quick-generate-key"),
        *("platform@example.org", "ed25519", "sign", "never"),
    )
    listing = run("gpg", "--list-keys", "--with-colons")
    yield next(line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr"))
    run("gpgconf", "--kill", "gpg-agent")
    run("rm", "-rf", home)


def opened(remote: Path, key: Path | None = None, signers: Signers | None = None) -> Repository:
    signatures = Signatures(SigningKey(str(key)) if key else None, signers)
    name = f"mirror-{key.name if key else 'unsigned'}"
    return Repository(str(remote), mirror=remote.parent / name, signatures=signatures)


def publish(repository: Repository, text: str) -> str:
    return repository.publish(f"say {text}", lambda _: {"a.txt": text.encode()}, time=TIME).sha


def test_g27_a_commit_is_signed_with_the_ssh_key_of_the_settings(
    remote: Path, tmp_path: Path
) -> None:
    key = ssh_key(tmp_path, "platform")
    repository = opened(remote, key)
    first, second = publish(repository, "one"), publish(repository, "two ünd öne")

    for commit in (first, second):
        signers = f"gpg.ssh.allowedSignersFile={allowed(key)}"
        run("git", "-C", remote, "-c", signers, "verify-commit", commit)
    snapshot = repository.snapshot(second)
    assert [commit.sha for commit in snapshot.commits] == [first, second]
    assert snapshot.commit.message == "say two ünd öne"
    assert snapshot.commit.author == "404-gen <platform@404-gen.invalid>"
    assert snapshot.commit.time == TIME
    assert snapshot.read("a.txt") == "two ünd öne".encode()


def test_g27_a_commit_is_signed_with_an_openpgp_key_and_trusted_by_its_fingerprint(
    remote: Path, tmp_path: Path, gnupg: str
) -> None:
    signatures = Signatures(SigningKey(gnupg, "openpgp"), Signers(openpgp=frozenset({gnupg})))
    repository = Repository(str(remote), mirror=tmp_path / "mirror", signatures=signatures)
    commit = publish(repository, "one")

    run("git", "-C", remote, "verify-commit", commit)
    assert repository.refresh() == commit

    other = Signatures(signers=Signers(openpgp=frozenset({"A" * 40})))
    stranger = Repository(str(remote), mirror=tmp_path / "other", signatures=other)
    with pytest.raises(UntrustedHead, match="a key that isn't among them"):
        stranger.refresh()


def test_g27_nothing_is_read_or_published_on_a_head_that_no_named_signer_signed(
    remote: Path, tmp_path: Path
) -> None:
    key, person = ssh_key(tmp_path, "platform"), ssh_key(tmp_path, "person")
    trusting = opened(remote, key, Signers(allowed(key, person)))
    publish(trusting, "one")
    unsigned = publish(opened(remote), "pushed with a stolen token")

    attempts: list[Callable[[], object]] = [
        trusting.refresh,
        trusting.snapshot,
        lambda: publish(trusting, "two"),
    ]
    for attempt in attempts:
        with pytest.raises(UntrustedHead, match=f"commit {unsigned[:7]}.* it isn't signed"):
            attempt()
    assert run("git", "-C", remote, "rev-parse", "main") == unsigned

    vouched = publish(opened(remote, person), "it was me")
    assert trusting.refresh() == vouched
    assert publish(trusting, "two") == trusting.snapshot().commit.sha


def test_g27_a_branch_set_back_by_force_to_an_older_signed_commit_is_not_followed(
    remote: Path, tmp_path: Path
) -> None:
    key = ssh_key(tmp_path, "platform")
    repository = opened(remote, key, Signers(allowed(key)))
    first, second = publish(repository, "one"), publish(repository, "two")
    run("git", "-C", remote, "update-ref", "refs/heads/main", first)

    for later in (repository, opened(remote, key, Signers(allowed(key)))):  # also after a restart
        with pytest.raises(UntrustedHead, match=f"it doesn't follow {second[:7]}"):
            later.refresh()
    run("git", "-C", remote, "update-ref", "refs/heads/main", second)
    assert publish(repository, "three") == repository.snapshot().commit.sha


@pytest.mark.parametrize("why", ["unknown", "expired"])
def test_g27_a_key_that_is_not_named_or_named_no_more_is_not_trusted(
    why: str, remote: Path, tmp_path: Path
) -> None:
    key, other = ssh_key(tmp_path, "platform"), ssh_key(tmp_path, "other")
    publish(opened(remote, key), "one")
    names = allowed(other) if why == "unknown" else allowed(key, options='valid-before="20200101"')
    with pytest.raises(UntrustedHead, match="signers that the settings name"):
        opened(remote, signers=Signers(names)).refresh()


def test_g27_a_platform_whose_own_key_is_not_trusted_publishes_nothing(
    remote: Path, tmp_path: Path
) -> None:
    key, person = ssh_key(tmp_path, "platform"), ssh_key(tmp_path, "person")
    with pytest.raises(RepositoryError, match="own commits wouldn't be trusted"):
        publish(opened(remote, key, Signers(allowed(person))), "one")
    assert run("git", "-C", remote, "for-each-ref") == ""


def test_a_key_that_cannot_sign_publishes_nothing_and_says_so(remote: Path, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "a passphrase", "-f", locked)
    for key in (locked, tmp_path / "absent"):
        with pytest.raises(RepositoryError, match="git commit-tree: "):
            publish(opened(remote, key), "one")
    assert run("git", "-C", remote, "for-each-ref") == ""


def test_g27_the_settings_name_key_and_signers_of_the_competition_alone(
    remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, person = ssh_key(tmp_path, "platform"), ssh_key(tmp_path, "person")
    monkeypatch.setenv("GEN404_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COMPETITION_REPO", str(remote))
    monkeypatch.setenv("COMMIT_SIGNING_KEY", str(key))
    monkeypatch.setenv("COMMIT_SIGNERS_FILE", str(allowed(key)))
    signed = publish(open_repository(str(remote), "main"), "one")
    run(
        "git",
        "-C",
        remote,
        "-c",
        f"gpg.ssh.allowedSignersFile={allowed(key)}",
        "verify-commit",
        signed,
    )

    monkeypatch.setenv("COMMIT_SIGNERS_FILE", str(allowed(person)))
    with pytest.raises(UntrustedHead):
        open_repository(str(remote), "main").refresh()
    run("git", "clone", "-q", "--bare", remote, tmp_path / "elsewhere.git")
    assert open_repository(str(tmp_path / "elsewhere.git"), "main").refresh() == signed


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("COMMIT_SIGNERS_FILE", "/nowhere/signers", "COMMIT_SIGNERS_FILE"),
        ("COMMIT_SIGNERS_OPENPGP", "0123ABCD", "must be fingerprints of 40 hexadecimal digits"),
        ("COMMIT_SIGNING_FORMAT", "x509", "must be 'ssh' or 'openpgp'"),
    ],
)
def test_a_bad_setting_of_signatures_is_named(
    name: str, value: str, message: str, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadSetting, match=message):
        open_repository(str(remote), "main")
