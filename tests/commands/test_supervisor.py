"""Processes that are kept alive: whatever dies or falls silent is started again, a person is told
once, and what it had started goes on.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from gen404_assets.commands import supervisor as module
from gen404_assets.commands.supervisor import Service, Supervisor

SECONDS = 60.0
"""A test's patience; a busy machine takes its time."""


class House:
    """A supervisor of shell scripts; each says that it is well by touching a file."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.messages = folder, list[str]()
        self.supervisor: Supervisor | None = None

    def service(self, name: str, script: str, *, silence: float = 30.0) -> Service:
        well = self.folder / f"{name}.well"
        return Service(name, ["sh", "-c", script], lambda: self._answers(well), silence, SECONDS)

    def _answers(self, well: Path) -> bool:
        if not well.exists():
            return False
        well.unlink()
        return True

    def living(self, name: str, and_then: str = "") -> str:
        """The script of a process that answers for as long as it lives."""
        return f"{and_then} while true; do touch {self.folder}/{name}.well; sleep 0.1; done"

    def open(self, *services: Service) -> Supervisor:
        self.supervisor = Supervisor(
            services, self.folder / "log", dict(os.environ), self.messages.append
        )
        return self.supervisor

    def until(self, so: Callable[[], object]) -> None:
        assert self.supervisor is not None
        end = time.monotonic() + SECONDS
        while not so():
            assert time.monotonic() < end, (self.supervisor.conditions(), self.messages)
            self.supervisor.look(time.monotonic())
            time.sleep(0.05)

    def state(self, name: str) -> str:
        return {each.name: each.state for each in self._conditions()}[name]

    def pid(self, name: str) -> int:
        pid = {each.name: each.pid for each in self._conditions()}[name]
        assert pid is not None
        return pid

    def _conditions(self) -> list[module.Condition]:
        assert self.supervisor is not None
        return self.supervisor.conditions()


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr(module, "PROBE_SECONDS", 0.1)
    house = House(tmp_path)
    yield house
    if house.supervisor is not None:
        house.supervisor.stop()


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"  # dead, and nobody has asked how it ended


def test_a_process_that_is_killed_is_started_again_and_told_of_once(house: House) -> None:
    house.open(house.service("server", house.living("server")))
    house.until(lambda: house.state("server") == "up")
    before = house.pid("server")
    os.kill(before, signal.SIGKILL)
    house.until(lambda: house.messages)
    house.until(lambda: house.state("server") == "up")
    assert house.pid("server") != before
    assert house.messages == [
        "server ended by itself with exit code -9: it is started again",
        "server answers again",
    ]


def test_a_process_that_hangs_is_started_again(house: House) -> None:
    house.open(house.service("server", house.living("server"), silence=1.5))
    house.until(lambda: house.state("server") == "up")
    before = house.pid("server")
    os.kill(before, signal.SIGSTOP)
    house.until(lambda: house.messages)
    assert "server gave no answer for" in house.messages[0]
    house.until(lambda: house.state("server") == "up")
    assert house.pid("server") != before
    assert not alive(before)


def test_what_a_dead_process_had_started_goes_on_until_the_end(house: House) -> None:
    child = house.folder / "child"
    script = house.living("server", f"[ -e {child} ] || {{ sleep 300 & echo $! > {child}; }};")
    supervisor = house.open(house.service("server", script))
    house.until(lambda: house.state("server") == "up")
    run = int(child.read_text())
    os.kill(house.pid("server"), signal.SIGKILL)
    house.until(lambda: house.messages and house.state("server") == "up")
    assert alive(run), "a run under way survives the server that started it"
    supervisor.stop()
    assert not alive(run)


def test_a_process_that_dies_at_once_is_started_ever_later_and_told_of_once(house: House) -> None:
    supervisor = house.open(house.service("server", "exit 3"))
    now, started = time.monotonic(), list[float]()
    for second in range(200):
        supervisor.look(now + second)
        child = supervisor._watched[0].child
        if child is not None:
            started.append(second)
            child.wait()
    gaps = [after - before for before, after in pairwise(started)]
    assert gaps == sorted(gaps)
    assert max(gaps) <= 32
    assert len(house.messages) == 1
    assert house.state("server") == "down"


def test_a_process_that_falls_silent_again_and_again_is_given_more_time(house: House) -> None:
    supervisor = house.open(
        Service("server", ["sleep", "300"], lambda: False, silence=1, startup=10)
    )
    now, killed = time.monotonic(), list[float]()
    for second in range(400):
        supervisor.look(now + second)
        if supervisor.conditions()[0].restarts > len(killed):
            killed.append(second)
    gaps = [after - before for before, after in pairwise([0, *killed])]
    assert gaps[0] <= 12
    assert 20 <= gaps[1] <= 24
    assert 80 <= gaps[3] <= 96
    assert max(gaps) <= 120
    assert len(house.messages) == 1


def test_nobody_is_blamed_for_a_machine_that_stood_still(house: House) -> None:
    supervisor = house.open(house.service("server", house.living("server"), silence=10))
    house.until(lambda: house.state("server") == "up")
    before = house.pid("server")
    later = time.monotonic() + 60
    supervisor.excuse(later)
    supervisor.look(later)
    assert house.pid("server") == before
    assert not house.messages
    supervisor.look(later + 11)
    assert "gave no answer" in house.messages[0]


def test_the_others_are_started_when_the_first_answers(house: House) -> None:
    gate = house.folder / "gate"
    first = house.service(
        "first", house.living("first", f"while [ ! -e {gate} ]; do sleep 0.1; done;")
    )
    house.open(first, house.service("second", house.living("second")))
    end = time.monotonic() + 1
    house.until(lambda: time.monotonic() > end)
    assert house.state("first") == house.state("second") == "starting"
    gate.touch()
    house.until(lambda: house.state("second") == "up")


def test_an_answer_that_never_comes_is_silence(house: House) -> None:
    def hang() -> bool:
        time.sleep(300)
        return True

    house.open(Service("server", ["sleep", "300"], hang, silence=1, startup=1.5))
    house.until(lambda: house.messages)
    assert "server gave no answer for" in house.messages[0]


def test_a_client_that_fails_is_silence(house: House) -> None:
    def fail() -> bool:
        raise OSError("no socket")

    house.open(Service("server", ["sleep", "300"], fail, silence=1, startup=1.5))
    house.until(lambda: house.messages)
    assert "server gave no answer for" in house.messages[0]


def test_g14_a_run_that_a_signal_has_stopped_is_killed_and_told_of_once(house: House) -> None:
    """It would hold its lane for ever. One that goes on in time is left alone."""
    runs = [house.folder / "first", house.folder / "second"]
    begin = " ".join(f"sleep 300 & echo $! > {run};" for run in runs)
    supervisor = house.open(house.service("server", house.living("server", begin), silence=300))
    house.until(lambda: house.state("server") == "up")
    first, second = (int(run.read_text()) for run in runs)
    os.kill(first, signal.SIGSTOP)
    os.kill(second, signal.SIGSTOP)
    now = time.monotonic() + 10  # the next look is due
    supervisor.look(now)
    os.kill(second, signal.SIGCONT)
    supervisor.look(now + module.STOPPED_SECONDS - 1)
    assert not house.messages
    supervisor.look(now + module.STOPPED_SECONDS + 6)
    house.until(lambda: not alive(first))
    assert alive(second)
    assert [str(first) in message for message in house.messages] == [True]


def test_a_machine_that_stood_still_has_stopped_nothing(house: House) -> None:
    run = house.folder / "run"
    script = house.living("server", f"sleep 300 & echo $! > {run};")
    supervisor = house.open(house.service("server", script, silence=300))
    house.until(lambda: house.state("server") == "up")
    pid = int(run.read_text())
    os.kill(pid, signal.SIGSTOP)
    now = time.monotonic() + 10
    supervisor.look(now)
    supervisor.excuse(now + 60)
    supervisor.look(now + 66)
    assert alive(pid)
