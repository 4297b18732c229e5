"""Single changes that a forger might make in a competition of another edition: those that editions
share, and those of each one's own files.
"""

from collections.abc import Callable, Iterator
from typing import Any

from tests.replay.forgeries import (
    ANY,
    ELSEWHERE,
    STRANGER,
    Edit,
    Forgery,
    drop,
    forgeries,
    in_json,
    in_lines,
    setting,
)

_ALSO_HERE = {
    *("state.json", "config.json", "leader.json", "prompts.txt", "round/schedule.json"),
    *("round/seed.json", "round/prompts.txt", "round/submissions.json", "round/builds.json"),
    *("round/winner.json", "round/source_audit.json"),
}
_STRAY: dict[str, dict[str, Edit]] = {
    "rounds/00/seed.json": {"a copied folder": lambda _: b'{"seed": 1}'},
    "rounds/x/seed.json": {"a folder that is no round's": lambda _: b'{"seed": 1}'},
}


def _drawn(report: Any) -> dict[str, Any]:
    """The first duel that is a draw."""
    found: dict[str, Any] = next(each for each in report["duels"] if each["winner"] == "draw")
    return found


def _flip(winner: str) -> Callable[[Any], None]:
    def change(report: Any) -> None:
        _drawn(report)["winner"] = winner
        report["score"] += 1
        report["margin"] = report["score"] / len(report["duels"])

    return change


def _made(**values: Any) -> Edit:
    """An edit of the first output that is there."""
    return in_json(lambda all_: next(each for each in all_.values() if each["png"]).update(values))


def _report(winner: str, left: str) -> dict[str, Edit]:
    return {
        "a draw won, with score and margin": in_json(_flip(winner)),
        "an outcome alone": in_json(lambda report: _drawn(report).update(winner=winner)),
        "the judge's text": in_json(lambda report: report["duels"][0].update(issues="fine")),
        "another defender": setting(left, to=STRANGER),
        "the score": setting("score", to=lambda score: score + 1),
        "the margin": setting("margin", to=0.5),
        "a duel gone": in_json(lambda report: drop(report["duels"])),
    }


_OF_0: dict[str, dict[str, Edit]] = {
    "round/miner/generations.json": {
        "another preview": _made(png=ELSEWHERE),
        "faster": _made(generation_time=0.5),
        "slower": _made(generation_time=99.0),
        "another size": _made(size=7),
        "taken away": _made(png=None, ply=None),
        "one gone": in_json(drop),
        "one added": in_json(lambda all_: all_.update(zzz=next(iter(all_.values())))),
    },
    "round/leader/generations.json": {"slower": _made(generation_time=99.0)},
    "round/miner/duels.json": _report("miner", "leader"),
    "round/judge_progress.json": {
        "another leader": setting("leader", to=STRANGER),
        "one who played gone": in_json(lambda all_: drop(all_["completed_hotkeys"])),
    },
}

_MATRIX: dict[str, Edit] = {
    "a margin": in_lines(lambda rows: rows.__setitem__(2, rows[2].rpartition(",")[0] + ",0.125")),
    "a row gone": in_lines(lambda rows: drop(rows, 1)),
    "the last row gone": in_lines(drop),
    "a row twice": in_lines(lambda rows: rows.append(rows[1])),
    "in another order": in_lines(lambda rows: [rows[0], *reversed(rows[1:])]),
}


def _first(**values: Any) -> Edit:
    """An edit of the first repeat of the first report."""
    return in_json(lambda all_: next(iter(all_.values()))["repeats"][0].update(values))


_OF_2: dict[str, dict[str, Edit]] = {
    "round/miner/duels_": _report("right", "left"),
    "round/miner/audit_": _report("right", "left"),
    "round/matches_matrix.csv": _MATRIX,
    "round/audit_matrix.csv": _MATRIX,
    "round/require_audit.json": {
        "another defender": setting("first", "latest_defender", to=STRANGER),
        "one gone": in_json(lambda all_: drop(all_, 0)),
        "one added": in_json(
            lambda all_: all_.append({"hotkey": STRANGER, "latest_defender": "leader"})
        ),
    },
    "round/generation_reports.json": {
        "a repeat in time": _first(generation_time=10.0),
        "a repeat with failures": _first(failed_prompts=5),
        "another outcome": setting("first", "outcome", to="completed"),
        "one gone": in_json(drop),
    },
    "round/generation_audits.json": {
        "passed": setting("first", "verdict", to="passed"),
        "another reason": setting("first", "reason", to="x"),
        "one gone": in_json(lambda all_: drop(all_, 0)),
    },
}


def forgeries_of(edition: str) -> Iterator[Forgery]:
    """All single changes of an edition, kind by kind."""
    own = _OF_0 if edition == "competition-0" else _OF_2
    for each in forgeries():
        has_no_deadline = edition == "competition-0" and "deadline" in each.change
        if each.kind in _ALSO_HERE and not has_no_deadline:
            yield each
    for kind, edits in own.items():
        for change, edit in (edits | ANY).items():
            yield Forgery(kind, change, edit)
    for path, edits in _STRAY.items():
        for change, edit in edits.items():
            yield Forgery(path, change, edit)
