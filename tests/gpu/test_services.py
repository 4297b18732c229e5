"""Who may ask the render and distance services, and what they bear: tokens, pages of the web, and
clients that keep back their requests, over real sockets.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import Any, ClassVar

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gen404_assets.competition.faults import InfrastructureFault
from gpu.distance.embedding import Embeddings
from gpu.services import distance, render
from gpu.services.access import NoToken, token_for
from gpu.services.connections import SERVED, Connection
from gpu.services.fetching import Pictures, RequestError, is_below
from resources.distance import DistanceService, open_distance
from resources.local_network.pictures import PictureEmbedder
from resources.renderer import RenderService, open_renderer
from simulators.drawn_pictures import drawn, png
from simulators.judge_serving import serving, serving_files
from tests.sampling import many

TOKEN = "a-token-of-at-least-twenty-characters"
PICTURE = png(drawn("vase-0000"))


class Quick(Connection):
    """The limits of a connection, reached within a test."""

    HEAD_SECONDS: ClassVar[float] = 0.3
    GRACE_SECONDS: ClassVar[float] = 0.3
    LOOK_SECONDS: ClassVar[float] = 0.05
    MOST: ClassVar[int] = 20


class Patient(Connection):
    """A connection that only its number limits."""

    HEAD_SECONDS: ClassVar[float] = 600.0
    GRACE_SECONDS: ClassVar[float] = 600.0
    MOST: ClassVar[int] = 20


@contextmanager
def measuring(http: type[Connection] = Connection, token: str | None = None) -> Iterator[str]:
    """The URL of a distance service."""

    app = distance.create_app(Embeddings(PictureEmbedder()), lambda _url: PICTURE, token)
    with serving(app, **{**SERVED, "http": http}) as url:
        yield url


def opened(url: str) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), 30)


def test_g26_without_its_token_a_service_answers_nobody() -> None:
    with measuring(token=TOKEN) as url, closing(DistanceService(url, TOKEN)) as known:
        assert known.measure("a", "b") == 0
        for sent in ({}, {"Authorization": TOKEN}, {"Authorization": f"Bearer {TOKEN}x"}):
            answer = httpx2.post(f"{url}/distance", json={"url_a": "a", "url_b": "b"}, headers=sent)
            assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
            assert httpx2.get(f"{url}/health", headers=sent).status_code == 401
            assert httpx2.get(f"{url}/docs", headers=sent).status_code == 401
        with pytest.raises(InfrastructureFault, match="status 401"):
            DistanceService(url).measure("a", "b")


def test_g23_an_error_page_repeats_nothing_of_the_error() -> None:
    """A bug may be told with whatever stands in its frames; who asks hears that there was one."""

    def broken(_: str) -> bytes:
        raise LookupError(f"canary {TOKEN}")

    app = distance.create_app(Embeddings(PictureEmbedder()), broken, TOKEN)
    sent = {"Authorization": f"Bearer {TOKEN}"}
    with serving(app, **SERVED) as url:
        for path in ("/distance", "/distance?debug=1", "/nowhere"):
            answer = httpx2.post(f"{url}{path}", json={"url_a": "a", "url_b": "b"}, headers=sent)
            assert answer.status_code in {404, 500}
            shown = answer.text + str(answer.headers)
            assert not [word for word in ("canary", TOKEN, "Traceback", ".py") if word in shown]


def test_the_platform_sends_the_tokens_that_are_set() -> None:
    settings = {"RENDER_URL": "http://r", "RENDER_TOKEN": TOKEN, "DISTANCE_TOKEN": TOKEN}
    renderer = open_renderer(settings)
    measures = open_distance({"IMAGE_DISTANCE_SERVICE_URL": "http://d", **settings}, lambda _: b"")
    assert isinstance(renderer, RenderService)
    assert isinstance(measures, DistanceService)
    for client in (renderer._client, measures._client):
        assert client.headers["Authorization"] == f"Bearer {TOKEN}"
        client.close()


def test_g26_a_token_is_checked_before_a_byte_of_the_body_is_read() -> None:
    with measuring(Patient, TOKEN) as url, closing(opened(url)) as stranger:
        stranger.sendall(b"POST /distance HTTP/1.1\r\nHost: s\r\nContent-Length: 100\r\n\r\n")
        answer = stranger.recv(1000)
        assert answer.startswith(b"HTTP/1.1 401")
        assert b"connection: close" in answer.lower()


@pytest.mark.parametrize("header", [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "none"}])
def test_g26_pages_of_the_web_get_nothing(header: dict[str, str]) -> None:
    with measuring() as url:
        assert httpx2.get(f"{url}/health", headers=header).status_code == 403


@pytest.mark.parametrize("service", ["render", "distance"])
def test_g26_beyond_loopback_a_service_starts_with_a_token_only(service: str) -> None:
    command = [sys.executable, "-m", f"gpu.services.{service}", "--host", "0.0.0.0", "--port", "1"]
    environment = {**os.environ, "CDN_URL": "http://cdn", f"{service.upper()}_TOKEN": ""}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert f"set {service.upper()}_TOKEN" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_token_is_long_enough_not_to_be_guessed() -> None:
    assert token_for("0.0.0.0", "T", {"T": TOKEN}) == TOKEN
    assert token_for("127.0.0.1", "T", {}) is None
    assert token_for("::1", "T", {"T": ""}) is None
    assert token_for("localhost", "T", {}) is None
    for host, token in [("127.0.0.1", "short"), ("0.0.0.0", ""), ("::", ""), ("10.0.0.1", " ")]:
        with pytest.raises(NoToken, match="T"):
            token_for(host, "T", {"T": token})


def test_g12_half_sent_requests_keep_nobody_out() -> None:
    """1,100 of them once made the render service unreachable."""
    with measuring(Patient) as url, ExitStack() as open_ones:
        for _ in range(many(110, 1100)):
            half = open_ones.enter_context(closing(opened(url)))
            half.sendall(b"POST /distance HTTP/1.1\r\nHost: s\r\nX-Slow: ")
        for _ in range(3):
            assert httpx2.get(f"{url}/health", timeout=30).json()["status"] == "ok"


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /health HTTP/1.1\r\nHost: s\r\nX-Slow: ",
        b"GET /health HTTP/1.1\r\nHost: s\r\n\r\nGET /health HT",
        b"POST /distance HTTP/1.1\r\nHost: s\r\nContent-Length: 1000\r\n\r\n{",
        b"POST /distance HTTP/1.1\r\nHost: s\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n",
    ],
)
def test_g12_who_keeps_a_request_back_is_cut_off(sent: bytes) -> None:
    with measuring(Quick) as url, closing(opened(url)) as slow:
        slow.settimeout(30)
        slow.sendall(sent)
        with suppress(ConnectionResetError):
            while slow.recv(1000):
                pass


@pytest.mark.parametrize(
    "head",
    [
        b"GET /health HTTP/1.1\r\nHost: s\r\nX-Long: " + b"x" * 100_000 + b"\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: s\r\n" + b"X-Many: x\r\n" * 10_000 + b"\r\n",
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: s\r\n\r\n",
    ],
)
def test_g12_a_head_may_have_16_kib(head: bytes) -> None:
    with measuring() as url, closing(opened(url)) as client:
        try:
            client.sendall(head)
            answer = client.recv(1000)
        except (ConnectionResetError, BrokenPipeError):
            answer = b""  # it was cut off while it still sent
        assert not answer or answer.startswith(b"HTTP/1.1 400")
        assert httpx2.get(f"{url}/health", timeout=30).status_code == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_g12_a_question_for_a_distance_is_short(chunked: bool) -> None:
    content = b'{"url_a": "' + b"a" * 100_000 + b'", "url_b": "b"}'
    sent: Any = iter([content[:50_000], content[50_000:]]) if chunked else content
    with measuring() as url:
        kind = {"Content-Type": "application/json"}
        answer = httpx2.post(f"{url}/distance", content=sent, headers=kind, timeout=30)
        assert answer.status_code == 413


class TwoWorkers:
    """What the render service draws with."""

    size = 2

    def render(self, _file: Any, _kind: str, _batch: str | None) -> bytes:
        return PICTURE


def test_g12_slow_uploads_keep_nobody_from_drawing() -> None:
    """Six of them once had everybody else hear 503 for two minutes."""
    app = render.create_app(TwoWorkers())  # type: ignore[arg-type]
    with serving(app, **{**SERVED, "http": Patient}) as url, ExitStack() as slow_ones:
        for _ in range(8):
            slow = slow_ones.enter_context(closing(opened(url)))
            kind = b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 1000000\r\n"
            slow.sendall(b"POST /render_glb HTTP/1.1\r\nHost: s\r\n" + kind + b"\r\n--x\r\n")
        answer = httpx2.post(f"{url}/render_glb", files={"file": b"glTF"}, timeout=60)
        assert (answer.status_code, answer.content) == (200, PICTURE)


BASE = "https://cdn.example/bucket/"
AWAY = [
    *("..", "../x", "a/../x", "a/..", "./x", "a//x", "", "a/", "/x"),
    *("%2e%2e/x", "%2E%2E/x", ".%2e/x", "%2e./x", "a/%2e%2e/x", "a/.%2E", "%2e/x", "%252e%252e/x"),
    *(
        "..;/x",
        "a/..;b/x",
        ";x",
        "..\\x",
        "a\\..\\x",
        "..%5cx",
        "..%5Cx",
        "..%2fx",
        "a%2Fx",
        "%2f%2fevil",
    ),
    *("%c0%ae%c0%ae/x", "%C0%AE./x", "%e0%80%ae%e0%80%ae/x", "%f0%80%80%ae/x", "%c1%9c../x"),
    *("%ef%bc%8e%ef%bc%8e/x", "%u002e./x", "..%3b/x", "..%20/x", "..%09/x", ".%2e%20/x", "...//x"),
    *("..%a0/x", "%80../x", "a/%c0%af../x", "..:/x", "..@/x", "..=/x", "..,/x", "..~/x", ".../x"),
    *(".hidden", "a/.hidden", "a%20b/x", "a:b@evil/x", "~/x", "a;/../x"),
    *("x?a=../..", "x#y", "x y", "x\ny", "x%0d%0aHost:evil", "x%00", "x%7f", "é", "x%", "x%g0"),
]


@pytest.mark.parametrize("path", AWAY)
def test_g26_no_path_leads_out_of_what_is_configured(path: str) -> None:
    """A server may decode a path once more, and fold dots and backslashes, before it looks."""
    assert not is_below(f"{BASE}{path}", BASE)
    with serving_files({}) as store:
        with pytest.raises(RequestError, match="not below the base"):
            Pictures([f"{store.url}/bucket"]).fetch(f"{store.url}/bucket/{path}")
        assert store.asked == []


@pytest.mark.parametrize(
    "url",
    [
        *(
            "https://cdn.example/bucketx/a",
            "https://cdn.example@evil/bucket/a",
            "file:///etc/passwd",
        ),
        *("https://cdn.example/", "http://cdn.example/bucket/a", "https://cdn.example/bucket"),
        *("https://cdn.example\\@evil/bucket/a", "//cdn.example/bucket/a", ""),
    ],
)
def test_g26_another_place_is_not_below(url: str) -> None:
    assert not is_below(url, BASE)


@given(st.lists(st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", fullmatch=True), min_size=1))
def test_the_stores_own_objects_are_below(segments: list[str]) -> None:
    assert is_below(BASE + "/".join(segments), BASE)
