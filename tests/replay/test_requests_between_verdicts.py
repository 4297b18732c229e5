"""Audit requests around a verdict that comes while a match is played: whoever decided may have
known the verdict or not, and neither is held against the file.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from gen404_assets.competition.history import History
from gen404_assets.competition.settings import Rules
from gen404_assets.replay.auditing import replay_requests
from gen404_assets.replay.result import FileReplay
from simulators.edition_histories import hotkeys

PROMPTS = [f"https://prompts.invalid/{number:02}.png" for number in range(20)]
FIRST, SECOND, THIRD = hotkeys(3)


@dataclass(frozen=True)
class Commit:
    sha: str
    time: datetime
    message: str = "Update audits for round 0"


@dataclass(frozen=True)
class Change:
    commit: Commit
    path: str
    blob: str
    link: bool = False


def history_of(*commits: Mapping[str, Any]) -> History:
    """A history in which each commit writes these files of round 0, or of the root."""
    blobs: dict[str, bytes] = {}
    made, changes = [], []
    for number, files in enumerate(commits):
        commit = Commit(f"{number:040}", datetime(2026, 5, 1, tzinfo=UTC) + timedelta(0, number))
        made.append(commit)
        for path, content in files.items():
            blob = f"{number} {path}"
            blobs[blob] = content if isinstance(content, bytes) else json.dumps(content).encode()
            changes.append(Change(commit, path, blob))
    return History(made, changes, lambda wanted: {blob: blobs[blob] for blob in wanted})


def beginning() -> dict[str, Any]:
    """What the round has when its matches begin: three miners and twenty prompts."""
    config = {
        "name": "made-up",
        "first_evaluation_date": "2026-05-01",
        "last_competition_date": "2027-05-01",
        "generation_stage_minutes": 60,
        "win_margin": 0.05,
        "weight_decay": 0.2,
        "weight_floor": 0.2,
        "prompts_per_round": 20,
        "carryover_prompts": 0,
    }
    submission = {"repo": "a/b", "commit": "a" * 40, "cdn_url": "https://cdn.invalid"}
    return {
        "config.json": config,
        "state.json": {"current_round": 0, "stage": "duels"},
        "rounds/0/seed.json": {"seed": 1},
        "rounds/0/prompts.txt": "\n".join(PROMPTS).encode(),
        "rounds/0/submissions.json": {
            hotkey: {**submission, "revealed_at_block": block, "round": "made-up-0"}
            for block, hotkey in enumerate((FIRST, SECOND, THIRD))
        },
    }


def report(left: str, right: str, won: int) -> dict[str, Any]:
    """A match's report: the challenger wins the first prompts, the others are draws."""
    duels = [
        {
            "name": f"{number:02}",
            "prompt": url,
            **{f"{side}_{kind}": None for side in ("left", "right") for kind in ("glb", "png")},
            "winner": "right" if number < won else "draw",
            "issues": "",
        }
        for number, url in enumerate(PROMPTS)
    ]
    path = f"rounds/0/{right}/duels_{left[:10]}.json"
    sides = {"left": left, "right": right}
    return {path: {**sides, "score": won, "margin": won / 20, "duels": duels}}


def matrix(*rows: tuple[str, str, float]) -> dict[str, bytes]:
    lines = ["left,right,margin", *(f"{left},{right},{margin}" for left, right, margin in rows)]
    return {"rounds/0/matches_matrix.csv": "\n".join(lines).encode()}


def rejected(*names: str) -> dict[str, Any]:
    audit = {"checked_prompts": 0, "failed_prompts": 0, "failed_critical": 0}
    more = {"outcome": "rejected", "generation_time": None, "reason": "no image"}
    verdicts = {name: {"hotkey": name, **audit, **more} for name in names}
    return {"rounds/0/generation_audits.json": verdicts}


def requests(**critical: list[str]) -> dict[str, Any]:
    asked = [{"hotkey": hotkey, "critical_prompts": names} for hotkey, names in critical.items()]
    return {"rounds/0/require_audit.json": asked}


def replayed(third_is_asked_for: list[str]) -> FileReplay:
    """The first leads, and is rejected while the third plays, and beats, it. By that verdict the
    second is next. When it is rejected, too, the third is asked for, by its narrow match against
    the leader.
    """
    qualified = [("leader", FIRST, 0.5), ("leader", SECOND, 0.5), ("leader", THIRD, 0.05)]
    lost = (FIRST, SECOND, -0.5)
    beaten = (FIRST, THIRD, 0.5)
    asked: dict[str, list[str]] = {FIRST: [], SECOND: []}
    history = history_of(
        beginning(),
        report("leader", THIRD, 1) | matrix(*qualified) | requests(**{FIRST: []}),
        matrix(*qualified, lost),
        rejected(FIRST),
        report(FIRST, THIRD, 10) | matrix(*qualified, lost, beaten) | requests(**asked),
        matrix(*qualified, lost, beaten, (SECOND, THIRD, -0.5)),
        rejected(FIRST, SECOND),
        requests(**asked, **{THIRD: third_is_asked_for}),
    )
    found = replay_requests(history, 0, Rules())
    assert found is not None
    return found


def test_a_request_by_the_match_that_the_verdict_left_is_right() -> None:
    """By the verdicts before, the third was due for its match against the first."""
    assert [str(each) for each in replayed(["00"]).differences] == []


def test_a_request_by_the_match_before_the_verdict_is_right() -> None:
    assert [str(each) for each in replayed([]).differences] == []


def test_a_request_by_neither_match_differs() -> None:
    [difference] = replayed(["07"]).differences
    assert difference.entry == f"{THIRD}.critical_prompts"
