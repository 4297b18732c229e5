"""A total timeout for blocking calls, each of which runs in a daemon thread."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def in_background(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
    """The result of `call`, which runs in a daemon thread. It can't be cancelled, so it must do no
    harm when nobody waits for it any more.
    """
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()  # from now on `cancel` does nothing

    def run() -> None:
        try:
            future.set_result(call(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - whatever it is, it's raised where the result is waited for
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def within(seconds: float, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `call` returns or raises; TimeoutError after `seconds`, when the call runs on in its
    thread and its result is dropped.
    """
    return in_background(call, *args, **kwargs).result(seconds)
