"""How much memory there is for workers: the machine's, or what its control group leaves."""

from contextlib import suppress
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_LIMITS = (  # of the group that a container sees as its own: limit and use, version 2 and 1
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ),
)


def free_memory() -> int:
    """Bytes that can be had without swapping."""
    lines = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines())
    free = [int(lines["MemAvailable"].split()[0]) * 1024]
    for limit, used in _LIMITS:
        with suppress(OSError, ValueError):  # no such group, or "max"
            free.append(max(int(limit.read_text()) - int(used.read_text()), 0))
    return min(free)
