"""Replay of what opens a round of an edition: submissions, prompts and builds."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from json import dumps, loads
from typing import Any, Protocol

from gen404_assets.competition.builds import Builds, BuildStatus, image_name
from gen404_assets.competition.editions.rules import (
    START_TOLERANCE,
    carried_over,
    drawn_from,
    whole_days,
)
from gen404_assets.competition.files import MapFile, ObjectFile
from gen404_assets.competition.hotkeys import is_hotkey
from gen404_assets.competition.prompts import parse_prompts
from gen404_assets.competition.round import POOL
from gen404_assets.competition.seed import Seed
from gen404_assets.competition.versions import Version
from gen404_assets.replay.compare import compare, compare_lines, text
from gen404_assets.replay.editions.edition_round import EditionRound
from gen404_assets.replay.result import Difference, FileReplay, compared, underivable


class RoundConfig(Protocol):
    """What every edition's configuration holds of a round's opening."""

    @property
    def name(self) -> str: ...
    @property
    def prompts_per_round(self) -> int: ...
    @property
    def carryover_prompts(self) -> int: ...
    @property
    def round_duration_days(self) -> int: ...


def replay_schedule(
    this_round: EditionRound,
    path: str,
    kind: type[ObjectFile],
    days: int,
    deadline: Callable[[int], dict[str, int]] = lambda _: {},
) -> FileReplay:
    """The schedule, given the chain's block when it was made: it follows the one before without a
    gap, and starts whole days after it. `deadline`: further keys by the latest block.
    """
    recorded: Any = this_round.required("schedule.json", kind)
    latest = recorded.latest_reveal_block
    previous: Any = (
        this_round.file("schedule.json", kind, this_round.number - 1) if this_round.number else None
    )
    if previous is None and this_round.number:
        reason = f"the schedule of round {this_round.number - 1} is not in the repository"
        return underivable("schedule", path, reason)
    earliest = previous.latest_reveal_block + 1 if previous is not None else 0
    derived = recorded.model_dump() | {"earliest_reveal_block": earliest} | deadline(latest)
    differences = _fields("", recorded.model_dump(), derived)
    if previous is None:
        return compared("schedule", path, differences, ["the first start is as recorded"])
    gap = latest - previous.latest_reveal_block
    if not whole_days(gap, days):
        differences.append(
            Difference(
                *("latest_reveal_block", str(latest)),
                f"whole days, {days} or more, after {previous.latest_reveal_block}, within "
                f"{START_TOLERANCE} blocks a day",
            )
        )
    note = f"{gap} blocks after the start before; the block is as recorded, the chain's pace not "
    return compared("schedule", path, differences, [note + "being kept"])


def _fields(place: str, recorded: dict[str, Any], derived: dict[str, Any]) -> list[Difference]:
    return [
        Difference(f"{place}{key}", text(recorded.get(key)), text(value))
        for key, value in derived.items()
        if recorded.get(key) != value
    ]


def replay_submissions(
    this_round: EditionRound,
    path: str,
    kind: type[MapFile[Any]],
    schedule: type[ObjectFile],
    config: type[Any],
) -> FileReplay:
    """Window, order and round's name; what was revealed, and the order in a block, as recorded.
    The types are those of `submissions.json`, `schedule.json` and `config.json`.
    """
    rules: RoundConfig = this_round.config(config)
    recorded = this_round.required("submissions.json", kind)
    window: Any = this_round.required("schedule.json", schedule)
    differences = []
    round_name = f"{rules.name}-{this_round.number}"
    for hotkey, entry in recorded.items():
        within = window.earliest_reveal_block, window.latest_reveal_block
        if not within[0] <= entry.revealed_at_block <= within[1]:
            block = f"a block from {within[0]} to {within[1]}"
            differences.append(
                Difference(f"{hotkey}.revealed_at_block", str(entry.revealed_at_block), block)
            )
        if entry.round != round_name:
            differences.append(Difference(f"{hotkey}.round", entry.round, round_name))
        if not is_hotkey(hotkey):
            differences.append(Difference(hotkey, "a submission", "none: it is no hotkey"))
    for (one, before), (other, after) in pairwise(recorded.items()):
        if after.revealed_at_block < before.revealed_at_block:
            differences.append(Difference("the order", one, f"{other} before it"))
    notes = ["given what the miners revealed, as recorded"]
    return compared("submissions", path, differences, notes)


def replay_prompts(
    this_round: EditionRound, path: str, config: type[Any], *, without_carried: bool
) -> FileReplay:
    """The prompts, from the seed, the previous round's and the pool. `without_carried`: whether new
    ones are drawn from the pool without those carried over.
    """
    drawn_by = this_round.file("seed.json", Seed)
    rules: RoundConfig = this_round.config(config)
    recorded = parse_prompts(this_round.raw(path), path)
    if drawn_by is None:
        return underivable("prompts", path, "no seed is recorded")
    seed = drawn_by.seed
    previous = [] if this_round.number == 0 else this_round.prompts(this_round.number - 1)
    if previous is None:
        return underivable(
            "prompts",
            path,
            f"the prompts of round {this_round.number - 1} are not in the repository",
        )
    version = this_round.history.last(path)
    pools = this_round.pools(version.index if version is not None else 0)
    carried = carried_over(random.Random(seed), previous, rules.carryover_prompts)  # noqa: S311
    differences = compare_lines(recorded[: len(carried)], carried)
    if differences or not pools:
        differences += _as_many(recorded, rules)
        if carried or differences:
            notes = [f"{len(carried)} carried over from round {this_round.number - 1}"]
            notes += [] if pools else ["the pool isn't in the repository: new ones as recorded"]
            return compared("prompts", path, differences, notes)
        return underivable("prompts", path, "the pool is not in the repository")
    tried = [
        (pool, _draw(this_round, pool, seed, previous, rules, without_carried=without_carried))
        for pool in pools[:3]
    ]
    for pool, derived in tried:
        if derived == recorded:
            older = [f"drawn from the pool of {pool}"] if pool is not pools[0] else []
            return compared("prompts", path, [], older)
    if without_carried and set(recorded) <= set(_pool(this_round, pools[0])) | set(carried):
        # That new prompts are drawn so has not been confirmed by a public round.
        reason = "no version of the pool gives the new prompts, which are in it"
        return underivable("prompts", path, reason, [f"{len(carried)} carried over, as derived"])
    return compared("prompts", path, compare_lines(recorded, tried[0][1]))


def _pool(this_round: EditionRound, pool: Version) -> list[str]:
    return parse_prompts(this_round.history.contents.required(POOL, pool), POOL)


def _as_many(recorded: Sequence[str], config: RoundConfig) -> list[Difference]:
    if len(recorded) == config.prompts_per_round == len(set(recorded)):
        return []
    recorded_count = f"{len(recorded)} prompts, {len(set(recorded))} of them distinct"
    return [Difference("the file", recorded_count, f"{config.prompts_per_round} distinct prompts")]


def _draw(
    this_round: EditionRound,
    pool: Version,
    seed: int,
    previous: Sequence[str],
    config: RoundConfig,
    *,
    without_carried: bool,
) -> list[str]:
    rng = random.Random(seed)  # noqa: S311 -- the draw must be repeatable by anyone
    carried = carried_over(rng, previous, config.carryover_prompts)
    urls = _pool(this_round, pool)
    if without_carried:
        known = set(carried)
        urls = [url for url in urls if url not in known]
    return carried + drawn_from(rng, urls, config.prompts_per_round - len(carried))


def replay_builds(this_round: EditionRound, path: str, kind: type[MapFile[Any]]) -> FileReplay:
    """The builds' order, code, tags and images. Each build's status is taken as recorded. `kind`:
    of `submissions.json`.
    """
    submissions = this_round.required("submissions.json", kind)
    recorded = this_round.required("builds.json", Builds)
    image_format, notes = _image_format(submissions, recorded)
    written = loads(this_round.raw(path))
    derived: dict[str, Any] = {}
    for hotkey, submission in submissions.items():
        tag = f"{submission.commit[:7]}-{submission.round}"
        theirs = recorded.get(hotkey)
        status = theirs.status if theirs is not None else BuildStatus.PENDING
        built = status is BuildStatus.SUCCESS
        derived[hotkey] = written.get(hotkey, {}) | {
            key: getattr(submission, key)
            for key in ("repo", "commit", "revealed_at_block", "hardware")
            if hasattr(submission, key)
        }
        image = image_name(image_format, hotkey, tag) if built and image_format else None
        derived[hotkey] |= {"tag": tag, "status": status.value, "docker_image": image}
    differences, layout = compare(
        this_round.raw(path), dumps(derived, indent=2).encode(), ordered=True
    )
    assumed = ["given each build's status, as recorded"]
    return compared("builds", path, differences, [*layout, *notes, *assumed])


def _image_format(submissions: MapFile[Any], recorded: Builds) -> tuple[str, list[str]]:
    """The format that most of the recorded images have, which the competition's settings gave."""
    formats: Counter[str] = Counter()
    for hotkey, submission in submissions.items():
        theirs = recorded.get(hotkey)
        tag = f"{submission.commit[:7]}-{submission.round}"
        ending = image_name("{hotkey10}:{tag}", hotkey, tag)
        if theirs is not None and (theirs.docker_image or "").endswith(f"/{ending}"):
            prefix = str(theirs.docker_image).removesuffix(ending)
            formats[prefix.replace("{", "{{").replace("}", "}}") + "{hotkey10}:{tag}"] += 1
    if not formats:
        return "", []
    [(best, _)] = formats.most_common(1)
    return best, [f"the images are named {best}"]
