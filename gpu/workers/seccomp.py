"""The system calls that a worker may make; any other is refused by the kernel's filter (seccomp).

A call that isn't in the table fails with EPERM, as does one whose arguments aren't as the table
wants them. The table has the calls of x86-64 and of 64-bit ARM by their numbers there.
"""

import ctypes
import platform
import struct
import sys
from dataclasses import dataclass

from gpu.workers.kernel import system_call

_ALLOW, _REFUSE, _MISSING = 0x7FFF0000, 0x00050001, 0x00050026  # as EPERM, and as ENOSYS
_SET_FILTER, _EVERY_THREAD = 1, 1
_CLONE3 = 435  # its flags can't be seen; libc then uses clone
_FOREIGN = 0x40000000  # x86-64's x32 calls, which have other numbers


@dataclass(frozen=True)
class Only:
    """A call is allowed if its argument (from 0) is one of `values`, or has none of the bits of
    `without` and all of those of `having`: of its lower 32 bits, or of its `upper` ones."""

    argument: int
    values: tuple[int, ...] = ()
    without: int = 0
    having: int = 0
    upper: bool = False


@dataclass(frozen=True)
class _Machine:
    audit: int
    seccomp: int
    calls: dict[str, int]


_X86_64 = """
read 0 write 1 close 3 fstat 5 lseek 8 mmap 9 mprotect 10 munmap 11 brk 12 rt_sigaction 13
rt_sigprocmask 14 rt_sigreturn 15 pread64 17 readv 19 writev 20 sched_yield 24 mremap 25 madvise 28
getpid 39 sendto 44 recvfrom 45 sendmsg 46 recvmsg 47 exit 60 uname 63 fcntl 72 gettimeofday 96
getrusage 98 times 100 sigaltstack 131 gettid 186 time 201 futex 202 sched_getaffinity 204
restart_syscall 219 clock_gettime 228 clock_getres 229 exit_group 231 set_robust_list 273 getcpu 309
getrandom 318 membarrier 324 rseq 334
open 2 stat 4 lstat 6 poll 7 ioctl 16 access 21 pipe 22 select 23 msync 26 mincore 27 dup 32 dup2 33
nanosleep 35 clone 56 ftruncate 77 getcwd 79 readlink 89 getrlimit 97 sysinfo 99 getuid 102
getgid 104 geteuid 107 getegid 108 getppid 110 statfs 137 fstatfs 138 sched_getparam 143
sched_getscheduler 145 mlock 149 munlock 151 prctl 157 getdents64 217 set_tid_address 218
fadvise64 221 clock_nanosleep 230 epoll_wait 232 epoll_ctl 233 mbind 237 set_mempolicy 238
get_mempolicy 239 openat 257 newfstatat 262 readlinkat 267 faccessat 269 pselect6 270 ppoll 271
epoll_pwait 281 eventfd2 290 epoll_create1 291 dup3 292 pipe2 293 prlimit64 302 memfd_create 319
statx 332 faccessat2 439
"""
_AARCH64 = """
read 63 write 64 close 57 fstat 80 lseek 62 mmap 222 mprotect 226 munmap 215 brk 214
rt_sigaction 134 rt_sigprocmask 135 rt_sigreturn 139 pread64 67 readv 65 writev 66 sched_yield 124
mremap 216 madvise 233 getpid 172 sendto 206 recvfrom 207 sendmsg 211 recvmsg 212 exit 93 uname 160
fcntl 25 gettimeofday 169 getrusage 165 times 153 sigaltstack 132 gettid 178 futex 98
sched_getaffinity 123 restart_syscall 128 clock_gettime 113 clock_getres 114 exit_group 94
set_robust_list 99 getcpu 168 getrandom 278 membarrier 283 rseq 293
ioctl 29 msync 227 mincore 232 dup 23 nanosleep 101 clone 220 ftruncate 46 getcwd 17 getrlimit 163
sysinfo 179 getuid 174 getgid 176 geteuid 175 getegid 177 getppid 173 statfs 43 fstatfs 44
sched_getparam 121 sched_getscheduler 120 mlock 228 munlock 229 prctl 167 getdents64 61
set_tid_address 96 fadvise64 223 clock_nanosleep 115 epoll_ctl 21 mbind 235 set_mempolicy 237
get_mempolicy 236 openat 56 newfstatat 79 readlinkat 78 faccessat 48 pselect6 72 ppoll 73
epoll_pwait 22 eventfd2 19 epoll_create1 20 dup3 24 pipe2 59 prlimit64 261 memfd_create 279
statx 291 faccessat2 439
"""


def _numbers(table: str) -> dict[str, int]:
    words = table.split()
    return dict(zip(words[::2], map(int, words[1::2]), strict=True))


