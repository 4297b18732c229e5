"""The sandbox of a process that opens a miner's file: no network, no other files, no other
programs, and limited resources.

No network: a network namespace of its own where the kernel allows one (as root, or where users may
have namespaces), and in any case a filter that refuses the system calls for sockets; without the
filter, nothing is opened.
"""

import ctypes
import platform
import resource
import struct
import sys

CPU_SECONDS = 5
MEMORY = 3 * 2**30  # bytes, beyond what the process has when it's ready

_CLONE_NEWNET, _CLONE_NEWUSER, _CLONE_THREAD = 0x40000000, 0x10000000, 0x00010000
_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38
_ALLOW, _REFUSE, _MISSING = 0x7FFF0000, 0x00050001, 0x00050026  # as EPERM, and as ENOSYS

# The numbers of system calls, by machine: the kernel's audit number, seccomp, clone, and what is
# refused.
_NEW = {"io_uring_setup": 425, "pidfd_open": 434, "openat2": 437, "pidfd_getfd": 438}
_OPENING = ("open", "openat", "openat2", "creat", "open_by_handle_at")
_CALLS = {
    "x86_64": (
        0xC000003E,
        317,
        56,
        _NEW
        | {
            "socket": 41,
            "connect": 42,
            "accept": 43,
            "bind": 49,
            "listen": 50,
            "socketpair": 53,
            "accept4": 288,
        }
        | {
            "fork": 57,
            "vfork": 58,
            "execve": 59,
            "execveat": 322,
            "kill": 62,
            "ptrace": 101,
            "bpf": 321,
        }
        | {
            "process_vm_readv": 310,
            "process_vm_writev": 311,
            "userfaultfd": 323,
            "perf_event_open": 298,
        }
        | {
            "mount": 165,
            "unshare": 272,
            "setns": 308,
            "keyctl": 250,
            "add_key": 248,
            "request_key": 249,
        }
        | {
            "truncate": 76,
            "rename": 82,
            "mkdir": 83,
            "rmdir": 84,
            "link": 86,
            "unlink": 87,
            "symlink": 88,
        }
        | {
            "chmod": 90,
            "chown": 92,
            "unlinkat": 263,
            "renameat": 264,
            "renameat2": 316,
            "linkat": 265,
        }
        | {"symlinkat": 266, "mkdirat": 258, "fchmodat": 268, "fchownat": 260}
        | {"open": 2, "creat": 85, "openat": 257, "open_by_handle_at": 304},
    ),
    "aarch64": (
        0xC00000B7,
        277,
        220,
        _NEW
        | {
            "socket": 198,
            "socketpair": 199,
            "bind": 200,
            "listen": 201,
            "accept": 202,
            "connect": 203,
            "accept4": 242,
        }
        | {"execve": 221, "execveat": 281, "kill": 129, "ptrace": 117, "bpf": 280}
        | {
            "process_vm_readv": 270,
            "process_vm_writev": 271,
            "userfaultfd": 282,
            "perf_event_open": 241,
        }
        | {
            "mount": 40,
            "unshare": 97,
            "setns": 268,
            "keyctl": 219,
            "add_key": 217,
            "request_key": 218,
        }
        | {
            "truncate": 45,
            "mkdirat": 34,
            "unlinkat": 35,
            "symlinkat": 36,
            "linkat": 37,
            "renameat": 38,
        }
        | {
            "renameat2": 276,
            "fchmodat": 53,
            "fchownat": 54,
            "openat": 56,
            "open_by_handle_at": 265,
        },
    ),
}
_CLONE3 = 435


def leave_network() -> bool:
    """Move into a network namespace with nothing in it; whether the kernel allowed it. Before there
    are threads.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    return any(
        libc.unshare(flags) == 0 for flags in (_CLONE_NEWNET, _CLONE_NEWUSER | _CLONE_NEWNET)
    )


def limit(*, hardware: bool) -> None:
    """Bound memory and files from here on. A GPU's driver reserves addresses without end: there,
    only data counts.
    """
    with open("/proc/self/statm") as file:  # noqa: PTH123
        pages = [int(number) for number in file.read().split()]
    kind, used = (resource.RLIMIT_DATA, pages[5]) if hardware else (resource.RLIMIT_AS, pages[0])
    most = used * resource.getpagesize() + MEMORY
    resource.setrlimit(kind, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def limit_time() -> None:
    """Let the process end by SIGXCPU once it has used its seconds of CPU (the last not whole),
    counted from now.
    """
    used = int(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]))
    resource.setrlimit(resource.RLIMIT_CPU, (used + CPU_SECONDS, resource.RLIM_INFINITY))


def refuse_calls(*, opening: bool) -> None:
    """Have the kernel refuse sockets, programs, processes, and changes to files; and opening any,
    unless `opening`.

    Threads go on to work, and file descriptors that are open. Raises OSError where the kernel has
    no such filter.
    """
    if sys.platform != "linux" or platform.machine() not in _CALLS:
        raise OSError("strangers' files are opened on Linux alone, on x86-64 or 64-bit ARM")
    audit, seccomp, clone, refused = _CALLS[platform.machine()]
    numbers = [number for name, number in refused.items() if not (opening and name in _OPENING)]
    program = _filter(audit, clone, numbers)
    code = ctypes.create_string_buffer(program, len(program))
    argument = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    every_thread = 1
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.syscall(
        seccomp, 1, every_thread, argument
    ):
        raise OSError(ctypes.get_errno(), "the kernel has no filter for system calls")


def _filter(audit: int, clone: int, refused: list[int]) -> bytes:
    """A program for the kernel's filter: 8 bytes an instruction (code, steps if true, steps if not,
    value).
    """
    load, equal, at_least, has, give = 0x20, 0x15, 0x35, 0x45, 0x06
    steps = [(load, 0, 0, 4), (equal, 1, 0, audit), (give, 0, 0, _REFUSE), (load, 0, 0, 0)]
    steps += [(at_least, 0, 1, 0x40000000), (give, 0, 0, _REFUSE)]
    steps += [
        (equal, 0, 1, _CLONE3),
        (give, 0, 0, _MISSING),
    ]  # libc then uses clone, whose flags can be seen
    for number in refused:
        steps += [(equal, 0, 1, number), (give, 0, 0, _REFUSE)]
    steps += [
        (equal, 0, 3, clone),
        (load, 0, 0, 16),
        (has, 1, 0, _CLONE_THREAD),
        (give, 0, 0, _REFUSE),
    ]
    steps += [(give, 0, 0, _ALLOW)]
    return b"".join(struct.pack("HBBI", *step) for step in steps)
