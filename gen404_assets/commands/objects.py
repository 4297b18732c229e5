"""`gen404 replay --objects`: what fetches, draws, measures and judges here, and what came of it."""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from gen404_assets.commands.refused import Refused
from gen404_assets.competition.history import History
from gen404_assets.replay.objects.checking import ObjectsReport, Sample, Tools, check_objects
from gen404_assets.replay.objects.means import Distance
from gen404_assets.replay.result import RoundReplay
from resources.distance import open_distance
from resources.judge import open_judge
from resources.renderer import open_renderer
from resources.settings import BadSetting
from resources.store_downloads import open_store_downloads

_WORDS = {
    "files": "files",
    "previews": "previews",
    "drawn": "previews drawn again",
    "measured": "distances measured again",
    "digests": "digests",
    "answers": "answers",
}


def sample_of(
    *, objects: bool, count: int | None, seed: int | None, judged: int | None
) -> Sample | None:
    """Which objects the options ask for; None where they ask for none. Without `seed` one is drawn,
    which nobody can know before. Raises Refused.
    """
    if objects:
        return Sample(secrets.randbelow(2**32) if seed is None else seed, count, judged or 0)
    if (count, seed, judged) != (None, None, None):
        raise Refused("--sample, --seed and --judge are about objects: give --objects, too")
    return None


def check_rounds(
    history: History,
    replayed: Sequence[RoundReplay],
    sample: Sample,
    environment: Mapping[str, str],
) -> ObjectsReport:
    """Check the objects of rounds with the tools that the settings name; what was found is added
    to the rounds' replays. Raises BadSetting, also where a judge is asked for and none is set.
    """
    judge = open_judge(environment) if sample.judged else None
    renderer = open_renderer(environment)
    downloads = partial(open_store_downloads, environment)
    measured: list[str] = []

    def distance(read: Callable[[str], bytes]) -> Distance | None:
        try:
            return open_distance(environment, read)
        except BadSetting as reason:
            measured.append(f"distances are not measured again: {reason}")
            return None

    try:
        tools = Tools(downloads, renderer, distance, judge)
        report = check_objects(history, replayed, sample, tools)
    finally:
        renderer.close()
        if judge is not None:
            judge.close()
    return replace(report, limits=[*measured, *report.limits])


def objects_text(report: ObjectsReport) -> Iterator[str]:
    """What was checked and what could not be, line by line."""
    sample = report.sample
    for each in report.rounds:
        if each.store is None:
            yield f"objects of round {each.round}: its files name none"
            continue
        counts = [(each.counts.get(key, 0), word) for key, word in _WORDS.items()]
        done = ", ".join(f"{count} {word}" for count, word in counts if count) or "none"
        named = f"of {each.outputs} outputs and {each.duels} judged duels"
        yield f"objects of round {each.round} in {each.store}: {done} ({named})"
        if each.agreement is not None:
            yield f"  the judge {each.agreement}"
    if sample.count is not None or sample.judged:
        yield f"the sample was drawn with --seed {sample.seed}"
    yield from (f"? {line}" for line in report.limits)
    yield from (f"? can't be checked: {line}" for line in report.unchecked)
