"""What comes of a generated file: rendered, kept and measured, each step tried again while the
infrastructure fails.
"""

import hashlib
import math
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gen404_assets.competition.faults import InfrastructureFault, MinerFault
from gen404_assets.competition.output_formats import OUTPUT_FORMATS
from gen404_assets.competition.outputs import Output, Outputs
from gen404_assets.competition.pods import pod_prefix
from gen404_assets.competition.prompts import stem as stem_of
from gen404_assets.competition.regeneration import Prompts
from gen404_assets.competition.round import miner_path
from gen404_assets.competition.settings import Rules
from gen404_assets.live.boundary import held_against_miner
from gen404_assets.live.journal import Journal
from gen404_assets.live.shared import Shared
from gen404_assets.live.threads import PATIENCE, steadily
from gpu.formats import FILE_BYTES
from gpu.remarks import remarks_of
from resources.object_store import ObjectConflict
from resources.providers.provider import Provider

_PICTURES_AT_ONCE = 8
"""Prompts' pictures fetched at a time."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose image is run, and on what. `hotkey` may be `leader`; `prompts` are URLs of pictures.

    `submitted`: what an audit compares with, complete results alone; None: a baseline, of every
    prompt. `generated`: what the repository has of it already.
    """

    round: int
    hotkey: str
    image: str
    seed: int
    prompts: Sequence[str]
    output_format: str
    submitted: Outputs | None = None
    generated: Outputs | None = None

    @property
    def stems(self) -> list[str]:
        """The prompts to be generated."""
        stems = [stem_of(url) for url in self.prompts]
        if self.submitted is None:
            return stems
        complete = set(self.submitted.complete())
        return [stem for stem in stems if stem in complete]


@dataclass(frozen=True, slots=True)
class Means:
    """What a regeneration works with. Each call may raise InfrastructureFault, `render` MinerFault
    for a bad file too.

    `picture` gives the bytes behind the URL of a prompt or a preview, `put` (key, content, type)
    the URL of what it keeps or ObjectConflict, `measure` the distance of two previews by URL,
    `embedder` the name of the model that measures (without it no evidence is kept). `shared` has
    leases and journals; `say` tells the operator what is going on. A file may have `limit` bytes;
    faults are borne for `patience` seconds; progress is told every `pause` seconds.
    """

    providers: Sequence[Provider]
    picture: Callable[[str], bytes]
    render: Callable[[Path, str], bytes]
    put: Callable[[str, Path | bytes, str], str]
    measure: Callable[[str, str], float]
    shared: Shared
    say: Callable[[str], None] = lambda _: None
    embedder: Callable[[], str] | None = None
    limit: int = FILE_BYTES
    patience: float = PATIENCE
    pause: float = 5.0


@dataclass(frozen=True, slots=True)
class GeneratedFile:
    """A file that a pod has made: the seconds that generating it took, and its size in bytes.

    `late`: the attempt has been counted as failed before.
    """

    seconds: float
    size: int
    late: bool = False


def prompts_of(subject: Subject, rules: Rules) -> Prompts:
    """The prompts of a subject, before anything is made."""
    return Prompts(
        subject.stems,
        rules,
        audited=subject.submitted is not None,
        output_format=subject.output_format,
    )


