"""What the next version of an edition's file may be: content that follows from what stood there.

The platform adds. It takes back no row, request, verdict or output. All functions are pure.
"""

import json
from collections.abc import Mapping
from typing import Any

from gen404_assets.replay.following import (
    Fault,
    appended,
    build_changed,
    made_once,
    map_of,
    objection,
)


def does_not_follow(path: str, before: bytes | None, after: bytes | None) -> str:
    """Why the platform may not have turned `before` into `after`; empty where it may.

    What can't be read is left to the reader of the file.
    """
    try:
        return objection(path, before, after, lambda _, raw: json.loads(raw), _fault)
    except (AttributeError, KeyError, TypeError):  # of another shape: the file's reader says so
        return ""


def _fault(name: str, miner: str | None) -> Fault | None:
    if miner is not None and name.startswith(("duels", "audit_")):
        return made_once
    return _GENERATED if name.startswith("generated") else _FAULTS.get(name)


def _output(old: Any, new: Any) -> str:
    if not old.get("png") and not old.get("js"):
        return ""
    if new.get("png") or new.get("js"):
        return _slower(old, new)
    return "an output that was complete is gone"


def _slower(old: Any, new: Any) -> str:
    before, after = old.get("generation_time"), new.get("generation_time")
    if isinstance(before, int | float) and isinstance(after, int | float) and after < before:
        return ""
    return "an output that was complete was changed, and not for a faster one"


def _report(old: Any, new: Any) -> str:
    if new["repeats"][: len(old["repeats"])] != old["repeats"]:
        return "a repeat that was made was changed or is gone"
    return "" if old["outcome"] == "pending" else "an outcome that was given was changed"


def _progress(old: Any, new: Any) -> str:
    return appended("who had played")(old["completed_hotkeys"], new["completed_hotkeys"])


def _requests(old: Any, new: Any) -> str:
    hotkeys = [[each["hotkey"] for each in side] for side in (old, new)]
    return appended("a request")(*hotkeys)


_GENERATED = map_of(_output)
_FAULTS: Mapping[str, Fault] = {
    "submissions.json": made_once,
    "seed.json": made_once,
    "schedule.json": made_once,
    "winner.json": made_once,
    "submitted.json": made_once,
    "builds.json": map_of(build_changed),
    "generations.json": _GENERATED,
    "judge_progress.json": _progress,
    "require_audit.json": _requests,
    "generation_reports.json": map_of(_report),
    "generation_audits.json": map_of(lambda _old, _new: ""),
}
