"""OPEN: once the window for reveals has closed, the submissions are read, seed and prompts are
drawn, and all three are published in one commit.

Between drawing and publishing, the prompts' pictures are copied into the store.
"""

from collections.abc import Mapping
from functools import lru_cache

from gen404_assets.competition.catalogue import Asset
from gen404_assets.competition.commitments import read_submissions
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.prompts import (
    parse_prompts,
    prompts_bytes,
    select_prompts,
    stem,
    usable,
)
from gen404_assets.competition.round import POOL, Files, Round, required
from gen404_assets.competition.schedule import Schedule
from gen404_assets.competition.seed import Seed, draw_seed
from gen404_assets.competition.state import Stage
from gen404_assets.competition.winner import crown
from gen404_assets.live.copying import copy_pictures
from gen404_assets.live.work import Work, state_file, time_at
from resources.chain.subtensor import Block


def open_round(work: Work) -> Mapping[str, str]:
    """Publish submissions, seed and prompts; returns the hotkeys that have no valid submission,
    with the reason.

    Without any submission the leader has won, and the round goes straight to FINALIZING
    (`rules.md`, OPEN).
    """
    due, current = work.due()
    if due.stage is not Stage.OPEN or not due.work:
        return {}
    chain = work.outside.chain
    schedule = current.required_schedule
    latest = chain.block(schedule.latest_reveal_block)
    revealed = chain.reveals(at=latest.number)
    refused: dict[str, str] = {}
    seed_drawn, prompts = drawn = _drawn(work, current, latest)
    name = current.config.round_name(current.number)
    taking_part = current.submissions
    if taking_part is None:
        taking_part = read_submissions(revealed, schedule, name).submissions
    missing = _missing(work, schedule, seed_drawn, prompts) if len(taking_part) else []

    def derive(now: Round) -> Mapping[str, bytes | None]:
        if now.schedule != schedule or _drawn(work, now, latest) != drawn:
            return {}  # a person changed what the round is drawn from: what is due is asked anew
        name = now.config.round_name(now.number)
        reading = read_submissions(revealed, schedule, name)
        refused.update(reading.refused)
        seed = seed_drawn
        if missing:
            seed = seed.naming([*(seed.missing_prompts or ()), *missing])
        submissions = now.submissions if now.submissions is not None else reading.submissions
        made = {
            Asset.SUBMISSIONS.path(now.number): submissions.to_bytes(),
            Asset.SEED.path(now.number): seed.to_bytes(now.files.read(Asset.SEED.path(now.number))),
            Asset.PROMPTS.path(now.number): prompts_bytes(prompts),
        }
        if not len(submissions):
            leader = now.required_defending
            made[Asset.WINNER.path(now.number)] = crown(LEADER, None, leader).to_bytes()
        # What a person has entered before the window closed stands; to have it drawn anew, they
        # delete it. Which pictures can't be had is added to a seed of theirs.
        files = {path: content for path, content in made.items() if now.files.read(path) is None}
        if missing:
            files[Asset.SEED.path(now.number)] = made[Asset.SEED.path(now.number)]
        if not len(submissions):
            return files | state_file(now, Stage.FINALIZING, work.rules)
        eta = time_at(latest, schedule.generation_deadline_block)
        return files | state_file(now, Stage.MINER_GENERATION, work.rules, eta)

    work.publish([f"Seed, prompts and submissions for round {work.number}"], {Stage.OPEN}, derive)
    unusable = [] if current.prompts is not None else _pool(current.files)[1]
    for url, reason in unusable:
        work.say(f"the pool's {url} can't be used: {reason}")
    for hotkey, reason in refused.items():
        work.say(f"{hotkey} takes no part: {reason}")
    return refused


def _drawn(work: Work, current: Round, latest: Block) -> tuple[Seed, list[str]]:
    """The round's seed and prompts: those that a person has entered, or else drawn. Raises
    MalformedFile where what they are drawn from is missing, or gives no prompt.
    """
    name = current.config.round_name(current.number)
    seed = current.seed or draw_seed(latest.number, latest.hash, name)
    if current.prompts is not None:
        return seed, list(current.prompts)
    previous = None
    if current.number:
        path = Asset.PROMPTS.path(current.number - 1)
        previous = parse_prompts(required(path, current.files.read(path)), path)
    lines, _ = _pool(current.files)
    prompts = select_prompts(seed.seed, lines, previous, current.config, work.rules)
    if not prompts:
        raise MalformedFile(POOL, 1, "it gives the round no prompt; add usable ones")
    return seed, prompts


def _pool(files: Files) -> tuple[list[str], list[tuple[str, str]]]:
    """The usable lines of the pool of prompts, and the others with the reason."""
    return _usable(required(POOL, files.read(POOL)))


@lru_cache(maxsize=1)
def _usable(raw: bytes) -> tuple[list[str], list[tuple[str, str]]]:
    return usable(parse_prompts(raw, POOL))


def _missing(work: Work, schedule: Schedule, seed: Seed, prompts: list[str]) -> list[str]:
    """Copy the prompts' pictures. Returns the stems of those that can't be fetched and are not
    named in `seed` yet.

    Raises InfrastructureFault if they are more than half of the round's and less than half of the
    miners' time has passed: probably one host or this machine's connection is down and will come
    back, and a late round is worth more than one with few prompts. After that, the round goes on.
    """
    known = seed.missing_prompts or ()
    gone = copy_pictures(work, [url for url in prompts if stem(url) not in known])
    if not gone:
        return []
    examples = "; ".join(f"{url}: {reason}" for url, reason in [*gone.items()][:3])
    more = "; …" if len(gone) > 3 else ""
    problem = f"{len(gone)} of {len(prompts)} prompts give no picture: {examples}{more}"
    half_time = (schedule.latest_reveal_block + schedule.generation_deadline_block) // 2
    if 2 * len(gone) > len(prompts) and work.outside.chain.finalized().number < half_time:
        raise InfrastructureFault(f"{problem}. The opening waits for them until block {half_time}")
    work.alert(f"round {work.number} goes on without some duels: {problem}")
    return [stem(url) for url in gone]
