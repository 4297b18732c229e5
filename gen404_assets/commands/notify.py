"""What a service tells systemd (sd_notify): that it is ready, and that it is alive."""

import socket
import time
from contextlib import suppress

_EVERY = 5.0
"""Seconds, of the 120 that `deploy/gen404.service` waits (WatchdogSec)."""


class Notify:
    """Messages to the socket that systemd names; nothing where it names none."""

    def __init__(self, address: str | None) -> None:
        # An address that begins with @ is in Linux's abstract namespace.
        self._address = address.replace("@", "\0", 1) if address else None
        self._last = 0.0

    def ready(self) -> None:
        """The service has started."""
        self._send(b"READY=1")

    def alive(self) -> None:
        """It is alive; every few seconds is enough."""
        if time.monotonic() - self._last > _EVERY:
            self._last = time.monotonic()
            self._send(b"WATCHDOG=1")

    def _send(self, message: bytes) -> None:
        if self._address is None:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.setblocking(False)  # who doesn't read must not stop the platform
            channel.sendto(message, self._address)
