"""A signal ends a command at whatever moment it comes."""

import subprocess
import sys

import pytest

AMID_A_FORK = """
import ctypes, functools, os
kill = functools.partial(ctypes.CDLL(None).kill, os.getpid(), {number})
os.register_at_fork(after_in_parent=kill)  # before logging registers what it does there

import logging, threading, time
from gen404_assets.commands.interrupts import take_interrupts

take_interrupts()
try:
    if os.fork() == 0:
        os._exit(0)
    time.sleep(60)
except KeyboardInterrupt:
    print("ended")
logs = threading.Thread(target=logging.warning, args=("a line",), daemon=True)
logs.start()
logs.join(30)
print("hangs" if logs.is_alive() else "logs")
"""


@pytest.mark.parametrize("number", [2, 15])
def test_a_signal_amid_a_fork_ends_the_command_and_leaves_no_lock_taken(number: int) -> None:
    """Most of a start is forks: Python drops what a handler raises in the hooks around one."""
    code = AMID_A_FORK.format(number=number)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=200
    )
    assert done.stdout.split() == ["ended", "logs"], done.stderr
    assert "Traceback" not in done.stderr
