"""Replay of competition 0: what each of its files is derived from."""

from collections.abc import Mapping
from json import dumps
from typing import Any

from gen404_assets.competition.builds import Builds
from gen404_assets.competition.editions.competition_0 import (
    COMPETITION_0,
    LIMITS,
    Config0,
    Duel0,
    Generation,
    Generations,
    Line0,
    Progress,
    Report0,
    Schedule0,
    Submissions0,
    forced,
    line_of,
    report_of,
)
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.leader import FULL_WEIGHT, Transition
from gen404_assets.competition.prompts import stem
from gen404_assets.competition.round import round_path
from gen404_assets.competition.seed import Seed
from gen404_assets.replay.compare import compare
from gen404_assets.replay.editions import closing, opening
from gen404_assets.replay.editions.files import EditionReplay
from gen404_assets.replay.editions.seen import Seen
from gen404_assets.replay.result import Difference, FileReplay, compared, underivable


def _schedule(seen: Seen, path: str) -> FileReplay:
    days = seen.config(Config0).round_duration_days
    return opening.replay_schedule(seen, path, Schedule0, days)


def _submissions(seen: Seen, path: str) -> FileReplay:
    name = seen.config(Config0).name
    return opening.replay_submissions(seen, path, Submissions0, Schedule0, name)


def _prompts(seen: Seen, path: str) -> FileReplay:
    seed = seen.file("seed.json", Seed)
    return opening.replay_prompts(
        seen, path, seen.config(Config0), seed.seed if seed else None, without_carried=False
    )


def _builds(seen: Seen, path: str) -> FileReplay:
    return opening.replay_builds(seen, path, seen.required("submissions.json", Submissions0))


def _line(seen: Seen) -> Line0:
    """The matches and the leader by the reports."""
    margins = {}
    order = seen.required("submissions.json", Submissions0).names
    for hotkey in order:
        report = seen.file(f"{hotkey}/duels.json", Report0)
        if report is not None:
            margins[hotkey] = report.margin
    return line_of(order, margins, seen.config(Config0).win_margin)


def _duels(seen: Seen, path: str) -> FileReplay:
    """A report: who is met, each duel from both sides' generations, and what follows from them.

    Outcomes that a judge decided are taken as recorded: the files keep no answers.
    """
    hotkey = path.split("/")[-2]
    recorded = seen.required(f"{hotkey}/duels.json", Report0)
    pairs = {miner: leader for leader, miner in _line(seen).matches}
    if hotkey not in pairs:
        order = seen.required("submissions.json", Submissions0).names
        if hotkey not in order:
            return compared("duels", path, [Difference("hotkey", hotkey, "no submission")])
        return underivable("duels", path, "a match before it has no report")
    prompts = seen.prompts()
    if prompts is None:
        raise MalformedFile(seen.path("prompts.txt"), 1, "the file is missing")
    pair = (pairs[hotkey], hotkey)
    version = seen.history.last(path)
    results = []
    for index in dict.fromkeys((version.index if version else None, None)):
        results.append(_compared(seen, recorded, pair, prompts, index))
        if not results[-1].differences:
            break
    return next((each for each in results if not each.differences), results[0])


def _compared(
    seen: Seen, recorded: Report0, pair: tuple[str, str], prompts: list[str], index: int | None
) -> FileReplay:
    """The report by the generations as they were at a commit (None: the head)."""
    path = seen.path(f"{pair[1]}/duels.json")
    sides = [
        seen.at(round_path(seen.number, f"{side}/generations.json"), Generations, index)
        for side in pair
    ]
    url_of = {stem(url): url for url in prompts}
    by_name = {duel.name: duel for duel in recorded.duels}
    duels, judged = [], 0
    for name in sorted(url_of):
        both = [side.get(name) if side is not None else None for side in sides]
        decided = forced(both[0], both[1], LIMITS[seen.chosen["overtime"]])
        judged += decided is None
        duels.append(_duel(name, url_of[name], both, by_name.get(name), decided))
    derived = report_of(pair, duels, seen.config(Config0).win_margin)
    derived |= recorded.model_extra or {}
    differences, layout = compare(seen.raw(path), dumps(derived, indent=2).encode())
    result = compared("duels", path, differences, layout)
    result.as_recorded = judged
    return result


def _duel(
    name: str,
    prompt: str,
    sides: list[Generation | None],
    recorded: Duel0 | None,
    decided: tuple[Any, str] | None,
) -> dict[str, Any]:
    leader, miner = sides
    entry: dict[str, Any] = {
        "name": name,
        "prompt": prompt,
        "leader_ply": leader.ply if leader else None,
        "leader_png": leader.png if leader else None,
        "miner_ply": miner.ply if miner else None,
        "miner_png": miner.png if miner else None,
    }
    if decided is None and recorded is not None:
        decided = (recorded.winner, recorded.issues)
    outcome, issues = decided or ("an outcome", "")
    extra = recorded.model_extra if recorded is not None else None
    return entry | {"winner": outcome, "issues": issues} | (extra or {})


def _progress(seen: Seen, path: str) -> FileReplay:
    """Who has played and who leads, by the reports."""
    recorded = seen.required("judge_progress.json", Progress)
    line = _line(seen)
    derived: dict[str, Any] = {
        "leader": line.leader,
        "completed_hotkeys": [
            miner for _, miner in line.matches if seen.has(f"{miner}/duels.json")
        ],
    }
    derived |= recorded.model_extra or {}
    differences, layout = compare(seen.raw(path), dumps(derived, indent=2).encode())
    return compared("judge_progress", path, differences, layout)


def _leader(seen: Seen, _: str) -> FileReplay | None:
    following = seen.file("schedule.json", Schedule0, seen.number + 1)
    own = seen.file("schedule.json", Schedule0)
    if seen.ended is None or following is None or own is None:
        return None
    config = seen.config(Config0)
    winner = _line(seen).leader
    entry: Transition | None = None
    if winner != LEADER:
        build = seen.required("builds.json", Builds)[winner]
        entry = Transition(
            hotkey=winner,
            repo=build.repo,
            commit=build.commit,
            docker=build.docker_image,
            weight=FULL_WEIGHT,
            effective_block=0,
        )
    return closing.replay_leader(
        seen,
        entry,
        (config.weight_decay, config.weight_floor),
        (own.latest_reveal_block, following.latest_reveal_block),
    )


def _owed(seen: Seen) -> Mapping[str, str]:
    """What a round that was played must have."""
    submissions = seen.file("submissions.json", Submissions0)
    if submissions is None:
        return {}
    names = ["schedule.json", "seed.json", "prompts.txt", "builds.json", "judge_progress.json"]
    reports = [f"{hotkey}/duels.json" for hotkey in submissions.names]
    return {seen.path(name): "a file" for name in [*names, *reports]}


REPLAY_0 = EditionReplay(
    COMPETITION_0,
    {
        "schedule": _schedule,
        "submissions": _submissions,
        "prompts": _prompts,
        "builds": _builds,
        "duels": _duels,
        "judge_progress": _progress,
        "leader": _leader,
        "state": lambda seen, _: closing.replay_state(seen),
    },
    _owed,
)
