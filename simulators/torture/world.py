"""The outside of one small competition, all of it over HTTP (the chain over a WebSocket), each
adapter with a switch for disturbances.

Git is git's own server, the store a SeaweedFS; chain node, GitHub and GPU provider are the
simulators of their protocols that other tests use. Judge, renderer, distance model and miners
answer by what they are asked alone, so that every round has the same answers.
"""

import hashlib
import json
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from gen404_assets.commands.operating import audit_source, begin
from gen404_assets.competition.audits import SourceVerdict
from gen404_assets.competition.round import Round
from gen404_assets.competition_repository import create_repository
from gen404_assets.live.work import see
from resources.chain.subtensor import Block
from resources.local_network.forge import Forge
from resources.providers.provider import Pod
from resources.repository import Repository
from simulators.chain_node import Node, listening
from simulators.clouds import TargonCloud
from simulators.examples import MINERS
from simulators.torture.answers import (
    CHEAT,
    FINE,
    FOUNDER,
    MODEL,
    Judge,
    Renderer,
    first_file,
    measured,
    prompt_picture,
    served,
)
from simulators.torture.faults import PODS, Faults, Kind
from simulators.torture.front import Front, Request, Response, serving
from simulators.torture.git_http import GitServer
from simulators.torture.store import StoreServer

GENESIS = datetime(2026, 1, 5, tzinfo=UTC)
STEMS = "abcdefgh"

CONFIG = {
    "name": "torture",
    "first_evaluation_date": "2026-01-05",
    "last_competition_date": "2026-02-06",
    "round_start_time": "02:00:00",
    "generation_stage_minutes": 60,
    "win_margin": 0.05,
    "weight_decay": 0.1,
    "weight_floor": 0.2,
    "prompts_per_round": 3,
    "carryover_prompts": 1,
}
PACES = {
    "DOWNLOAD_JITTER_SECONDS": "0",
    "CDN_PATIENCE_SECONDS": "90",
    "PROMPT_PATIENCE_SECONDS": "60",
    "BUILD_POLL_SECONDS": "1",
    "PUBLISH_INTERVAL_SECONDS": "3",
    "POD_START_INTERVAL": "0.5",
    "INITIAL_POD_COUNT": "1",
    "PODS_PER_MINER": str(PODS),
    "JUDGE_PATIENCE_SECONDS": "60",
    # A chain that jumps must not make a build time out: that would be another answer.
    "BUILD_TIMEOUT": str(90 * 86400),
    "DOCKER_IMAGE_FORMAT": "local/{hotkey10}:{tag}",
    # Three prompts of a cheat are too many, and too few to end its audit before all are made.
    "MAX_MISMATCHED_PROMPTS": "2",
    "MAX_MISMATCHED_CRITICAL_PROMPTS": "0",
    "SENSOR_SECONDS": "2",
    # The round's days pass in jumps from a genesis long ago: no block is young.
    "CHAIN_LAG_SECONDS": "1e9",
}


class TorturedNode(Node):
    """The chain's node, with the same switch in front of its storage reads.

    A stalled or stale node says less than the chain has; `finalized` is what it says.
    """

    def __init__(self, faults: "World") -> None:
        super().__init__(GENESIS, finalized=0)
        self.world = faults

    def _misbehave(self, connection: Any, method: str) -> bool:
        if not method.startswith(("state_get", "chain_get")):
            return False
        port = int(connection.remote_address[1])
        met = self.world.faults.meet("chain", effect=False, port=port)
        kind = met.fault.kind if met else None
        if met is None or kind not in {Kind.HANG, Kind.SLOW, Kind.RESET, Kind.GARBAGE}:
            return False
        if kind in {Kind.HANG, Kind.SLOW}:
            time.sleep(max(0.0, met.until - time.monotonic()))
        if kind is Kind.SLOW:
            return False
        if kind is Kind.GARBAGE:
            connection.send("<html><body>It works!</body></html>")
        else:
            connection.close_socket()
        return True


