"""Single changes that a forger might make: of each kind of file, what is done to its content."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from gen404_assets.competition.history import History
from gen404_assets.competition.hotkeys import LEADER
from tests.replay.forging import Content, Link

Edit = Callable[[bytes], Content]
STRANGER = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"


@dataclass(frozen=True)
class Forgery:
    """One change of a file of some kind."""

    kind: str
    change: str
    edit: Edit


def path_of(history: History, number: int, kind: str) -> str | None:
    """The first file of a kind in a round; None where it has none."""
    if "/" not in kind:
        return kind if kind in history.paths else None
    wanted = kind.removeprefix("round/")
    for path in history.of_round(number):
        rest = path.removeprefix(f"rounds/{number}/")
        miner, _, name = rest.rpartition("/")
        if "miner/" not in wanted:
            if rest == wanted:
                return path
        elif (
            miner not in {"", LEADER}
            and name.startswith(wanted.removeprefix("miner/"))
            and _is_of_use(history, path)
        ):
            return path
    return None


def _is_of_use(history: History, path: str) -> bool:
    """Whether a file has what the edits take: a duel that was judged, an output that is there."""
    raw = history.read(path) or b""
    if "/duels_" in path:
        return any(duel["winner"] == "left" for duel in json.loads(raw)["duels"])
    return b'"png": "http' in raw or path.endswith("pod_stats.json")


def in_json(change: Callable[[Any], Any]) -> Edit:
    """An edit of a JSON file's content, in place or anew."""

    def edit(raw: bytes) -> bytes:
        content = json.loads(raw)
        changed = change(content)
        return json.dumps(content if changed is None else changed, indent=2).encode()

    return edit


def in_lines(change: Callable[[list[str]], Any]) -> Edit:
    """An edit of a file's lines, in place or anew."""

    def edit(raw: bytes) -> bytes:
        lines = raw.decode().split("\n")
        changed = change(lines)
        return "\n".join(lines if changed is None else changed).encode()

    return edit


def setting(*place: str | int, to: Any) -> Edit:
    """An edit that sets one value. `first`, `last` in a place: the key or index there."""

    def change(content: Any) -> None:
        for step in place[:-1]:
            content = content[_step(content, step)]
        key = _step(content, place[-1])
        content[key] = to(content.get(key)) if callable(to) else to

    return in_json(change)


def _step(content: Any, step: str | int) -> str | int:
    if step in {"first", "last"}:
        at = 0 if step == "first" else -1
        return list(content)[at] if isinstance(content, dict) else at
    return step


def drop(content: Any, at: int = -1) -> None:
    """Take an entry out of a list or a map."""
    del content[list(content)[at] if isinstance(content, dict) else at]


def _reorder(content: Any) -> Any:
    return dict(reversed(content.items())) if isinstance(content, dict) else [*reversed(content)]


def _png(content: Any) -> dict[str, Any]:
    """The first output that is complete."""
    found: dict[str, Any] = next(each for each in content.values() if each["png"])
    return found


def _duel(content: Any) -> dict[str, Any]:
    """The first duel that the left side won."""
    found: dict[str, Any] = next(each for each in content["duels"] if each["winner"] == "left")
    return found


def _flip(report: Any) -> None:
    _duel(report)["winner"] = "right"
    report["score"] += 2
    report["margin"] = report["score"] / len(report["duels"])


def _strip(report: Any) -> None:
    for duel in report["duels"]:
        duel.pop("evidence", None)


def _strip_and_flip(report: Any) -> None:
    _strip(report)
    _flip(report)


def _evidence(change: Callable[[Any], Any]) -> Callable[[Any], None]:
    """An edit of the first evidence in a report, where it holds any."""

    def edit(report: Any) -> None:
        duel = next((each for each in report["duels"] if "evidence" in each), None)
        if duel is not None:
            change(duel["evidence"])

    return edit


def _replace(key: str, other: str) -> Callable[[Any], None]:
    return lambda content: _png(content).update({key: other})


def _other(text: str) -> str:
    return text[:-1] + ("a" if text[-1] != "a" else "b")


