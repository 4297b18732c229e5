"""The status and headers of an HTTP answer from a miner's server, and the decoding of its content.
No I/O.
"""

import math
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from gen404_assets.competition.faults import MinerFault, TryLater

_IDENTITY = {"", "identity", "aws-chunked"}
"""Codings that leave the content as it is.

S3's clients send `aws-chunked` for how an upload is framed. Some servers keep it as the object's
encoding, and S3 itself long kept an empty one in its place (boto3 issue 3629, versitygw issue
2398).
"""
_COMPRESSED = {"gzip", "x-gzip", "deflate"}
_MOST_CODINGS = 2  # each may blow up what it holds a thousandfold
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS  # zlib looks at the first bytes which of the two it is
_PIECE = 1 << 16  # bytes that are inflated at a time
_BUSY = {408, 425, 429}  # request timeout, too early, too many requests
_RANGE = re.compile(r"bytes\s+0-(\d{1,18})/(\d{1,18})", re.IGNORECASE)


class Head:
    """An answer's status and headers."""

    def __init__(self, status: int, headers: Sequence[tuple[bytes, bytes]]) -> None:
        self.status = status
        self._headers = [(name.lower(), value) for name, value in headers]

    def values(self, name: bytes) -> list[str]:
        """The values of every header of this name (lower case); a byte that isn't ASCII becomes
        one character."""
        return [value.decode("latin-1").strip() for known, value in self._headers if known == name]

    def value(self, name: bytes) -> str | None:
        """The first value of this name, None where there is none."""
        return next(iter(self.values(name)), None)

    @property
    def location(self) -> str | None:
        """Where a redirect leads: UTF-8, or else bytes that are percent-encoded, as browsers do."""
        raw = next((value.strip() for name, value in self._headers if name == b"location"), None)
        try:
            return None if raw is None else raw.decode()
        except UnicodeDecodeError:
            return re.sub(rb"[^!-~]", lambda byte: b"%%%02X" % byte[0][0], raw or b"").decode()

    @property
    def length(self) -> int | None:
        """The size of the content on the wire, as the header Content-Length has it."""
        text = self.value(b"content-length") or ""
        return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None

    @property
    def whole(self) -> int | None:
        """The size of the content where a 206 (partial content) holds all of it; None otherwise."""
        content_range = _RANGE.fullmatch(self.value(b"content-range") or "")
        if (
            self.status != 206
            or content_range is None
            or int(content_range[1]) + 1 != int(content_range[2])
        ):
            return None
        return int(content_range[2])

    @property
    def codings(self) -> list[str]:
        """The compressions of the content, the last one outermost. Raises MinerFault for those
        that aren't decoded."""
        listed = [
            coding.strip().lower()
            for value in self.values(b"content-encoding")
            for coding in value.split(",")
        ]
        compressions = [coding for coding in listed if coding not in _IDENTITY]
        if len(compressions) > _MOST_CODINGS or not set(compressions) <= _COMPRESSED:
            raise MinerFault(
                f"content encoding {', '.join(compressions)[:80]!a}, though identity was asked for"
            )
        return compressions

    @property
    def retry_after(self) -> float | None:
        """The seconds that a server asks to be left alone (RFC 9110, 10.2.3), never negative; None
        if it doesn't.

        A date counts from the server's own clock if it sends the header Date.
        """
        text = self.value(b"retry-after")
        if text is None:
            return None
        try:
            # `float` alone would take "nan" and "inf", too.
            seconds = float(text) if re.match(r"[0-9]", text) else None
        except ValueError:
            seconds = None
        if seconds is None:
            then, now = _date(text), _date(self.value(b"date")) or datetime.now(UTC)
            seconds = (then - now).total_seconds() if then else None
        return None if seconds is None or math.isnan(seconds) else max(0.0, seconds)

    def refuse(self) -> None:
        """Raise what a status other than that of a whole file means.

        TryLater for a server that is busy or broken, or that names a time to retry after.
        MinerFault for anything else, such as 404, 410 or 403.
        """
        after = self.retry_after
        if self.status in _BUSY or self.status >= 500 or after is not None:
            raise TryLater(f"HTTP status {self.status}", after)
        raise MinerFault(f"HTTP status {self.status}")


def decoded(codings: Sequence[str], chunks: Iterable[bytes]) -> Iterable[bytes]:
    """Content as it was before it was compressed, in pieces of at most 64 KiB, whatever it grows
    to.

    Raises MinerFault where it isn't what it is called, TryLater where it is cut short.
    """
    for _ in codings:
        chunks = _inflated(chunks)
    return chunks


def _inflated(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """All members of a gzip file, or a zlib stream. What follows the last one is ignored, as
    gzip(1) does."""
    stream, first = zlib.decompressobj(_GZIP_OR_ZLIB), True
    for chunk in chunks:
        data = chunk
        while data:
            if stream.eof:
                stream, first = zlib.decompressobj(_GZIP_OR_ZLIB), False
            try:
                piece = stream.decompress(data, _PIECE)
            except zlib.error:
                if first:
                    raise MinerFault(
                        "the content isn't the gzip or zlib data that it is called"
                    ) from None
                return
            if piece:
                yield piece
            data = stream.unused_data if stream.eof else stream.unconsumed_tail
    if rest := stream.flush():
        yield rest
    if not stream.eof:
        raise TryLater("cut short")


def exactly(size: int, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks, which must be `size` bytes together. Raises TryLater if they are not."""
    left = size
    for chunk in chunks:
        left -= len(chunk)
        yield chunk
    if left:
        raise TryLater("cut short, or no proper HTTP")


def _date(text: str | None) -> datetime | None:
    """An HTTP date in any of its three forms; None for what is none."""
    try:
        date = parsedate_to_datetime(text or "")
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
