"""Replay of what opens a round: schedule, submissions, seed, prompts and builds."""

from collections import Counter
from datetime import datetime, timedelta
from functools import lru_cache
from json import dumps

from gen404_assets.competition.builds import (
    Builds,
    BuildStatus,
    image_name,
    pending_builds,
)
from gen404_assets.competition.catalogue import Asset
from gen404_assets.competition.commitments import Reading, read_submissions
from gen404_assets.competition.config import Config
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.history import History
from gen404_assets.competition.hotkeys import is_hotkey
from gen404_assets.competition.prompts import parse_prompts, prompts_bytes, select_prompts, usable
from gen404_assets.competition.round import POOL
from gen404_assets.competition.schedule import Schedule, next_start, schedule_at
from gen404_assets.competition.seed import draw_seed
from gen404_assets.competition.settings import BLOCK_SECONDS, Rules
from gen404_assets.competition.submissions import Submissions
from gen404_assets.replay.compare import LAYOUT, compare, compare_lines, keeping
from gen404_assets.replay.result import Difference, FileReplay, compared, underivable

_TOLERANCE = timedelta(hours=3)
"""By so much a start may miss its time: the chain's pace is not kept, and blocks take a little more
or less than 12 s.
"""
_TOLERANCE_AFTER_A_TYPED_ONE = timedelta(hours=12)
"""The first schedule is a person's, so its round may start at any time of day."""


def replay_schedule(history: History, number: int) -> FileReplay | None:
    """The schedule, given the block that the chain was at when it was made; its day is derived
    too.
    """
    path = Asset.SCHEDULE.path(number)
    raw = history.read(path)
    if raw is None:
        return None
    recorded = Schedule.parse(raw, path)
    version = history.written(path, _latest_block)
    previous = history.round(number - 1, version.index).schedule if number and version else None
    if previous is None or version is None:
        return underivable(Asset.SCHEDULE, path, "a person wrote it before the competition")
    config = history.round(number, version.index).config
    derived = schedule_at(config, previous, recorded.latest_reveal_block)
    differences, notes = compare(raw, keeping(recorded, derived).to_bytes())
    opened = next(iter(history.versions(Asset.SUBMISSIONS.path(number - 1))), None)
    if opened is not None and opened.index < version.index:
        start, reckoned = min(
            (
                _starts(config, previous, began, recorded, version.commit.time)
                for began in _beginnings(config, opened.commit.time)
            ),
            key=lambda times: abs(times[1] - times[0]),
        )
        by_rule = history.versions(Asset.SCHEDULE.path(number - 2))
        if abs(reckoned - start) > (_TOLERANCE if by_rule else _TOLERANCE_AFTER_A_TYPED_ONE):
            times = f"about {reckoned:%Y-%m-%d %H:%M}", f"{start:%Y-%m-%d %H:%M}"
            differences.append(
                Difference("the start", *times, f"set by {version.who} in {version}")
            )
        notes.append(
            f"starts {start:%Y-%m-%d %H:%M} UTC; the block then is as recorded, the chain's pace "
            "not being kept"
        )
    return compared(Asset.SCHEDULE, path, differences, notes)


def _beginnings(config: Config, opened: datetime) -> tuple[datetime, datetime]:
    """When a round may have begun: when it was opened, or, where the opening came late, at the last
    `round_start_time` before.
    """
    regular = config.start_on(opened.date())
    return opened, regular if regular <= opened else regular - timedelta(days=1)


def _starts(
    config: Config, previous: Schedule, began: datetime, recorded: Schedule, now: datetime
) -> tuple[datetime, datetime]:
    """The next round's start by the rules, and about when the chain is at the recorded block,
    given when the previous round began.
    """
    passed = int((now - began).total_seconds()) // BLOCK_SECONDS
    now_block = previous.latest_reveal_block + passed
    left = timedelta(seconds=(recorded.latest_reveal_block - now_block) * BLOCK_SECONDS)
    return next_start(config, previous, now, now_block), now + left


def _latest_block(raw: bytes) -> int | None:
    try:
        return Schedule.parse(raw, "").latest_reveal_block
    except MalformedFile:
        return None


def replay_submissions(history: History, number: int) -> FileReplay | None:
    """The submissions and their order, from what each miner revealed and when, as recorded.

    Submissions of the same block keep their recorded order.
    """
    path = Asset.SUBMISSIONS.path(number)
    version, raw = history.last(path), history.read(path)
    if version is None or raw is None:
        return None
    current = history.round(number, version.index)
    recorded = Submissions.parse(raw, path)
    schedule = current.required_schedule
    commitments = {
        hotkey: [
            (
                entry.revealed_at_block,
                dumps({"repo": entry.repo, "commit": entry.commit, "cdn_url": entry.cdn_url}),
            )
        ]
        for hotkey, entry in recorded.items()
    }
    name = current.config.round_name(number)
    reading = read_submissions(commitments, schedule, name)
    window = range(schedule.earliest_reveal_block, schedule.latest_reveal_block + 1)
    derived = {
        hotkey: entry.model_copy(update={"round": name})
        for hotkey, entry in sorted(recorded.items(), key=lambda item: item[1].revealed_at_block)
        if entry.revealed_at_block in window and is_hotkey(hotkey)
    }
    differences, notes = compare(raw, Submissions(derived).to_bytes(), ordered=True)
    notes += [
        f"{hotkey}: {remark}"
        for hotkey in recorded.names
        if (remark := _remark(hotkey, recorded, reading))
    ]
    return compared(
        *(Asset.SUBMISSIONS, path, differences),
        [*notes, "given what the miners revealed, as recorded"],
    )


