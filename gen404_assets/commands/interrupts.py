"""SIGINT and SIGTERM, as a command takes them."""

import logging
import os
import signal
import threading
from types import FrameType

_END = threading.Event()
_LOCKING = {logging._acquireLock.__code__, logging._releaseLock.__code__}  # type: ignore[attr-defined]
"""What Python calls around a fork, of the modules that are loaded: where it meets an exception
there, it drops it, and logging's lock stays taken for ever.
"""
_SOON = 0.05  # seconds until the signal is sent again, outside of the lock


def take_interrupts() -> None:
    """Have both signals end a command as Ctrl-C does: what it has started is ended with it.

    A shell starts a job in the background with SIGINT ignored; Dagster takes SIGTERM for what
    SIGINT is, so neither would end a process of it.
    """

    def end(number: int, frame: FrameType | None) -> None:
        _END.set()
        if frame is not None and frame.f_code in _LOCKING:
            threading.Timer(_SOON, os.kill, [os.getpid(), number]).start()
        else:
            signal.default_int_handler(number, frame)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)


def end_by_signal() -> threading.Event:
    """What is set once one of the signals has come. From now on neither raises anything."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: _END.set())
    return _END
