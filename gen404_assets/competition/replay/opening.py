"""Replay of what opens a round: schedule, submissions, seed, prompts and builds."""

from datetime import timedelta
from functools import lru_cache
from json import dumps

from gen404_assets.competition.builds import Builds, image_name, pending_builds
from gen404_assets.competition.commitments import read_submissions
from gen404_assets.competition.prompts import parse_prompts, prompts_bytes, select_prompts, usable
from gen404_assets.competition.replay.compare import LAYOUT, compare, compare_lines
from gen404_assets.competition.replay.history import History
from gen404_assets.competition.replay.result import Difference, FileReplay, compared, underivable
from gen404_assets.competition.round import POOL, round_path
from gen404_assets.competition.schedule import Schedule, next_start, schedule_at
from gen404_assets.competition.seed import draw_seed
from gen404_assets.competition.settings import BLOCK_SECONDS, Rules
from gen404_assets.competition.submissions import Submissions


def replay_schedule(history: History, number: int) -> FileReplay | None:
    """The schedule, given the block that the chain was at when it was made; its day is derived too."""
    path = round_path(number, "schedule.json")
    version, raw = history.last(path), history.read(path)
    if version is None or raw is None:
        return None
    recorded = Schedule.parse(raw, path)
    previous = history.round(number - 1).schedule if number else None
    if previous is None:
        return underivable("schedule", path, "a person wrote it before the competition")
    config = history.round(number, version.index).config
    differences, notes = compare(raw, schedule_at(config, previous, recorded.latest_reveal_block).to_bytes())
    began = next(iter(history.versions(round_path(number - 1, "submissions.json"))), None)
    if began is not None:
        now = version.commit.time
        now_block = previous.latest_reveal_block + int((now - began.commit.time).total_seconds()) // BLOCK_SECONDS
        start = next_start(config, previous, now, now_block)
        reckoned = now + timedelta(seconds=(recorded.latest_reveal_block - now_block) * BLOCK_SECONDS)
        if abs(reckoned - start) > timedelta(hours=12):
            differences.append(Difference("the start", f"about {reckoned:%Y-%m-%d %H:%M}", f"{start:%Y-%m-%d %H:%M}"))
        notes.append(
            f"starts {start:%Y-%m-%d %H:%M} UTC; the block then is as recorded, the chain's pace not being kept"
        )
    return compared("schedule", path, differences, notes)


def replay_submissions(history: History, number: int) -> FileReplay | None:
    """The submissions, given what each miner revealed and when; ties in the reveal block stand as recorded."""
    path = round_path(number, "submissions.json")
    version, raw = history.last(path), history.read(path)
    if version is None or raw is None:
        return None
    current = history.round(number, version.index)
    recorded = Submissions.parse(raw, path)
    schedule = current.need(current.path("schedule.json"), current.schedule)
    commitments = {
        hotkey: [
            (entry.revealed_at_block, dumps({"repo": entry.repo, "commit": entry.commit, "cdn_url": entry.cdn_url}))
        ]
        for hotkey, entry in recorded.items()
    }
    reading = read_submissions(commitments, schedule, current.config.round_name(number))
    found = reading.submissions
    order = sorted(
        (hotkey for hotkey in recorded.names if hotkey in found), key=lambda hotkey: found[hotkey].revealed_at_block
    )
    derived = Submissions({hotkey: found[hotkey] for hotkey in order})
    differences, notes = compare(raw, derived.to_bytes())
    notes += [f"{hotkey}: {reason}" for hotkey, reason in reading.refused.items()]
    outside = [hotkey for hotkey in recorded.names if hotkey not in found and hotkey not in reading.refused]
    notes += [f"{hotkey}: revealed outside the round's window" for hotkey in outside]
    return compared("submissions", path, differences, [*notes, "given what the miners revealed, as recorded"])


def replay_seed(history: History, number: int) -> FileReplay | None:
    """The seed, where the block it comes from is recorded."""
    path = round_path(number, "seed.json")
    current = history.round(number)
    recorded, raw = current.seed, history.read(path)
    if recorded is None or raw is None:
        return None
    if recorded.block is None or recorded.block_hash is None:
        return underivable("seed", path, "it was drawn at random")
    derived = draw_seed(recorded.block, recorded.block_hash, current.config.round_name(number))
    return compared("seed", path, *compare(raw, derived.to_bytes()))


def replay_prompts(history: History, number: int, rules: Rules) -> FileReplay | None:
    """The prompts, from the seed, the pool as it was, and the previous round's prompts."""
    path = round_path(number, "prompts.txt")
    version, raw = history.last(path), history.read(path)
    if version is None or raw is None:
        return None
    current = history.round(number, version.index)
    recorded = parse_prompts(raw, path)
    pool = current.files.read(POOL)
    if current.seed is None or pool is None:
        return underivable("prompts", path, "no seed or no pool is recorded")
    previous = history.round(number - 1).prompts or [] if number else None
    lines = _pool(pool, rules.unique_prompts)
    derived = select_prompts(current.seed.seed, lines, previous, current.config, rules)
    differences = compare_lines(recorded, derived)
    notes = [LAYOUT] if not differences and prompts_bytes(derived) != raw else []
    return compared("prompts", path, differences, notes)


def replay_builds(history: History, number: int, rules: Rules) -> FileReplay | None:
    """The builds' tags and image names, given the status that GitHub told for each."""
    path = round_path(number, "builds.json")
    raw = history.read(path)
    current = history.round(number)
    recorded = current.builds
    if raw is None or recorded is None:
        return None
    submissions = current.need(current.path("submissions.json"), current.submissions)
    image_format, note = _image_format(recorded, rules)
    derived = Builds(
        {
            hotkey: build.model_copy(
                update={
                    "status": recorded[hotkey].status,
                    "docker_image": image_name(image_format, hotkey, build.tag)
                    if recorded[hotkey].status == "success"
                    else None,
                }
            )
            if hotkey in recorded
            else build
            for hotkey, build in pending_builds(submissions).items()
        }
    )
    differences, notes = compare(raw, derived.to_bytes())
    return compared("builds", path, differences, [*notes, *note, "given each build's status, as recorded"])


def _image_format(builds: Builds, rules: Rules) -> tuple[str, list[str]]:
    """The setting, or the one that every recorded image fits, which the note then names."""
    images = {hotkey: build for hotkey, build in builds.items() if build.docker_image}
    for hotkey, build in images.items():
        ending = image_name("{hotkey10}:{tag}", hotkey, build.tag)
        if (image := build.docker_image or "").endswith(f"/{ending}"):
            prefix = image.removesuffix(ending).replace("{", "{{").replace("}", "}}")
            found = prefix + "{hotkey10}:{tag}"
            fits = all(image_name(found, other, images[other].tag) == images[other].docker_image for other in images)
            if fits and found != rules.docker_image_format:
                return found, [f"the images are named {found}"]
            break
    return rules.docker_image_format, []


@lru_cache(maxsize=4)
def _pool(raw: bytes, unique: bool) -> list[str]:
    lines = parse_prompts(raw, POOL)
    return usable(lines)[0] if unique else lines
