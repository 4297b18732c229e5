"""Who may ask Dagster's webserver: its own pages, and programs that call it by one of its names.

Dagster asks for no password, and does what any page says that a browser on this machine shows. So
each request is checked before Dagster sees it, websockets too:

- `Host` is one of the names that the webserver goes by. Another one is a page whose own name was
  made to lead here (DNS rebinding).
- `Origin`, which browsers send with whatever could change something, is the webserver's own, and
  `Sec-Fetch-Site` says that no other page asks; but a link may lead to a page.
- What changes something is a POST of JSON to /graphql, which no form can make. GraphQL in a URL,
  and events that are reported from outside, are refused: they come from the repository.
- A body has at most `LARGEST` bytes: Dagster reads it whole before it looks at it.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from gpu.services.bodies import App, Bodies, Message, Receive, Send

LARGEST = 2**20
"""Bytes of a question in GraphQL."""
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[0-9a-z_](?:[0-9a-z_.-]*[0-9a-z_])?)(?::[0-9]{1,5})?")
_GRAPHQL = "/graphql"
_REPORTS = "/report_asset_"
_OWN_PAGES = {"same-origin", "none"}  # none: typed into the address bar

_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; font-src 'self' data:; "
    "style-src 'self' 'unsafe-inline'; worker-src 'self' blob:; connect-src 'self' ws: wss:; "
    "frame-src 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Beside Dagster's own policy, which says what scripts may run: a page loads nothing from
elsewhere, and stands in no other page. A response may have several policies; all hold.
"""
_SCRIPTS = "; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:"
_HEADERS = {
    b"content-security-policy": (_POLICY + _SCRIPTS).encode(),
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"referrer-policy": b"no-referrer",
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request isn't passed on: the status and one sentence."""

    status: int
    reason: str


class Guard:
    """An ASGI app that passes on to `app` what `refusal` lets through.

    `hosts` are the names by which the webserver is called, without a port and in small letters.
    """

    def __init__(self, app: App, hosts: Collection[str]) -> None:
        self._app, self._hosts = app, frozenset(hosts)
        self._bodies = Bodies(LARGEST, _too_large)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
        elif (refused := refusal(scope, self._hosts)) is None:
            await self._pass_on(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": refused.reason})
        else:
            await _answer(send, refused)

    async def _pass_on(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._app(scope, receive, _hardened(send))
        elif self._bodies.declares_more(scope["headers"]):
            await _too_large(send)
        else:
            await self._bodies.pass_on(self._app, scope, receive, _hardened(send))


def refusal(scope: Message, hosts: Collection[str]) -> Refusal | None:
    """Why a request or websocket is refused; None where it may pass."""
    values = _Headers(scope["headers"])
    host = (values.single("host") or "").lower()
    name = _HOST.fullmatch(host)
    if not name or name[1] not in hosts:
        return Refusal(421, "this server isn't called so: UI_HOSTS names what it is called")
    if scope["type"] == "websocket":
        return None if values.from_own_page(host) else _foreign()
    method, path = scope["method"], scope["path"]
    if path.startswith(_REPORTS):
        return Refusal(403, "what the platform shows comes from the repository alone")
    if method in {"GET", "HEAD"}:
        if path.rstrip("/") == _GRAPHQL:
            return Refusal(405, "GraphQL is asked by POST")
        return None if values.from_own_page(host) or values.follows_a_link() else _foreign()
    if method != "POST" or path != _GRAPHQL:
        return Refusal(405, "only GraphQL takes a POST, and nothing another method")
    if not values.from_own_page(host):
        return _foreign()
    if values.media_type() != "application/json":
        return Refusal(415, "GraphQL is asked with the content type application/json")
    return None


def _foreign() -> Refusal:
    return Refusal(403, "another site's page asks")


class _Headers:
    """The headers of a request."""

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self._raw = [(name.lower(), value.decode("latin-1").strip()) for name, value in raw]

    def single(self, name: str) -> str | None:
        """The value of a header that comes once; None where it is missing or comes twice."""
        values = [value for known, value in self._raw if known == name.encode()]
        return values[0] if len(values) == 1 else None

    def _has(self, name: str) -> bool:
        return any(known == name.encode() for known, _ in self._raw)

    def from_own_page(self, host: str) -> bool:
        """Whether it comes from a page of `host`, or from no page: then there is neither header."""
        if self._has("sec-fetch-site") and self.single("sec-fetch-site") not in _OWN_PAGES:
            return False
        origin = (self.single("origin") or "").lower()
        return not self._has("origin") or origin in {f"http://{host}", f"https://{host}"}

    def follows_a_link(self) -> bool:
        """Whether a browser goes to a page of ours from somewhere else, in a window of its own."""
        return (
            not self._has("origin")
            and self.single("sec-fetch-mode") == "navigate"
            and self.single("sec-fetch-dest") == "document"
        )

    def media_type(self) -> str:
        return (self.single("content-type") or "").partition(";")[0].strip().lower()


def _hardened(send: Send) -> Send:
    """`send` with the headers that keep a page to itself."""

    async def hardened(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [
                (name, value)
                for name, value in message.get("headers", ())
                if name.lower() not in _HEADERS or name.lower() == b"content-security-policy"
            ]
            message = {**message, "headers": [*kept, *_HEADERS.items()]}
        await send(message)

    return hardened


async def _too_large(send: Send) -> None:
    await _answer(send, Refusal(413, f"a question may have {LARGEST:,} bytes"))


async def _answer(send: Send, refused: Refusal) -> None:
    body = f"{refused.reason}\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
        *_HEADERS.items(),
    ]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
