"""What would have been: a round with another rule, another order or without somebody, as a
difference from what was.

The changed files are laid over the round's own, and the rules decide by them. Duels and regenerated
files stay the evidence that they are: nobody is asked again, so a match that was never played is
named and not guessed.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gen404_assets.competition.audits import (
    NO_POD,
    AuditOutcome,
    GenerationAudit,
    GenerationAudits,
    judge_audit,
    verdicts,
)
from gen404_assets.competition.catalogue import REPLAYED, Asset
from gen404_assets.competition.config import Config
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.history import History
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.match_under_play import MatchUnderPlay, Sides
from gen404_assets.competition.matches import Match, Matrix, Pair
from gen404_assets.competition.round import CONFIG, Overlay, Round, round_path
from gen404_assets.competition.settings import Rules
from gen404_assets.competition.submissions import Submissions
from gen404_assets.competition.timeline import Verdicts
from gen404_assets.replay.plays import derive_report
from gen404_assets.replay.rounds import prefetch

MATRIX, AUDITS = Asset.MATCHES_MATRIX.entry.name, Asset.AUDITS.entry.name
SUBMISSIONS = Asset.SUBMISSIONS.entry.name


class NoSuchChange(InfrastructureFault):
    """A change that can't be made, such as one of a miner who did not take part."""


@dataclass(frozen=True, slots=True)
class Change:
    """What is to have been otherwise. `config`: keys of `config.json`; `rules`: fields of `Rules`;
    `without`: hotkeys that take no part; `order`: hotkeys that come first, in this order.
    """

    config: Mapping[str, Any] = field(default_factory=dict)
    rules: Mapping[str, Any] = field(default_factory=dict)
    without: Sequence[str] = ()
    order: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Course:
    """How a round went, or would have: hotkeys in order, None as winner where nobody can tell."""

    winner: str | None
    qualified: Sequence[str]
    line: Sequence[str]
    rejected: Sequence[str]
    audited: Mapping[str, Sequence[str]]
    margins: Mapping[Pair, float]


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Both courses of a round; `unplayed`: the matches that would have had to be played and were
    not; `unaudited`: who would have had to be audited and was not; `files`: path -> content of the
    round's files that would have been otherwise.
    """

    number: int
    was: Course
    would: Course
    unplayed: Sequence[Pair]
    unaudited: Sequence[str]
    files: Mapping[str, bytes]


def what_if(history: History, number: int, rules: Rules, change: Change) -> WhatIf:
    """A round as it would have been. Raises NoSuchChange, and MalformedFile for a file that can't
    be read.
    """
    prefetch(history, number, REPLAYED)
    current = history.round(number)
    changed_rules = _changed_rules(rules, change)
    written = _changed_inputs(current, change)
    other = Round(Overlay(current.files, written), number)
    if change.rules:
        path = round_path(number, MATRIX)
        written[path] = _matrix(other, changed_rules).to_bytes()
        other = Round(Overlay(current.files, written), number)
    audits = _audits(current, other, rules, changed_rules)
    if audits.root != other.audits.root:
        written[round_path(number, AUDITS)] = audits.to_bytes()
        other = Round(Overlay(current.files, written), number)
    would = _course(other, changed_rules)
    known = verdicts(other.audits, other.source_audits)
    unplayed = _unplayed(other, known)
    unaudited = [hotkey for hotkey in would.line if hotkey not in known.approved]
    files = {
        path: content for path, content in written.items() if content != current.files.read(path)
    }
    return WhatIf(number, _course(current, rules), would, unplayed, unaudited, files)


def _changed_rules(rules: Rules, change: Change) -> Rules:
    unknown = change.rules.keys() - Rules.model_fields.keys()
    if unknown:
        raise NoSuchChange(f"there is no rule {', '.join(sorted(unknown))}")
    return Rules.model_validate(rules.model_dump() | dict(change.rules))


def _changed_inputs(current: Round, change: Change) -> dict[str, bytes]:
    """Path -> content of the files that a person would have written otherwise."""
    written: dict[str, bytes] = {}
    if change.config:
        unknown = change.config.keys() - Config.model_fields.keys()
        if unknown:
            raise NoSuchChange(f"{CONFIG} has no key {', '.join(sorted(unknown))}")
        document = json.loads(current.config.to_bytes()) | dict(change.config)
        written[CONFIG] = Config.parse(json.dumps(document).encode(), CONFIG).to_bytes()
    if change.without or change.order:
        submissions = current.required_submissions
        for hotkey in [*change.without, *change.order]:
            if hotkey not in submissions:
                raise NoSuchChange(f"{hotkey} has no submission in round {current.number}")
        first = [hotkey for hotkey in change.order if hotkey not in change.without]
        rest = [name for name in submissions.names if name not in {*first, *change.without}]
        entries = {hotkey: submissions[hotkey] for hotkey in [*first, *rest]}
        written[round_path(current.number, SUBMISSIONS)] = Submissions(entries).to_bytes()
    return written


def _matrix(current: Round, rules: Rules) -> Matrix:
    """The matrix with the margins that the reports' duels give by other rules."""
    matches = []
    for match in current.matrix.matches:
        report = current.report(match.pair)
        if report is None:
            matches.append(match)
            continue
        play = MatchUnderPlay(match.pair, current, Sides.of_round(current, match.pair), rules)
        margin = derive_report(report, play, current).document["margin"]
        matches.append(Match(match.left, match.right, margin))
    return Matrix(tuple(matches))


