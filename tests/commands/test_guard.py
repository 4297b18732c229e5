"""What stands before Dagster's webserver, over real HTTP: what a page of another site, a form, a
false name or a websocket gets; and that the webserver's own pages and programs get through.
"""

import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gen404_assets.commands.dagster_commands import Pages
from gen404_assets.commands.guard import LARGEST, LOOPBACK, Guard, refusal
from gen404_assets.commands.webserver import SERVED, _LooksOnly, opened_at
from gen404_assets.settings import platform_settings
from resources.settings import BadSetting
from simulators.judge_serving import serving

STOP = 'mutation { stopSensor(id: "lanes") { __typename } }'
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
EVIL = {"Origin": "http://evil.example"}
ELSEWHERE = {"Sec-Fetch-Site": "cross-site"}
FOLLOWED = {**ELSEWHERE, "Sec-Fetch-Mode": "navigate"}
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


class Dagster:
    """What stands behind the guard: it tells what reached it."""

    def __init__(self) -> None:
        self.reached: list[str] = []
        self.read = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.reached.append(f"{scope['type']} {scope['path']}")
        while scope["type"] == "http":
            message = await receive()
            self.read += len(message.get("body", b""))
            if message["type"] == "http.disconnect":
                return
            if not message.get("more_body"):
                break
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close"})
            return
        headers = [
            (b"content-security-policy", b"object-src 'none'"),
            (b"Referrer-Policy", b"strict-origin-when-cross-origin"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"done"})


class Guarded:
    """Dagster behind the guard, at its address."""

    def __init__(self, url: str, dagster: Dagster) -> None:
        self.dagster = dagster
        self.host, self.port = urlsplit(url).hostname or "", urlsplit(url).port or 0
        self.origin = {"Origin": url}

    def ask(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        body: str = "",
        host: str | None = None,
    ) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        named = {"Host": host or f"{self.host}:{self.port}"}
        connection.request(method, path, body.encode(), {**named, **(headers or {})})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer


@pytest.fixture(scope="module")
def started() -> Iterator[Guarded]:
    dagster = Dagster()
    app = Guard(opened_at("/assets/standing", dagster), LOOPBACK | {"board.example"})
    with serving(app, **SERVED) as url:
        yield Guarded(url, dagster)


