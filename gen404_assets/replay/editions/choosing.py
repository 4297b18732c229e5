"""Which edition of the rules a competition is of, and its rounds derived again by them."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gen404_assets.competition.catalogue import CATALOGUE, Asset
from gen404_assets.competition.editions.rules import EditionRules
from gen404_assets.competition.history import History
from gen404_assets.competition.round import CONFIG, LEADERS, round_path
from gen404_assets.competition.settings import VERSIONS, Rules
from gen404_assets.replay.editions.competition_0 import REPLAY_0
from gen404_assets.replay.editions.competition_2 import REPLAY_2
from gen404_assets.replay.editions.files import EditionReplay
from gen404_assets.replay.result import RoundReplay
from gen404_assets.replay.rounds import replay_round

ReplayOne = Callable[[History, int, Rules, Mapping[str, str]], RoundReplay]


@dataclass(frozen=True, eq=False)
class Edition:
    """An edition of the rules. `shown`: asset -> its file in a listing; `versions`: rule -> the
    names of its versions; `rules`: its data, None for competition 1, whose rules are those that the
    platform operates.
    """

    name: str
    title: str
    shown: Mapping[str, str]
    versions: Mapping[str, Sequence[str]]
    replay: ReplayOne
    rules: EditionRules | None = None


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
    )


def _edition(replay: EditionReplay) -> Edition:
    rules = replay.rules

    def replay_one(
        history: History, number: int, _: Rules, chosen: Mapping[str, str]
    ) -> RoundReplay:
        return replay.replay(history, number, chosen)

    shown = {kind.asset: kind.shown for kind in rules.files}
    return Edition(rules.name, rules.title, shown, rules.versions, replay_one, rules)


COMPETITION_1 = _competition_1()
EDITIONS: Mapping[str, Edition] = {
    edition.name: edition for edition in (_edition(REPLAY_0), COMPETITION_1, _edition(REPLAY_2))
}


def edition_of(history: History) -> Edition:
    """The edition that the repository's content belongs to: that with most files that no other
    writes; with none, by the keys of `config.json` and `leader.json`; else competition 1's.
    """
    names = [
        path.removeprefix(round_path(number, ""))
        for number in history.round_numbers
        for path in history.of_round(number)
    ]
    marked = {
        edition: sum(rules.marks.fullmatch(name) is not None for name in names)
        for edition in EDITIONS.values()
        if (rules := edition.rules) is not None
    }
    best = max(marked, key=lambda edition: marked[edition])
    if marked[best]:
        return best
    return _by_keys(history)


def _by_keys(history: History) -> Edition:
    """The edition of a competition whose rounds don't tell yet."""
    config, leaders = (_document(history, path) for path in (CONFIG, LEADERS))
    entries = leaders if isinstance(leaders, list) else []
    if any(isinstance(entry, dict) and "hardware" in entry for entry in entries):
        return EDITIONS[REPLAY_2.rules.name]
    if isinstance(config, dict) and config and "generation_stage_minutes" not in config:
        return EDITIONS[REPLAY_0.rules.name]
    return COMPETITION_1


def _document(history: History, path: str) -> Any:
    """A JSON file's content, None where it can't be read."""
    try:
        return json.loads(history.read(path) or b"null")
    except ValueError:
        return None
