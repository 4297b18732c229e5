"""A local miner as a process: it watches the repository and the chain, commits, generates, and
serves from its own CDN.

`python -m resources.local_network.miner NAME --network FOLDER --repository PATH`, with the chain's
settings in the environment. What it has done is in `FOLDER/miners/NAME`, from where it goes on
after a restart.
"""

import argparse
import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import httpx2

from gen404_assets.competition.faults import InfrastructureFault
from gpu.bounded_http import Bounds, bounded_client
from resources.chain import local as chain
from resources.chain.committing import commit, commit_sealed
from resources.chain.local import local_folder
from resources.chain.opening import open_chain
from resources.file_lock import locked
from resources.local_network.cast import Member, member
from resources.local_network.json_files import read_json
from resources.local_network.lathe import Skill, rebuild
from resources.settings import setting
from resources.whole_file import write_whole

POLL = 0.5
"""Seconds between two looks at the repository and the chain."""

_GIT_SECONDS = 30.0  # for a git command
_PICTURE = Bounds(seconds=10.0, size=32 * 2**20)
_HANG_SECONDS = 6.0  # how long a bad CDN keeps a connection open without a word
_NICE = 10  # below the platform, which shares this machine


def publish_code(network: Path, member_: Member, number: int, output_format: str) -> str:
    """Publish the member's code for round `number`: how to run it goes to the network's
    `code.json`; its commit.

    `code.json` gives for "owner/name@commit" the command that serves the container, once `--port N`
    is appended.
    """
    commit = member_.commit(hotkey(member_), number)
    command = [sys.executable, "-m", "resources.local_network.container", "--format", output_format]
    command += ["--skill", str(member_.published_skill(number))]
    path = network / "code.json"
    with locked(network / "code.json.lock"):
        code = read_json(path, {})
        if code.get(f"{member_.repo}@{commit}") != command:
            write_whole(
                path, json.dumps({**code, f"{member_.repo}@{commit}": command}, indent=2).encode()
            )
    return commit


def hotkey(member_: Member) -> str:
    """The ss58 address under which it takes part."""
    return str(chain.local_keypair(member_.name).ss58_address)


@dataclass(frozen=True)
class OpenRound:
    """The round under way, as the repository shows it; without `seed` until it is published."""

    number: int
    output_format: str
    earliest: int
    latest: int
    seed: int | None
    prompts: tuple[str, ...]


