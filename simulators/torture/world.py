"""The outside of one small competition, all of it over HTTP (the chain over a WebSocket), each
adapter with a switch for disturbances.

Git is git's own server, the store a SeaweedFS; chain node, GitHub and GPU provider are the
simulators of their protocols that other tests use. Judge, renderer, distance model and miners
answer by what they are asked alone, so that every round has the same answers.
"""

import hashlib
import http.client
import io
import json
import shutil
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from PIL import Image

from gen404_assets.commands.operating import audit_source, begin
from gen404_assets.competition.audits import SourceVerdict
from gen404_assets.competition.judgement import PROMPT_VERSION, answer_key, asked
from gen404_assets.competition.round import Round
from gen404_assets.competition_repository import create_repository
from gen404_assets.live.work import see
from resources.chain.subtensor import Block
from resources.local_network.forge import Forge
from resources.local_network.store import LocalStore
from resources.providers.provider import Pod
from resources.repository import Repository
from simulators.chain_node import Node, listening
from simulators.clouds import TargonCloud
from simulators.examples import MINERS
from simulators.torture.faults import Faults, Kind
from simulators.torture.front import Front, Request, Response, serving
from simulators.torture.git_http import GitServer

GENESIS = datetime(2026, 1, 5, tzinfo=UTC)
MODEL = "torture-judge"
STEMS = "abcdefgh"
FOUNDER = MINERS[-1]
CHEAT, FINE, PLAIN = MINERS[:3]
PENALTIES = {CHEAT: 0, FINE: 2, PLAIN: 5, "leader": 7}
"""The judge's mean penalty for what each submits, or, for the leader, makes."""

UNSHOWABLE = "b"
"""The prompt of which PLAIN submits a file that can't be shown."""

_LOOPS_IN = 16
"""The judge gives no usable answer to one question in so many."""

