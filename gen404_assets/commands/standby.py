"""One platform at a time on a database: others wait until it ends, and take over."""

import os
import threading
from contextlib import ExitStack
from datetime import UTC, datetime

from gen404_assets.commands.notify import Notify
from gen404_assets.live.shared import open_shared
from resources.settings import setting

_STAND_BY_SECONDS = 1.0
"""Of one try: between two, a signal is seen and systemd is told."""


def is_alone(stack: ExitStack, stop: threading.Event, what: str) -> bool:
    """Wait until no other `what`, such as a platform, has the claim of that name, which `stack`
    then holds; False if a signal came before. Without a database the home has been taken already.
    """
    if not setting(os.environ, "DATABASE_URL"):
        return True
    printed, notify = False, Notify(os.environ.get("NOTIFY_SOCKET"))
    while not stop.is_set():
        notify.alive()
        claim = open_shared().claims.hold(what, _STAND_BY_SECONDS)
        with ExitStack() as attempt:
            if attempt.enter_context(claim):
                stack.enter_context(attempt.pop_all())
                return True
        if not printed:
            tell(
                f"another {what} runs on this database, or its server has just been started: this "
                "one stands by"
            )
            notify.ready()  # systemd would end it, and start it again, while it waits
            printed = True
    return False


def tell(text: str) -> None:
    """Print a line for who reads the log, with the time."""
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {text}", flush=True)
