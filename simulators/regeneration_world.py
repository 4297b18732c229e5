"""What the tests of regeneration stand on: a local provider with images of test miners, and what a
file comes to.
"""

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gen404_assets.competition.faults import MinerFault
from gen404_assets.competition.outputs import Output, Outputs
from gen404_assets.competition.pods import PodRules
from gen404_assets.competition.settings import Rules
from gen404_assets.live.regenerating import Regenerated, regenerate
from gen404_assets.live.results import Means, Subject
from gen404_assets.live.shared import shared_on_disk
from resources.object_store import ObjectConflict
from resources.providers.local import LocalProvider
from resources.providers.provider import Pod, Provider
from resources.whole_file import whole_file
from simulators.examples import MINER

IMAGE = "registry/miner:1"
RULES = Rules(generation_timeout=5.0)
PODS = PodRules(pod_start_interval=0.12, pod_warmup_timeout=20.0, pod_capacity_timeout=5.0)
STORE = "https://store.example/"


class World:
    """One operator's outside: everything in a folder, so that it outlives a process."""

    def __init__(self, folder: Path, miner: Mapping[str, Any] | None = None) -> None:
        self.folder, self.provider = folder, LocalProvider(folder / "network")
        self.log = folder / "asked"
        self.messages: list[str] = []
        if miner is not None:
            self.publish(IMAGE, miner)

    def publish(self, image: str, miner: Mapping[str, Any]) -> None:
        path = self.folder / "network/images.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        behaviour = json.dumps({"log": str(self.log), **miner})
        path.write_text(
            json.dumps(
                {
                    image: [
                        sys.executable,
                        "-S",
                        str(Path(__file__).with_name("miner_container.py")),
                        behaviour,
                    ]
                }
            )
        )

    def means(self, **changes: Any) -> Means:
        defaults: dict[str, Any] = {
            "providers": [self.provider],
            "picture": self.picture,
            "render": self.render,
            "put": self.put,
            "measure": self.measure,
            "shared": shared_on_disk(self.folder / "home"),
            "say": self.messages.append,
            "embedder": lambda: "an embedder",
            "patience": 2.0,
            "pause": 0.02,
        }
        return Means(**defaults | changes)

    def regenerate(self, what: Subject | None = None, **changes: Any) -> Regenerated:
        """Regenerate with these means; `rules`, `pods`, `progress` and `cancelled` may be among the
        changes.
        """
        rules, pods = changes.pop("rules", RULES), changes.pop("pods", PODS)
        progress = changes.pop("progress", lambda _outputs, _pods: False)
        cancelled = changes.pop("cancelled", lambda: False)
        try:
            return regenerate(
                what or subject(), self.means(**changes), rules, pods, progress, cancelled
            )
        finally:
            left = self.pods_left()
            assert not left, f"pods are left: {left}"

    def picture(self, url: str) -> bytes:
        """A preview that was kept; the picture of a prompt, or of what was submitted, is its
        stem.
        """
        path = self.folder / "store" / url.removeprefix(STORE)
        return path.read_bytes() if path.exists() else Path(url).stem.encode()

    def render(self, path: Path, output_format: str) -> bytes:
        assert path.suffix == f".{output_format}"
        content = path.read_bytes()
        if content.endswith(b"unrenderable"):
            raise MinerFault("no mesh in it")
        return b"preview of " + content

    def put(self, key: str, content: Path | bytes, content_type: str) -> str:
        assert content_type
        raw = content if isinstance(content, bytes) else content.read_bytes()
        path = self.folder / "store" / key
        if path.exists() and path.read_bytes() != raw:
            raise ObjectConflict(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as file:
            file.write(raw)
        return STORE + key

    def measure(self, submitted: str, generated: str) -> float:
        """0.01 where the miner made it `well`, as all that is submitted was; else 1."""
        assert "/submitted/" in submitted
        return 0.01 if self.kept(generated).endswith(b" well") else 1.0

    def recorded(self) -> Outputs | None:
        """What the repository has."""
        path = self.folder / "generated.json"
        return Outputs.parse(path.read_bytes(), path.name) if path.exists() else None

    def record(self, outputs: Outputs, _: object) -> bool:
        """Publish to the repository."""
        with whole_file(self.folder / "generated.json") as file:
            file.write(outputs.to_bytes())
        return True

    def kept(self, url: str | None) -> bytes:
        assert url is not None
        return (self.folder / "store" / url.removeprefix(STORE)).read_bytes()

    def asked(self) -> Counter[str]:
        """How often each prompt has been asked of any pod."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return Counter(line.split()[0] for line in lines)

    def pods_left(self) -> list[str]:
        """The pods that run, by what the operating system says, or are listed."""
        left: list[str] = []
        for process in Path("/proc").iterdir():
            try:
                if process.name.isdigit() and str(self.folder / "network") in str(
                    (process / "cwd").readlink()
                ):
                    left.append(process.name)
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
        return left + [pod.name for pod in self.provider.pods()]


class Meddled:
    """A provider in front of which something stands: what is given replaces its methods."""

    def __init__(self, provider: Provider, **methods: Callable[..., Any]) -> None:
        self.name, self.provider, self._methods = "meddled", provider, methods

    def start(self, pod_name: str, image: str, token: str | None) -> None:
        self._methods.get("start", self.provider.start)(pod_name, image, token)

    def pods(self) -> list[Pod]:
        listed: list[Pod] = self._methods.get("pods", self.provider.pods)()
        return listed

    def delete(self, pod_name: str) -> None:
        self._methods.get("delete", self.provider.delete)(pod_name)


class Failing:
    """A call that raises `fault` the first `times` times, and then does what it should."""

    def __init__(self, call: Callable[..., Any], fault: Exception, times: int = 10**9) -> None:
        self._call, self._fault, self._times = call, fault, times

    def __call__(self, *arguments: Any) -> Any:
        if self._times > 0:
            self._times -= 1
            raise self._fault
        return self._call(*arguments)


def until(true: Callable[[], Any], seconds: float = 120.0) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never becomes true"
        time.sleep(0.01)


def subject(count: int = 6, **changes: Any) -> Subject:
    """An audit of MINER on `count` prompts p00, p01, ..., all of them submitted."""
    stems = [f"p{number:02}" for number in range(count)]
    base = Subject(
        round=3,
        hotkey=MINER,
        image=IMAGE,
        seed=7,
        prompts=[f"https://pool.example/{stem}.png" for stem in stems],
        output_format="glb",
        submitted=Outputs({stem: submitted(stem) for stem in stems}),
    )
    return replace(base, **changes)


def submitted(stem: str) -> Output:
    base = f"{STORE}rounds/3/{MINER}/submitted/{stem}"
    return Output(
        glb=f"{base}.glb", png=f"{base}.png", generation_time=0.0, size=9, attempts=1, distance=0.0
    )