def _remark(hotkey: str, recorded: Submissions, reading: Reading) -> str | None:
    """A note on a submission that the present rules would refuse or write otherwise."""
    read = reading.submissions.get(hotkey)
    if read is None:
        reason = reading.refused.get(hotkey)
        return (
            f"the rules of today refuse it: {reason}"
            if reason
            else "revealed outside the round's window"
        )
    return (
        None
        if read.cdn_url == recorded[hotkey].cdn_url
        else f"the rules of today write {read.cdn_url}"
    )


def replay_seed(history: History, number: int) -> FileReplay | None:
    """The seed, where the block it comes from is recorded.

    Which pictures could not be had is evidence; each must be that of a prompt of the round.
    """
    path = Asset.SEED.path(number)
    current = history.round(number)
    recorded, raw = current.seed, history.read(path)
    if recorded is None or raw is None:
        return None
    missing = recorded.missing_prompts
    notes = [f"{len(missing)} prompts' pictures could not be had, as recorded"] if missing else []
    unknown = [
        Difference("missing_prompts", name, "no prompt of the round")
        for name in missing or ()
        if current.prompts is not None and name not in current.stems
    ]
    if recorded.block is None or recorded.block_hash is None:
        at_random = underivable(Asset.SEED, path, "it was drawn at random", notes)
        return compared(Asset.SEED, path, unknown, notes) if unknown else at_random
    derived = draw_seed(recorded.block, recorded.block_hash, current.config.round_name(number))
    if "missing_prompts" in recorded.model_fields_set:
        derived = derived.model_copy(update={"missing_prompts": missing})
    differences, layout = compare(raw, keeping(recorded, derived).to_bytes())
    return compared(Asset.SEED, path, [*differences, *unknown], [*layout, *notes])


def replay_prompts(history: History, number: int, rules: Rules) -> FileReplay | None:
    """The prompts, from the seed, the previous round's prompts, and the pool as it was, or had been
    just before.
    """
    path = Asset.PROMPTS.path(number)
    version, raw = history.last(path), history.read(path)
    if version is None or raw is None:
        return None
    recorded = parse_prompts(raw, path)
    current = history.round(number, version.index)
    latest = history.round(number).seed
    seed = current.seed or latest
    pools = [
        pool
        for pool in history.versions(POOL)
        if pool.index <= version.index and pool.blob is not None
    ]
    if seed is None or not pools:
        return underivable(Asset.PROMPTS, path, "no seed or no pool is recorded")
    previous = history.round(number - 1, version.index).prompts or [] if number else None
    tried = []
    for pool in reversed(pools[-2:]):
        lines = _pool(history.contents.required(POOL, pool), rules.unique_prompts)
        derived = select_prompts(seed.seed, lines, previous, current.config, rules)
        differences = compare_lines(recorded, derived)
        notes = [f"drawn from the pool of {pool}"] if pool is not pools[-1] else []
        if latest is None or latest.seed != seed.seed:
            notes.append(f"drawn with the seed {seed.seed}, which was changed since")
        if not differences:
            layout = [LAYOUT] if prompts_bytes(derived) != raw else []
            return compared(Asset.PROMPTS, path, [], [*layout, *notes])
        tried.append(differences)
    return compared(Asset.PROMPTS, path, tried[0])


def replay_builds(history: History, number: int, rules: Rules) -> FileReplay | None:
    """The builds' tags and image names. Each build's status is taken as recorded."""
    path = Asset.BUILDS.path(number)
    raw, last = history.read(path), history.last(path)
    current = history.round(number)
    recorded = current.builds
    if raw is None or recorded is None or last is None:
        return None
    # What was built is what was submitted then; a submission changed later is that file's matter.
    current = history.round(number, last.index)
    pending = pending_builds(current.required_submissions)
    image_format, note = _image_format(recorded, pending, rules)
    derived = {}
    for hotkey, build in pending.items():
        theirs = recorded.get(hotkey)
        built = theirs is not None and theirs.status is BuildStatus.SUCCESS
        image = image_name(image_format, hotkey, build.tag) if built else None
        status = theirs.status if theirs is not None else build.status
        derived[hotkey] = keeping(
            theirs, build.model_copy(update={"status": status, "docker_image": image})
        )
    differences, notes = compare(raw, Builds(derived).to_bytes())
    return compared(
        Asset.BUILDS, path, differences, [*notes, *note, "given each build's status, as recorded"]
    )


def _image_format(recorded: Builds, builds: Builds, rules: Rules) -> tuple[str, list[str]]:
    """The format of image names: the setting, or, with a note, the one that more of the recorded
    images have.
    """
    formats: Counter[str] = Counter()
    for hotkey, build in builds.items():
        image = theirs.docker_image if (theirs := recorded.get(hotkey)) else None
        ending = image_name("{hotkey10}:{tag}", hotkey, build.tag)
        if image and image.endswith(f"/{ending}"):
            prefix = image.removesuffix(ending).replace("{", "{{").replace("}", "}}")
            formats[prefix + "{hotkey10}:{tag}"] += 1
    image_format = rules.docker_image_format
    best, count = formats.most_common(1)[0] if formats else (image_format, 0)
    return (
        (best, [f"the images are named {best}"])
        if count > formats[image_format]
        else (image_format, [])
    )


@lru_cache(maxsize=4)
def _pool(raw: bytes, unique: bool) -> list[str]:
    lines = parse_prompts(raw, POOL)
    return usable(lines)[0] if unique else lines
