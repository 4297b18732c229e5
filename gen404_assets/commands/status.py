"""Where the competition stands: round, stage, block, what is due, and what waits for what or whom,
and until when.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from gen404_assets.competition.due import Due, Lane, due
from gen404_assets.competition.hotkeys import short
from gen404_assets.competition.settings import BLOCK_SECONDS
from gen404_assets.live.outside import Outside
from gen404_assets.live.work import see
from resources.chain import Block


def status(outside: Outside) -> tuple[Due, Block]:
    """What is due at the repository's head and the finalised block, and what the work on this
    machine waits for.
    """
    repository = outside.repository
    current = see(repository.snapshot(repository.refresh()))
    block = outside.chain.finalized()
    found = due(current.files, block.number)
    found.waits += [
        wait for lane in Lane if found.assets(lane) and (wait := outside.waiting.of(lane))
    ]
    return found, block


def status_text(found: Due, block: Block) -> str:
    """For a person."""
    return "\n".join(_lines(found, block))


def status_json(found: Due, block: Block) -> dict[str, Any]:
    """For a program."""
    return {
        "round": found.round,
        "stage": found.stage,
        "block": block.number,
        "leads_to": found.to,
        "due": {lane: assets for lane in Lane if (assets := found.assets(lane))},
        "matches": [list(pair) for pair in found.pairs],
        "waits": [{"for": wait.on, "until_block": wait.until} for wait in found.waits],
    }


def _lines(found: Due, block: Block) -> Iterator[str]:
    yield f"round {found.round}: {found.stage}, at block {block.number} ({block.time:%Y-%m-%d %H:%M:%S} UTC)"
    for lane in Lane:
        if assets := found.assets(lane):
            of = next((work.of for work in found.work if work.lane is lane and work.of), ())
            whom = f" for {', '.join(short(hotkey) for hotkey in of[:4])}" if of else ""
            more = f" and {len(of) - 4} more" if len(of) > 4 else ""
            yield f"  due       {lane}: {', '.join(assets)}{whom}{more}"
    if found.pairs:
        left, right = found.pairs[0]
        yield f"  next      {short(left)} against {short(right)}, of {len(found.pairs)} matches that may be played"
    for wait in found.waits:
        until = ""
        if wait.until is not None:
            left_over = timedelta(seconds=(wait.until - block.number) * BLOCK_SECONDS)
            until = f", until block {wait.until} ({block.time + left_over:%Y-%m-%d %H:%M} UTC)"
        yield f"  waits for {wait.on}{until}"
