"""Replay of competition 0: what each of its files is derived from."""

from collections.abc import Mapping
from functools import partial
from json import dumps
from typing import Any

from gen404_assets.competition.builds import Builds
from gen404_assets.competition.editions.competition_0 import (
    COMPETITION_0,
    LIMITS,
    Config0,
    Decision0,
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
from gen404_assets.replay.compare import compare
from gen404_assets.replay.editions import closing, opening
from gen404_assets.replay.editions.edition_round import EditionRound
from gen404_assets.replay.editions.files import EditionReplay
from gen404_assets.replay.result import Difference, FileReplay, compared, underivable


def _schedule(this_round: EditionRound, path: str) -> FileReplay:
    days = this_round.config(Config0).round_duration_days
    return opening.replay_schedule(this_round, path, Schedule0, days)


def _line(this_round: EditionRound) -> Line0:
    """The matches and the leader by the reports."""
    margins = {}
    order = this_round.required("submissions.json", Submissions0).names
    for hotkey in order:
        report = this_round.file(f"{hotkey}/duels.json", Report0)
        if report is not None:
            margins[hotkey] = report.margin
    return line_of(order, margins, this_round.config(Config0).win_margin)


def _duels(this_round: EditionRound, path: str) -> FileReplay:
    """A report: who is met, each duel from both sides' generations, and what follows from them.

    Outcomes that a judge decided are taken as recorded: the files keep no answers.
    """
    hotkey = path.split("/")[-2]
    recorded = this_round.required(f"{hotkey}/duels.json", Report0)
    pairs = {miner: leader for leader, miner in _line(this_round).matches}
    if hotkey not in pairs:
        order = this_round.required("submissions.json", Submissions0).names
        if hotkey not in order:
            return compared("duels", path, [Difference("hotkey", hotkey, "no submission")])
        return underivable("duels", path, "a match before it has no report")
    prompts = this_round.prompts()
    if prompts is None:
        raise MalformedFile(this_round.path("prompts.txt"), 1, "the file is missing")
    pair = (pairs[hotkey], hotkey)
    version = this_round.history.last(path)
    results = []
    for index in dict.fromkeys((version.index if version else None, None)):
        results.append(_compared(this_round, recorded, pair, prompts, index))
        if not results[-1].differences:
            break
    return next((each for each in results if not each.differences), results[0])


def _compared(
    this_round: EditionRound,
    recorded: Report0,
    pair: tuple[str, str],
    prompts: list[str],
    index: int | None,
) -> FileReplay:
    """The report by the generations as they were at a commit (None: the head)."""
    path = this_round.path(f"{pair[1]}/duels.json")
    sides = [
        this_round.at(round_path(this_round.number, f"{side}/generations.json"), Generations, index)
        for side in pair
    ]
    url_of = {stem(url): url for url in prompts}
    by_name = {duel.name: duel for duel in recorded.duels}
    duels, judged = [], 0
    for name in sorted(url_of):
        both = [side.get(name) if side is not None else None for side in sides]
        decided = forced(both[0], both[1], LIMITS[this_round.chosen["overtime"]])
        judged += decided is None
        duels.append(_duel(name, url_of[name], both, by_name.get(name), decided))
    derived = report_of(pair, duels, this_round.config(Config0).win_margin)
    derived |= recorded.model_extra or {}
    differences, layout = compare(this_round.raw(path), dumps(derived, indent=2).encode())
    result = compared("duels", path, differences, layout)
    result.as_recorded = judged
    return result


def _duel(
    name: str,
    prompt: str,
    sides: list[Generation | None],
    recorded: Duel0 | None,
    decided: Decision0 | None,
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
        decided = Decision0(recorded.winner, recorded.issues)
    outcome, issues = decided or ("an outcome", "")
    extra = recorded.model_extra if recorded is not None else None
    return entry | {"winner": outcome, "issues": issues} | (extra or {})


def _progress(this_round: EditionRound, path: str) -> FileReplay:
    """Who has played and who leads, by the reports."""
    recorded = this_round.required("judge_progress.json", Progress)
    line = _line(this_round)
    derived: dict[str, Any] = {
        "leader": line.leader,
        "completed_hotkeys": [
            miner for _, miner in line.matches if this_round.has(f"{miner}/duels.json")
        ],
    }
    derived |= recorded.model_extra or {}
    differences, layout = compare(this_round.raw(path), dumps(derived, indent=2).encode())
    return compared("judge_progress", path, differences, layout)


def _leader(this_round: EditionRound, _: str) -> FileReplay | None:
    following = this_round.file("schedule.json", Schedule0, this_round.number + 1)
    own = this_round.file("schedule.json", Schedule0)
    if this_round.ended is None or following is None or own is None:
        return None
    config = this_round.config(Config0)
    winner = _line(this_round).leader
    entry: Transition | None = None
    if winner != LEADER:
        build = this_round.required("builds.json", Builds)[winner]
        entry = Transition(
            hotkey=winner,
            repo=build.repo,
            commit=build.commit,
            docker=build.docker_image,
            weight=FULL_WEIGHT,
            effective_block=0,
        )
    return closing.replay_leader(
        this_round,
        closing.Ending(entry, own.latest_reveal_block, following.latest_reveal_block),
        decay=config.weight_decay,
        floor=config.weight_floor,
    )


def _owed(this_round: EditionRound) -> Mapping[str, str]:
    """What a round that was played must have."""
    submissions = this_round.file("submissions.json", Submissions0)
    if submissions is None:
        return {}
    names = ["schedule.json", "seed.json", "prompts.txt", "builds.json", "judge_progress.json"]
    reports = [f"{hotkey}/duels.json" for hotkey in submissions.names]
    return {this_round.path(name): "a file" for name in [*names, *reports]}


_NEEDED = {
    "generating": "submissions.json",
    "duels": "prompts.txt",
    "finalizing": "judge_progress.json",
}


def _state(this_round: EditionRound, _: str) -> FileReplay | None:
    return closing.replay_state(this_round, _NEEDED)


REPLAY_0 = EditionReplay(
    COMPETITION_0,
    Config0,
    {
        "schedule": _schedule,
        "submissions": partial(
            opening.replay_submissions, kind=Submissions0, schedule=Schedule0, config=Config0
        ),
        "prompts": partial(opening.replay_prompts, config=Config0, without_carried=False),
        "builds": partial(opening.replay_builds, kind=Submissions0),
        "duels": _duels,
        "judge_progress": _progress,
        "leader": _leader,
        "state": _state,
    },
    _owed,
)
