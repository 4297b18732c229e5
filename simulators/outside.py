"""Everything outside a round under way, simulated: what chain, miners, store, judge and pods do is
the test's.
"""

import hashlib
import io
import json
import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from PIL import Image

from gen404_assets.competition.audits import SourceVerdict
from gen404_assets.competition.builds import BuildRun
from gen404_assets.competition.faults import InfrastructureFault, MinerFault
from gen404_assets.competition.judgement import Answer, Question, Reply
from gen404_assets.competition.outputs import Output, Outputs, PodStatsFile
from gen404_assets.competition.prompts import stem
from gen404_assets.competition.settings import BLOCK_SECONDS, Rules
from gen404_assets.live.pictures import PromptPictures
from gen404_assets.live.regenerating import Progress, Regenerated
from gen404_assets.live.results import Subject
from gen404_assets.live.shared import shared_on_disk
from gen404_assets.live.waiting import Waiting
from resources.chain.subtensor import Block
from resources.kept_answers import KeptAnswers
from resources.object_store import ObjectConflict
from simulators.memory_repository import MemoryRepository

GENESIS = datetime(2026, 1, 5, tzinfo=UTC)


@dataclass
class SimulatedChain:
    """Blocks of 12 s from GENESIS on; the test moves `number`."""

    number: int = 0
    revealed: dict[str, list[tuple[int, str]]] = field(default_factory=dict)

    def finalized(self) -> Block:
        return self.block(self.number)

    def block(self, number: int) -> Block:
        if number > self.number:
            raise InfrastructureFault(f"block {number} is not finalised yet")
        return Block(
            number, f"0x{number:064x}", GENESIS + timedelta(seconds=number * BLOCK_SECONDS)
        )

    def reveals(self, at: int) -> dict[str, list[tuple[int, str]]]:
        return {
            hotkey: [entry for entry in entries if entry[0] <= at]
            for hotkey, entries in self.revealed.items()
        }

    def close(self) -> None:
        pass


@dataclass
class SimulatedStore:
    """The bucket."""

    objects: MutableMapping[str, bytes] = field(default_factory=dict)

    def url(self, key: str) -> str:
        return f"https://store.example/{key}"

    def put(self, key: str, source: Path | bytes, content_type: str) -> str:  # noqa: ARG002
        content = source if isinstance(source, bytes) else source.read_bytes()
        if self.objects.setdefault(key, content) != content:
            raise ObjectConflict(key)
        return self.url(key)

    def key(self, url: str) -> str:
        if not url.startswith("https://store.example/"):
            raise ValueError(url)
        return url.removeprefix("https://store.example/")

    def fetch(self, key: str, to: Path) -> bool:
        to.write_bytes(self.objects[key])
        return True

    def get(self, key: str) -> bytes | None:
        return self.objects.get(key)

    def read(self, url: str) -> bytes:
        if self.key(url) not in self.objects:
            raise InfrastructureFault(f"object store: {self.key(url)} is missing")
        return self.objects[self.key(url)]


def picture_of(url: str) -> bytes:
    """The picture of a prompt: a plain colour each."""
    picture = io.BytesIO()
    Image.new("RGB", (8, 8), f"#{digest(url) % 0xFFFFFF:06x}").save(picture, "PNG")
    return picture.getvalue()


@dataclass
class SimulatedDownloads:
    """Other people's hosts: `served` gives the bytes of a URL on a miner's CDN, `prompt` those of a
    prompt's picture, or the reason why they can't be had. `asked`: the miners' URLs."""

    served: Callable[[str], bytes | str]
    prompt: Callable[[str], bytes | str] = picture_of
    asked: list[str] = field(default_factory=list)

    def download(self, url: str, to: Path) -> int:
        if url.startswith("https://pool.example/"):
            content = self.prompt(url)
        else:
            self.asked.append(url)
            content = self.served(url)
        if isinstance(content, str):
            raise MinerFault(content)
        to.write_bytes(content)
        return len(content)


class SimulatedRenderer:
    """The picture of a file is its content; a file that begins with `bad` can't be rendered."""

    def render(self, path: Path, output_format: str) -> bytes:  # noqa: ARG002
        content = path.read_bytes()
        if content.startswith(b"bad"):
            raise MinerFault("not a model")
        return b"picture of " + content


@dataclass
class SimulatedJudge:
    """`penalty` of a picture's URL; `fault`, where set, is why it does not judge now.

    `canary` is the penalty of a canary duel's noise. What is `unusable` is answered with white
    space to the limit.
    """

    penalty: Callable[[str], int]
    fault: str = ""
    canary: int = 10
    unusable: Callable[[Question], bool] = lambda _: False
    asked: list[Question] = field(default_factory=list)
    model: str = "simulated"

    def ask(self, question: Question) -> Answer:
        if self.fault:
            raise InfrastructureFault(self.fault)
        if "/canaries/" in question.first:
            return self._answer(
                *(
                    self.canary if "/noise-" in url else 0
                    for url in (question.first, question.second)
                )
            )
        self.asked.append(question)
        if self.unusable(question):
            return Reply("simulated, as served", "{" + " " * 99, "length").answer()
        return self._answer(self.penalty(question.first), self.penalty(question.second))

    @staticmethod
    def _answer(first: int, second: int) -> Answer:
        raw = json.dumps({"penalty_1": first, "penalty_2": second, "issues": "colours"})
        return Reply("simulated, as served", raw).answer()


