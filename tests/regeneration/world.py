"""What the tests of regeneration stand on: a local provider with images of test miners, and what a file comes to."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gen404_assets.competition.outputs import Output, Outputs
from gen404_assets.competition.pods import PodRules
from gen404_assets.competition.settings import Rules
from gen404_assets.live.regenerating import Means, Subject
from resources.faults import MinerFault
from resources.local_network.provider import LocalProvider
from resources.object_store import ObjectConflict
from tests.rules.examples import MINER

IMAGE = "registry/miner:1"
RULES = Rules(generation_timeout=5.0)
PODS = PodRules(pod_start_interval=0.12, pod_warmup_timeout=20.0, pod_capacity_timeout=3.0)
STORE = "https://store.example/"


class World:
    """One operator's outside: everything in a folder, what is stored in a dictionary."""

    def __init__(self, folder: Path, miner: Mapping[str, Any] | None = None) -> None:
        self.folder, self.provider = folder, LocalProvider(folder / "network")
        self.kept: dict[str, bytes] = {}
        self.said: list[str] = []
        if miner is not None:
            self.publish(IMAGE, miner)

    def publish(self, image: str, miner: Mapping[str, Any]) -> None:
        path = self.folder / "network/images.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        images = json.loads(path.read_bytes()) if path.exists() else {}
        images[image] = [sys.executable, "-S", str(Path(__file__).with_name("miner.py")), json.dumps(miner)]
        path.write_text(json.dumps(images))

    def means(self, **changes: Any) -> Means:
        given: dict[str, Any] = {
            "providers": [self.provider],
            "picture": lambda url: stem_in(url).encode(),
            "render": self.render,
            "put": self.put,
            "measure": self.measure,
            "home": self.folder / "home",
            "say": self.said.append,
            "patience": 2.0,
        }
        return Means(**given | changes)

    def render(self, path: Path, output_format: str) -> bytes:
        assert path.suffix == f".{output_format}"
        content = path.read_bytes()
        if content.endswith(b"unrenderable"):
            raise MinerFault("no mesh in it")
        return b"preview of " + content

    def put(self, key: str, content: Path | bytes, content_type: str) -> str:
        assert content_type
        raw = content if isinstance(content, bytes) else content.read_bytes()
        if self.kept.setdefault(key, raw) != raw:
            raise ObjectConflict(key)
        return STORE + key

    def measure(self, submitted: str, generated: str) -> float:
        """0 where the miner made it `well`, as all that is submitted was; else 1."""
        assert "submitted" in submitted
        return 0.01 if self.kept[generated.removeprefix(STORE)].endswith(b" well") else 1.0

    def pods_left(self) -> list[str]:
        """The pods that run, by what the operating system says."""
        mark = str(self.folder / "network")
        left = []
        for process in Path("/proc").iterdir():
            try:
                if process.name.isdigit() and mark in str((process / "cwd").readlink()):
                    left.append(process.name)
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
        return left + [pod.name for pod in self.provider.pods()]


def stem_in(url: str) -> str:
    return Path(url).stem


def subject(count: int = 6, **changes: Any) -> Subject:
    """An audit of MINER on `count` prompts p00, p01, ..., all of them submitted."""
    stems = [f"p{number:02}" for number in range(count)]
    given: dict[str, Any] = {
        "round": 3,
        "hotkey": MINER,
        "image": IMAGE,
        "seed": 7,
        "prompts": [f"https://pool.example/{stem}.png" for stem in stems],
        "output_format": "glb",
        "submitted": Outputs({stem: submitted(stem) for stem in stems}),
    }
    return Subject(**given | changes)


def submitted(stem: str) -> Output:
    base = f"{STORE}rounds/3/{MINER}/submitted/{stem}"
    return Output(glb=f"{base}.glb", png=f"{base}.png", generation_time=0.0, size=9, attempts=1, distance=0.0)
