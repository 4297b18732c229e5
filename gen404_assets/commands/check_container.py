"""`gen404 check --container URL`: a miner's container asked as an audit asks it."""

import asyncio
import io
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from gen404_assets.commands.check_file import write_preview
from gen404_assets.commands.checking import Finding, Look, look_at, ready_renderer, size_note
from gen404_assets.competition.faults import InfrastructureFault, MinerFault
from gen404_assets.competition.pods import PodRules
from gen404_assets.competition.settings import Rules
from resources.container import Container
from resources.distance import measured_here
from resources.downloads import DownloadSettings
from resources.settings import BadSetting, read_settings

SEEDS = (404, 404, 405)
"""The same seed twice, and another one."""

_POLL_SECONDS = 1.0  # between two looks at the container's health
_EXPECTED_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a container is asked for: files of `output_format` for one prompt's `picture`. Previews
    go to the folder `previews`.
    """

    picture: bytes
    output_format: str
    previews: Path


@dataclass(frozen=True, slots=True)
class _Answer:
    """One answer: the saved file, or the fault."""

    path: Path
    seconds: float = 0.0
    size: int = 0
    content_type: str = ""
    fault: str = ""


def check_container(
    url: str, asked: Asked, environment: Mapping[str, str], say: Callable[[str], None]
) -> Iterator[Finding]:
    """What an audit would find at a container: its health, three generations, and how far apart two
    of the same seed are.

    Raises InfrastructureFault where this machine can't reach it or can't draw.
    """
    warm_up = read_settings(PodRules, environment).pod_warmup_timeout
    with TemporaryDirectory(prefix="gen404-check-") as folder:
        healthy, answers = asyncio.run(
            _ask(url, asked, Path(folder), _Limits.from_settings(environment, warm_up), say)
        )
        yield healthy
        if not healthy.accepted:
            return
        looks = _looks(answers, asked, environment)
        yield from _judged(answers, looks, environment)


@dataclass(frozen=True, slots=True)
class _Limits:
    warm_up: float
    generation: float
    size: int

    @classmethod
    def from_settings(cls, environment: Mapping[str, str], warm_up: float) -> "_Limits":
        rules = read_settings(Rules, environment)
        size = read_settings(DownloadSettings, environment).max_file_bytes
        return cls(warm_up, rules.generation_timeout, size)


async def _ask(
    url: str, asked: Asked, folder: Path, limits: _Limits, say: Callable[[str], None]
) -> tuple[Finding, list[_Answer]]:
    """The container's health, and its answers. Each request is sent as soon as the headers of the
    answer before are in, as an audit does, without waiting for that body.
    """
    container = Container(url, limit=limits.size)
    try:
        healthy = await _health(container, url, limits.warm_up, say)
        if not healthy.accepted:
            return healthy, []
        answers: list[asyncio.Task[_Answer]] = []
        for number, seed in enumerate(SEEDS):
            say(f"generation {number + 1} of {len(SEEDS)}, with seed {seed}")
            path = folder / f"{number}-seed-{seed}.{asked.output_format}"
            free = asyncio.Event()
            answers.append(
                asyncio.create_task(
                    _generate(container, _Request(asked.picture, seed, path, free), limits)
                )
            )
            await free.wait()
        return healthy, list(await asyncio.gather(*answers))
    finally:
        await container.aclose()


async def _health(
    container: Container, url: str, warm_up: float, say: Callable[[str], None]
) -> Finding:
    began = time.monotonic()
    subject = f"{url.rstrip('/')}/health"
    while not await container.healthy():
        if time.monotonic() - began + _POLL_SECONDS > warm_up:
            return Finding(subject, f"not healthy within {warm_up:g} s (POD_WARMUP_TIMEOUT)")
        say("waits for the container to answer 200 at /health")
        await asyncio.sleep(_POLL_SECONDS)
    waited = time.monotonic() - began
    return Finding(subject, notes=[f"200 after {waited:.1f} s of at most {warm_up:g}"])


@dataclass(frozen=True, slots=True)
class _Request:
    """One request; `free` is set once the next may be sent."""

    picture: bytes
    seed: int
    path: Path
    free: asyncio.Event


async def _generate(container: Container, request: _Request, limits: _Limits) -> _Answer:
    try:
        async with container.generate(request.picture, request.seed, limits.generation) as answer:
            request.free.set()
            size = await answer.save(request.path)
            return _Answer(request.path, answer.seconds, size, answer.content_type)
    except MinerFault as fault:
        return _Answer(request.path, fault=str(fault))
    finally:
        request.free.set()


def _looks(
    answers: Sequence[_Answer], asked: Asked, environment: Mapping[str, str]
) -> list[Look | None]:
    """What an audit sees of each answer, whose preview is saved; None where there is a fault."""
    with ready_renderer(environment, workers=1) as renderer:
        looks = [
            None if answer.fault else look_at(renderer, answer.path, asked.output_format)
            for answer in answers
        ]
    for answer, look in zip(answers, looks, strict=True):
        if look is not None and look.preview is not None:
            write_preview(asked.previews, answer.path.name, look.preview)
    return looks


def _judged(
    answers: Sequence[_Answer], looks: Sequence[Look | None], environment: Mapping[str, str]
) -> Iterator[Finding]:
    """Each answer as an audit takes it, and the distances between their previews."""
    rules = read_settings(Rules, environment)
    size = read_settings(DownloadSettings, environment).max_file_bytes
    for number, (answer, look) in enumerate(zip(answers, looks, strict=True)):
        subject = f"generation {number + 1} (seed {SEEDS[number]})"
        if look is None:
            yield Finding(subject, answer.fault)
        else:
            yield _generation(subject, answer, look, rules, size)
    previews = {
        number: look.preview
        for number, look in enumerate(looks)
        if look is not None and look.preview is not None
    }
    same = {0, 1} <= previews.keys() and _same_bytes(answers[0].path, answers[1].path)
    yield from _distances(previews, same, rules, environment)


def _generation(subject: str, answer: _Answer, look: Look, rules: Rules, limit: int) -> Finding:
    notes = [
        f"headers after {answer.seconds:.1f} s; the limit is {rules.generation_timeout:g} s, and "
        f"{rules.generation_median_limit:g} s for the trimmed median of all prompts",
        size_note(answer.size, limit),
        look.note(),
    ]
    if answer.content_type.partition(";")[0].strip().lower() != _EXPECTED_TYPE:
        notes.append(f"Content-Type is {answer.content_type!r}, and should be {_EXPECTED_TYPE}")
    refused = look.reason
    if not refused and answer.seconds > rules.generation_timeout:
        refused = f"took longer than {rules.generation_timeout:g} s, which counts as mismatched"
    return Finding(subject, refused, look.tolerated, notes)


def _same_bytes(first: Path, second: Path) -> bool:
    return first.read_bytes() == second.read_bytes()


def _distances(
    previews: Mapping[int, bytes], same: bool, rules: Rules, environment: Mapping[str, str]
) -> Iterator[Finding]:
    """How far apart the previews are, by the distance that audits use."""
    if 0 not in previews or 1 not in previews:
        return
    subject, limit = "the same seed twice", rules.acceptable_distance
    try:
        distance = measured_here(environment, lambda number: previews[int(number)])
        between = distance.measure("0", "1")
        model = f"by {distance.model}"
        notes = [f"distance {between:.4f} of at most {limit:g}, {model}"]
        if 2 in previews:
            notes.append(f"another seed: distance {distance.measure('0', '2'):.4f}, {model}")
    except (BadSetting, InfrastructureFault) as fault:
        between, notes = 0.0, [f"the distance isn't measured: {fault}"]
    if same:
        notes.append("the two files are the same to the byte")
    elif previews[0] == previews[1]:
        notes.append("the two previews are the same to the byte")
    refused = "" if between <= limit else f"two previews of one seed are {between:.4f} apart"
    yield Finding(subject, refused, notes=notes)


def drawn_prompt() -> bytes:
    """A prompt picture for whoever has none at hand: a shaded ball on white, 518 pixels a side."""
    from PIL import Image, ImageDraw  # noqa: PLC0415 -- nothing but this needs it

    picture = Image.new("RGB", (518, 518), "white")
    draw = ImageDraw.Draw(picture)
    for step in range(120):
        radius, light = 180 - step * 1.5, 60 + step
        middle = 259 - step * 0.4
        box = (middle - radius, middle - radius, middle + radius, middle + radius)
        draw.ellipse(box, fill=(min(255, light + 70), light, light // 2))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
