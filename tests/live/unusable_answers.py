"""A match in which the judge gives no usable answer to some questions, and what a replay finds of
it."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from gen404_assets.competition.catalogue import Asset
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.judgement import Question
from gen404_assets.competition.prompts import stem
from gen404_assets.competition.round import report_path
from gen404_assets.competition.settings import Rules
from gen404_assets.live.judging import judge_matches
from gen404_assets.replay.result import FileReplay
from gen404_assets.replay.rounds import replay_round
from simulators.examples import MINERS
from simulators.outside import SimulatedOutside
from simulators.rounds import dueling, now, work

FINE, POOR = MINERS[:2]
PATH = report_path(0, (LEADER, FINE))


def loops_at(
    prompt: str, *, attempts: int = 5, swapped: bool | None = None
) -> Callable[[Question], bool]:
    """The judge loops at the first attempts on a prompt of FINE's, in both orders or in one."""

    def unusable(question: Question) -> bool:
        order = f"/{FINE}/" in question.first
        of_match = f"/{FINE}/" in question.first + question.second
        return (
            stem(question.prompt) == prompt
            and of_match
            and question.attempt < attempts
            and swapped in {None, order}
        )

    return unusable


def dueled(unusable: Callable[[Question], bool], **config: object) -> SimulatedOutside:
    """The match of FINE, who wins every duel that is judged, has been played."""
    outside = dueling([FINE], **config)
    outside.judging.penalty = lambda url: 7 if f"/{LEADER}/" in url else 2
    outside.judging.unusable = unusable
    judge_matches(work(outside))
    return outside


def prompts(outside: SimulatedOutside) -> list[str]:
    return sorted(now(outside).stems)


def duel_on(outside: SimulatedOutside, prompt: str) -> dict[str, Any]:
    report = json.loads(outside.repository.head.files[PATH])
    return next(duel for duel in report["duels"] if duel["name"] == prompt)


def replayed(outside: SimulatedOutside) -> FileReplay:
    replay = replay_round(outside.repository.history(), 0, Rules(), assets=[Asset.DUELS])
    return next(file for file in replay.files if file.path == PATH)


PROMPT = prompts(dueling([FINE]))[1]
SEED = (now(dueling([FINE])).seed or pytest.fail()).seed
