"""What people are told of, each thing once, across restarts of the platform."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from gen404_assets.competition.duels import without_usable_answer
from gen404_assets.competition.matches import Pair
from gen404_assets.competition.news import News, news_of, unjudgeable
from gen404_assets.competition.round import Round
from gen404_assets.live.work import RoundFiles, see
from resources.alerts import Sender
from resources.notes import Notes, parsed_note
from resources.repository import Repository

RECORD = "alerts.json"
"""The note of what was told, and when."""
_REMEMBERED = 5000
"""Alerts that the note holds, the newest; it would grow with every round otherwise."""


@dataclass
class Alerts:
    """Tells `sender` what is new, and keeps in `notes` what was told.

    What there is when a platform looks for the first time is no news, but for what lasts. An alert
    is recorded before it is sent: after a crash in between nobody hears of it, and nobody twice.
    """

    sender: Sender
    notes: Notes
    again_hours: float = 6.0
    _sent: dict[str, str] | None = None
    _out_of_order: dict[str, str] = field(default_factory=dict)
    _restarts: dict[str, int] = field(default_factory=dict)

    def tell(self, news: Iterable[News], now: datetime) -> None:
        """Tell what was not told, and again what has lasted for hours since."""
        sent = self._known()
        first = sent is None
        sent = sent or {}
        fresh = [each for each in news if self._is_due(each, sent, now)]
        if fresh or first:
            ended = {each.ends for each in fresh}
            kept = {key: when for key, when in sent.items() if key not in ended}
            at = now.isoformat(timespec="seconds")
            self._keep(kept | {each.key: at for each in fresh if not each.ends})
        for each in fresh:
            if each.lasts or not first:
                self.sender.send(each.text)

    def tell_waits(self, waits: Mapping[str, str]) -> None:
        """Name -> what it waits for. Tell what is out of order since the last call, and what is
        back.
        """
        for name, wait in waits.items():
            if name not in self._out_of_order:
                self.sender.send(f"out of order: {name}: {wait}")
        for name in self._out_of_order.keys() - waits.keys():
            self.sender.send(f"back in order: {name}")
        self._out_of_order = dict(waits)

    def tell_restarts(self, restarts: Mapping[str, tuple[int, str]]) -> None:
        """Part of the platform -> how often it was restarted, and why the last time."""
        for name, (count, reason) in restarts.items():
            if count > self._restarts.get(name, 0):
                self.sender.send(f"the platform has started its {name} again: it {reason}")
            self._restarts[name] = count

    def _is_due(self, news: News, sent: Mapping[str, str], now: datetime) -> bool:
        if news.ends:
            return news.ends in sent
        if news.key not in sent:
            return True
        if not news.lasts:
            return False
        hours = (now - datetime.fromisoformat(sent[news.key])).total_seconds() / 3600
        return not 0 <= hours < self.again_hours  # below 0: the clock was set back since

    def _known(self) -> dict[str, str] | None:
        if self._sent is None:
            self._sent = parsed_note(self.notes, RECORD, _parsed)
        return self._sent

    def _keep(self, sent: dict[str, str]) -> None:
        sent = dict([*sent.items()][-_REMEMBERED:])
        self.notes.write(RECORD, json.dumps(sent).encode())
        self._sent = sent


@dataclass
class Reporter:
    """What has happened in a repository, as its mirror knows it; each head is read once."""

    repository: Repository
    _head: str = ""
    _news: list[News] = field(default_factory=list)
    _judged: dict[tuple[int, Pair], News | None] = field(default_factory=dict)

    def news(self) -> list[News]:
        """Of the round under way and the one before. Raises InfrastructureFault, MalformedFile."""
        snapshot = self.repository.snapshot()
        if snapshot.commit.sha != self._head:
            current = see(snapshot)
            rounds = [current]
            if current.number:
                rounds.insert(
                    0, Round(RoundFiles(snapshot, current.number - 1), current.number - 1)
                )
            news = [each for known in rounds for each in (*news_of(known), *self._matches(known))]
            self._news = list({each.key: each for each in news}.values())
            self._head = snapshot.commit.sha
        return self._news

    def _matches(self, current: Round) -> list[News]:
        """Of the matches that have been judged; each report is read once."""
        known = [(current.number, pair) for pair in current.matrix.margins]
        for each in known:
            if each not in self._judged:
                self._judged[each] = _unjudgeable(current, each[1])
        return [news for each in known if (news := self._judged[each]) is not None]


def _unjudgeable(current: Round, pair: Pair) -> News | None:
    report = current.report(pair)
    count = without_usable_answer(report.duels) if report is not None else 0
    return unjudgeable(current.number, *pair, count) if count else None


def _parsed(content: bytes) -> dict[str, str]:
    sent = json.loads(content)
    if not isinstance(sent, dict):
        raise TypeError("it is no object")
    known = {str(key): str(when) for key, when in sent.items()}
    for when in known.values():
        if datetime.fromisoformat(when).tzinfo is None:
            raise ValueError("a time without a zone")
    return known