CONFIG = {
    "name": "torture",
    "first_evaluation_date": "2026-01-05",
    "last_competition_date": "2026-02-06",
    "round_start_time": "02:00:00",
    "generation_stage_minutes": 60,
    "win_margin": 0.05,
    "weight_decay": 0.1,
    "weight_floor": 0.2,
    "prompts_per_round": 4,
    "carryover_prompts": 2,
}
PACES = {
    "DOWNLOAD_JITTER_SECONDS": "0",
    "CDN_PATIENCE_SECONDS": "90",
    "PROMPT_PATIENCE_SECONDS": "60",
    "BUILD_POLL_SECONDS": "0.3",
    "PUBLISH_INTERVAL_SECONDS": "3",
    "POD_START_INTERVAL": "0.5",
    "INITIAL_POD_COUNT": "1",
    "PODS_PER_MINER": "2",
    "JUDGE_PATIENCE_SECONDS": "60",
    # A chain that jumps must not make a build time out: that would be another answer.
    "BUILD_TIMEOUT": str(90 * 86400),
    "DOCKER_IMAGE_FORMAT": "local/{hotkey10}:{tag}",
    # Four prompts of a cheat are too many, and too few to end its audit before all are made.
    "MAX_MISMATCHED_PROMPTS": "3",
    "MAX_MISMATCHED_CRITICAL_PROMPTS": "0",
    "SENSOR_SECONDS": "2",
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
        if met is None or kind not in {Kind.HANG, Kind.SLOW, Kind.RESET, Kind.GARBAGE, Kind.KILL}:
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
            return Response.of({"status": "healthy"})
        digest = hashlib.sha256(_file(request.body)).hexdigest()
        return Response(200, f"model by {self.images[name]} of {digest}".encode())


class World:
    """The outside of one competition, in `folder`; `faults` may be set anew for each round."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.faults = Faults()
        self.node = TorturedNode(self)
        self.pods = Pods()
        self.cloud = TargonCloud(self.pods)  # type: ignore[arg-type]
        self.asked: Counter[str] = Counter()
        self.asked_again: list[str] = []
        self.environment: dict[str, str] = {}
        self._digests: dict[str, str] = {}
        self._pictures: dict[bytes, bytes] = {}
        self._lock = threading.Lock()

    @property
    def bare(self) -> Path:
        """The competition's repository itself."""
        return self.folder / "git" / "competition.git"

    @contextmanager
    def running(self) -> "Iterator[World]":
        """All servers, from here to the end."""
        with ExitStack() as stack:
            self.store = LocalStore(self.folder / "store")
            stack.enter_context(self.store)
            self.weed = urlsplit(self.store.environment["R2_ENDPOINT"]).netloc
            urls = {front.adapter: stack.enter_context(serving(front)) for front in self._fronts()}
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
            "store": (self._stored, lambda request: request.method == "PUT"),
            "judge": (self._judged, lambda request: request.method == "POST"),
            "provider": (self._rented, lambda request: request.method in {"POST", "DELETE"}),
            "container": (self.pods.answer, lambda request: request.method == "POST"),
            "builds": (self._built, lambda _: False),
            "renderer": (self._rendered, lambda _: False),
            "distance": (self._measured, lambda _: False),
            "cdn": (self._served, lambda _: False),
            "prompts": (self._prompt, lambda _: False),
        }
        return [
            Front(name, backend, lambda: self.faults, effect)
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
        self.node.reveals = {hotkey: [self._commitment(hotkey)] for hotkey in (CHEAT, FINE, PLAIN)}

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
        self.wipe_store()
        self.node.finalized = 0
        self.pods.images.clear()
        self.pods.started.clear()
        self.cloud.deployments.clear()
        self.asked.clear()
        self.asked_again.clear()
        self._digests.clear()

    @property
    def bucket(self) -> Any:
        """A client of the store's server itself."""
        import boto3  # type: ignore[import-untyped]  # noqa: PLC0415
        from botocore.config import Config  # type: ignore[import-untyped]  # noqa: PLC0415

        settings = self.store.environment
        return boto3.client(
            "s3",
            endpoint_url=settings["R2_ENDPOINT"],
            region_name="auto",
            aws_access_key_id=settings["R2_ACCESS_KEY_ID"],
            aws_secret_access_key=settings["R2_SECRET_ACCESS_KEY"],
            config=Config(request_checksum_calculation="when_required"),
        )

    def keys(self) -> list[str]:
        """The keys of all objects."""
        pages = self.bucket.get_paginator("list_objects_v2").paginate(Bucket="404-gen")
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def wipe_store(self) -> None:
        """Delete every object."""
        client = self.bucket
        if keys := self.keys():
            objects = [{"Key": key} for key in keys]
            client.delete_objects(Bucket="404-gen", Delete={"Objects": objects})

    def object(self, key: str) -> bytes | None:
        """An object's bytes, past every disturbance."""
        connection = http.client.HTTPConnection(self.weed, timeout=20)
        try:
            connection.request("GET", f"/404-gen/{key}")
            answer = connection.getresponse()
            content = answer.read()
            return content if answer.status == 200 else None
        finally:
            connection.close()

    # What each server answers.

    def _stored(self, request: Request) -> Response:
        connection = http.client.HTTPConnection(self.weed, timeout=60)
        try:
            connection.putrequest(
                request.method, request.path, skip_host=True, skip_accept_encoding=True
            )
            for name, value in request.headers.items():
                if name.lower() not in {"expect", "connection", "transfer-encoding"}:
                    connection.putheader(name, value)
            connection.endheaders(request.body)
            answer = connection.getresponse()
            body = answer.read()
        except OSError:  # its server has just been killed
            return Response(502, b"")
        finally:
            connection.close()
        hop = {"connection", "transfer-encoding", "keep-alive"}
        if request.method != "HEAD":
            hop.add("content-length")
        headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in hop]
        return Response(answer.status, body, headers)

    def _judged(self, request: Request) -> Response:
        body = request.json
        parts = [part for message in body["messages"] for part in _parts(message)]
        prompt, first, second = (
            part["image_url"]["url"] for part in parts if part["type"] == "image_url"
        )
        told = [urlsplit(url).path for url in (prompt, first, second)]
        seed, temperature = body.get("seed"), body.get("temperature")
        number = _number(*told, seed, temperature)
        if "/canaries/" in first:
            penalties = [10 if "/noise-" in url else 0 for url in (first, second)]
            return _completion(penalties)
        self._note(told, seed, temperature)
        if number % _LOOPS_IN == 0:
            return _completion([], ended="length")
        return _completion([_penalty(path) for path in told[1:]])

    def _note(self, told: list[str], seed: int, temperature: float | None) -> None:
        """Record a question, and whether its answer is in the store already."""
        attempt = round(10 * (temperature or 0))
        digests = tuple(self._digest(path) for path in told)
        key = answer_key(asked(MODEL, PROMPT_VERSION, seed - attempt, digests, attempt))
        with self._lock:
            self.asked[key] += 1
        if self.object(key) is not None:
            self.asked_again.append(key)

    def _digest(self, path: str) -> str:
        if path not in self._digests:
            content = self.object(path.removeprefix("/404-gen/")) or b""
            self._digests[path] = hashlib.sha256(content).hexdigest()
        return self._digests[path]

    def _rented(self, request: Request) -> Response:
        with self._lock:  # deployments are numbered by it
            self.cloud.asked.append((request.method, request.path, None))
        status, found = self.cloud.answer(request.method, request.path, request.json)
        return Response.of(found, status)

    def _built(self, request: Request) -> Response:
        url = urlsplit(request.path)
        self.forge.look()
        found = self.forge.answer(url.path, dict(parse_qsl(url.query)))
        return Response.of({"message": "Not Found"}, 404) if found is None else Response.of(found)

    def _rendered(self, request: Request) -> Response:
        content = _file(request.body)
        if content.startswith(b"unshowable"):
            return Response.of({"detail": "no mesh in it"}, 400)
        with self._lock:
            if content not in self._pictures:
                self._pictures[content] = _grid(content)
        return Response(200, self._pictures[content], [("Content-Type", "image/png")])

    def _measured(self, request: Request) -> Response:
        if request.method == "GET":
            return Response.of({"status": "ok", "model": "torture-distance"})
        honest = f"/{CHEAT}/" not in request.json["url_b"]
        return Response.of({"distance": 0.01 if honest else 0.6, "error": None})

    def _served(self, request: Request) -> Response:
        """A miner's CDN: `/{hotkey}/{stem}.glb`."""
        _, hotkey, name = urlsplit(request.path).path.split("/")
        bad = hotkey == PLAIN and name == f"{UNSHOWABLE}.glb"
        word = "unshowable" if bad else "model"
        return Response(200, f"{word} by {hotkey} of {name}".encode())

    def _prompt(self, request: Request) -> Response:
        picture = io.BytesIO()
        colour = f"#{_number(request.path) % 0xFFFFFF:06x}"
        Image.new("RGB", (64, 64), colour).save(picture, "PNG")
        return Response(200, picture.getvalue(), [("Content-Type", "image/png")])

    # What people do.

    def review(self, current: Round) -> bool:
        """A person's source audits of those who are to be audited; whether there were any."""
        known = current.source_audits.verdicts()
        wanted = [
            request.hotkey for request in current.requests.root if request.hotkey not in known
        ]
        person: Any = SimpleNamespace(repository=self.repository(), now=lambda: GENESIS)
        for hotkey in wanted:
            audit_source(person, hotkey, SourceVerdict.PASSED, "read")
        return bool(wanted)

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


def _parts(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    content = message["content"]
    return [] if isinstance(content, str) else content


def _number(*told: Any) -> int:
    text = "|".join(map(str, told))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def _penalty(path: str) -> int:
    owner = path.split("/")[4]
    return min(10, max(0, PENALTIES[owner] + _number(path) % 3 - 1))


def _completion(penalties: list[int], ended: str = "stop") -> Response:
    judged = {f"penalty_{number}": each for number, each in enumerate(penalties, 1)}
    text = json.dumps(judged | {"issues": "colours"}) if penalties else "{" + " " * 400
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": ended}
    content = {"id": "1", "object": "chat.completion", "created": 0, "model": MODEL}
    return Response.of(content | {"choices": [choice]})


def _file(body: bytes) -> bytes:
    """The first file of a multipart request."""
    return body.partition(b"\r\n\r\n")[2].partition(b"\r\n--")[0]


def _grid(content: bytes) -> bytes:
    picture = io.BytesIO()
    colour = f"#{hashlib.sha256(content).hexdigest()[:6]}"
    Image.new("RGB", (1041, 1041), colour).save(picture, "PNG", compress_level=1)
    return picture.getvalue()
