"""Made-up competitions of earlier and later editions: a round and the opening of the next, in the
files and messages of each edition. What is right in them is reckoned here, apart from the rules'
code; their shapes were taken from the public rounds of competitions 0 and 2.
"""

import json
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from simulators.history_repository import fast_import
from simulators.hotkeys import to_hotkey

PLATFORM = "platform <platform@404-gen.invalid>"
FIRST_BLOCK = 1_000_000
PROMPTS, CARRIED = 8, 4
REGISTRY = "registry.invalid/made-up"


class _Writer:
    """Commits files, a minute apart, into the stream of `git fast-import`."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._time = int(datetime(2026, 5, 1, tzinfo=UTC).timestamp())

    def commit(self, message: str, files: Mapping[str, Any]) -> None:
        """Contents are JSON, or bytes as they are."""
        self._time += 60
        text = message.encode()
        head = f"commit refs/heads/main\ncommitter {PLATFORM} {self._time} +0000\n"
        self._stream.write(head.encode() + b"data %d\n%s\n" % (len(text), text))
        for path, content in files.items():
            data = content if isinstance(content, bytes) else _json(content)
            self._stream.write(
                b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data)
            )


def _json(content: Any) -> bytes:
    return json.dumps(content, indent=2).encode()


def hotkeys(count: int) -> list[str]:
    """Hotkeys of made-up miners, the first to reveal first."""
    return [to_hotkey(bytes([number + 1]) * 32) for number in range(count)]


def _prompts(seed: int, pool: Sequence[str], previous: Sequence[str], *, fresh: bool) -> list[str]:
    """A round's prompts; `fresh`: new ones are not among those carried over."""
    rng = random.Random(seed)
    carried = rng.sample(list(previous), CARRIED) if previous else []
    left = [url for url in pool if not fresh or url not in carried]
    return carried + rng.sample(left, PROMPTS - len(carried))


def _pool() -> list[str]:
    return [f"https://prompts.invalid/{number:04}.png" for number in range(200)]


def _stem(url: str) -> str:
    return url.rsplit("/", 1)[1].removesuffix(".png")


def _submission(hotkey: str, number: int, name: str, block: int) -> dict[str, Any]:
    return {
        "repo": f"miner/{hotkey[:6]}",
        "commit": f"{number:02}" + hotkey.encode().hex()[:38],
        "revealed_at_block": block,
        "round": f"{name}-{number}",
    }


def _build(hotkey: str, entry: Mapping[str, Any], *, built: bool = True) -> dict[str, Any]:
    tag = f"{entry['commit'][:7]}-{entry['round']}"
    image = f"{REGISTRY}/{hotkey[:10].lower()}:{tag}" if built else None
    kept = {key: value for key, value in entry.items() if key not in {"round", "cdn_url"}}
    status = "success" if built else "failure"
    return kept | {"tag": tag, "status": status, "docker_image": image}


def _base(**more: Any) -> dict[str, Any]:
    """The leader before the competition."""
    entry = {"hotkey": to_hotkey(bytes([200]) * 32), "repo": "base/miner", "commit": "ab" * 20}
    image = {"docker": f"{REGISTRY}/base:1"}
    return entry | image | more | {"weight": 1.0, "effective_block": 0}


def make_competition_0(path: Path) -> Path:
    """A competition of three miners and two rounds: in the first the second miner wins, the third
    has no image; in the second it defends.
    """
    with fast_import(path) as stream:
        _Competition0(_Writer(stream)).commit_all()
    return path