def _audits(was: Round, other: Round, rules: Rules, changed: Rules) -> GenerationAudits:
    """The audits as the changed rules judge what was regenerated. A verdict that the change does
    not touch stays as it was recorded, whoever wrote it.
    """
    due = _audits_due(other)
    audits: dict[str, GenerationAudit] = {}
    for hotkey, recorded in was.audits.items():
        audits[hotkey] = recorded
        submitted, generated = was.submitted(hotkey), was.generated(hotkey)
        if submitted is None or generated is None or recorded.reason == NO_POD:
            continue
        if recorded.outcome is AuditOutcome.PENDING:
            continue
        request = was.requests.for_hotkey(hotkey)
        before = request.critical_prompts if request else []
        pair = due.get(hotkey)
        critical = other.critical_prompts(pair, changed) if pair else None
        after = before if critical is None else critical
        checked = submitted.without(was.missing)
        then = judge_audit(hotkey, checked, generated, before, rules)
        now = judge_audit(hotkey, checked, generated, after, changed)
        if now is not None and now != then:
            audits[hotkey] = now
    return GenerationAudits(audits)


def _audits_due(current: Round) -> dict[str, Pair]:
    """Whose audit is due at some time, with the match that first leads to it: before any verdict,
    and by those there are.
    """
    due: dict[str, Pair] = {}
    for known in (Verdicts(), verdicts(current.audits, current.source_audits)):
        for hotkey, pair in current.timeline.audits_due(current.matrix.margins, known):
            due.setdefault(hotkey, pair)
    return due


def _course(current: Round, rules: Rules) -> Course:
    """How a round goes by its files."""
    known = verdicts(current.audits, current.source_audits)
    timeline, margins = current.timeline, current.matrix.margins
    return Course(
        timeline.winner(margins, known),
        timeline.qualified(margins, Verdicts()),
        timeline.line(margins, known).defenders,
        [hotkey for hotkey in timeline.order if hotkey in known.rejected],
        {
            hotkey: current.critical_prompts(pair, rules) or []
            for hotkey, pair in _audits_due(current).items()
        },
        {
            pair: margin
            for pair, margin in margins.items()
            if set(pair) <= {*timeline.order, LEADER}
        },
    )


def _unplayed(current: Round, known: Verdicts) -> list[Pair]:
    """The matches without which the round can't be decided: those of the qualification, then the
    next of the line. What comes after that one depends on it.
    """
    timeline, margins = current.timeline, current.matrix.margins
    waiting = timeline.to_qualify(margins, known)
    if waiting:
        return waiting
    following = timeline.line(margins, known).next
    return [following] if following else []
