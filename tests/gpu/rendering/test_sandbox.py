"""What code could do that took over a worker: nothing but use its seconds and its memory."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gpu.workers.pool import worker_environment

PREPARED = """
import ctypes, mmap, os, resource, signal, socket, subprocess, sys, threading
from gpu.workers import sandbox
ours, theirs = socket.socketpair()
other = os.fork()
if not other:
    os.closerange(0, 64)
    signal.alarm(60)
    signal.pause()
sandbox.leave_network()
sandbox.limit(hardware=False)
sandbox.refuse_calls(opening=False)
sandbox.limit_time()
libc = ctypes.CDLL(None, use_errno=True)
def call(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
"""
ATTACKS = {
    "connect": "socket.create_connection(('127.0.0.1', 9))",
    "listen": "socket.create_server(('127.0.0.1', 0))",
    "a local socket": "socket.socket(socket.AF_UNIX)",
    "a pair of sockets": "socket.socketpair()",
    "datagrams": "socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)",
    "raw packets": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "netlink": "socket.socket(16, socket.SOCK_RAW)",
    "another program": "os.execv('/bin/true', ['true'])",
    "a new process": "os.fork()",
    "a shell": "subprocess.run('true', shell=True)",
    "read a file": "os.open('/etc/passwd', os.O_RDONLY)",
    "read its parent's environment": "open(f'/proc/{os.getppid()}/environ')",
    "write a file": "os.open('/tmp/x', os.O_WRONLY | os.O_CREAT)",
    "remove a file": "os.unlink('/tmp/gen404-nothing')",
    "rename a file": "os.rename('/tmp/gen404-nothing', '/tmp/gen404-other')",
    "end its parent": "os.kill(os.getppid(), signal.SIGKILL)",
    "end another process": "os.kill(other, signal.SIGKILL)",
    "look into another process": "call(libc.ptrace(16, other, 0, 0))",
    "leave its namespaces": "call(libc.unshare(0x10000000))",
    "io_uring": "call(libc.syscall(425, 1, None))",
    "raise its memory": "resource.setrlimit(resource.RLIMIT_AS, (-1, -1)) if os.getuid() else os.open('/', 0)",
}


def attack(code: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", f"{PREPARED}\n{code}"],
        env=worker_environment({"PATH": "/usr/bin:/bin"}),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.mark.parametrize("what", ATTACKS)
def test_g21_a_worker_can_reach_nothing(what: str) -> None:
    done = attack(
        f"""
try:
    {ATTACKS[what]}
except (PermissionError, ValueError) as error:
    os.write(1, f"refused: {{error}}".encode())
else:
    os.write(1, b"done")
"""
    )
    assert done.stdout.startswith("refused"), done


def test_threads_still_work_and_are_bound_too() -> None:
    done = attack(
        """
def connect():
    try:
        socket.socket()
    except PermissionError:
        os.write(1, b"refused")
thread = threading.Thread(target=connect)
thread.start()
thread.join()
"""
    )
    assert done.stdout == "refused"


def test_g21_a_thread_from_before_is_bound_too() -> None:
    early = PREPARED.replace(
        "sandbox.leave_network()",
        """
bound = threading.Event()
def connect():
    bound.wait()
    try:
        socket.socket()
    except PermissionError:
        os.write(1, b"refused")
thread = threading.Thread(target=connect)
thread.start()""",
    )
    code = f"{early}\nbound.set()\nthread.join()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=worker_environment({}),
        capture_output=True,
        timeout=240,
        check=False,
    )
    assert done.stdout == b"refused", done


def test_g21_memory_is_bounded() -> None:
    done = attack(
        "try:\n    bytearray(4 * 2**30)\nexcept MemoryError:\n    os.write(1, b'refused')"
    )
    assert done.stdout == "refused"


def test_g21_open_files_do_not_grow() -> None:
    done = attack(
        """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
file = libc.memfd_create(b"x", 0)
try:
    os.write(file, b"x")
except OSError:
    os.write(1, b"refused")
"""
    )
    assert done.stdout == "refused"


def test_g12_time_is_bounded() -> None:
    assert attack("while True: pass").returncode == -signal.SIGXCPU


def test_g21_a_worker_sees_no_secret() -> None:
    everything = {
        "PATH": "/bin",
        "HOME": "/root",
        "R2_SECRET_ACCESS_KEY": "s",
        "OPENAI_API_KEY": "s",
        "CUDA_HOME": "/c",
    }
    seen = worker_environment(everything)
    assert not {name for name, value in seen.items() if value == "s"}
    assert seen["CUDA_HOME"] == "/c"
    assert Path(seen["PYTHONPATH"], "gpu").is_dir()
