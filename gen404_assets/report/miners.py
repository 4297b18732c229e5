"""What the pages of a miner and of its audit show: matches, files, times and distances."""

from collections.abc import Iterator
from dataclasses import dataclass

from gen404_assets.competition.audits import is_mismatched
from gen404_assets.competition.outputs import Output
from gen404_assets.competition.round import Round
from gen404_assets.competition.settings import Rules
from gen404_assets.report.addresses import Objects


@dataclass(frozen=True, slots=True)
class File:
    """One prompt of a miner: what it submitted, and why it was refused or what was tolerated."""

    name: str
    output: Output
    reason: str
    shown_picture: str | None


@dataclass(frozen=True, slots=True)
class Compared:
    """One prompt of an audit: submitted and regenerated, and whether it fails."""

    name: str
    critical: bool
    mismatched: bool
    generated: Output | None
    submitted: Output
    shown_submitted: str | None
    shown_generated: str | None


def files_of(current: Round, hotkey: str, objects: Objects, up: str) -> list[File]:
    """What a miner submitted, prompt by prompt; those that were refused or that lack something
    first.
    """
    submitted = current.submitted(hotkey)
    files = [
        File(name, output, _reason(output), objects.shown(output.png, up))
        for name, output in (submitted.items() if submitted is not None else ())
    ]
    return sorted(files, key=lambda file: (file.output.complete, not file.reason))


def _reason(output: Output) -> str:
    reason = (output.model_extra or {}).get("reason")
    if isinstance(reason, str) and reason:
        return reason
    if output.model is None:
        return "no file could be had"
    return "" if output.png else "the file could not be drawn"


def audited(current: Round, hotkey: str, rules: Rules, objects: Objects, up: str) -> list[Compared]:
    """The prompts that an audit looks at, the farthest first."""
    compared = [*_audited(current, hotkey, rules, objects, up)]

    def distance(pair: Compared) -> tuple[bool, float]:
        known = pair.generated.distance if pair.generated else None
        return not pair.mismatched, -(known or 0.0)

    return sorted(compared, key=distance)


def _audited(
    current: Round, hotkey: str, rules: Rules, objects: Objects, up: str
) -> Iterator[Compared]:
    submitted, generated = current.submitted(hotkey), current.generated(hotkey)
    request = current.requests.for_hotkey(hotkey)
    critical = set(request.critical_prompts) if request else set()
    if submitted is None or generated is None:
        return
    checked = submitted.without(current.missing)
    for name in checked.complete():
        ours, theirs = generated.get(name), checked[name]
        yield Compared(
            name,
            name in critical,
            is_mismatched(ours, rules),
            ours,
            theirs,
            objects.shown(theirs.png, up),
            objects.shown(ours.png if ours else None, up),
        )


def times_of(current: Round, hotkey: str) -> list[float]:
    """The seconds that each regenerated prompt took."""
    generated = current.generated(hotkey)
    if generated is None:
        return []
    return [output.generation_time for _, output in generated.items() if output.complete]


def distances_of(pairs: list[Compared]) -> list[float]:
    """The distances of an audit's previews, where they were measured."""
    return [
        pair.generated.distance
        for pair in pairs
        if pair.generated is not None
        and pair.generated.complete
        and pair.generated.distance is not None
    ]