@pytest.fixture
def guarded(started: Guarded) -> Guarded:
    started.dagster.reached.clear()
    started.dagster.read = 0
    return started


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status"),
    [
        ("GET", f"/graphql?{urlencode({'query': STOP})}", EVIL, "", 405),
        ("GET", f"/graphql?{urlencode({'query': STOP})}", {}, "", 405),
        ("HEAD", f"/graphql?{urlencode({'query': STOP})}", {}, "", 405),
        ("GET", "/graphql/", {"Sec-Fetch-Mode": "navigate"}, "", 405),
        ("POST", f"/graphql?{urlencode({'query': STOP})}", FORM, "a=b", 415),
        ("POST", f"/graphql?{urlencode({'query': STOP})}", {}, "", 415),
        ("POST", f"/graphql?{urlencode({'query': STOP})}", {**FORM, **EVIL}, "a=b", 403),
        ("POST", "/graphql", {"Content-Type": "text/plain; application/json"}, STOP, 415),
        ("POST", "/graphql", {"Content-Type": "application/graphql"}, STOP, 415),
        ("POST", "/graphql", {**JSON, **EVIL}, STOP, 403),
        ("POST", "/graphql", {**JSON, "Origin": "null"}, STOP, 403),
        ("POST", "/graphql", {**JSON, "Origin": ""}, STOP, 403),
        ("POST", "/graphql", {**JSON, "Sec-Fetch-Site": "cross-site"}, STOP, 403),
        ("POST", "/graphql", {**JSON, "Sec-Fetch-Site": "same-site"}, STOP, 403),
        ("POST", "/report_asset_materialization/seed", JSON, "{}", 403),
        ("POST", "/report_asset_check/seed", JSON, "{}", 403),
        ("POST", "/report_asset_observation/seed", JSON, "{}", 403),
        ("POST", "/logs/run/out", JSON, "", 405),
        ("PUT", "/graphql", JSON, STOP, 405),
        ("DELETE", "/", {}, "", 405),
        ("OPTIONS", "/graphql", {**EVIL, "Access-Control-Request-Method": "POST"}, "", 405),
        ("GET", "/logs/run/out", {**ELSEWHERE, "Sec-Fetch-Mode": "no-cors"}, "", 403),
        ("GET", "/runs", {**FOLLOWED, "Sec-Fetch-Dest": "iframe"}, "", 403),
        ("GET", "/websocket", UPGRADE | EVIL, "", 403),
        ("GET", "/graphql", UPGRADE | EVIL, "", 403),
        ("GET", "/graphql", UPGRADE | {"Origin": "http://127.0.0.1:1"}, "", 403),
        ("GET", "/graphql", UPGRADE | {"Sec-Fetch-Site": "cross-site"}, "", 403),
    ],
)  # fmt: skip
def test_g26_what_another_sites_page_could_send_does_not_reach_dagster(
    guarded: Guarded, method: str, path: str, headers: dict[str, str], body: str, status: int
) -> None:
    assert guarded.ask(method, path, headers, body).status == status
    assert guarded.dagster.reached == []


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:3000", "127.0.0.1.evil.example", "127.0.0.1@evil.example"),
        *("localhost.", "0.0.0.0", "[::]", "127.1", "", " ", "127.0.0.1:", "127.0.0.1:3000:3000"),
    ],
)
def test_g26_a_name_that_is_not_the_webservers_is_refused(guarded: Guarded, host: str) -> None:
    """A page whose name is made to lead to 127.0.0.1 is of the same origin to its browser."""
    own = {"Origin": f"http://{host}"}
    assert guarded.ask("GET", "/", own, host=host or " ").status == 421
    assert guarded.ask("POST", "/graphql", {**JSON, **own}, STOP, host or " ").status == 421
    assert guarded.ask("GET", "/graphql", UPGRADE | own, host=host or " ").status in {400, 403}
    assert guarded.dagster.reached == []


