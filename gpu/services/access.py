"""Who may ask a service: whoever has its token, and no web page; and how much may be sent.

Checked at a request's head, before a byte of its body is read.
"""

import hmac
import ipaddress
from collections.abc import Mapping

from gpu.services.bodies import App, Bodies, Message, Receive, Send

SHORTEST_TOKEN = 20  # characters; nobody guesses so many
_OF_BROWSERS = {b"origin", b"sec-fetch-site"}


class NoToken(ValueError):
    """A service can't be started so; the message says what to set."""


def token_for(host: str, name: str, environment: Mapping[str, str]) -> str | None:
    """The token of a service that listens on `host`, from the variable `name`.

    Raises NoToken where it is too short, or where there is none and others than this machine reach
    the service.
    """
    token = environment.get(name, "").strip()
    if token and (len(token) < SHORTEST_TOKEN or not all("!" <= each <= "~" for each in token)):
        raise NoToken(f"{name} must be at least {SHORTEST_TOKEN} plain characters without blanks")
    if not token and not is_loopback(host):
        raise NoToken(
            f"set {name}, which whoever asks must send as a bearer token: without one the service "
            f"listens on loopback alone, not on {host}"
        )
    return token or None


class AccessCheck:
    """An ASGI app that passes to `app` the requests that carry the token, if there is one, and
    whose body has at most `largest` bytes.
    """

    def __init__(self, app: App, token: str | None, largest: int) -> None:
        self._app, self._bodies = app, Bodies(largest, self._too_large)
        self._wanted = None if token is None else f"Bearer {token}".encode()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
        elif refused := self._refusal(scope["headers"]):
            await _answer(send, *refused)
        elif self._bodies.declares_more(scope["headers"]):
            await self._too_large(send)
        else:
            await self._bodies.pass_on(self._app, scope, receive, send)

    def _refusal(self, headers: list[tuple[bytes, bytes]]) -> tuple[int, str] | None:
        names = [name.lower() for name, _ in headers]
        if _OF_BROWSERS & set(names):
            return 403, "web pages may not ask"
        sent = [value for name, value in headers if name.lower() == b"authorization"]
        # In constant time: how long it takes tells nothing.
        if self._wanted and not (len(sent) == 1 and hmac.compare_digest(sent[0], self._wanted)):
            return 401, "a token is wanted"
        return None

    async def _too_large(self, send: Send) -> None:
        await _answer(send, 413, f"a request may have {self._bodies.largest:,} bytes")


def is_loopback(host: str) -> bool:
    """Whether a server that listens on `host` is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


async def _answer(send: Send, status: int, reason: str) -> None:
    body = f'{{"detail": "{reason}"}}'.encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
