"""Whose a connection is, and which processes a process has started: read from /proc (Linux)."""

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def owner_of(port: int) -> int | None:
    """The process that has a TCP connection from this port of loopback."""
    inode = _inode(port)
    if inode is None:
        return None
    link = f"socket:[{inode}]"
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            for descriptor in (entry / "fd").iterdir():
                with suppress(OSError):
                    if os.readlink(descriptor) == link:  # noqa: PTH115 -- no path, but a name
                        return int(entry.name)
    return None


def _inode(port: int) -> str | None:
    local = f"0100007F:{port:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1] == local and fields[9] != "0":
            return fields[9]
    return None


def parent(pid: int) -> int:
    """The parent of a process, 0 where it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return 0


def ancestor(pid: int | None, among: set[int]) -> int | None:
    """The process itself or its nearest ancestor that is one of `among`."""
    while pid and pid > 1:
        if pid in among:
            return pid
        pid = parent(pid)
    return None


def session(leader: int) -> list[int]:
    """The processes of a session."""
    pids = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            if int(entry.read_text().rpartition(")")[2].split()[3]) == leader:
                pids.append(int(entry.parent.name))
    return pids


def kill_all(pids: Iterable[int]) -> None:
    """SIGKILL to each that is still there."""
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