@pytest.mark.parametrize("chunked", [False, True])
def test_g12_a_question_without_end_does_not_reach_dagster_whole(
    guarded: Guarded, chunked: bool
) -> None:
    """Dagster reads a body into memory before it looks at it, and so would whatever comes."""
    piece = b" " * 2**16
    pieces = [piece] * (LARGEST // len(piece) + 1)
    connection = http.client.HTTPConnection(guarded.host, guarded.port, timeout=60)
    length = {} if chunked else {"Content-Length": str(len(piece) * len(pieces))}
    try:
        connection.request("POST", "/graphql", iter(pieces), JSON | length)
        assert connection.getresponse().status == 413
    except (ConnectionResetError, BrokenPipeError):
        assert not chunked  # its head was refused while it sent
    finally:
        connection.close()
    assert guarded.dagster.read <= LARGEST


def test_two_hosts_are_none() -> None:
    twice = [(b"host", b"127.0.0.1"), (b"host", b"evil.example")]
    scope = {"type": "http", "method": "GET", "path": "/", "headers": twice}
    refused = refusal(scope, LOOPBACK)
    assert refused is not None
    assert refused.status == 421


@given(
    st.dictionaries(
        st.sampled_from(["host", "origin", "sec-fetch-site", "sec-fetch-mode", "content-type"]),
        st.binary(max_size=30),
    ),
    st.sampled_from(["GET", "POST", "HEAD", "get", ""]),
    st.text(max_size=20),
)
def test_no_header_makes_the_guard_fail(headers: dict[str, bytes], method: str, path: str) -> None:
    raw = [(name.encode(), value) for name, value in headers.items()]
    for kind in ("http", "websocket"):
        scope = {"type": kind, "method": method, "path": path, "headers": raw}
        refused = refusal(scope, LOOPBACK)
        assert refused or headers["host"].decode().strip().lower().startswith(tuple(LOOPBACK))


@pytest.mark.parametrize(
    "host", [None, "localhost:3000", "[::1]:3000", "Board.Example", "board.example:443"]
)
def test_its_own_pages_may_do_everything(guarded: Guarded, host: str | None) -> None:
    own = {"Origin": f"https://{host.lower()}"} if host else guarded.origin
    fetched = own | {"Sec-Fetch-Site": "same-origin"}
    sent = json.dumps({"query": STOP})
    assert guarded.ask("GET", "/runs", {"Sec-Fetch-Site": "none"}, host=host).status == 200
    assert guarded.ask("POST", "/graphql", {**JSON, **fetched}, sent, host).status == 200
    typed = {"Content-Type": "application/json; charset=utf-8"}
    assert guarded.ask("POST", "/graphql", {**typed, **fetched}, sent, host).status == 200
    assert guarded.ask("GET", "/graphql", UPGRADE | own, host=host).status == 101
    assert len(guarded.dagster.reached) == 4


def test_programs_on_this_machine_may_ask(guarded: Guarded) -> None:
    assert guarded.ask("GET", "/server_info").status == 200
    assert guarded.ask("POST", "/graphql", JSON, json.dumps({"query": "{version}"})).status == 200


def test_a_link_from_elsewhere_leads_to_a_page(guarded: Guarded) -> None:
    """Such as one in a chat; a page that is shown changes nothing."""
    followed = {**FOLLOWED, "Sec-Fetch-Dest": "document"}
    assert guarded.ask("GET", "/assets/audits", followed).status == 200
    assert guarded.ask("GET", "/graphql", followed).status == 405


def test_whoever_asks_for_no_page_is_sent_to_the_one_that_says_what_is_due(
    guarded: Guarded,
) -> None:
    answer = guarded.ask("GET", "/")
    assert (answer.status, answer.headers["location"]) == (302, "/assets/standing")
    assert guarded.dagster.reached == []
    assert guarded.ask("GET", "/assets/standing").status == 200
    assert guarded.dagster.reached == ["http /assets/standing"]


def test_a_page_loads_nothing_from_elsewhere_and_stands_in_no_other(guarded: Guarded) -> None:
    headers = guarded.ask("GET", "/runs").headers
    policies = headers.get_all("Content-Security-Policy") or []
    assert policies[0] == "object-src 'none'", "Dagster's own policy holds beside"
    assert "img-src 'self' data: blob:" in policies[1]
    assert "frame-ancestors 'none'" in policies[1]
    assert headers.get_all("Referrer-Policy") == ["no-referrer"]
    assert headers["X-Frame-Options"] == "DENY"


def test_a_webserver_that_only_shows_has_no_mutation_at_all() -> None:
    looks: Any = object.__new__(_LooksOnly)
    schema = looks.build_graphql_schema().graphql_schema
    assert schema.mutation_type is None
    assert {"version", "runsOrError", "assetNodes"} <= schema.query_type.fields.keys()
    assert schema.subscription_type is not None


@pytest.mark.parametrize(
    ("settings", "called", "read_only"),
    [
        ({}, {"127.0.0.1"}, False),
        ({"UI_READ_ONLY": "true"}, {"127.0.0.1"}, True),
        ({"BIND_ADDRESS": "0.0.0.0"}, set(), True),
        (
            {"BIND_ADDRESS": "10.0.0.7", "UI_HOSTS": "Board.example, b"},
            {"10.0.0.7", "board.example", "b"},
            True,
        ),
        ({"BIND_ADDRESS": "::1"}, {"[::1]"}, False),
        ({"BIND_ADDRESS": "0.0.0.0", "UI_READ_ONLY": "false"}, set(), False),
    ],
)  # fmt: skip
def test_beyond_loopback_the_ui_changes_nothing_unless_asked_to(
    settings: dict[str, str], called: set[str], read_only: bool
) -> None:
    read = platform_settings(settings)
    assert set(read.called) == called
    assert read.looks_only == read_only
    command = Pages("h", 1, read.called, read.looks_only).command
    assert ("--read-only" in command) == read_only
    assert command.count("--called") == len(called)


@pytest.mark.parametrize("names", ["https://board.example", "board.example:443", "a b", "a,,b"])
def test_names_are_names(names: str) -> None:
    with pytest.raises(BadSetting, match="UI_HOSTS must be host names"):
        platform_settings({"UI_HOSTS": names})
