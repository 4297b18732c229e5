"""A whole local network as an operator starts it, `gen404 up`, in a process; and what a test wants
to know of it.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from resources.ports import free_ports
from simulators import postgresql

ROUNDS = {"glb": 2, "ply": 1}
"""Output format -> how many rounds are played: the rules of a second one know no format."""
CANARIES = {
    name: f"canary-of-{name.lower()}"
    for name in (
        *("GITHUB_TOKEN", "OPENAI_API_KEY", "HF_TOKEN", "RENDER_TOKEN", "DISTANCE_TOKEN"),
        *("TARGON_API_KEY", "VERDA_CLIENT_ID", "VERDA_CLIENT_SECRET", "VERDA_GENERATION_TOKEN"),
    )
} | {"ALERT_URLS": "json://127.0.0.1:9/canary-of-alert_urls"}  # nobody listens there
"""What the operator's secrets are: all but the store's, which the local network makes, and the
database's (DATABASE_CANARY). Wherever one is found, a secret got out.
"""
DATABASE_CANARY = "canary-of-database_url"
"""The password in DATABASE_URL of the competition of splats."""
KEEP_STORE_KEYS = {
    *("network/environment.json", "network/store/settings.json", "network/store/identities.json")
}
"""The files in a competition's home that hold the store's keys: none but its user reads them."""
DATABASE_DUMP = "database.sql"
"""What its database holds in the end, in its home; there is none where PostgreSQL is missing."""
SECONDS = 1200
"""For each stage. The competitions take seven minutes on two idle cores."""

_STRANGERS = (b"gpu.workers.template", b"local_network.container", b"local_network.miner")
_SENSORS = b"gen404_assets.commands.code_server"
_FAULT = "fault"
STAGES = ["open", "miner_generation", "downloading", "duels", "finalizing"]


@dataclass
class LocalCompetition:
    """`gen404 up` with its home in `home`; `settings` are its environment's, and after `rounds`
    rounds it is to be interrupted.
    """

    home: Path
    rounds: int = 1
    settings: Mapping[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def environment(self) -> dict[str, str]:
        """As a shell of the operator's has it."""
        kept = {key: value for key, value in os.environ.items() if key != "COMPETITION_REPO"}
        return {**kept, "GEN404_HOME": str(self.home), **self.settings}

    def start(self) -> None:
        """Start it; it goes on where it was."""
        self.home.mkdir(parents=True, exist_ok=True)
        ui, health = free_ports(2)
        with (self.home / "up.log").open("ab") as log:
            command = [
                sys.executable,
                "-m",
                "gen404_assets.commands.cli",
                "up",
                "--port",
                str(ui),
            ]
            environment = {"HEALTH_PORT": str(health), **self.environment}
            self.process = subprocess.Popen(
                command, env=environment, stdout=log, stderr=log, start_new_session=True
            )

    def interrupt(self) -> int:
        """Ctrl-C; the exit code."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(60)

    def kill(self) -> None:
        """The machine loses power, as far as the platform can tell."""
        assert self.process is not None
        for process in self.left():
            with suppress(ProcessLookupError):  # it may just have ended
                os.kill(process, signal.SIGKILL)
        self.process.wait()

    def left(self) -> list[int]:
        """The processes that belong to it."""
        pids = []
        folder = str(self.home).encode()
        for process in Path("/proc").glob("[0-9]*"):
            try:
                of_it = (
                    folder in (process / "environ").read_bytes()
                    or folder in (process / "cmdline").read_bytes()
                )
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
            if of_it and int(process.name) != os.getpid():
                pids.append(int(process.name))
        return pids

    def note_processes(self) -> None:
        """Keep, for the tests, what a list of processes shows of it, and the environments of those
        that deal with strangers' files and code: renderer's workers, pods and miners. Also which
        libraries the code server, which makes the sensors' ticks, has loaded.
        """
        ours = self._descendants(set(self.left()))
        with (
            (self.home / "arguments").open("ab") as arguments,
            (self.home / "environments").open("ab") as environments,
            (self.home / "libraries").open("ab") as libraries,
        ):
            for process in ours:
                with suppress(OSError):
                    command = Path(f"/proc/{process}/cmdline").read_bytes()
                    arguments.write(command + b"\n")
                    if any(each in command for each in _STRANGERS):
                        environments.write(Path(f"/proc/{process}/environ").read_bytes() + b"\n")
                    if _SENSORS in command:
                        libraries.write(Path(f"/proc/{process}/maps").read_bytes())

    @staticmethod
    def _descendants(processes: set[int]) -> set[int]:
        """The processes, and all that they have started, whatever environment these have."""
        parents: dict[int, int] = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        family, size = set(processes), -1
        while size != len(family):
            size = len(family)
            family |= {child for child, parent in parents.items() if parent in family}
        return family

    def gen404(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """A command of the operator's."""
        command = [sys.executable, "-m", "gen404_assets.commands.cli", *words]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False
        )

    @property
    def store_keys(self) -> list[str]:
        """The local store's key id and secret."""
        kept = json.loads((self.home / "network" / "environment.json").read_text())
        return [kept["R2_ACCESS_KEY_ID"], kept["R2_SECRET_ACCESS_KEY"]]

    @property
    def repository(self) -> Path:
        return self.home / "network" / "repository.git"

    def git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.repository), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def read(self, path: str) -> Any:
        """A JSON file at the head."""
        return json.loads(self.git("show", f"main:{path}"))

    def files(self) -> set[str]:
        return set(self.git("ls-tree", "-r", "--name-only", "main").splitlines())

    def commits(self) -> list[tuple[str, int, list[str]]]:
        """(sha, time, message's lines) of each commit, oldest first."""
        log = self.git("log", "--reverse", "--format=%H%x01%ct%x01%B%x00")
        entries = [entry.strip().split("\x01") for entry in log.split("\0") if entry.strip()]
        return [(sha, int(time), message.strip().splitlines()) for sha, time, message in entries]

    def wait_for(self, number: int, stage: str, seconds: float) -> None:
        """Wait until round `number` is at least at `stage`."""
        until = time.monotonic() + seconds
        while self._reached() < (number, STAGES.index(stage)):
            if self.process is not None and self.process.poll() is not None:
                raise AssertionError(f"it ended: {(self.home / 'up.log').read_text()[-2000:]}")
            if time.monotonic() > until:
                raise AssertionError(
                    f"round {number} is not {stage} yet: {self.gen404('status').stdout}"
                )
            time.sleep(1)

    def _reached(self) -> tuple[int, int]:
        look = ["git", "-C", str(self.repository), "rev-parse", "--verify", "--quiet", "main"]
        if subprocess.run(look, capture_output=True, check=False).returncode != 0:
            return -1, 0  # it is still being made
        state = self.read("state.json")
        return int(state["current_round"]), STAGES.index(state["stage"])


