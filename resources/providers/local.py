"""The local GPU provider: a pod is a process on this machine, and its image the command that
`images.json` gives.
"""

import json
import os
import re
import shutil
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gen404_assets.competition.faults import InfrastructureFault
from resources.ports import free_ports
from resources.providers.provider import TOKEN_VARIABLE, Pod
from resources.whole_file import create_whole

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_GATE = 'cd "$1" && shift && read -r go && exec "$@" </dev/null'
"""A pod's process waits until its state file is written, and ends if whoever starts it is gone
before.
"""

_KILL_SECONDS = 10.0  # until a killed process must be gone


@dataclass(frozen=True, slots=True)
class _State:
    """A pod's file. `pid` and `started` (clock ticks since boot) are null where there was no such
    image.
    """

    name: str
    image: str
    port: int | None = None
    pid: int | None = None
    started: int | None = None


class LocalProvider:
    """Pods as processes, each in a session of its own, known by files in `{folder}/pods`.

    Any process finds and deletes them, also after the one that started them has died. An image that
    `images.json` (image -> command, to which `--port N` is added) doesn't know makes a pod that has
    failed, as one that can't be pulled does elsewhere.
    """

    name = "local"

    def __init__(self, folder: Path) -> None:
        self._images, self._pods = folder / "images.json", folder / "pods"

    def start(self, pod_name: str, image: str, token: str | None) -> None:
        """See `Provider.start`."""
        if not _NAME.fullmatch(pod_name):
            raise ValueError(f"{pod_name!r} is no name for a pod")
        command = self._command(image)
        if command is None:
            self._write(_State(pod_name, image))
            return
        (port,) = free_ports(1)
        home = self._pods / f"{pod_name}.home"
        home.mkdir(parents=True, exist_ok=True)
        environment = {"PATH": os.defpath, "HOME": str(home), "LANG": "C.UTF-8"}
        if token is not None:
            environment[TOKEN_VARIABLE] = token
        gate, opener = os.pipe()
        try:
            pid = os.posix_spawn(
                "/bin/sh",
                ["/bin/sh", "-c", _GATE, "sh", str(home), *command, "--port", str(port)],
                environment,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, gate, 0),
                    (os.POSIX_SPAWN_OPEN, 1, str(home / "log"), os.O_WRONLY | os.O_CREAT, 0o600),
                    (os.POSIX_SPAWN_DUP2, 1, 2),
                ],
                setsid=True,
            )
            try:
                self._write(_State(pod_name, image, port, pid, _start_time(pid)))
            except BaseException:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                raise
            os.write(opener, b"go\n")
        finally:
            os.close(gate)
            os.close(opener)

    def pods(self) -> list[Pod]:
        """See `Provider.pods`."""
        states = [state for path in sorted(self._pods.glob("*.json")) if (state := _read(path))]
        return [Pod(state.name, _url(state), failed=not _runs(state)) for state in states]

    def delete(self, pod_name: str) -> None:
        """See `Provider.delete`."""
        if not _NAME.fullmatch(pod_name):
            return
        path = self._pods / f"{pod_name}.json"
        state = _read(path)
        if state is None:
            return
        _kill(state)
        deadline = time.monotonic() + _KILL_SECONDS
        while _runs(state):
            if time.monotonic() > deadline:
                raise InfrastructureFault(f"pod {pod_name} does not end")
            time.sleep(0.01)  # a killed process is mostly gone by then
        if state.pid is not None:
            with suppress(ChildProcessError):  # somebody else's
                os.waitpid(state.pid, os.WNOHANG)
        shutil.rmtree(self._pods / f"{pod_name}.home", ignore_errors=True)
        path.unlink(missing_ok=True)

    def _command(self, image: str) -> Sequence[str] | None:
        try:
            images = json.loads(self._images.read_bytes())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise InfrastructureFault(f"{self._images.name} is not JSON") from error
        command = images.get(image)
        return [str(part) for part in command] if command else None

    def _write(self, state: _State) -> None:
        """Whole or not at all, and never over another pod's."""
        self._pods.mkdir(parents=True, exist_ok=True)
        content = json.dumps(asdict(state)).encode()
        try:
            create_whole(self._pods / f"{state.name}.json", content)
        except FileExistsError as error:
            raise InfrastructureFault(f"there is a pod {state.name} already") from error


def _read(path: Path) -> _State | None:
    try:
        fields: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    return _State(**fields)


def _url(state: _State) -> str | None:
    return None if state.port is None else f"http://127.0.0.1:{state.port}"


def _runs(state: _State) -> bool:
    return state.pid is not None and _start_time(state.pid) == state.started


def _kill(state: _State) -> None:
    """Kill the pod's processes, unless its number is another process's by now: then they are
    gone.
    """
    if state.pid is None or _start_time(state.pid) not in {state.started, None}:
        return
    try:
        os.killpg(state.pid, signal.SIGKILL)
    except (
        ProcessLookupError,
        PermissionError,
    ):  # gone; or a group of others, whose leader had our number
        return


def _start_time(pid: int) -> int | None:
    """When a process that still runs was started, in clock ticks since boot (proc(5), stat: field
    22).
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # From the third field on: 19 is the 22nd.
    return None if fields[0] in {"Z", "X"} else int(fields[19])