class _Competition0:
    def __init__(self, writer: _Writer) -> None:
        self._writer, self._pool = writer, _pool()
        self._miners = hotkeys(3)
        self._previous: list[str] = []

    def commit_all(self) -> None:
        config = {
            "name": "early",
            "first_evaluation_date": "2026-05-01",
            "last_competition_date": "2026-12-01",
            "round_start_time": "12:00:00",
            "finalization_buffer_hours": 1,
            "win_margin": 0.25,
            "weight_decay": 0.2,
            "weight_floor": 0.2,
            "prompts_per_round": PROMPTS,
            "carryover_prompts": CARRIED,
        }
        files = {"config.json": config, "prompts.txt": "\n".join(self._pool).encode()}
        before = {"current_round": -1, "stage": "finalizing"}
        files |= {"leader.json": [_base()], "state.json": before}
        self._writer.commit("Preparing", files)
        schedule = {"earliest_reveal_block": 0, "latest_reveal_block": FIRST_BLOCK}
        self._writer.commit(
            "Update state (collecting), schedule for round 0",
            {"rounds/0/schedule.json": schedule, **_state(0, "collecting")},
        )
        winners = [self._round(0, winning=1), self._round(1, winning=None)]
        assert winners == [self._miners[1], "leader"]

    def _round(self, number: int, winning: int | None) -> str:
        """Play a round that the miner of this number wins; None: the leader defends."""
        first = FIRST_BLOCK + 7200 * number - 100
        submissions = {
            hotkey: _submission(hotkey, number, "early", first + at)
            for at, hotkey in enumerate(self._miners)
        }
        folder = f"rounds/{number}"
        self._commit_stage(number, "generating", {f"{folder}/submissions.json": submissions})
        prompts = _prompts(7 + number, self._pool, self._previous, fresh=False)
        self._previous = prompts
        builds = {
            hotkey: _build(hotkey, entry, built=hotkey != self._miners[2])
            for hotkey, entry in submissions.items()
        }
        made = {
            hotkey: {_stem(url): _made(hotkey, url, number) for url in prompts}
            for hotkey in ["leader", *self._miners[:2]]
        }
        self._writer.commit(
            f"Generate seed and pick prompts for round {number}",
            {
                f"{folder}/seed.json": {"seed": 7 + number},
                f"{folder}/prompts.txt": "\n".join(prompts).encode(),
            },
        )
        for count in (1, 2, None):  # pods publish what there is, and then all
            outputs = {
                f"{folder}/{hotkey}/generations.json": dict([*of_one.items()][:count])
                for hotkey, of_one in made.items()
            }
            if count is not None:
                self._writer.commit(f"Update generations for round {number}", outputs)
        self._commit_stage(number, "duels", {f"{folder}/builds.json": builds, **outputs})
        leader, files = "leader", {}
        for at, hotkey in enumerate(self._miners):
            report = _report_0((leader, hotkey), prompts, made, wins=3 if at == winning else 1)
            files[f"{folder}/{hotkey}/duels.json"] = report
            leader = hotkey if report["margin"] >= 0.25 else leader
        files[f"{folder}/judge_progress.json"] = {
            "leader": leader,
            "completed_hotkeys": self._miners,
        }
        self._commit_stage(number, "finalizing", files)
        self._finish(number)
        return leader

    def _commit_stage(self, number: int, stage: str, files: Mapping[str, Any]) -> None:
        self._writer.commit(
            f"Update state ({stage}) for round {number}", {**files, **_state(number, stage)}
        )

    def _finish(self, number: int) -> None:
        """The next start, three blocks short of whole days after the first, and the second miner's
        lead: new after the first round, decayed after the second.
        """
        starts = [FIRST_BLOCK, FIRST_BLOCK + 7197, FIRST_BLOCK + 14_397]
        before, latest = starts[number : number + 2]
        build = _build(self._miners[1], _submission(self._miners[1], 0, "early", 0))
        entries = [
            _entry_of(self._miners[1], block, weight, build)
            for block, weight in zip(starts[1:], (1.0, 0.8), strict=True)
        ]
        self._writer.commit(
            f"Update state (collecting), schedule, leader for round {number + 1}",
            {
                f"rounds/{number + 1}/schedule.json": {
                    "earliest_reveal_block": before + 1,
                    "latest_reveal_block": latest,
                },
                "leader.json": [_base(), *entries[: number + 1]],
                **_state(number + 1, "collecting"),
            },
        )


def _state(number: int, stage: str) -> dict[str, Any]:
    return {"state.json": {"current_round": number, "stage": stage}}


def _entry_of(hotkey: str, block: int, weight: float, build: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "hotkey": hotkey,
        "repo": build["repo"],
        "commit": build["commit"],
        "docker": build["docker_image"],
        "weight": weight,
        "effective_block": block,
    }


