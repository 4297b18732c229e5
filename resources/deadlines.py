"""Blocking calls in threads of their own, which keep nothing from exiting; and a total deadline for
them.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def in_background(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
    """What `call` will have returned or raised. It can't be cancelled: what it does unheard must be
    harmless.
    """
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            future.set_result(call(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - whatever it is, it's raised where the result is waited for
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def within(seconds: float, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `call` returns or raises, or TimeoutError after `seconds`, when it is given up and runs
    on unheard.
    """
    return in_background(call, *args, **kwargs).result(seconds)