# AUDIT_ARCH_... of <linux/audit.h>, and the number of the call seccomp.
_MACHINES = {
    "x86_64": _Machine(0xC000003E, 317, _numbers(_X86_64)),
    "aarch64": _Machine(0xC00000B7, 277, _numbers(_AARCH64)),
}
# What a worker that draws on the CPU needs: its memory, its socket, and the file that came over it.
# No file is opened, no thread started, no signal sent, nobody waited for but the socket.
_DRAWING_CALLS = """
read write close fstat lseek mmap mprotect munmap brk rt_sigaction rt_sigprocmask rt_sigreturn
pread64 readv writev sched_yield mremap madvise getpid sendto recvfrom sendmsg recvmsg exit uname
fcntl gettimeofday getrusage times sigaltstack gettid time futex sched_getaffinity restart_syscall
clock_gettime clock_getres exit_group set_robust_list getcpu getrandom membarrier rseq
"""
_DRAWING = frozenset(_DRAWING_CALLS.split())
_THREAD = 0x00010000  # CLONE_THREAD
_NAMESPACES = 0x7E020080  # each CLONE_NEW...
_MAKING = 0o100 | 0o1000 | 0o20000000  # O_CREAT, O_TRUNC and the bit of O_TMPFILE
_RULES = {
    # Not F_SETOWN, by which the kernel sends signals to others.
    # F_DUPFD, F_GETFD, F_SETFD, F_GETFL and F_DUPFD_CLOEXEC.
    "fcntl": (Only(1, (0, 1, 2, 3, 1030)),),
    "clone": (Only(0, having=_THREAD, without=_NAMESPACES),),
    "open": (Only(1, without=_MAKING),),
    "openat": (Only(2, without=_MAKING),),
    "prctl": (Only(0, (15, 16, 0x53564D41)),),  # names of threads and of memory
    # Its own limits, to be read: the place of a new one is none.
    "prlimit64": (Only(0, (0,)), Only(2, (0,)), Only(2, (0,), upper=True)),
}


def check_machine() -> None:
    """Raises OSError where the calls aren't known."""
    if sys.platform != "linux" or platform.machine() not in _MACHINES:
        raise OSError("strangers' files are opened on Linux alone, on x86-64 or 64-bit ARM")


def allow_calls(*, hardware: bool) -> None:
    """From here on, each thread of this process has the calls of the table alone: those of drawing,
    and with `hardware` those that a GPU's driver makes as well. Wants `no_new_privileges` before.
    Raises OSError where the kernel has no such filter.
    """
    check_machine()
    machine = _MACHINES[platform.machine()]
    program = _program(machine, machine.calls if hardware else _DRAWING)
    code = ctypes.create_string_buffer(program, len(program))
    # A struct sock_fprog: the number of steps, and where they are.
    filter_of_it = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    system_call(machine.seccomp, _SET_FILTER, _EVERY_THREAD, filter_of_it)


_Step = tuple[int, int, int, int]  # code, steps if true, steps if not, value
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _GIVE, _AND = 0x20, 0x15, 0x35, 0x45, 0x06, 0x54


def _program(machine: _Machine, names: "dict[str, int] | frozenset[str]") -> bytes:
    """The filter, 8 bytes a step."""
    # In a struct seccomp_data the call's number is at 0, the machine at 4, arguments from 16 on.
    steps: list[_Step] = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, machine.audit), (_GIVE, 0, 0, _REFUSE)]
    steps += [(_LOAD, 0, 0, 0), (_AT_LEAST, 0, 1, _FOREIGN), (_GIVE, 0, 0, _REFUSE)]
    steps += [(_EQUAL, 0, 1, _CLONE3), (_GIVE, 0, 0, _MISSING)]
    for name, number in machine.calls.items():
        if name in names:
            allowed = [step for rule in _RULES.get(name, ()) for step in _checked(rule)]
            allowed.append((_GIVE, 0, 0, _ALLOW))
            steps += [(_EQUAL, 0, len(allowed), number), *allowed]
    steps.append((_GIVE, 0, 0, _REFUSE))
    return b"".join(struct.pack("HBBI", *step) for step in steps)


def _checked(rule: Only) -> list[_Step]:
    """Steps that refuse the call unless its argument is as the rule wants it."""
    load = (_LOAD, 0, 0, 16 + 8 * rule.argument + 4 * rule.upper)
    refuse = (_GIVE, 0, 0, _REFUSE)
    if rule.values:
        last = len(rule.values)
        known = [(_EQUAL, last - at, 0, value) for at, value in enumerate(rule.values)]
        return [load, *known, refuse]
    steps = [load, (_ANY_BIT, 0, 1, rule.without), refuse]
    if rule.having:
        steps += [(_AND, 0, 0, rule.having), (_EQUAL, 1, 0, rule.having), refuse]
    return steps