def competitions_in(folder: Path) -> dict[str, LocalCompetition]:
    """Output format -> its competition."""
    return {
        each: LocalCompetition(
            folder / each,
            rounds,
            {
                "LOCAL_POOL": "24",
                "LOCAL_OUTPUT_FORMAT": each,
                # A day in 72 s: the next round begins soon after one has ended.
                "LOCAL_BLOCK_SECONDS": "0.01",
                **CANARIES,
            },
        )
        for each, rounds in ROUNDS.items()
    }


class PlayedCompetitions:
    """Two rounds of meshes, then one of splats, each interrupted as the next opens: one after the
    other, since a platform that shares the machine takes twice as long and asks its sensors twice
    as often.

    The platform of the first is killed while the duels of its round 0 are under way, and started
    again. Its storage is SQLite, that of the second PostgreSQL, where that is installed.
    """

    def __init__(self) -> None:
        self._kept = tempfile.TemporaryDirectory(
            prefix="local-competitions-", ignore_cleanup_errors=True
        )
        self.folder = Path(self._kept.name)
        self._running = competitions_in(self.folder)
        self._server: postgresql.PostgreSQL | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._play, name="competitions", daemon=True)

    def begin(self) -> None:
        """Have them played in the background; `played_in` waits for their end."""
        self._thread.start()

    def close(self) -> None:
        """Leave nothing behind, whether they have been played or not."""
        self._closed.set()
        while self._thread.is_alive():
            self._kill()
            self._thread.join(1)
        self._kill()
        if self._server is not None:
            self._server.close()
        self._kept.cleanup()

    def _kill(self) -> None:
        for competition in self._running.values():
            if competition.process is not None:
                competition.kill()

    def _play(self) -> None:
        fault = ""
        try:
            self._play_meshes()
            self._play_splats()
        except (AssertionError, OSError, ValueError, subprocess.SubprocessError) as error:
            fault = f"{type(error).__name__}: {error}"
        draft = self.folder / f"{_FAULT}.draft"
        draft.write_text(fault)
        draft.rename(self.folder / _FAULT)

    def _play_meshes(self) -> None:
        meshes = self._running["glb"]
        self._start(meshes)
        meshes.wait_for(0, "duels", SECONDS)
        meshes.kill()
        self._start(meshes)
        _play(meshes)

    def _play_splats(self) -> None:
        splats = self._running["ply"]
        if find_spec("dagster_postgres") and not postgresql.missing():
            self._server = postgresql.PostgreSQL()
            self._server.new_database("splats")
            url = self._server.url(database="splats", password=DATABASE_CANARY)
            splats.settings = {**splats.settings, "DATABASE_URL": url}
        self._start(splats)
        _play(splats)
        if self._server is not None:
            (splats.home / DATABASE_DUMP).write_bytes(self._server.dump("splats"))

    def _start(self, competition: LocalCompetition) -> None:
        assert not self._closed.is_set(), "the tests have ended"
        competition.start()


def _play(competition: LocalCompetition) -> None:
    for stage in STAGES:
        competition.wait_for(competition.rounds - 1, stage, SECONDS)
        competition.note_processes()
    competition.wait_for(competition.rounds, "open", SECONDS)
    assert competition.interrupt() == 0


def played_in(folder: Path) -> dict[str, LocalCompetition]:
    """The competitions that another process's `PlayedCompetitions` plays, once it has. Raises what
    went wrong.
    """
    until = time.monotonic() + 2 * SECONDS
    while not (folder / _FAULT).exists():
        assert time.monotonic() < until, f"the competitions in {folder} are still being played"
        time.sleep(1)
    if fault := (folder / _FAULT).read_text():
        raise AssertionError(fault)
    return competitions_in(folder)