ELSEWHERE = "https://elsewhere.invalid/better.png"
NEW_LEADER = {
    "hotkey": STRANGER,
    "repo": "some/body",
    "commit": "a" * 40,
    "docker": "x/y:z",
    "weight": 1.0,
}

POD = {"pod_id": "pod", "processed": 9, "successful": 9, "hard_failed": 0, "hard_overtime": 0}


def _leader_after(blocks: int) -> Callable[[Any], Any]:
    return lambda entries: [
        *entries,
        NEW_LEADER | {"effective_block": entries[-1]["effective_block"] + blocks},
    ]


def _leader_between(entries: Any) -> Any:
    return [
        entries[0],
        NEW_LEADER | {"effective_block": entries[0]["effective_block"] + 1},
        *entries[1:],
    ]


_GLOBAL: dict[str, dict[str, Edit]] = {
    "state.json": {
        "the stage set on": setting("stage", to="finalizing"),
        "the stage set back": setting("stage", to="open"),
        "the round set on": setting("current_round", to=lambda number: number + 1),
        "the round set back": setting("current_round", to=lambda number: number - 1),
        "an estimate that is no time": setting("next_stage_eta", to="soon"),
        "an estimate ten hours later": setting("next_stage_eta", to="2026-12-31T10:00:00Z"),
    },
    "config.json": {
        "win_margin changed": setting("win_margin", to=0.2),
        "weight_decay changed": setting("weight_decay", to=0.0),
        "weight_floor changed": setting("weight_floor", to=0.9),
        "prompts_per_round changed": setting("prompts_per_round", to=5),
        "the last date changed": setting("last_competition_date", to="2031-01-01"),
        "the name changed": setting("name", to="other"),
        "an invalid value": setting("win_margin", to="much"),
        "a key gone": in_json(lambda config: config.pop("win_margin") and None),
    },
    "leader.json": {
        "an entry appended": in_json(_leader_after(1000)),
        "an entry far ahead appended": in_json(_leader_after(1_000_000)),
        "an entry put between": in_json(_leader_between),
        "the first hotkey exchanged": setting("first", "hotkey", to=STRANGER),
        "the first weight raised": setting("first", "weight", to=0.99),
        "the first image exchanged": setting("first", "docker", to="x/y:z"),
        "the last hotkey exchanged": setting("last", "hotkey", to=STRANGER),
        "the last weight changed": setting("last", "weight", to=0.95),
        "the last block moved": setting("last", "effective_block", to=lambda block: block + 50),
        "the last commit exchanged": setting("last", "commit", to="b" * 40),
        "the last entry gone": in_json(drop),
        "the first entry gone": in_json(lambda entries: drop(entries, 0)),
        "wrapped, with an entry": in_json(lambda old: {"transitions": _leader_after(9)(old)}),
        "out of order": in_json(_reorder),
    },
    "prompts.txt": {
        "a line exchanged": in_lines(lambda lines: lines.__setitem__(3, ELSEWHERE)),
        "a line gone": in_lines(lambda lines: drop(lines, 3)),
        "a line added": in_lines(lambda lines: lines.append(ELSEWHERE)),
        "in another order": in_lines(_reorder),
    },
}

_OPENING: dict[str, dict[str, Edit]] = {
    "round/schedule.json": {
        "the start moved": setting("latest_reveal_block", to=lambda block: block + 30),
        "the first block moved": setting("earliest_reveal_block", to=lambda block: block + 1),
        "the deadline moved": setting("generation_deadline_block", to=lambda block: block + 30),
        "out of order": setting("generation_deadline_block", to=1),
    },
    "round/seed.json": {
        "another seed": setting("seed", to=lambda seed: seed ^ 1),
        "another block hash": setting("block_hash", to="0x" + "1" * 64),
        "another block": setting("block", to=5),
        "a prompt named missing": setting("missing_prompts", to=["a"]),
    },
    "round/prompts.txt": {
        "a line exchanged": in_lines(lambda lines: lines.__setitem__(1, ELSEWHERE)),
        "a line gone": in_lines(lambda lines: drop(lines, 1)),
        "a line added": in_lines(lambda lines: lines.insert(1, ELSEWHERE)),
        "in another order": in_lines(_reorder),
    },
    "round/submissions.json": {
        "another repository": setting("first", "repo", to="some/body"),
        "another commit": setting("first", "commit", to="c" * 40),
        "another CDN": setting("first", "cdn_url", to="https://elsewhere.invalid"),
        "revealed earlier": setting("last", "revealed_at_block", to=lambda block: block - 1),
        "another round's name": setting("first", "round", to="mesh-7"),
        "one gone": in_json(drop),
        "one added": in_json(lambda all_: all_.update({STRANGER: dict(next(iter(all_.values())))})),
        "in another order": in_json(_reorder),
    },
    "round/builds.json": {
        "another status": setting("first", "status", to="timed_out"),
        "another image": setting("first", "docker_image", to="x/y:z"),
        "another tag": setting("first", "tag", to="0000000-x"),
        "another commit": setting("first", "commit", to="d" * 40),
        "one gone": in_json(drop),
    },
}