def _made(hotkey: str, url: str, number: int) -> dict[str, Any]:
    name = f"https://cdn.invalid/rounds/{number}/{hotkey}/{_stem(url)}"
    return {"ply": f"{name}.ply", "png": f"{name}.png", "generation_time": 9.5, "size": 12}


def _report_0(
    pair: tuple[str, str], prompts: Sequence[str], made: Mapping[str, Any], wins: int
) -> dict[str, Any]:
    """The miner wins as many duels, the others are draws; all are lost where it has nothing."""
    nothing = {"ply": None, "png": None}
    duels = []
    for at, url in enumerate(sorted(prompts, key=_stem)):
        leader, miner = (made.get(side, {}).get(_stem(url), nothing) for side in pair)
        outcome = "leader" if not miner["png"] else "miner" if at < wins else "draw"
        duels.append(
            {
                "name": _stem(url),
                "prompt": url,
                "leader_ply": leader["ply"],
                "leader_png": leader["png"],
                "miner_ply": miner["ply"],
                "miner_png": miner["png"],
                "winner": outcome,
                "issues": "a word" if miner["png"] else "Preview is missing",
            }
        )
    score = wins if made.get(pair[1]) else -len(prompts)
    margin = score / len(prompts)
    outcome = "challenger_wins" if margin >= 0.25 else "leader_defends"
    sides = {"leader": pair[0], "hotkey": pair[1]}
    return {**sides, "score": score, "margin": margin, "outcome": outcome, "duels": duels}


def make_competition_2(path: Path) -> Path:
    """A competition of four miners and a round: the first doesn't qualify, the second is too slow,
    the third loses to what it submitted, the fourth is audited and wins.
    """
    with fast_import(path) as stream:
        _commit_competition_2(_Writer(stream))
    return path


def _commit_competition_2(writer: _Writer) -> None:
    pool = _pool()
    config = {
        "name": "late",
        "first_evaluation_date": "2026-05-01",
        "last_competition_date": "2027-05-01",
        "round_start_time": "08:00:00",
        "generation_stage_minutes": 240,
        "win_margin": 0.25,
        "weight_decay": 0.2,
        "weight_floor": 0.2,
        "prompts_per_round": PROMPTS,
        "carryover_prompts": CARRIED,
        "round_duration_days": 3,
    }
    leaders = [_base(hardware=["4xH200"])]
    files = {"config.json": config, "prompts.txt": "\n".join(pool).encode()}
    writer.commit("Preparing", {**files, "leader.json": leaders})
    stage = {"generation_deadline_block": FIRST_BLOCK + 1200}
    schedule = {"earliest_reveal_block": 0, "latest_reveal_block": FIRST_BLOCK} | stage
    writer.commit("Preparing the start", {"rounds/0/schedule.json": schedule, **_state(0, "open")})
    miners = hotkeys(4)
    more = {"hardware": ["4xH200"], "cdn_url": "https://cdn.invalid"}
    submissions = {
        hotkey: _submission(hotkey, 0, "late", FIRST_BLOCK - 9 + at) | more
        for at, hotkey in enumerate(miners)
    }
    prompts = _prompts(3, pool, [], fresh=True)
    writer.commit(
        "Seed, prompts and submissions for round 0",
        {
            "rounds/0/submissions.json": submissions,
            "rounds/0/seed.json": {"seed": 3},
            "rounds/0/prompts.txt": "\n".join(prompts).encode(),
            **_state(0, "miner_generation"),
        },
    )
    builds = {hotkey: _build(hotkey, entry) for hotkey, entry in submissions.items()}
    writer.commit("Update build statuses for round 0", {"rounds/0/builds.json": builds})
    writer.commit("Round 0: downloading", _state(0, "downloading"))
    writer.commit("Round 0: duels", _state(0, "duels"))
    _play_competition_2(writer, miners, prompts)
    build = builds[miners[3]]
    code = {"repo": build["repo"], "commit": build["commit"]}
    won = {"winner_hotkey": miners[3], **code, "docker_image": build["docker_image"]}
    writer.commit(
        f"Round 0 winner: {miners[3][:10]}",
        {"rounds/0/winner.json": {**won, "hardware": ["4xH200"]}, **_state(0, "finalizing")},
    )
    latest = FIRST_BLOCK + 21_590
    entry = {"hotkey": miners[3], **code, "docker": build["docker_image"], "hardware": ["4xH200"]}
    following = {"earliest_reveal_block": FIRST_BLOCK + 1, "latest_reveal_block": latest}
    writer.commit(
        "Update state (open), schedule, leader for round 1",
        {
            "rounds/1/schedule.json": {**following, "generation_deadline_block": latest + 1200},
            "leader.json": [*leaders, {**entry, "weight": 1.0, "effective_block": latest}],
            **_state(1, "open"),
        },
    )


