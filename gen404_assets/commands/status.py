"""`gen404 status`: round, stage and block, what is due, what is waited for, and until when."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gen404_assets.competition.catalogue import Lane
from gen404_assets.competition.due import Due, Wait, due
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.hotkeys import short
from gen404_assets.competition.settings import BLOCK_SECONDS
from gen404_assets.live.outside import Outside
from gen404_assets.live.work import see
from resources.chain.subtensor import Block


@dataclass(frozen=True, slots=True)
class Status:
    """What is due at the repository's head and the finalised block.

    `block` is None where the chain can't be reached, and `out_of_reach` says why; what is due then
    leaves out what only a block makes due.
    """

    due: Due
    block: Block | None
    out_of_reach: str | None = None


def status(outside: Outside) -> Status:
    """What is due by the repository's head, and what the work on this machine waits for.

    If the chain can't be reached, the status says so and shows the rest. Raises InfrastructureFault
    if the repository can't be reached.
    """
    repository = outside.repository
    current = see(repository.snapshot(repository.refresh()))
    try:
        block, fault = outside.chain.finalized(), None
    except InfrastructureFault as error:
        block, fault = None, f"the chain can't be reached: {error}"
    due_now = due(current.files, block.number if block else 0)
    due_now.waits += [
        wait for lane in Lane if due_now.assets(lane) and (wait := outside.waiting.of(lane))
    ]
    return Status(due_now, block, fault)


def status_text(status: Status) -> str:
    """For a person."""
    return "\n".join(_lines(status))


def status_json(status: Status) -> dict[str, Any]:
    """For a program."""
    due_now = status.due
    return {
        "round": due_now.round,
        "stage": due_now.stage,
        "block": status.block.number if status.block else None,
        "out_of_reach": status.out_of_reach,
        "leads_to": due_now.to,
        "due": {lane: assets for lane in Lane if (assets := due_now.assets(lane))},
        "matches": [list(pair) for pair in due_now.pairs],
        "waits": [{"for": wait.on, "until_block": wait.until} for wait in due_now.waits],
    }


def _lines(status: Status) -> Iterator[str]:
    due_now, block = status.due, status.block
    at = f", at block {block.number} ({block.time:%Y-%m-%d %H:%M:%S} UTC)" if block else ""
    yield f"round {due_now.round}: {due_now.stage}{at}"
    if status.out_of_reach:
        yield f"  {status.out_of_reach}"
    for lane in Lane:
        if assets := due_now.assets(lane):
            hotkeys = next(
                (work.hotkeys for work in due_now.work if work.lane is lane and work.hotkeys), ()
            )
            whom = f" for {', '.join(short(hotkey) for hotkey in hotkeys[:4])}" if hotkeys else ""
            more = f" and {len(hotkeys) - 4} more" if len(hotkeys) > 4 else ""
            yield f"  due       {lane}: {', '.join(assets)}{whom}{more}"
    if due_now.pairs:
        left, right = due_now.pairs[0]
        others = f"of {len(due_now.pairs)} matches that may be played"
        yield f"  next      {short(left)} against {short(right)}, {others}"
    yield from (f"  waits for {wait.on}{_until(wait, block)}" for wait in due_now.waits)


def _until(wait: Wait, block: Block | None) -> str:
    if wait.until is None:
        return ""
    if block is None:
        return f", until block {wait.until}"
    expected = block.time + timedelta(seconds=(wait.until - block.number) * BLOCK_SECONDS)
    return f", until block {wait.until} ({expected:%Y-%m-%d %H:%M} UTC)"
