"""The sandbox of a process that opens a miner's file, layer by layer.

A worker that draws on the CPU has all of them: namespaces of its own (network, processes, System V
memory, mounts), a user of its own, no capabilities, limits on memory and time, Landlock that allows
no file, and a list of the system calls that drawing takes. One that draws on a GPU shares its
process with a driver that opens files and has threads: it may read what the driver needs and use
its devices. The user of its own, namespaces and Landlock need rights or a kernel that not every
machine has; `Layers` says what there is.
"""

import gc
import os
import resource
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gpu.splats.kernels import kernels_folder
from gpu.workers import kernel, landlock, seccomp

CPU_SECONDS = 5  # of a file
FILES = 100  # of a worker, at most; more than one are drawn by workers on a GPU alone
MEMORY = 3 * 2**30  # bytes, beyond what the process has when it's ready
_DESCRIPTORS, _DESCRIPTORS_OF_A_DRIVER = 64, 1024
_THREADS_OF_A_DRIVER = 256  # a driver starts threads of its own
_FIRST_USER, _USERS = 60_600, 500  # ids that systemd's list of users and groups has as unused
_CAP_SETGID, _CAP_SETUID = 6, 7  # of <linux/capability.h>
_SPACES = (
    kernel.CLONE_NEWNET
    | kernel.CLONE_NEWIPC
    | kernel.CLONE_NEWPID
    | kernel.CLONE_NEWNS
    | kernel.CLONE_NEWUTS
)


@dataclass(frozen=True)
class Layers:
    """What this machine has of the sandbox, beside the list of system calls, without which nothing
    is opened."""

    namespaces: bool
    own_user: bool
    landlock: bool

    @property
    def lacking(self) -> list[str]:
        """What isn't there, in words."""
        here = {
            "namespaces": self.namespaces,
            "a user of its own": self.own_user,
            "Landlock": self.landlock,
        }
        return [name for name, there in here.items() if not there]


def leave_namespaces() -> bool:
    """Move into namespaces with nothing in them, as root or where users may have namespaces; and
    whether the kernel allowed it. The next child is the first process of the new ones. Before there
    are threads.
    """
    user, group = os.getuid(), os.getgid()
    for flags in (_SPACES, _SPACES | kernel.CLONE_NEWUSER):
        try:
            kernel.unshare(flags)
        except OSError:
            continue
        if flags & kernel.CLONE_NEWUSER:
            with suppress(OSError):
                Path("/proc/self/setgroups").write_text("deny")
                Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
                Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
        return True
    return False


def see_own_processes() -> None:
    """Have /proc show this PID namespace, where the kernel allows it: another is in sight, but out
    of reach."""
    with suppress(OSError):
        kernel.mount_private()
        kernel.mount_proc()


def layers(*, namespaces: bool) -> Layers:
    """What this process can put between itself and the machine. Raises OSError where system calls
    can't be filtered at all."""
    seccomp.check_machine()
    return Layers(namespaces, _may_change_user(), landlock.version() > 0)


def _may_change_user() -> bool:
    held = kernel.capabilities_held()
    if not (held >> _CAP_SETUID & 1 and held >> _CAP_SETGID & 1):
        return False
    return all(
        any(first <= _FIRST_USER and first + count >= _FIRST_USER + _USERS for first, count in ids)
        for ids in (_mapped("uid_map"), _mapped("gid_map"))
    )


def _mapped(name: str) -> list[tuple[int, int]]:
    lines = Path("/proc/self", name).read_text().splitlines()
    return [(int(first), int(count)) for first, _, count in map(str.split, lines)]


def restrict_to_driver(environment: Mapping[str, str]) -> None:
    """Let a GPU's driver, which is loaded next, read libraries and what the kernel says of devices,
    and use the devices; no other file. While there is one thread. Raises OSError."""
    kernel.no_new_privileges()
    devices = [*Path("/dev").glob("nvidia*"), Path("/dev/dri"), Path("/dev/null")]
    landlock.restrict({landlock.USE_DEVICE: devices, landlock.READ: _read_by_driver(environment)})


def _read_by_driver(environment: Mapping[str, str]) -> list[Path]:
    libraries = ["/usr", "/lib", "/lib32", "/lib64", sys.prefix, sys.base_prefix]
    libraries += [str(Path(__file__).parents[1]), str(kernels_folder(environment))]
    for name in ("LD_LIBRARY_PATH", "__EGL_VENDOR_LIBRARY_DIRS", "__EGL_VENDOR_LIBRARY_FILENAMES"):
        libraries += environment.get(name, "").split(os.pathsep)
    libraries += [environment.get(name, "") for name in ("CUDA_HOME", "NUMBA_CACHE_DIR")]
    etc = "ld.so.cache ld.so.conf ld.so.conf.d glvnd egl nvidia drirc OpenCL alternatives localtime"
    proc = "self driver sys cpuinfo meminfo devices modules filesystems stat version"
    system = ["/sys", "/dev/urandom", "/dev/zero"]
    return [
        *(Path(each) for each in libraries + system if each),
        *(Path("/etc", each) for each in etc.split()),
        *(Path("/proc", each) for each in proc.split()),
    ]


def close_in(have: Layers, number: int, *, hardware: bool) -> None:
    """Put every layer around this process, for good, before it opens a stranger's file. `number`
    tells it from the other workers: each is another user. Raises OSError."""
    # The order matters: memory is measured before it is limited, the bounding set takes a
    # capability that is dropped next, and a change of user forgets the parent's end.
    gc.collect()
    kernel.no_new_privileges()
    used = _used_memory(hardware=hardware)
    kernel.bound_capabilities()
    if have.own_user:
        _become(_FIRST_USER + number % _USERS, hardware=hardware)
    kernel.drop_capabilities()
    kernel.end_with_parent(signal.SIGKILL)
    kernel.keep_private()
    _limit(used + MEMORY, hardware=hardware)
    if have.landlock and not hardware:
        landlock.restrict({})
    seccomp.allow_calls(hardware=hardware)


def _become(user: int, *, hardware: bool) -> None:
    devices = [*Path("/dev/dri").glob("*"), *Path("/dev").glob("nvidia*")] if hardware else []
    os.setgroups(sorted({device.stat().st_gid for device in devices} - {0}))
    os.setresgid(user, user, user)  # before the user, who may not change groups
    os.setresuid(user, user, user)


def _used_memory(*, hardware: bool) -> int:
    """Bytes of addresses; of data alone where a GPU's driver reserves addresses without end."""
    pages = Path("/proc/self/statm").read_text().split()
    # proc(5), statm: data, or the whole size.
    return int(pages[5 if hardware else 0]) * resource.getpagesize()


def _limit(memory: int, *, hardware: bool) -> None:
    """Hard limits, which nothing in the process can raise. On a GPU, memory and a file's seconds
    are watched besides (`gpu.workers.watch`): the limits here don't hold all of either."""
    limits = {
        resource.RLIMIT_DATA if hardware else resource.RLIMIT_AS: memory,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_NPROC: _THREADS_OF_A_DRIVER if hardware else 1,
        resource.RLIMIT_NOFILE: _DESCRIPTORS_OF_A_DRIVER if hardware else _DESCRIPTORS,
    }
    for kind, most in limits.items():
        hard = resource.getrlimit(kind)[1]
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (bound, bound))
    used = int(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]))
    most = used + (FILES * CPU_SECONDS if hardware else CPU_SECONDS)
    # SIGXCPU at the first limit, which tells its cause; SIGKILL at the second.
    resource.setrlimit(resource.RLIMIT_CPU, (most, most + 1))
