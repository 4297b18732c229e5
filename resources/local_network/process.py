"""Child processes: each logs to a file, dies with its parent, and is ended with all it started."""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from pathlib import Path

Child = subprocess.Popen[bytes]

_PR_SET_PDEATHSIG = 1  # of <linux/prctl.h>
_LIBC = ctypes.CDLL(None)  # looked up before any fork


def start(argv: Sequence[str], log: Path, environment: Mapping[str, str]) -> Child:
    """Start a process in a session of its own. Call it from the main thread: the child dies with
    the calling one.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as handle:
        return subprocess.Popen(  # noqa: S603 -- our own commands
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=handle,
            stderr=handle,
            env=dict(environment),
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 -- it makes one system call
        )


def stop(processes: Iterable[Child], patience: float = 5.0) -> None:
    """End processes and whatever runs in their sessions: politely, then for good after `patience`
    seconds.
    """
    running = list(processes)
    for process in running:
        _signal(process.pid, signal.SIGTERM)
    until = time.monotonic() + patience
    for process in running:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, until - time.monotonic()))
        end_session(process.pid)
        process.wait()


def end_session(session: int) -> None:
    """Kill every process of a session, whatever its group."""
    for number in _members(session):
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)


def session_lives(session: int) -> bool:
    """Whether any process of a session is there, even if the one that began it has ended."""
    return next(_members(session), None) is not None


def stopped(sessions: Set[int]) -> Iterator[int]:
    """The processes of some sessions that a signal has stopped (SIGSTOP, SIGTSTP), so that they do
    nothing until another one lets them go on. One that a debugger holds is not among them.
    """
    return (
        number for number, state, session in _processes() if state == "T" if session in sessions
    )


def _members(session: int) -> Iterator[int]:
    return (number for number, _, its_session in _processes() if its_session == session)


def _processes() -> Iterator[tuple[int, str, int]]:
    """The number, state and session of each process of this machine."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            # A command's name may hold blanks and brackets.
            state, _, _, session = status.read_text().rpartition(")")[2].split()[:4]
            yield int(status.parent.name), state, int(session)


def _signal(group: int, what: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, what)


def _die_with_parent() -> None:
    # Not SIGKILL: it can end what it has started itself.
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