@dataclass
class SimulatedBuilds:
    """GitHub: the run as it stands, or None where nothing can be learnt. `passing` is called before
    each question but the first: time passes while builds are waited for.
    """

    run: BuildRun | None = None
    passing: Callable[[], None] = lambda: None
    asked: int = 0

    def workflow_run(self, number: int) -> BuildRun | None:  # noqa: ARG002
        if self.asked:
            self.passing()
        self.asked += 1
        return self.run


def _everything(_: str) -> bool:
    return True


@dataclass
class SimulatedOutside:
    """What `gen404_assets.live.outside.Outside` is to the work of a round."""

    downloads: SimulatedDownloads
    judging: SimulatedJudge
    repository: MemoryRepository = field(default_factory=MemoryRepository)
    chain: SimulatedChain = field(default_factory=SimulatedChain)
    store: SimulatedStore = field(default_factory=SimulatedStore)
    renderer: SimulatedRenderer = field(default_factory=SimulatedRenderer)
    builds: SimulatedBuilds = field(default_factory=SimulatedBuilds)
    rules: Rules = field(default_factory=Rules)
    makes: Callable[[str], bool] = _everything
    """Whether a hotkey's image runs on a pod."""
    honest: Callable[[str], bool] = _everything
    """Whether it makes there what was submitted."""
    seconds: Callable[[str, str], float] = lambda _hotkey, _stem: 30.0
    """How long it takes there for a prompt."""
    verdict: Callable[[str], SourceVerdict] = lambda _: SourceVerdict.PASSED
    """What a person finds in its source code."""
    environment: Mapping[str, str] = field(
        default_factory=lambda: {
            "DOWNLOAD_JITTER_SECONDS": "0",
            "CDN_PATIENCE_SECONDS": "3",
            "FAULT_PATIENCE_SECONDS": "0",
            "PROMPT_PATIENCE_SECONDS": "1",
            "BUILD_POLL_SECONDS": "0.01",
            "PUBLISH_INTERVAL_SECONDS": "0",
            "POD_START_INTERVAL": "0.01",
            "JUDGE_PATIENCE_SECONDS": "0",
        }
    )

    def __post_init__(self) -> None:
        self.builds.passing = self._pass
        self.judge = KeptAnswers(self.judging, self.store)
        folder = tempfile.mkdtemp(prefix="gen404-shared-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.shared = shared_on_disk(Path(folder))
        self.waiting = Waiting(self.shared.notes)

    def _pass(self) -> None:
        self.chain.number += 150

    @property
    def pictures(self) -> PromptPictures:
        return PromptPictures(self.store, self.downloads)

    def read(self, url: str) -> bytes:
        return self.store.read(url)

    def installation(self) -> str:
        return "0" * 8

    def forget_round(self, number: int) -> None:
        """Nothing is kept on disk."""

    def now(self) -> datetime:
        return self.chain.finalized().time

    def regenerate(
        self,
        subject: Subject,
        say: Callable[[str], None],
        progress: Progress,
        cancelled: Callable[[], bool],
    ) -> Regenerated:
        """Everything is made at once, or nothing, since no pod became healthy."""
        stems = [stem(url) for url in subject.prompts]
        if subject.submitted is not None:
            stems = subject.submitted.complete()
        made = self.makes(subject.hotkey)
        distance = 0.0 if self.honest(subject.hotkey) or subject.submitted is None else 0.5
        outputs = Outputs({name: self._output(subject, name, made, distance) for name in stems})
        assert not cancelled()
        if made:  # as the real one, it tells of no progress before there is an output
            assert progress(outputs, PodStatsFile({}))
        say(f"{subject.hotkey}: {len(stems)} prompts")
        return Regenerated(
            outputs if made or subject.submitted is None else Outputs({}), PodStatsFile({}), made
        )

    def _output(self, subject: Subject, name: str, made: bool, distance: float) -> Output:
        key = f"rounds/{subject.round}/{subject.hotkey}/generated/{name}"
        content: dict[str, object] = {"glb": None, "png": None, "generation_time": 0.0, "size": 0}
        if made:
            model, png = (
                self.store.put(f"{key}.glb", b"made " + name.encode(), ""),
                self.store.put(f"{key}.png", b"", ""),
            )
            seconds = self.seconds(subject.hotkey, name)
            content |= {"glb": model, "png": png, "generation_time": seconds, "size": 9}
        return Output.model_validate(content | {"attempts": 1 if made else 3, "distance": distance})


def digest(*parts: Any) -> int:
    """A number that depends on the parts, the same in every process."""
    text = "|".join(map(str, parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
