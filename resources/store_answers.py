"""Bounds for what boto3 reads of a store's answer, which has none of its own."""

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

OBJECT_BYTES = 5 * 2**30
"""Of an object that is saved as a file: what S3 takes in one request."""
WHOLE_BYTES = 64 * 2**20
"""Of an object that is read into memory."""
SAYING_BYTES = 2**20
"""Of any other answer: an error, or headers with hardly a body."""
_CHUNK = 2**16  # bytes that are read at a time


def bound_answers(client: Any, seconds: float) -> None:
    """Have an S3 client end each answer that goes on for `seconds`, or that holds more bytes than
    above.

    The client's own connections are used. botocore asks whoever listens to `before-send` whether
    they send a request in its place.
    """
    # Private: botocore has no public way to the session that it sends by.
    send = client._endpoint.http_session.send

    def bounded(request: Any, **_: object) -> Any:
        # The object alone is streamed; asked to stream, the session leaves other bodies to us, too.
        streamed, request.stream_output = request.stream_output, True
        answer = send(request)
        size = OBJECT_BYTES if streamed and answer.status_code < 300 else SAYING_BYTES
        answer.raw = _Bounded(answer.raw, size, time.monotonic() + seconds)
        return answer

    client.meta.events.register("before-send.s3", bounded)


class _Bounded:
    """An urllib3 response, at most `left` bytes of it until `deadline`. Raises OSError beyond."""

    def __init__(self, raw: Any, left: int, deadline: float) -> None:
        self._raw, self._left, self._deadline = raw, left, deadline

    def read(self, size: int | None = None) -> bytes:
        content = bytearray()
        while size is None or len(content) < size:
            most = _CHUNK if size is None else min(_CHUNK, size - len(content))
            chunk = self._raw.read1(most)
            if not chunk:
                break
            self._left -= len(chunk)
            content += chunk
            if self._left < 0:
                self._refuse("an answer that is too large")
            if time.monotonic() > self._deadline:
                self._refuse("an answer that does not end")
        return bytes(content)

    def stream(self) -> Iterator[bytes]:
        while chunk := self.read(_CHUNK):
            yield chunk

    def close(self) -> None:
        self._raw.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def _refuse(self, reason: str) -> None:
        with suppress(OSError):
            self.close()
        raise OSError(0, reason)