class Competition:
    """The public repository, a bare one on this machine."""

    def __init__(self, repository: str) -> None:
        self._repository = repository
        self._head = ""
        self._round: OpenRound | None = None

    def round(self) -> OpenRound | None:
        """The round under way, None before the first. Raises InfrastructureFault if git can't be
        asked.
        """
        head = self._git("rev-parse", "--verify", "--quiet", "refs/heads/main").decode().strip()
        if head != self._head:
            self._round = self._read_round(head) if head else None
            self._head = head
        return self._round

    def _read_round(self, head: str) -> OpenRound | None:
        state, config = map(_parsed, self._read(head, "state.json", "config.json"))
        if state is None or config is None:
            return None
        names = ("schedule.json", "seed.json", "prompts.txt")
        *files, prompts = self._read(
            head, *(f"rounds/{state['current_round']}/{name}" for name in names)
        )
        schedule, seed = map(_parsed, files)
        if schedule is None:
            return None
        return OpenRound(
            number=state["current_round"],
            output_format=config.get("output_format", "glb"),
            earliest=schedule["earliest_reveal_block"],
            latest=schedule["latest_reveal_block"],
            seed=seed and seed["seed"],
            prompts=tuple(prompts.decode().split()),
        )

    def _read(self, head: str, *paths: str) -> list[bytes]:
        """The files' contents, nothing for one that isn't there."""
        wanted = "".join(f"{head}:{path}\n" for path in paths)
        answer = self._git("cat-file", "--batch", data=wanted.encode())
        contents = []
        for path in paths:
            header, _, rest = answer.partition(b"\n")
            if not header.endswith(b" missing"):
                try:
                    size = int(header.split()[2])
                except (IndexError, ValueError) as error:
                    raise InfrastructureFault(f"git gave no answer for {path}") from error
                contents.append(rest[:size])
                answer = rest[size + 1 :]
            else:
                contents.append(b"")
                answer = rest
        return contents

    def _git(self, *arguments: str, data: bytes = b"") -> bytes:
        command = ["git", "--git-dir", self._repository, *arguments]
        try:
            done = subprocess.run(  # noqa: S603
                command, input=data, capture_output=True, timeout=_GIT_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise InfrastructureFault(f"git {arguments[0]}: {error}") from error
        return done.stdout


def ready_mark(network: Path, name: str) -> Path:
    """The file by which a miner says that it has started."""
    return network / "miners" / name / "ready"


class Miner:
    """One member at work. `step` does what is due and can be called for ever."""

    def __init__(
        self, member_: Member, network: Path, repository: str, environment: Mapping[str, str]
    ) -> None:
        folder = local_folder(setting(environment, "SUBTENSOR_NETWORK"))
        if folder is None:
            raise ValueError("SUBTENSOR_NETWORK must be a local chain's file:// URL")
        self._member = member_
        self._network = network
        self._folder = network / "miners" / member_.name
        self._environment = environment
        self._chain = chain.LocalChain(folder)
        self._competition = Competition(repository)
        self._opened: dict[int, int] = {}
        self._generating: threading.Thread | None = None
        self.cdn = Cdn(member_, self._folder)

    def step(self) -> None:
        """Commit, or generate, if it is time to. Raises InfrastructureFault; the next step tries
        again.
        """
        current = self._competition.round()
        if current is None:
            return
        done = read_json(self._folder / "commitments.json", {})
        if str(current.number) not in done:
            self._commit(current, done)
        elif self._member.skills and current.seed is not None:
            self._generate(current)

    def _generate(self, current: OpenRound) -> None:
        """Have the files made that are not there yet."""
        if self._generating and self._generating.is_alive():
            return
        folder = self._folder / "cdn" / str(current.number)
        folder.mkdir(parents=True, exist_ok=True)
        stems = {url: PurePosixPath(urlsplit(url).path).stem for url in current.prompts}
        wanted = {folder / f"{stem}.{current.output_format}": url for url, stem in stems.items()}
        missing = {path: url for path, url in wanted.items() if not path.exists()}
        if missing:
            work = (current, missing, self._member.skill(current.number))
            self._generating = threading.Thread(target=generate, args=work, daemon=True)
            self._generating.start()

    def _commit(self, current: OpenRound, done: Mapping[str, Any]) -> None:
        """Commit for the round when the member's share of the time to do so has passed."""
        head = self._chain.head()
        delay = chain.REVEAL_AFTER if self._member.sdk else 0
        if head < current.earliest or head + 1 + delay > current.latest:
            return
        opened = self._opened.setdefault(current.number, head)
        if head < opened + self._member.share * (current.latest - delay - opened):
            return
        commitment = self._commitment(current)
        if commitment is None:
            return
        text, who = json.dumps(commitment), self._member
        if who.sdk:
            block = commit_sealed(self._environment, who.name, text, who.sdk)
        else:
            block = commit(self._environment, who.name, who.garbage or text)
        write_whole(
            self._folder / "commitments.json",
            json.dumps(
                {**done, str(current.number): {"block": block, **commitment}}, indent=2
            ).encode(),
        )
        _say(f"round {current.number}: committed in block {block}")

    def _commitment(self, current: OpenRound) -> dict[str, str] | None:
        """What it commits; None while the one that it copies has revealed nothing."""
        if self._member.garbage:
            return {}
        cdn_url = f"{self.cdn.url}/{current.number}"
        if not self._member.copies:
            commit = publish_code(
                self._network, self._member, current.number, current.output_format
            )
            return {"repo": self._member.repo, "commit": commit, "cdn_url": cdn_url}
        copied = hotkey(member(self._member.copies))
        with closing(open_chain(self._environment)) as opened:
            reveals = opened.reveals(opened.finalized().number).get(copied, [])
        for block, text in reversed(reveals):
            if current.earliest <= block <= current.latest:
                revealed = json.loads(text)
                origin = self._folder / "copied" / str(current.number)
                origin.parent.mkdir(exist_ok=True)
                write_whole(origin, revealed["cdn_url"].encode())
                return {"repo": revealed["repo"], "commit": revealed["commit"], "cdn_url": cdn_url}
        return None


def generate(current: OpenRound, missing: Mapping[Path, str], skill: Skill) -> None:
    """Make the files from their prompts' URLs, without disturbing who else works on this
    machine.
    """
    os.nice(_NICE)  # of this thread alone, on Linux
    started = time.monotonic()
    with bounded_client(_PICTURE, environment=False) as client:
        for path, url in missing.items():
            try:
                picture = client.get(url).raise_for_status().content
                made = rebuild(
                    picture,
                    seed=current.seed or 0,
                    skill=skill,
                    output_format=current.output_format,
                )
            except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
                _say(f"round {current.number}: {path.stem}: {error}")
                continue  # the next step tries this one again
            write_whole(path, made)
    made_now = sum(path.exists() for path in missing)
    _say(f"round {current.number}: {made_now} generated in {time.monotonic() - started:.1f} s")


class Cdn:
    """The member's files over HTTP on loopback, as `/{round}/{stem}.{format}`; the port stays the
    same for good.
    """

    def __init__(self, member_: Member, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        kept = folder / "port"
        try:
            self._server = _Server(
                ("127.0.0.1", int(kept.read_text()) if kept.exists() else 0), _Answer
            )
        except (
            OSError
        ):  # somebody else has the port now: what was committed is lost, the next round is not
            self._server = _Server(("127.0.0.1", 0), _Answer)
        self._server.member, self._server.folder = member_, folder
        write_whole(kept, str(self._server.server_port).encode())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()

    def close(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    member: Member
    folder: Path


class _Answer(BaseHTTPRequestHandler):
    server: _Server
    timeout = 30  # seconds that a client may be silent

    def do_GET(self) -> None:
        path = PurePosixPath(urlsplit(self.path).path)
        number = path.parent.name
        copied = self.server.folder / "copied" / number
        file = self.server.folder / "cdn" / number / path.name
        if number.isdigit() and copied.is_file():
            self.send_response(302)
            self.send_header("Location", f"{copied.read_text()}/{path.name}")
            self.end_headers()
        elif not (number.isdigit() and file.is_file()):
            self.send_error(404)
        elif self.server.member.failing_cdn and (
            fault := sha256(path.name.encode()).digest()[0] % 8
        ):
            self._fail(fault, file)
        else:
            self._send(file.read_bytes())

    def _fail(self, fault: int, file: Path) -> None:
        """Seven of eight files: an error, a connection closed without a word, half a file, or
        nothing for long.
        """
        if fault == 1:
            time.sleep(_HANG_SECONDS)
        elif fault == 2:
            content = file.read_bytes()
            self._send(content[: len(content) // 2], promised=len(content))
        elif fault > 3:
            self.send_error(500)
        self.close_connection = True

    def _send(self, content: bytes, promised: int | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(content) if promised is None else promised))
        self.end_headers()
        with suppress(ConnectionError):
            self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


def _parsed(content: bytes) -> Any:
    return json.loads(content) if content else None


def _say(line: str) -> None:
    print(line, flush=True)


def main() -> None:
    """Work until it is stopped by a signal."""
    parser = argparse.ArgumentParser(
        prog="python -m resources.local_network.miner", description=__doc__
    )
    parser.add_argument("member", type=member, metavar="NAME", help="one of the cast")
    parser.add_argument(
        "--network", type=Path, required=True, help="the folder of the local network"
    )
    parser.add_argument(
        "--repository", required=True, help="the competition's bare repository, a path"
    )
    arguments = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    importlib.import_module(
        "bittensor"
    )  # takes seconds on a busy machine: better now than when it is time to commit
    miner = Miner(arguments.member, arguments.network, arguments.repository, os.environ)
    _say(f"{arguments.member.name}: {hotkey(arguments.member)}, CDN at {miner.cdn.url}")
    ready_mark(arguments.network, arguments.member.name).touch()
    while True:
        try:
            miner.step()
        except InfrastructureFault as error:
            _say(str(error))
        time.sleep(POLL)


if __name__ == "__main__":
    main()