class Results:
    """The results of one subject, in the journal as soon as they are there. `folder` is for files
    in the making.
    """

    def __init__(self, subject: Subject, means: Means, prompts: Prompts, folder: Path) -> None:
        self._subject, self._means, self._prompts, self._folder = subject, means, prompts, folder
        self._urls = {stem_of(url): url for url in subject.prompts}
        identity = {"image": subject.image, "seed": subject.seed, "format": subject.output_format}
        name = pod_prefix(subject.round, subject.hotkey).rstrip("-")
        self.journal = Journal(
            means.shared.notes, f"journals/{name}.jsonl", identity, subject.generated
        )

    async def recall(self) -> None:
        """Take up what earlier runs have made, and measure what they left unmeasured."""
        for number, (stem, output) in list(self.journal.results.items()):
            kept = output
            if (
                self._prompts.audited
                and stem in self._prompts.attempts
                and output.complete
                and output.distance is None
            ):
                kept = await self._measured(stem, output)
                self.journal.add(stem, kept, number)
            self._prompts.recall(stem, kept)

    def fetch_pictures(self) -> list[Coroutine[None, None, None]]:
        """The work of fetching every prompt's picture, which is done before any pod costs money."""
        waiting = iter(self._prompts.stems)  # one for all of them: each stem is taken by one

        async def fetch() -> None:
            for stem in waiting:
                means = self._means
                content = await steadily(
                    self._fetched, self._urls[stem], say=means.say, patience=means.patience
                )
                self._picture(stem).write_bytes(content)

        return [fetch() for _ in range(_PICTURES_AT_ONCE)]

    def picture(self, stem: str) -> bytes:
        """A prompt's picture that has been fetched."""
        return self._picture(stem).read_bytes()

    def failed(self, stem: str, reason: str) -> Output:
        """The result of an attempt that made no file."""
        output = self._prompts.output(reason=reason)
        self.journal.add(stem, output)
        return output

    async def keep(self, stem: str, path: Path, file: GeneratedFile) -> Output:
        """The result of a generated file: stored with its preview, and measured in an audit."""
        means, preview, more = self._means, None, {}
        try:
            with held_against_miner(f"the file {path.name}", means.say):
                preview = await steadily(
                    means.render,
                    path,
                    self._subject.output_format,
                    say=means.say,
                    patience=means.patience,
                )
                more = {"reason": remarks} if (remarks := remarks_of(preview)) else {}
        except MinerFault as fault:
            more = {"reason": str(fault)}
        model, png = await steadily(
            self._put, stem, path, preview, say=means.say, patience=means.patience
        )
        # Null: to be measured; what is never measured has 0.
        distance = None if self._prompts.audited and png else 0.0
        output = self._prompts.output(
            model,
            png,
            generation_time=file.seconds,
            size=file.size,
            attempts=0 if file.late else 1,
            distance=distance,
            **more,
        )
        number = self.journal.add(stem, output)
        if distance is None:
            output = await self._measured(stem, output)
            self.journal.add(stem, output, number)
        return output

    def _put(self, stem: str, path: Path, preview: bytes | None) -> tuple[str, str | None]:
        """Keep file and preview under the first names that don't hold other bytes."""
        extension = self._subject.output_format
        base = miner_path(self._subject.round, self._subject.hotkey, f"generated/{stem}")
        number = self._prompts.attempts[stem] + 1
        while True:
            key = base if number == 1 else f"{base}-{number}"
            try:
                model = self._means.put(f"{key}.{extension}", path, OUTPUT_FORMATS[extension])
                return model, None if preview is None else self._means.put(
                    f"{key}.png", preview, "image/png"
                )
            except ObjectConflict:
                number += 1

    async def _measured(self, stem: str, output: Output) -> Output:
        """The result with its distance, and the evidence of it: what was compared, by which
        model.
        """
        submitted: Mapping[str, Output] = (
            self._subject.submitted.root if self._subject.submitted else {}
        )
        means = self._means
        pictures = (submitted[stem].png, output.png)
        return await steadily(
            self._measure, output, *pictures, say=means.say, patience=means.patience
        )

    def _measure(self, output: Output, submitted: str, generated: str) -> Output:
        distance = self._means.measure(submitted, generated)
        if not (math.isfinite(distance) and 0 <= distance <= 2):
            raise InfrastructureFault(f"the distance of {generated} can't be {distance}")
        if self._means.embedder is None:
            return output.model_copy(update={"distance": distance})
        digests = {
            name: hashlib.sha256(self._means.picture(url)).hexdigest()
            for name, url in (("submitted_sha256", submitted), ("generated_sha256", generated))
        }
        evidence = digests | {"embedder": self._means.embedder()}
        return output.model_copy(update={"distance": distance, "evidence": evidence})

    def _fetched(self, url: str) -> bytes:
        try:
            return self._means.picture(url)
        except MinerFault as fault:  # prompts are the operator's
            raise InfrastructureFault(f"prompt {url}: {fault}") from fault

    def _picture(self, stem: str) -> Path:
        return self._folder / f"{stem}.picture"
