"""Git settings of the user do the repository no harm, and its token reaches its server alone."""

import base64
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from gen404_assets.settings import RepositorySettings
from resources.git_commands import RepositoryError
from resources.repository import Repository
from resources.settings import BadSetting, git_address, read_settings
from tests.resources.repositories import hook, put

pytestmark = pytest.mark.usefixtures("own_git_settings")


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