class Pods:
    """The containers of the GPU provider: they are served by this process, below `url`."""

    def __init__(self) -> None:
        self.url = ""
        self.images: dict[str, str] = {}
        self.started: list[str] = []
        self.audits_may_begin = True
        """Whether pods of candidates become healthy."""

    def start(self, name: str, image: str, _token: str | None) -> None:
        self.images[name] = image
        self.started.append(name)

    def pods(self) -> list[Pod]:
        return [Pod(name, f"{self.url}/{name}") for name in list(self.images)]

    def delete(self, name: str) -> None:
        self.images.pop(name, None)

    def answer(self, request: Request) -> Response:
        """A container's API (`interfaces.md`), after the pod's name."""
        _, name, action = urlsplit(request.path).path.split("/", 2)
        if name not in self.images:
            return Response(502, b"no such pod")
        if action == "health":
            if not self.audits_may_begin and "-leader-" not in name:
                return Response.in_json({"status": "the model is loading"}, 503)
            return Response.in_json({"status": "healthy"})
        digest = hashlib.sha256(first_file(request.body)).hexdigest()
        return Response(200, f"model by {self.images[name]} of {digest}".encode())

    def attempt(self, request: Request) -> str:
        """What a generation is an attempt at: an image's file of a picture."""
        name = urlsplit(request.path).path.split("/")[1]
        if request.method != "POST" or name not in self.images:
            return ""
        picture = request.body.partition(b"\x89PNG")[2].partition(b"IEND")[0]
        return f"{self.images[name]} {hashlib.sha256(picture).hexdigest()}"


