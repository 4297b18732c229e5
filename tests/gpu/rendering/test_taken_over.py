"""Hostile code inside a worker's real sandbox, in each of its forms: what it tries is refused."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from simulators.hostile_workers import ORDINARY_USER, HostileWorkers, hostile_workers

ROOT = os.getuid() == 0
FORMS = ["cpu,user", "cpu,user,together", "gpu,user", "gpu,user,together"]
FORMS = ["cpu", "gpu", *FORMS] if ROOT else [form.replace(",user", "") for form in FORMS]

ATTACKS = {
    # Processes
    "end another process": "os.kill(facts['other'], 9)",
    "end all processes": "os.kill(-1, 9)",
    "tkill": "syscall(200, 130, facts['other'], 9)",
    "tgkill": "syscall(234, 131, facts['other'], facts['other'], 9)",
    "rt_sigqueueinfo": "syscall(129, 138, facts['other'], 9, bytes(128))",
    "rt_tgsigqueueinfo": "syscall(297, 240, facts['other'], facts['other'], 9, bytes(128))",
    "pidfd_open": "syscall(434, 434, facts['other'], 0)",
    "pidfd_send_signal": "syscall(424, 424, 0, 9, 0, 0)",
    "signals by F_SETOWN": "import fcntl; fcntl.fcntl(0, fcntl.F_SETOWN, facts['other'])",
    "ptrace": "syscall(101, 117, 16, facts['other'], 0, 0)",
    "process_vm_readv": "syscall(310, 270, facts['other'], bytes(16), 1, bytes(16), 1, 0)",
    "process_vm_writev": "syscall(311, 271, facts['other'], bytes(16), 1, bytes(16), 1, 0)",
    "limits of another process": "resource.prlimit(facts['other'], resource.RLIMIT_CPU, (1, 1))",
    "priority of another process": "os.setpriority(os.PRIO_PROCESS, facts['other'], 19)",
    "another process's cores": "os.sched_setaffinity(facts['other'], {0})",
    "a new process": "os.fork()",
    "vfork": "syscall(58, 220, 0x4111)",
    "clone3": "syscall(435, 435, bytes(88), 88)",
    "another program": "os.execv('/bin/true', ['true'])",
    "a shell": "subprocess.run('true', shell=True)",
    "a program by its descriptor": "syscall(322, 281, 0, b'', 0, 0, 0x1000)",
    "outlive the template": "call(libc.prctl(1, 0, 0, 0, 0))",
    "be looked into": "call(libc.prctl(4, 1, 0, 0, 0))",
    "another's descriptor": "syscall(438, 438, 0, 0, 0)",
    "another's memory given up": "syscall(440, 440, 0, 0, 0, 20, 0)",
    "another's pages moved": "syscall(279, 239, facts['other'], 0, 0, 0, 0, 0)",
    "another's memory on another node": "syscall(256, 238, facts['other'], 8, bytes(8), bytes(8))",
    "another's kernel objects compared": "syscall(312, 272, os.getpid(), facts['other'], 0, 0, 0)",
    "another's locks": "syscall(274, 100, facts['other'], bytes(8), bytes(8))",
    "another's scheduling": "syscall(314, 274, facts['other'], bytes(56), 0)",
    "another's disk priority": "syscall(251, 30, 1, facts['other'], 0)",
    "a timer that signals": "syscall(222, 107, 0, bytes(64), bytes(8))",
    "a session of its own": "os.setsid()",
    # Rights
    "become root": "os.setuid(0) if os.getuid() else os.setgroups([0])",
    "capabilities": (
        "call(libc.capset(struct.pack('Ii', 0x20080522, 0), struct.pack('6I', *[2**32 - 1] * 6)))"
    ),
    "unshare": "call(libc.unshare(0x10000000))",
    "setns": "syscall(308, 268, 0, 0)",
    "chroot": "os.chroot('/')",
    "keys": "syscall(250, 219, 0, -3 % 2**32, 1)",
    "bpf": "syscall(321, 280, 0, bytes(128), 128)",
    "perf": "syscall(298, 241, bytes(128), 0, -1 % 2**64, -1 % 2**64, 0)",
    "userfaultfd": "syscall(323, 282, 0)",
    "io_uring": "syscall(425, 425, 1, bytes(256))",
    "the kernel's log": "syscall(103, 116, 3, bytes(64), 64)",
    "the clock": "syscall(227, 112, 0, bytes(16))",
    "the time of day": "syscall(164, 170, bytes(16), 0)",
    "a kernel module": "syscall(175, 105, bytes(16), 16, b'')",
    "another kernel": "syscall(246, 104, 0, 0, 0, 0)",
    "a restart": "syscall(169, 142, 0xfee1dead, 672274793, 0x1234567, 0)",
    "swap": "syscall(167, 224, b'/dev/zero', 0)",
    "accounting": "syscall(163, 89, b'/tmp/gen404-x')",
    "quotas": "syscall(179, 60, 0, b'/', 0, 0)",
    "another personality": "syscall(135, 92, 0x0040000)",
    "a key": "syscall(248, 217, b'user', b'x', b'y', 1, -3 % 2**32)",
    "hidden memory": "syscall(447, 447, 0)",
    "the host's name": "call(libc.sethostname(b'x', 1))",
    # Mounts
    "mount": "call(libc.mount(b'none', b'/mnt', b'tmpfs', 0, None))",
    "umount": "syscall(166, 39, b'/proc', 2)",
    "open_tree": "syscall(428, 428, -100 % 2**64, b'/', 1)",
    "move_mount": "syscall(429, 429, 0, b'', -100 % 2**64, b'/mnt', 4)",
    "fsopen": "syscall(430, 430, b'tmpfs', 0)",
    "mount_setattr": "syscall(442, 442, -100 % 2**64, b'/', 0, bytes(32), 32)",
    "pivot_root": "syscall(155, 41, b'/', b'/')",
    # Files
    "read the operator's secret": "os.read(os.open(facts['secret'], os.O_RDONLY), 9)",
    "read a public file of the operator": "os.read(os.open(facts['public'], os.O_RDONLY), 9)",
    "list a folder": "os.listdir(facts['folder'])",
    "write a file": "os.write(os.open(facts['public'], os.O_WRONLY), b'x')",
    "map a file to write": "mmap.mmap(os.open(facts['public'], os.O_RDWR), 4)",
    "make a file": "os.open(facts['folder'] + '/new', os.O_WRONLY | os.O_CREAT)",
    "make a file without a name": "os.open(facts['folder'], os.O_TMPFILE | os.O_RDWR)",
    "openat2": "syscall(437, 437, -100 % 2**64, facts['public'].encode(), bytes(24), 24)",
    "open_by_handle_at": "syscall(304, 265, -100 % 2**64, bytes(64), 0)",
    "a file's handle": "syscall(303, 264, -100 % 2**64, b'/', bytes(64), bytes(8), 0)",
    "watch a file system": "syscall(300, 262, 0, 0)",
    "splice": "syscall(275, 76, 0, 0, 1, 0, 1, 0)",
    "users": "os.open('/etc/passwd', os.O_RDONLY)",
    "the root folder another way": "os.open('/proc/self/root/etc/passwd', os.O_RDONLY)",
    "the folder it was started in": "os.listdir('/proc/self/cwd')",
    "a terminal": "os.open('/dev/ptmx', os.O_RDWR)",
    "the kernel's log as a device": "os.open('/dev/kmsg', os.O_RDWR)",
    "another device": "os.open('/dev/full', os.O_RDWR)",
    "shared memory of all": "os.listdir('/dev/shm')",
    "a setting of the kernel": "os.open('/proc/sys/kernel/core_pattern', os.O_WRONLY)",
    "a key of the kernel": "os.open('/proc/sysrq-trigger', os.O_WRONLY)",
    "truncate": "os.truncate(facts['public'], 0)",
    "remove": "os.unlink(facts['public'])",
    "rename": "os.rename(facts['public'], facts['folder'] + '/other')",
    "a folder": "os.mkdir(facts['folder'] + '/new')",
    "a link": "os.link(facts['public'], facts['folder'] + '/new')",
    "a symbolic link": "os.symlink('/', facts['folder'] + '/new')",
    "mknod": "os.mknod(facts['folder'] + '/new')",
    "a pipe with a name": "os.mkfifo(facts['folder'] + '/new')",
    "chmod": "os.chmod(facts['public'], 0o777)",
    "fchmodat2": "syscall(452, 452, -100 % 2**64, facts['public'].encode(), 0o777, 0)",
    "chown": "os.chown(facts['public'], os.getuid(), -1)",
    "utimensat": "os.utime(facts['public'], (1, 1))",
    "setxattr": "os.setxattr(facts['public'], 'user.x', b'1')",
    "shared memory as a file": "os.open('/dev/shm/gen404-x', os.O_RDWR | os.O_CREAT)",
    "inotify": "syscall(254, 26, 0) if platform.machine() != 'x86_64' else syscall(294, 26, 0)",
    # What others keep in /proc
    "another's environment": "open(f\"/proc/{facts['other']}/environ\").read()",
    "another's memory": "open(f\"/proc/{facts['other']}/mem\", 'rb').read(1)",
    "another's memory to write": "os.open(f\"/proc/{facts['other']}/mem\", os.O_RDWR)",
    "another's descriptors": "os.listdir(f\"/proc/{facts['other']}/fd\")",
    "its parent's environment": "open(f'/proc/{os.getppid()}/environ').read()",
    "its parent's memory": "os.open(f'/proc/{os.getppid()}/mem', os.O_RDWR)",
    "the first process": "open('/proc/1/environ').read()",
    # The network
    "connect": "socket.socket(socket.AF_INET).connect(('127.0.0.1', 9))",
    "listen": "socket.socket(socket.AF_INET).bind(('127.0.0.1', 0))",
    "a local socket": "socket.socket(socket.AF_UNIX)",
    "a pair of sockets": "socket.socketpair()",
    "datagrams": "socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)",
    "raw packets": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "netlink": "socket.socket(16, socket.SOCK_RAW)",
    # What is everybody's
    "threads without end": """
        for _ in range(3000):
            threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
    """,
    "the seconds of all files for one": """
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (hard, hard))
    """,
    "a limit whose place looks like none": """
        syscall(302, 261, 0, resource.RLIMIT_CPU, 1 << 32, 0)
    """,
    "descriptors without end": """
        for _ in range(5000):
            os.dup(0)
    """,
    "more seconds": "resource.setrlimit(resource.RLIMIT_CPU, (3600, 3600))",
    "more memory": (
        "resource.setrlimit(resource.RLIMIT_AS, (-1, -1)), "
        "resource.setrlimit(resource.RLIMIT_DATA, (-1, -1))"
    ),
    "core files": "resource.setrlimit(resource.RLIMIT_CORE, (-1, -1))",
    "System V memory": "syscall(29, 194, 0, 4096, 0o1600)",
    "System V messages": "syscall(68, 186, 0, 0o1600)",
    "System V semaphores": "syscall(64, 190, 0, 1, 0o1600)",
    "a queue of messages": "syscall(240, 180, b'gen404', 0o102, 0o600, 0)",
    "a memory file that grows": """
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        os.write(os.memfd_create("x"), b"x")
    """,
    "calls of another machine": "syscall(0x40000027, 0x40000027)",
}
REFUSED = (
    "refused: (EPERM|EACCES|ENOSYS|EFBIG|EMFILE|not allowed to raise.*|can't start new thread)"
)


@dataclass(frozen=True)
class Surroundings:
    """What a worker could reach: another process of the same user, and files of the operator's."""

    other: "subprocess.Popen[bytes]"
    folder: Path

    def facts(self) -> dict[str, Any]:
        """What the attacks are told of them."""
        return {
            "other": self.other.pid,
            "folder": str(self.folder),
            "secret": str(self.folder / "secret"),
            "public": str(self.folder / "public"),
        }

    def state(self) -> list[tuple[str, bytes, int, int, float, list[str]]]:
        """Each file's name, content, mode, owner, time and attributes."""
        files = sorted(self.folder.iterdir())
        return [
            (file.name, file.read_bytes(), at.st_mode, at.st_uid, at.st_mtime, os.listxattr(file))
            for file in files
            for at in [file.stat()]
        ]


