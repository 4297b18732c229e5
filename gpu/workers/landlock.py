"""Landlock, the kernel's limits on files for a process that has no rights to set any.

The numbers and structures are those of linux/landlock.h. A restriction holds for the calling
thread and what it starts afterwards; so it is set while a process has one thread.
"""

import os
import struct
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from gpu.workers.kernel import system_call

_CREATE, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # alike on every machine
_VERSION = 1  # a flag
_PATH_BENEATH = 1  # LANDLOCK_RULE_PATH_BENEATH
_WRITE_FILE, _READ_FILE, _READ_DIR, _IOCTL_DEVICE = 1 << 1, 1 << 2, 1 << 3, 1 << 15
READ = _READ_FILE | _READ_DIR
USE_DEVICE = READ | _WRITE_FILE | _IOCTL_DEVICE
_OF_FILES = _READ_FILE | _WRITE_FILE | _IOCTL_DEVICE  # what a rule for a file may give
_ACCESS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # version -> how many kinds of access to files
_BIND_AND_CONNECT, _NET_SINCE = 0b11, 4
_SIGNALS_AND_ABSTRACT_SOCKETS, _SCOPED_SINCE = 0b11, 6


def version() -> int:
    """The version of Landlock that the kernel has, 0 for none."""
    try:
        return system_call(_CREATE, 0, 0, _VERSION)
    except OSError:
        return 0


def restrict(allowed: Mapping[int, Iterable[Path]]) -> None:
    """From here on, no file is opened, made, changed or removed, but for the access given here to
    what lies beneath these paths; those that don't exist are left out. No TCP, and no signals to
    processes outside, where the kernel's version has that. Wants `no_new_privileges` before. Raises
    OSError without Landlock.
    """
    known = version()
    if not known:
        raise OSError("the kernel has no Landlock")
    handled = (1 << _ACCESS[min(known, max(_ACCESS))]) - 1
    attributes = struct.pack(
        "QQQ",
        handled,
        _BIND_AND_CONNECT if known >= _NET_SINCE else 0,
        _SIGNALS_AND_ABSTRACT_SOCKETS if known >= _SCOPED_SINCE else 0,
    )
    ruleset = system_call(_CREATE, attributes, _size(known), 0)
    try:
        for access, paths in allowed.items():
            for path in paths:
                with suppress(FileNotFoundError, PermissionError):
                    _allow(ruleset, access & handled, path)
        system_call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _size(known: int) -> int:
    """Bytes of the attributes that the kernel's version knows."""
    if known < _NET_SINCE:
        return 8
    return 16 if known < _SCOPED_SINCE else 24


def _allow(ruleset: int, access: int, path: Path) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)  # names the path, and opens no device
    try:
        if not path.is_dir():
            access &= _OF_FILES
        system_call(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", access, descriptor), 0)
    finally:
        os.close(descriptor)