class World:
    """The outside of one competition, in `folder`; `faults` may be set anew for each round."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.faults = Faults()
        self.node = TorturedNode(self)
        self.pods = Pods()
        self.cloud = TargonCloud(self.pods)  # type: ignore[arg-type]
        self.store = StoreServer(folder / "store")
        self.judge, self.renderer = Judge(self.store.get), Renderer()
        self.environment: dict[str, str] = {}
        self._lock = threading.Lock()

    @property
    def bare(self) -> Path:
        """The competition's repository itself."""
        return self.folder / "git" / "competition.git"

    @contextmanager
    def running(self) -> "Iterator[World]":
        """All servers, from here to the end."""
        with ExitStack() as stack:
            stack.enter_context(self.store.server)
            fronts = self._fronts()
            self.adapters = {front.adapter for front in fronts}
            urls = {front.adapter: stack.enter_context(serving(front)) for front in fronts}
            _, port = stack.enter_context(listening(self.node))
            self.pods.url = urls["container"]
            self.cdn, self.prompts = urls["cdn"], urls["prompts"]
            self.environment = {
                **self.store.environment,
                **PACES,
                "GEN404_OPERATE": "true",
                "COMPETITION_REPO": f"{urls['git']}/competition.git",
                "SUBTENSOR_NETWORK": f"ws://127.0.0.1:{port}",
                "R2_ENDPOINT": urls["store"],
                "CDN_URL": f"{urls['store']}/404-gen",
                "OPENAI_BASE_URL": f"{urls['judge']}/v1",
                "OPENAI_API_KEY": "no-key-is-asked-for",
                "JUDGE_MODEL": MODEL,
                "RENDER_URL": urls["renderer"],
                "IMAGE_DISTANCE_SERVICE_URL": urls["distance"],
                "GPU_PROVIDERS": "targon",
                "TARGON_API_KEY": "a-key-of-nobody",
                "TARGON_API_URL": urls["provider"],
                "GITHUB_API_URL": urls["builds"],
                "GITHUB_REPO": "local/competition",
                "ALLOW_PRIVATE_CDN": "true",
            }
            self._make_template()
            yield self

    def _fronts(self) -> list[Front]:
        git = GitServer(self.folder / "git")
        answers = {
            "git": (git.answer, git.is_push),
            "store": (self.store.answer, lambda request: request.method == "PUT"),
            "judge": (self.judge.answer, lambda request: request.method == "POST"),
            "provider": (self._rented, lambda request: request.method in {"POST", "DELETE"}),
            "container": (self.pods.answer, lambda request: request.method == "POST"),
            "builds": (self._built, lambda _: False),
            "renderer": (self.renderer.answer, lambda _: False),
            "distance": (measured, lambda _: False),
            "cdn": (served, lambda _: False),
            "prompts": (prompt_picture, lambda _: False),
        }
        attempts = {"container": self.pods.attempt}
        return [
            Front(name, backend, lambda: self.faults, effect, attempts.get(name, lambda _: ""))
            for name, (backend, effect) in answers.items()
        ]

    def _make_template(self) -> None:
        """The competition as it begins: every round starts from a copy."""
        create_repository(self.bare)
        for key, value in {
            "uploadpack.allowFilter": "true",
            "uploadpack.allowAnySHA1InWant": "true",
            "http.receivepack": "true",
            "gc.auto": "0",
        }.items():
            subprocess.run(["git", "-C", str(self.bare), "config", key, value], check=True)
        pool = "\n".join(f"{self.prompts}/{stem}.png" for stem in STEMS)
        leader = {
            "hotkey": FOUNDER,
            "repo": "founder/model",
            "commit": "f" * 40,
            "docker": "local/founder:first",
            "weight": 0.5,
            "effective_block": 0,
        }
        files = {
            "config.json": json.dumps(CONFIG, indent=2).encode(),
            "prompts.txt": pool.encode(),
            "leader.json": json.dumps([leader], indent=2).encode(),
        }
        begin(self.repository(), files, self._block(0))
        shutil.copytree(self.bare, self.folder / "template.git")
        self.node.reveals = {hotkey: [self._commitment(hotkey)] for hotkey in (CHEAT, FINE)}

    def _commitment(self, hotkey: str) -> tuple[bytes, int]:
        number = MINERS.index(hotkey)
        commitment = {
            "repo": f"owner{number}/model",
            "commit": f"{number:040x}",
            "cdn_url": f"{self.cdn}/{hotkey}",
        }
        code = self.folder / "code.json"
        known = json.loads(code.read_bytes()) if code.exists() else {}
        name = f"{commitment['repo']}@{commitment['commit']}"
        code.write_text(json.dumps({**known, name: ["an image"]}))
        return json.dumps(commitment).encode(), 10 + number

    def repository(self) -> Repository:
        """The repository as a person on its own machine has it: no disturbance is in the way."""
        return Repository(str(self.bare), mirror=self.folder / "person")

    def _block(self, number: int) -> Block:
        return Block(number, self.node.hash(number), GENESIS + timedelta(seconds=12) * number)

    def reset(self) -> None:
        """Everything as it was when the competition began."""
        self.faults = Faults()
        for part in (self.bare, self.folder / "person"):
            shutil.rmtree(part, ignore_errors=True)
        shutil.copytree(self.folder / "template.git", self.bare)
        for name in ("forge.json", "images.json"):
            (self.folder / name).unlink(missing_ok=True)
        self.forge = Forge(self.folder, self.bare, PACES["DOCKER_IMAGE_FORMAT"], 0.3)
        self.store.wipe()
        self.node.finalized = 0
        self.pods.images.clear()
        self.pods.started.clear()
        self.cloud.deployments.clear()
        self.judge.reset()

    # What its servers answer.

    def _rented(self, request: Request) -> Response:
        with self._lock:  # deployments are numbered by it
            self.cloud.asked.append((request.method, request.path, None))
        status, content = self.cloud.answer(request.method, request.path, request.json)
        return Response.in_json(content, status)

    def _built(self, request: Request) -> Response:
        url = urlsplit(request.path)
        self.forge.look()
        content = self.forge.answer(url.path, dict(parse_qsl(url.query)))
        return (
            Response.in_json({"message": "Not Found"}, 404)
            if content is None
            else Response.in_json(content)
        )

    # What people do.

    def review(self, current: Round) -> bool:
        """A person's source audits of those who are to be audited; whether there were any."""
        known = current.source_audits.verdicts()
        waiting = [
            request.hotkey for request in current.requests.root if request.hotkey not in known
        ]
        person: Any = SimpleNamespace(repository=self.repository(), now=lambda: GENESIS)
        for hotkey in waiting:
            audit_source(person, hotkey, SourceVerdict.PASSED, "read")
        return bool(waiting)

    def go_back(self) -> None:
        """A person takes the branch back by one commit, by force; the first commits stay."""
        git = ["git", "-C", str(self.bare)]
        count = subprocess.run(
            [*git, "rev-list", "--count", "main"], capture_output=True, check=True
        )
        if int(count.stdout) > 2:
            subprocess.run([*git, "update-ref", "refs/heads/main", "main~1"], check=True)

    def seen(self) -> Round:
        """The round under way."""
        repository = self.repository()
        return see(repository.snapshot(repository.refresh()))