@dataclass(frozen=True)
class Form:
    name: str
    workers: HostileWorkers
    around: Surroundings


@pytest.fixture(scope="module", params=FORMS)
def form(request: pytest.FixtureRequest) -> Iterator[Form]:
    folder = Path(tempfile.mkdtemp(prefix="operator-"))
    user = ORDINARY_USER if "user" in request.param else os.getuid()
    for name, mode in (("secret", 0o600), ("public", 0o666)):
        (folder / name).write_text("a secret")
        (folder / name).chmod(mode)
        os.chown(folder / name, user, -1)
    folder.chmod(0o777)
    other = subprocess.Popen(
        ["/bin/sleep", "600"], env={"SECRET": "a secret"}, user=user if ROOT else None
    )
    try:
        with hostile_workers(request.param) as workers:
            yield Form(request.param, workers, Surroundings(other, folder))
    finally:
        other.kill()
        other.wait()
        shutil.rmtree(folder)


@pytest.mark.parametrize("attack", ATTACKS)
def test_g21_a_worker_that_a_file_has_taken_over_reaches_nothing(form: Form, attack: str) -> None:
    before = form.around.state()
    said = form.workers.tried(ATTACKS[attack], **form.around.facts())
    hidden = "/proc/" in ATTACKS[attack] and said == "refused: ENOENT"
    assert hidden or re.fullmatch(REFUSED, said)
    assert form.around.other.poll() is None
    assert form.around.state() == before


def test_the_attacks_are_attacks() -> None:
    """Without the sandbox, they do what they say."""
    works = ["read the operator's secret", "write a file", "utimensat", "mknod", "System V memory"]
    works += ["a new process", "a local socket", "list a folder", "another's environment"]
    folder = Path(tempfile.mkdtemp(prefix="operator-"))
    for name in ("secret", "public"):
        (folder / name).write_text("a secret")
    known = {name: str(folder / name) for name in ("secret", "public")}
    try:
        with hostile_workers("cpu,together,open") as workers:
            for attack in works:
                said = workers.tried(
                    ATTACKS[attack], other=os.getpid(), folder=str(folder), **known
                )
                assert said == "it was not refused", attack
    finally:
        shutil.rmtree(folder)
