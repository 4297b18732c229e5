"""Which edition of the rules a competition is of, and its rounds derived again by them."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from gen404_assets.competition.catalogue import CATALOGUE, Asset
from gen404_assets.competition.config import Config
from gen404_assets.competition.editions.rules import EditionRules
from gen404_assets.competition.files import StateFile
from gen404_assets.competition.history import History
from gen404_assets.competition.round import CONFIG, LEADERS, round_path
from gen404_assets.competition.settings import VERSIONS, Rules
from gen404_assets.replay.editions.competition_0 import REPLAY_0
from gen404_assets.replay.editions.competition_2 import REPLAY_2
from gen404_assets.replay.editions.files import EditionReplay
from gen404_assets.replay.result import RoundReplay
from gen404_assets.replay.rounds import replay_round, rounds_of

_MARK_1 = re.compile(r"[^/]+/generated\.json")


class AtHead(Protocol):
    """The files at a repository's head, as far as they tell which edition it is of."""

    @property
    def round_numbers(self) -> Sequence[int]:
        """The rounds that have files."""

    def of_round(self, number: int) -> Sequence[str]:
        """A round's files."""

    def read(self, path: str) -> bytes | None:
        """A file's content, None where there is none."""


ReplayOne = Callable[[History, int, Rules, Mapping[str, str]], RoundReplay]


@dataclass(frozen=True, eq=False)
class Edition:
    """An edition of the rules. `shown`: asset -> its file in a listing; `versions`: rule -> the
    names of its versions; `rounds`: those that a history tells of; `rules`: its data, None for
    competition 1, whose rules are those that the platform operates. `config`: the format of its
    `config.json`; `derivations`: asset -> the function that derives one of its files again.
    """

    name: str
    title: str
    shown: Mapping[str, str]
    versions: Mapping[str, Sequence[str]]
    replay: ReplayOne
    rounds: Callable[[History], Sequence[int]]
    config: type[StateFile]
    rules: EditionRules | None = None
    derivations: Mapping[str, Callable[..., object]] = field(default_factory=dict)


def _competition_1() -> Edition:
    def replay(
        history: History, number: int, rules: Rules, chosen: Mapping[str, str]
    ) -> RoundReplay:
        return replay_round(history, number, rules, chosen=chosen)

    return Edition(
        "competition-1",
        "competition 1: the rules that the platform operates",
        {asset.value: CATALOGUE[asset].file for asset in Asset},
        {rule: [each.name for each in versions] for rule, versions in VERSIONS.items()},
        replay,
        rounds_of,
        Config,
    )


def _edition(replay: EditionReplay) -> Edition:
    rules = replay.rules

    def replay_one(
        history: History, number: int, _: Rules, chosen: Mapping[str, str]
    ) -> RoundReplay:
        return replay.replay(history, number, chosen)

    shown = {kind.asset: kind.shown for kind in rules.files}
    return Edition(
        rules.name,
        rules.title,
        shown,
        rules.versions,
        replay_one,
        replay.rounds,
        replay.config,
        rules,
        replay.derivations,
    )


COMPETITION_1 = _competition_1()
EDITIONS: Mapping[str, Edition] = {
    edition.name: edition for edition in (_edition(REPLAY_0), COMPETITION_1, _edition(REPLAY_2))
}


def edition_of(history: History) -> Edition:
    """The edition that the repository's content belongs to: that of the first round which tells it;
    with none, by the keys of `config.json` and `leader.json`; else competition 1's.

    A round tells it by the files that it had in its own time. What anybody adds to a round that is
    over, or to a later one, can't turn the rules by which all are read.
    """
    began = {
        number: min(history.versions(path)[0].index for path in history.paths_of_round(number))
        for number in history.rounds_ever
    }
    for number in sorted(began, key=lambda each: (began[each], each)):
        if (edition := _edition_by(_in_its_time(history, number))) is not None:
            return edition
    return _by_keys(history)


def edition_at_head(files: AtHead) -> Edition:
    """The edition by the files at the head alone, where the history has not been read: that of the
    first round which tells it, and else as `edition_of`.
    """
    for number in files.round_numbers:
        prefix = round_path(number, "")
        if edition := _edition_by([path.removeprefix(prefix) for path in files.of_round(number)]):
            return edition
    return _by_keys(files)


def _in_its_time(history: History, number: int) -> list[str]:
    """The names of the files that a round had before the next one was scheduled."""
    following = history.versions(round_path(number + 1, "schedule.json"))
    until = following[0].index if following else len(history.commits)
    return [
        path.removeprefix(round_path(number, ""))
        for path in history.paths_of_round(number)
        if history.versions(path)[0].index <= until
    ]


def _edition_by(names: Sequence[str]) -> Edition | None:
    """The edition that most of a round's files are of which no other edition writes; with none of
    these, competition 1's if it has that one's outputs.
    """
    marked = {
        edition: sum(rules.marks.fullmatch(name) is not None for name in names)
        for edition in EDITIONS.values()
        if (rules := edition.rules) is not None
    }
    best = max(marked, key=lambda edition: marked[edition])
    if marked[best]:
        return best
    return COMPETITION_1 if any(_MARK_1.fullmatch(name) for name in names) else None


def _by_keys(history: AtHead) -> Edition:
    """The edition of a competition whose rounds don't tell yet."""
    config, leaders = (_document(history, path) for path in (CONFIG, LEADERS))
    entries = leaders if isinstance(leaders, list) else []
    if any(isinstance(entry, dict) and "hardware" in entry for entry in entries):
        return EDITIONS[REPLAY_2.rules.name]
    if isinstance(config, dict) and config and "generation_stage_minutes" not in config:
        return EDITIONS[REPLAY_0.rules.name]
    return COMPETITION_1


def _document(history: AtHead, path: str) -> Any:
    """A JSON file's content, None where it can't be read."""
    try:
        return json.loads(history.read(path) or b"null")
    except ValueError:
        return None
