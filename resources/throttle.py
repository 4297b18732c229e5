"""How many requests a server gets at once: fewer when it is overloaded, more while it answers."""

import threading
import time
from types import TracebackType

_ONE_SIGN_SECONDS = 1.0
"""Signs of overload within this time count as one: many requests were under way when it began."""


class Throttle:
    """A limit on concurrent requests, which each enter its context.

    There is none until the first sign of overload, which halves the number of requests under way.
    Each answer raises the limit by its reciprocal, so a full set of answers raises it by one
    (additive increase, multiplicative decrease). It settles near what the server can take. Entering
    waits for the answers of others; after `longest_wait` seconds it is a TimeoutError.
    """

    def __init__(self, longest_wait: float | None = None) -> None:
        self._longest_wait = longest_wait
        self._limit = float("inf")
        self._asking, self._signed = 0, float("-inf")
        self._changed = threading.Condition()

    @property
    def limit(self) -> float:
        """How many requests may be under way at once."""
        return self._limit

    def __enter__(self) -> "Throttle":
        with self._changed:
            if not self._changed.wait_for(
                lambda: self._asking + 1 <= self._limit, self._longest_wait
            ):
                raise TimeoutError
            self._asking += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._changed:
            self._asking -= 1
            if error is None:
                self._limit += 1 / self._limit  # 0 where there is no limit: it is infinite then
            self._changed.notify_all()

    def overloaded(self) -> None:
        """The server has shown that it has too much to do: 429, 503, or no answer in time."""
        with self._changed:
            if time.monotonic() - self._signed >= _ONE_SIGN_SECONDS:
                self._signed = time.monotonic()
                self._limit = max(1.0, min(self._limit, self._asking) / 2)
