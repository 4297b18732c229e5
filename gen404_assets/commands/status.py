"""`gen404 status`: round, stage and block, what is due, what is waited for, and until when."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, TypeVar

from gen404_assets.commands.other_editions import OtherEdition, edition_text, other_edition
from gen404_assets.commands.refused import Refused
from gen404_assets.competition.catalogue import Lane
from gen404_assets.competition.due import Due, Wait, due
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.hotkeys import short
from gen404_assets.competition.settings import BLOCK_SECONDS
from gen404_assets.live.other_platform import other_platform
from gen404_assets.live.outside import Outside
from gen404_assets.live.work import see
from resources.chain.subtensor import Block
from resources.deadlines import within
from resources.git_history import NO_COMMIT

T = TypeVar("T")

_PATIENCE = 20.0
"""Seconds that a person at a terminal waits for each."""


@dataclass(frozen=True, slots=True)
class Status:
    """What is due at the repository's head and the finalised block.

    `block` is None where the chain can't be reached, and what is due then leaves out what only a
    block makes due. Where the repository can't be reached, its head is the one that was seen last.
    `out_of_reach` says what can't be reached, and why; `other` which other platform publishes here.
    """

    due: Due
    block: Block | None
    out_of_reach: str | None = None
    other: str | None = None


def status(outside: Outside) -> Status | OtherEdition:
    """What the repository holds, and what the work on this machine waits for. What can't be reached
    is named, and is no reason to show nothing. Raises InfrastructureFault for a repository that was
    never seen, and Refused for one that is empty.
    """
    repository, faults = outside.repository, list[str]()
    head = _seen("the repository", repository.refresh, faults) or repository.last_known_head()
    if head == NO_COMMIT.sha:
        if faults:
            raise InfrastructureFault(faults[0])
        raise Refused("the repository is empty: `gen404 init` begins a competition in it")
    snapshot = repository.snapshot(head)
    if other := other_edition(snapshot):
        return other
    current = see(snapshot)
    block = _seen("the chain", outside.chain.finalized, faults)
    due_now = due(current.files, block.number if block else 0)
    due_now.waits += [
        wait for lane in Lane if due_now.assets(lane) and (wait := outside.waiting.for_lane(lane))
    ]
    own = _seen("the database", outside.installation, faults) if block else None
    platform = other_platform(snapshot, own, block.time) if block and own else ""
    return Status(due_now, block, "; ".join(faults) or None, platform or None)


def _seen(name: str, look: Callable[[], T], faults: list[str]) -> T | None:
    """What a look gives within a few seconds; else None, and why among the faults."""
    try:
        return within(_PATIENCE, look)
    except TimeoutError:
        faults.append(f"{name} can't be reached: no answer within {_PATIENCE:.0f} s")
    except InfrastructureFault as fault:
        faults.append(f"{name} can't be reached: {fault}")
    return None


def status_text(status: Status | OtherEdition) -> str:
    """For a person."""
    if isinstance(status, OtherEdition):
        return edition_text(status)
    return "\n".join(_lines(status))


def status_json(status: Status | OtherEdition) -> dict[str, Any]:
    """For a program."""
    if isinstance(status, OtherEdition):
        return asdict(status)
    due_now = status.due
    return {
        "round": due_now.round,
        "stage": due_now.stage,
        "block": status.block.number if status.block else None,
        "out_of_reach": status.out_of_reach,
        "another_platform": status.other,
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
    if status.other:
        yield f"  another platform: {status.other}"
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