def _play_competition_2(writer: _Writer, miners: Sequence[str], prompts: Sequence[str]) -> None:
    """Matches, audits and verdicts, each match with its report."""
    _, slow, weak, best = miners
    scores = {("leader", hotkey): score for hotkey, score in zip(miners, (1, 4, 3, 2), strict=True)}
    scores[slow, weak] = 1
    audits = {("submitted_1", weak): -3}
    for repeat in (1, 2, 3):
        audits[f"submitted_{repeat}", best] = repeat - 3
        audits[f"leader_{repeat}", best] = 2
    files: dict[str, Any] = {}
    for (left, right), score in scores.items():
        files[f"rounds/0/{right}/duels_{left[:10]}.json"] = _report_2(left, right, score, prompts)
    for (left, right), score in audits.items():
        side, _, number = left.rpartition("_")
        report = _report_2(side, right, score, prompts)
        files[f"rounds/0/{right}/audit_{side}_{number}.json"] = report
    files["rounds/0/matches_matrix.csv"] = _matrix(scores)
    files["rounds/0/audit_matrix.csv"] = _matrix(audits)
    late = "Repeat 1: time (7300.3s) exceeds limit (7200.0s)"
    files["rounds/0/generation_reports.json"] = {
        slow: _generated(slow, "rejected", [7300.34], late),
        weak: _generated(weak, "pending", [5000.0], ""),
        best: _generated(best, "completed", [5000.0, 5001.0, 5002.5], ""),
    }
    files["rounds/0/require_audit.json"] = [
        {"hotkey": slow, "latest_defender": "leader"},
        {"hotkey": weak, "latest_defender": "leader"},
        {"hotkey": best, "latest_defender": "leader"},
    ]
    writer.commit("Update matches and audits for round 0", files)
    passed = {"hotkey": best, "verdict": "passed", "reason": "no issues"}
    writer.commit("Source audit", {"rounds/0/source_audit.json": [passed]})
    verdicts = {
        slow: _verdict(slow, "failed", f"generation report: {late}"),
        weak: _verdict(weak, "failed", "submitted vs generated #1: -37.50%"),
        best: _verdict(best, "passed", ""),
    }
    writer.commit(
        "Update generation audits for round 0", {"rounds/0/generation_audits.json": verdicts}
    )


def _verdict(hotkey: str, verdict: str, reason: str) -> dict[str, Any]:
    return {"hotkey": hotkey, "verdict": verdict, "reason": reason}


def _generated(hotkey: str, outcome: str, seconds: Sequence[float], reason: str) -> dict[str, Any]:
    repeats = [
        {"repeat_index": at, "generated_prompts": 8, "failed_prompts": 0, "generation_time": each}
        for at, each in enumerate(seconds, start=1)
    ]
    return {"hotkey": hotkey, "outcome": outcome, "repeats": repeats, "reason": reason}


def _matrix(scores: Mapping[tuple[str, str], int]) -> bytes:
    rows = [f"{left},{right},{score / PROMPTS!r}" for (left, right), score in scores.items()]
    return "\n".join(["left,right,margin", *rows]).encode()


def _report_2(left: str, right: str, score: int, prompts: Sequence[str]) -> dict[str, Any]:
    winner = "right" if score > 0 else "left"
    duels = [
        {"name": name, "winner": winner if at < abs(score) else "draw", "issues": "a word"}
        for at, name in enumerate(sorted(map(_stem, prompts)))
    ]
    sides = {"left": left, "right": right}
    return {**sides, "score": score, "margin": score / PROMPTS, "duels": duels}