_OUTPUTS: dict[str, dict[str, Edit]] = {
    "round/miner/submitted.json": {
        "another file": in_json(_replace("glb", "https://elsewhere.invalid/better.glb")),
        "another preview": in_json(_replace("png", ELSEWHERE)),
        "a preview taken away": in_json(lambda all_: _png(all_).update(png=None)),
        "another size": in_json(lambda all_: _png(all_).update(size=7)),
        "another time": in_json(lambda all_: _png(all_).update(generation_time=5.0)),
        "another distance": in_json(lambda all_: _png(all_).update(distance=0.01)),
        "fewer attempts": in_json(lambda all_: _png(all_).update(attempts=0)),
        "one gone": in_json(drop),
        "one added": in_json(lambda all_: all_.update({"zzz": dict(_png(all_))})),
        "emptied": in_json(lambda _: {}),
    },
    "round/leader/generated.json": {
        "another preview": in_json(_replace("png", ELSEWHERE)),
        "slower": in_json(lambda all_: _png(all_).update(generation_time=500.0)),
        "faster": in_json(lambda all_: _png(all_).update(generation_time=0.5)),
        "a preview taken away": in_json(lambda all_: _png(all_).update(png=None)),
        "one gone": in_json(drop),
        "emptied": in_json(lambda _: {}),
    },
    "round/miner/generated.json": {
        "another preview": in_json(_replace("png", ELSEWHERE)),
        "nearer": in_json(lambda all_: _png(all_).update(distance=0.001)),
        "farther": in_json(lambda all_: _png(all_).update(distance=0.9)),
        "unmeasured": in_json(lambda all_: _png(all_).update(distance=None)),
        "slower": in_json(lambda all_: _png(all_).update(generation_time=500.0)),
        "faster": in_json(lambda all_: _png(all_).update(generation_time=0.5)),
        "one gone": in_json(drop),
        "emptied": in_json(lambda _: {}),
    },
    "round/miner/pod_stats.json": {
        "one added": in_json(lambda all_: all_.update({"pod": POD})),
    },
}

