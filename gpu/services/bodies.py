"""How much a request may send: a body that is declared, or becomes, larger reaches no app whole."""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Bodies:
    """Bodies of requests of at most `largest` bytes; `refuse` answers in place of the app."""

    largest: int
    refuse: Callable[[Send], Awaitable[None]]

    def declares_more(self, headers: list[tuple[bytes, bytes]]) -> bool:
        """Whether a request's head announces more, or no number."""
        declared = [value for name, value in headers if name.lower() == b"content-length"]
        return bool(declared) and (not declared[0].isdigit() or int(declared[0]) > self.largest)

    async def pass_on(self, app: App, scope: Message, receive: Receive, send: Send) -> None:
        """Pass a request to `app` until its body is over what it may have; then answer instead."""
        left, over, begun = self.largest, False, False

        async def counted() -> Message:
            nonlocal left, over
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                over = True
                return {"type": "http.disconnect"}
            return message

        async def watched(message: Message) -> None:
            nonlocal begun
            if over and not begun:
                return
            begun = True
            await send(message)

        await app(scope, counted, watched)
        if over and not begun:
            await self.refuse(send)
