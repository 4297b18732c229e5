"""TCP ports on loopback."""

import secrets
import socket
from contextlib import ExitStack, suppress

LOOPBACK = "127.0.0.1"
_FIRST, _COUNT = 20_000, 12_000
"""Below the ports that Linux gives to outgoing connections (from 32768 on): one of those could have
taken a server's port when it is started again.
"""


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now, all different."""
    ports: list[int] = []
    with ExitStack() as probes:
        while len(ports) < count:
            port = _FIRST + secrets.randbelow(_COUNT)
            with suppress(OSError):
                probes.enter_context(socket.socket()).bind((LOOPBACK, port))
                ports.append(port)
    return ports


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen on the port of an address of this machine now."""
    with socket.socket() as probe:
        # As servers do: a port whose last connections are still closing can be listened on.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