_DUELS: dict[str, dict[str, Edit]] = {
    "round/miner/duels_": {
        "an outcome flipped": in_json(lambda report: _duel(report).update(winner="right")),
        "an outcome flipped, with score and margin": in_json(_flip),
        "an outcome made a draw": in_json(lambda report: _duel(report).update(winner="draw")),
        "an outcome skipped": in_json(lambda report: _duel(report).update(winner="skipped")),
        "the judge's text": in_json(lambda report: _duel(report).update(issues="fine")),
        "an answer": in_json(
            _evidence(lambda each: each["answers"][0].update(text='{"penalty_1": 0}'))
        ),
        "an answer's key": in_json(_evidence(lambda each: each["answers"][0].update(key="a/b"))),
        "an answer gone": in_json(_evidence(lambda each: each["answers"].pop())),
        "a picture's digest": in_json(_evidence(lambda e: e.update(left=_other(e["left"])))),
        "the question's seed": in_json(_evidence(lambda e: e.update(seed=e["seed"] + 1))),
        "the model's name": in_json(_evidence(lambda e: e.update(model="other"))),
        "the evidence gone": in_json(_strip),
        "the evidence gone, an outcome flipped": in_json(_strip_and_flip),
        "a side's picture": in_json(lambda report: _duel(report).update(left_png=ELSEWHERE)),
        "a prompt's picture": in_json(lambda report: _duel(report).update(prompt=ELSEWHERE)),
        "another defender": setting("left", to=STRANGER),
        "the score": setting("score", to=lambda score: score + 1),
        "the margin": setting("margin", to=lambda margin: margin + 0.5),
        "a duel gone": in_json(lambda report: drop(report["duels"])),
        "a duel twice": in_json(lambda report: report["duels"].append(report["duels"][0])),
        "in another order": in_json(lambda r: r.update(duels=_reorder(r["duels"]))),
    },
    "round/matches_matrix.csv": {
        "a margin": in_lines(lambda rows: rows.__setitem__(1, rows[1] + "1")),
        "a verdict": in_lines(
            lambda rows: rows.__setitem__(1, rows[1].rpartition(",")[0] + ",0.9")
        ),
        "a row gone": in_lines(lambda rows: drop(rows, 1)),
        "the last row gone": in_lines(drop),
        "a row added": in_lines(lambda rows: rows.append(f"leader,{STRANGER},0.5")),
        "a row twice": in_lines(lambda rows: rows.append(rows[1])),
        "two rows exchanged": in_lines(lambda rows: [rows[0], *reversed(rows[1:])]),
        "all rows gone": in_lines(lambda rows: rows[:1]),
    },
}

_AUDITS: dict[str, dict[str, Edit]] = {
    "round/require_audit.json": {
        "other critical prompts": setting("first", "critical_prompts", to=["a"]),
        "one gone": in_json(drop),
        "one added": in_json(
            lambda all_: all_.append({"hotkey": STRANGER, "critical_prompts": []})
        ),
        "one twice": in_json(lambda all_: all_.append(all_[0])),
        "all gone": in_json(lambda _: []),
    },
    "round/generation_audits.json": {
        "passed": setting("first", "outcome", to="passed"),
        "rejected": setting("first", "outcome", to="rejected"),
        "pending": setting("first", "outcome", to="pending"),
        "another count": setting("first", "checked_prompts", to=lambda count: count + 1),
        "another count of failures": setting("first", "failed_prompts", to=lambda old: old + 1),
        "another count of critical ones": setting("first", "failed_critical", to=2),
        "another time": setting("first", "generation_time", to=12.5),
        "another reason": setting("first", "reason", to="something else"),
        "another hotkey": setting("first", "hotkey", to=STRANGER),
        "one gone": in_json(lambda all_: drop(all_, 0)),
        "one added": in_json(
            lambda all_: all_.update({STRANGER: next(iter(all_.values())) | {"hotkey": STRANGER}})
        ),
    },
    "round/source_audit.json": {
        "a verdict turned": setting("first", "verdict", to="failed"),
        "another reason": setting("first", "reason", to="read it"),
        "one gone": in_json(drop),
        "one added": in_json(
            lambda all_: all_.append({"hotkey": STRANGER, "verdict": "failed", "reason": ""})
        ),
    },
    "round/winner.json": {
        "another winner": setting("winner_hotkey", to=STRANGER),
        "the leader instead": setting("winner_hotkey", to="leader"),
        "another repository": setting("repo", to="some/body"),
        "another commit": setting("commit", to="e" * 40),
        "another image": setting("docker_image", to="x/y:z"),
    },
}

ANY: dict[str, Edit] = {
    "deleted": lambda _: None,
    "made a symbolic link": lambda _: Link(b"config.json"),
    "broken off": lambda raw: raw[: len(raw) // 2] + b'"',
    "with a byte order mark": lambda raw: b"\xef\xbb\xbf" + raw,
}
_TEXTS = ("prompts.txt", "round/prompts.txt")


def forgeries() -> Iterator[Forgery]:
    """All single changes, kind by kind."""
    for kinds in (_GLOBAL, _OPENING, _OUTPUTS, _DUELS, _AUDITS):
        for kind, edits in kinds.items():
            for change, edit in (edits | ANY).items():
                if kind not in _TEXTS or change not in {"broken off"}:
                    yield Forgery(kind, change, edit)
