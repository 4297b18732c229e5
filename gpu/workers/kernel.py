"""The kernel's calls that Python's standard library lacks. Each raises OSError if it is refused."""

import ctypes
import os

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 2, 4, 8
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_CAPABILITIES_VERSION_3 = 0x20080522  # of <linux/capability.h>: sets of 64 bits, in two words
_CAP_SETPCAP = 8  # the right to drop from the bounding set

_libc = ctypes.CDLL(None, use_errno=True)


def system_call(number: int, *arguments: int | bytes) -> int:
    """A system call by its number. Integers are passed as 64 bits, bytes by their address."""
    wide = [each if isinstance(each, bytes) else ctypes.c_ulong(each) for each in arguments]
    return _checked(_libc.syscall(ctypes.c_long(number), *wide))


def unshare(flags: int) -> None:
    """Leave namespaces for new ones."""
    _checked(_libc.unshare(flags))


def mount_private() -> None:
    """From here on, no mount of this mount namespace reaches another one, or comes from there."""
    _checked(_libc.mount(b"none", b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None))


def mount_proc() -> None:
    """Have /proc show the processes of this PID namespace alone."""
    flags = _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
    _checked(_libc.mount(b"proc", b"/proc", b"proc", ctypes.c_ulong(flags), None))


def end_with_parent(signal: int) -> None:
    """Get this signal when the parent ends. A change of the user forgets it."""
    _prctl(_PR_SET_PDEATHSIG, signal)


def keep_private() -> None:
    """Dump no core, and let no other process of the same user read this one's memory or
    environment."""
    _prctl(_PR_SET_DUMPABLE, 0)


def no_new_privileges() -> None:
    """No program that is executed from here on gives more rights than there are."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def bound_capabilities() -> None:
    """Let no program or change of user give this process a capability that it doesn't have. Without
    the right to do so, which only who has capabilities has, nothing is done."""
    if not capabilities_held() >> _CAP_SETPCAP & 1:
        return
    with open("/proc/sys/kernel/cap_last_cap") as file:  # noqa: PTH123
        last = int(file.read())
    for capability in range(last + 1):
        _prctl(_PR_CAPBSET_DROP, capability)


def drop_capabilities() -> None:
    """Give up every capability."""
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES_VERSION_3, 0)
    _checked(_libc.capset(header, (ctypes.c_uint32 * 6)()))


def capabilities_held() -> int:
    """The capabilities in effect, a bit each."""
    with open("/proc/self/status") as file:  # noqa: PTH123
        lines = dict(line.split(":", 1) for line in file)
    return int(lines["CapEff"], 16)


def _prctl(option: int, argument: int) -> None:
    _checked(_libc.prctl(option, *map(ctypes.c_ulong, (argument, 0, 0, 0))))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
