"""A small network for miners: a bare repository, a chain whose blocks come, and prompts over
HTTP.
"""

import functools
import io
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import pytest
from PIL import Image, ImageDraw

from resources.chain.local import create_local_chain, keep_ticking
from resources.chain.opening import open_chain
from resources.local_network import process
from resources.local_network.objects import KINDS, make_prompts
from resources.renderer import Renderer, open_renderer
from resources.repository import Repository

FIRST_BLOCK = 7_000_000
_T = TypeVar("_T")


def draw(*bands: str, width: int = 160) -> bytes:
    """A prompt of a bottle with bands of these colours, drawn without a renderer."""
    picture = Image.new("RGB", (518, 518), "white")
    pen = ImageDraw.Draw(picture)
    for number, colour in enumerate(bands):
        top = 120 + number * 280 // len(bands)
        half = width // (4 if number == 0 else 2)
        pen.rectangle((259 - half, top, 259 + half - 1, top + 280 // len(bands)), fill=colour)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def eventually(see: Callable[[], _T], seconds: float = 300) -> _T:
    """What `see` gives once it is something; its last answer fails the test after that many
    seconds.
    """
    deadline = time.monotonic() + seconds
    while not (seen := see()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {seen!r}"
        time.sleep(0.05)
    return seen


@dataclass
class Network:
    """What miners see of a competition, and the miners at work."""

    folder: Path
    prompts_url: str
    latest: int = 0
    opened: dict[str, Any] = field(default_factory=dict)
    running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return {"SUBTENSOR_NETWORK": (self.folder / "chain").as_uri(), "NETUID": "17"}

    def publish(self, files: dict[str, Any]) -> None:
        contents = {
            path: (content if isinstance(content, str) else json.dumps(content)).encode()
            for path, content in files.items()
        }
        repository = Repository(str(self.folder / "competition.git"), mirror=self.folder / "mirror")
        repository.publish("As the platform would", lambda _: contents)

    def open_round(self, number: int = 0, *, blocks: int = 60, output_format: str = "glb") -> None:
        chain = open_chain(self.environment)
        latest = chain.finalized().number + blocks
        chain.close()
        self.latest = latest
        self.opened = {"number": number, "blocks": blocks, "output_format": output_format}
        schedule = {
            "earliest_reveal_block": 0,
            "latest_reveal_block": latest,
            "generation_deadline_block": latest + 50,
        }
        state = {"current_round": number, "stage": "open", "next_stage_eta": None}
        config = {"name": "local", "output_format": output_format}
        self.publish(
            {"state.json": state, "config.json": config, f"rounds/{number}/schedule.json": schedule}
        )

    def draw_seed(self, number: int = 0, *, seed: int = 7) -> None:
        """Publish the seed and the prompts, the first of which has no picture."""
        names = ["gone.png", *sorted(path.name for path in (self.folder / "prompts").iterdir())]
        urls = [f"{self.prompts_url}/{name}" for name in names]
        self.publish(
            {
                f"rounds/{number}/seed.json": {"seed": seed},
                f"rounds/{number}/prompts.txt": "\n".join(urls),
            }
        )

    def start(self, *names: str) -> None:
        for name in names:
            command = [
                sys.executable,
                "-m",
                "resources.local_network.miner",
                name,
                "--network",
                str(self.folder),
            ]
            command += ["--repository", str(self.folder / "competition.git")]
            log = self.folder / "logs" / name
            self.running[name] = process.start(command, log, {**os.environ, **self.environment})

    def reveals(self, name: str) -> list[tuple[int, str]]:
        """(block, text) of what this miner has revealed by now."""
        from resources.chain.local import local_keypair  # noqa: PLC0415

        chain = open_chain(self.environment)
        revealed = chain.reveals(chain.finalized().number).get(local_keypair(name).ss58_address, [])
        chain.close()
        return revealed

    def revealed(self, name: str) -> list[tuple[int, str]]:
        """What this miner has revealed, once it has. The round stays open for it, however long its
        process takes to start.
        """

        def seen() -> list[tuple[int, str]]:
            chain = open_chain(self.environment)
            head = chain.finalized().number
            chain.close()
            if head >= self.latest:
                self.open_round(**self.opened)
            return self.reveals(name)

        return eventually(seen)

    def commitment(self, name: str) -> dict[str, str]:
        """What this miner revealed last, once it has."""
        _, text = self.revealed(name)[-1]
        return dict(json.loads(text))


@pytest.fixture(scope="session")
def renderer() -> Iterator[Renderer]:
    opened = open_renderer(os.environ)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def prompts(renderer: Renderer, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """One of each kind."""
    return make_prompts(tmp_path_factory.mktemp("prompts"), len(KINDS), renderer)


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    monkeypatch.setenv("BITTENSOR_RUNTIME_CACHE_DIR", str(tmp_path / "runtime-cache"))
    subprocess.run(
        ["git", "init", "--quiet", "--bare", "-b", "main", str(tmp_path / "competition.git")],
        check=True,
    )
    create_local_chain(
        tmp_path / "chain",
        block_time=0.1,
        genesis_time=datetime(2026, 1, 5, 8, tzinfo=UTC),
        genesis_number=FIRST_BLOCK,
    )
    prompts = tmp_path / "prompts"
    prompts.mkdir()
    for number, bands in enumerate([("red", "blue"), ("green", "navy", "red"), ("purple", "teal")]):
        (prompts / f"bottle-{number:04d}.png").write_bytes(draw(*bands))
    with ExitStack() as stack:
        url = stack.enter_context(_serve(prompts))
        stack.enter_context(_blocks_come(tmp_path / "chain"))
        made = Network(tmp_path, url)
        stack.callback(lambda: process.stop(made.running.values()))
        yield made


@contextmanager
def _serve(folder: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))
    ) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@contextmanager
def _blocks_come(chain: Path) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=keep_ticking, args=(chain, stop))
    thread.start()
    yield
    stop.set()
    thread.join()
