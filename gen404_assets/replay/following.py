"""What a file's next version may be: content that follows from what stood there.

The platform adds. It never takes back a row, a request, a verdict, a successful build, or an output
that was complete, unless a person has stepped in. All functions are pure.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from gen404_assets.competition.catalogue import Asset
from gen404_assets.competition.files import StateFile
from gen404_assets.competition.round import LEADERS
from gen404_assets.replay.permissions import split

Fault = Callable[[Any, Any], str]


def does_not_follow(path: str, before: bytes | None, after: bytes | None) -> str:
    """Why the platform may not have turned `before` into `after`; empty where it may.

    What can't be read is left to the reader of the file.
    """
    return objection(path, before, after, _read, _fault)


def objection(
    path: str,
    before: bytes | None,
    after: bytes | None,
    read: Callable[[str, bytes], Any],
    fault: Callable[[str, str | None], Fault | None],
) -> str:
    """See `does_not_follow`. `read`: a file's content, by its name in the round, or a ValueError;
    `fault`: what compares the contents of a file, by name and miner.
    """
    if after is None:
        return "the platform deletes no file" if before is not None else ""
    if before is None or before == after:
        return ""
    _, miner, name = split(path)
    if name.endswith((".csv", ".txt")):
        old, new = (raw.decode(errors="replace").split() for raw in (before, after))
        return lines(name, old, new)
    try:
        old, new = read(name, before), read(name, after)
    except (ValueError, RecursionError):
        return ""
    compare = leaders if path == LEADERS else fault(name, miner)
    return compare(old, new) if compare is not None else ""


def _fault(name: str, miner: str | None) -> Fault | None:
    if miner is not None and name.startswith(Asset.DUELS.entry.name):
        return _replaced
    return _FAULTS.get(name)


def _replaced(old: Any, new: Any) -> str:
    return "a report was replaced whose match stands in the matrix" if old != new else ""


_KINDS: Mapping[str, type[StateFile]] = {
    asset.entry.name: asset.entry.format
    for asset in (Asset.BUILDS, Asset.AUDITS, Asset.REGENERATED, Asset.RENDERS)
}


@lru_cache(maxsize=2)
def _read(name: str, raw: bytes) -> Any:
    """A file's content, valid where the faults look into its entries. Raises ValueError. Nobody
    changes it: a version's successor is compared with it next.
    """
    kind = _KINDS.get(name)
    return json.loads(raw) if kind is None else kind.parse(raw, name).model_dump(mode="json")


def lines(name: str, old: list[str], new: list[str]) -> str:
    """Why lines may not have become these: rows are added, prompts drawn once."""
    if name == Asset.PROMPTS.entry.name:
        return "the round's prompts were drawn already" if old != new else ""
    return "" if new[: len(old)] == old else "a row that was played was changed or is gone"


def made_once(old: Any, new: Any) -> str:
    """The fault of a file that is made once."""
    return "it was made already, and is made once" if old != new else ""


def map_of(entry: Fault) -> Fault:
    """The fault of an object whose entries stay, each as `entry` allows."""

    def fault(old: Any, new: Any) -> str:
        for key, value in old.items():
            if key not in new:
                return f"{key} is gone"
            if value != new[key] and (reason := entry(value, new[key])):
                return f"{key}: {reason}"
        return ""

    return fault


def build_changed(old: Any, new: Any) -> str:
    """The fault of a build: what is built stays."""
    fixed = ("repo", "commit", "revealed_at_block", "tag")
    if any(old.get(key) != new.get(key) for key in fixed):
        return "what is built was changed"
    return ""


def _audit(old: Any, _: Any) -> str:
    return "" if old["outcome"] == "pending" else "a verdict that was given was changed"


def _complete(output: Any) -> bool:
    return bool(output["png"] and (output["glb"] or output["ply"]))


def _regenerated(old: Any, new: Any) -> str:
    if not _complete(old) or new["attempts"] > old["attempts"]:
        return ""
    if _complete(new) and new["generation_time"] < old["generation_time"]:
        return ""  # the best is kept; attempts are counted anew when the work starts anew
    changed = {key for key in {*old, *new} if old.get(key) != new.get(key)}
    if changed <= {"distance", "evidence"} and not old["distance"]:  # it was measured
        return ""
    return "an output that was complete was changed, and not for a faster one"


def _submitted(old: Any, new: Any) -> str:
    if not _complete(old) or new["attempts"] > old["attempts"]:
        return ""
    return "a file that was downloaded was exchanged"


def appended(what: str) -> Fault:
    """The fault of a list to which entries are only added."""

    def fault(old: Any, new: Any) -> str:
        if not isinstance(old, list) or not isinstance(new, list):
            return ""
        return "" if new[: len(old)] == old else f"{what} that stood there was changed or is gone"

    return fault


def leaders(old: Any, new: Any) -> str:
    """The fault of `leader.json`: a round's end adds one entry, and changes none."""
    unwrapped = [
        side.get("transitions", side) if isinstance(side, dict) else side for side in (old, new)
    ]
    if fault := appended("an entry")(*unwrapped):
        return fault
    return "a round's end adds one entry" if len(unwrapped[1]) > len(unwrapped[0]) + 1 else ""


_BY_ASSET: Mapping[Asset, Fault] = {
    Asset.SUBMISSIONS: made_once,
    Asset.SEED: made_once,
    Asset.SCHEDULE: made_once,
    Asset.WINNER: made_once,
    Asset.BUILDS: map_of(build_changed),
    Asset.AUDITS: map_of(_audit),
    Asset.AUDIT_REQUESTS: appended("a request"),
    Asset.REGENERATED: map_of(_regenerated),
    Asset.RENDERS: map_of(_submitted),
}
_FAULTS = {asset.entry.name: fault for asset, fault in _BY_ASSET.items()}


def outputs_changed(before: bytes | None, after: bytes | None) -> str:
    """Why outputs on which a verdict rests may not have become these; empty where they may: what
    was complete stays.
    """
    try:
        old, new = (_read(Asset.REGENERATED.entry.name, raw or b"{}") for raw in (before, after))
    except ValueError:
        return ""
    changed = [
        name for name, output in old.items() if _complete(output) and new.get(name) != output
    ]
    return f"{changed[0]}: a verdict rests on what it was" if changed else ""


def is_time(text: str | None) -> bool:
    """Whether a text is an ISO-8601 time in UTC, or none."""
    if text is None:
        return True
    try:
        offset = datetime.fromisoformat(text.replace("Z", "+00:00")).utcoffset()
    except ValueError:
        return False
    return offset is None or not offset
