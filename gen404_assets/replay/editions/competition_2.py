"""Replay of competition 2: what each of its files is derived from. Its matrices and audits are
derived in `matches_2` and `audits_2`.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from gen404_assets.competition.builds import Builds
from gen404_assets.competition.editions.competition_2 import (
    Audits,
    Config2,
    GenerationReports,
    Winner2,
    winner_of,
)
from gen404_assets.competition.editions.files_2 import COMPETITION_2
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.leader import FULL_WEIGHT, Transition
from gen404_assets.competition.schedule import Schedule
from gen404_assets.competition.settings import BLOCK_SECONDS
from gen404_assets.competition.submissions import Submissions
from gen404_assets.replay.compare import text
from gen404_assets.replay.editions import audits_2, closing, matches_2, opening
from gen404_assets.replay.editions.edition_round import EditionRound
from gen404_assets.replay.editions.files import EditionReplay
from gen404_assets.replay.result import Difference, FileReplay, compared, underivable


def _schedule(this_round: EditionRound, path: str) -> FileReplay:
    config = this_round.config(Config2)
    stage = config.generation_stage_minutes * 60 // BLOCK_SECONDS

    def deadline(latest: int) -> dict[str, int]:
        return {"generation_deadline_block": latest + stage}

    return opening.replay_schedule(this_round, path, Schedule, config.round_duration_days, deadline)


def _winner(this_round: EditionRound, path: str) -> FileReplay:
    """The winner by matches and audits; code, image and hardware from its build or the leader's
    entry.
    """
    recorded = this_round.required("winner.json", Winner2)
    standings = audits_2.standings_of(this_round)
    hotkey = winner_of(standings)
    notes = audits_2.taken_from_verdicts(this_round)
    if hotkey is None:
        open_still = [name for name, each in standings.items() if audits_2.is_open(each)]
        if reason := audits_2.unfounded(this_round, open_still):
            return underivable("winner", path, reason, notes)
        decided = f"nobody yet: {', '.join(open_still)} wait"
        differences = [Difference("winner_hotkey", recorded.winner_hotkey, decided)]
        return compared("winner", path, differences, notes)
    code = winning_code(this_round, hotkey)
    if code is None:
        reason = f"neither leader.json nor builds.json says what {hotkey} won with"
        return underivable("winner", path, reason, notes)
    derived = {"winner_hotkey": hotkey} | code
    if "hardware" not in recorded.model_fields_set:  # earlier rounds don't name it
        derived.pop("hardware", None)
    differences = [
        Difference(key, text(getattr(recorded, key)), text(value))
        for key, value in derived.items()
        if getattr(recorded, key) != value
    ]
    return compared("winner", path, differences, notes)


def winning_code(this_round: EditionRound, hotkey: str) -> dict[str, Any] | None:
    """`repo`, `commit`, `docker_image` and, where it is recorded, `hardware` of a winner."""
    if hotkey == LEADER:
        schedule = this_round.required("schedule.json", Schedule)
        entry = this_round.leader_at(schedule.latest_reveal_block)
        image = entry.docker if entry is not None else None
    else:
        builds = this_round.file("builds.json", Builds)
        build = builds.get(hotkey) if builds is not None else None
        image = build.docker_image if build is not None else None
    source = entry if hotkey == LEADER else build
    if source is None:
        return None
    code: dict[str, Any] = {"repo": source.repo, "commit": source.commit, "docker_image": image}
    hardware = (source.model_extra or {}).get("hardware")
    return code if hardware is None else code | {"hardware": hardware}


def _leader(this_round: EditionRound, _: str) -> FileReplay | None:
    following = this_round.file("schedule.json", Schedule, this_round.number + 1)
    own = this_round.file("schedule.json", Schedule)
    winner = this_round.file("winner.json", Winner2)
    if this_round.ended is None or following is None or own is None or winner is None:
        return None
    config = this_round.config(Config2)
    entry: Transition | None = None
    if winner.winner_hotkey != LEADER:
        hardware = {} if winner.hardware is None else {"hardware": winner.hardware}
        entry = Transition(
            hotkey=winner.winner_hotkey,
            repo=winner.repo,
            commit=winner.commit,
            docker=winner.docker_image,
            weight=FULL_WEIGHT,
            effective_block=0,
            **hardware,
        )
    return closing.replay_leader(
        this_round,
        closing.Ending(entry, own.latest_reveal_block, following.latest_reveal_block),
        decay=config.weight_decay,
        floor=config.weight_floor,
        may_stay=True,
    )


def _owed(this_round: EditionRound) -> Mapping[str, str]:
    """What a round that was played must have. Audits' files come only with a win."""
    if this_round.file("submissions.json", Submissions) is None:
        return {}
    names = ["schedule.json", "seed.json", "prompts.txt", "builds.json", "winner.json"]
    owed = {this_round.path(name): "a file" for name in [*names, "matches_matrix.csv"]}
    if this_round.file("generation_reports.json", GenerationReports) or this_round.file(
        "generation_audits.json", Audits
    ):
        owed[this_round.path("require_audit.json")] = "a file: there were audits"
    return owed


_NEEDED = {
    "miner_generation": "prompts.txt",
    "downloading": "submissions.json",
    "duels": "submissions.json",
    "finalizing": "winner.json",
}


def _state(this_round: EditionRound, _: str) -> FileReplay | None:
    return closing.replay_state(this_round, _NEEDED)


REPLAY_2 = EditionReplay(
    COMPETITION_2,
    Config2,
    {
        "schedule": _schedule,
        "submissions": partial(
            opening.replay_submissions, kind=Submissions, schedule=Schedule, config=Config2
        ),
        "prompts": partial(opening.replay_prompts, config=Config2, without_carried=True),
        "builds": partial(opening.replay_builds, kind=Submissions),
        "duels": matches_2.replay_duels,
        "matches_matrix": matches_2.replay_matches,
        "audit_requests": audits_2.replay_requests,
        "generation_reports": audits_2.replay_reports,
        "audit_duels": matches_2.replay_duels,
        "audit_matrix": audits_2.replay_matrix,
        "audits": audits_2.replay_audits,
        "winner": _winner,
        "leader": _leader,
        "state": _state,
    },
    _owed,
)
