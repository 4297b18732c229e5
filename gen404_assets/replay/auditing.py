"""Replay of the audits: the requests with their critical prompts, and the verdicts."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

from gen404_assets.competition.audits import (
    NO_IMAGE,
    NO_POD,
    AuditOutcome,
    AuditRequest,
    AuditRequests,
    GenerationAudit,
    GenerationAudits,
    judge_audit,
    reject_unmeasured,
)
from gen404_assets.competition.catalogue import Asset
from gen404_assets.competition.commits import by_person
from gen404_assets.competition.config import Config
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.history import History
from gen404_assets.competition.hotkeys import short
from gen404_assets.competition.matches import Pair
from gen404_assets.competition.round import CONFIG, Round
from gen404_assets.competition.settings import Rules
from gen404_assets.competition.versions import Version
from gen404_assets.replay.compare import LAYOUT, compare, keeping, text
from gen404_assets.replay.judging import arrivals, matrices, rows_played
from gen404_assets.replay.result import Difference, FileReplay, compared

_TRIES = 4
"""How many commits, from a verdict's back, are searched for the outputs that it rests on."""


def replay_requests(history: History, number: int, rules: Rules) -> FileReplay | None:
    """The audit requests, from the matches in the order played and the verdicts known then."""
    path = Asset.AUDIT_REQUESTS.path(number)
    raw = history.read(path)
    called = _called(history, number)
    owed = _owed(history, number) if history.is_past(number) else set()
    if raw is None:
        missing = [
            Difference(hotkey, "no file", "a request") for hotkey in called if hotkey in owed
        ]
        return compared(Asset.AUDIT_REQUESTS, path, missing) if missing else None
    requests = history.round(number).requests
    asked = [request.hotkey for request in requests.root]
    differences = [
        difference
        for request in requests.root
        if (difference := _differs(history, number, request, called.get(request.hotkey, []), rules))
    ]
    differences += [
        Difference(hotkey, "nothing", "a request")
        for hotkey in called
        if hotkey in owed and hotkey not in asked
    ]
    differences += [
        Difference(hotkey, "more than one request", "one request")
        for hotkey in asked
        if asked.count(hotkey) > 1
    ]
    differences += _reordered(history, number, asked)
    notes = [LAYOUT] if not differences and requests.to_bytes() != raw else []
    return compared(Asset.AUDIT_REQUESTS, path, differences, notes)


def _differs(
    history: History, number: int, request: AuditRequest, pairs: Sequence[Pair], rules: Rules
) -> Difference | None:
    """What differs in a request. `pairs`: the matches of which one led to it, by the verdicts that
    may have been known then; empty where no match did.
    """
    possible = [_critical_now_or_then(history, number, pair, rules) for pair in pairs]
    if request.critical_prompts in possible:
        return None
    wanted = possible[0] if possible else None
    origin = _request_in_history(history, number, request, rules)
    if wanted is None:
        return Difference(request.hotkey, "a request", "no request", origin)
    sides = text(request.critical_prompts), text(wanted)
    return Difference(f"{request.hotkey}.critical_prompts", *sides, origin)


def _reordered(history: History, number: int, asked: list[str]) -> Iterator[Difference]:
    """Requests in another order than that in which they became due, whatever verdicts were known.

    A match that was deleted and played again comes later in the matrix than it was first played, so
    then the order can't be told.
    """
    grown = [matrix.matches for _, matrix in matrices(history, number)]
    if any(later[: len(earlier)] != earlier for earlier, later in pairwise(grown)):
        return
    may_be: dict[str, tuple[int, int]] = {}
    must_be: dict[str, tuple[int, int]] = {}
    for step, moment in enumerate(_due_over_time(history, number)):
        for place, (hotkey, _) in enumerate(moment.due):
            may_be.setdefault(hotkey, (step, place))
            if moment.certain:
                must_be.setdefault(hotkey, (step, place))
    recorded = [hotkey for hotkey in asked if hotkey in may_be]
    for before, after in pairwise(recorded):
        if after in must_be and may_be[before] > must_be[after]:
            names = text([*map(short, recorded)])
            due = sorted(recorded, key=lambda hotkey: may_be[hotkey])
            yield Difference("the order", names, text([*map(short, due)]))
            return


def _critical_now_or_then(
    history: History, number: int, pair: Pair, rules: Rules
) -> list[str] | None:
    """The critical prompts by the head's files, or, where the match is gone, by the files at the
    last commit of requests.
    """
    wanted = history.round(number).critical_prompts(pair, rules)
    last = history.last(Asset.AUDIT_REQUESTS.path(number))
    if wanted is not None or last is None:
        return wanted
    return history.round(number, last.index).critical_prompts(pair, rules)


def _called(history: History, number: int) -> dict[str, list[Pair]]:
    """Everybody whose audit was due at some time, in that order, with the matches that may have led
    to it.
    """
    called: dict[str, list[Pair]] = {}
    for moment in _due_over_time(history, number):
        for hotkey, pair in moment.due:
            if pair not in called.setdefault(hotkey, []):
                called[hotkey].append(pair)
    return called


@dataclass(frozen=True, slots=True)
class _Moment:
    """The audits due at some time of a round, by one set of verdicts; `certain`: by those known
    when a match was committed, so that no run can have seen older ones since.
    """

    due: Sequence[tuple[str, Pair]]
    certain: bool = False


def _due_over_time(history: History, number: int) -> Iterator[_Moment]:
    """The audits due after each match, and after each arrival of verdicts, in that order.

    A match may have been decided by any of the verdicts that arrived between the commit of the
    match before it and its own, so it is looked at with each of them.
    """
    verdicts, known = arrivals(history, number), 0
    timeline = history.round(number).timeline
    margins: dict[Pair, float] = {}
    for row in rows_played(history, number):
        timeline = history.round(number, row.version.index).timeline
        before = known
        while known + 1 < len(verdicts) and verdicts[known + 1].index <= row.version.index:
            known += 1
            yield _Moment(timeline.audits_due(margins, verdicts[known].verdicts))
        margins[row.match.pair] = row.match.margin
        for at in range(before, known + 1):
            due = timeline.audits_due(margins, verdicts[at].verdicts)
            yield _Moment(due, certain=at == known)
    for arrival in verdicts[known:]:
        yield _Moment(timeline.audits_due(margins, arrival.verdicts))


def _owed(history: History, number: int) -> set[str]:
    """Whose audit is due by all matches and all verdicts."""
    rows = rows_played(history, number)
    timeline = history.round(number, rows[-1].version.index if rows else None).timeline
    margins = {row.match.pair: row.match.margin for row in rows}
    last = arrivals(history, number)[-1]
    return {hotkey for hotkey, _ in timeline.audits_due(margins, last.verdicts)}


def _request_in_history(history: History, number: int, request: AuditRequest, rules: Rules) -> str:
    """The origin of a request that the head's matches don't lead to: the commit that asked for it,
    the match that once led to it, and who deleted that match.
    """
    path = Asset.AUDIT_REQUESTS.path(number)
    asked = history.written(path, partial(audit_entry, request.hotkey))
    origin = f"asked for in {asked}" if asked else ""
    verdicts = arrivals(history, number)
    for version, matrix in matrices(history, number):
        if asked and version.index > asked.index:
            break
        then = history.round(number, version.index)
        known = [arrival.verdicts for arrival in verdicts if arrival.index <= version.index][-1]
        pair = dict(then.timeline.audits_due(matrix.margins, known)).get(request.hotkey)
        try:
            wanted = then.critical_prompts(pair, rules) if pair else None
        except MalformedFile:
            continue
        if pair is None or wanted is None:
            continue
        same = "these" if wanted == request.critical_prompts else "other"
        names = f"{short(pair[0])},{short(pair[1])}"
        played = f"{names} ended {matrix.margins[pair]:+.3g} in {version}"
        removal = _removal(history, number, pair, version)
        return f"{origin} after {played}, which calls for it with {same} critical prompts{removal}"
    margin = _margin_that_calls(history, number, request.hotkey)
    return f"{origin}; no match of the history calls for it{margin}"


def _margin_that_calls(history: History, number: int, hotkey: str) -> str:
    """Another `win_margin` that was in force once and by which a match calls for an audit."""
    known = arrivals(history, number)[-1].verdicts
    timeline = history.round(number).timeline
    for version, config in history.readable(CONFIG, partial(Config.parse, path=CONFIG)):
        if config.win_margin == timeline.win_margin:
            continue
        other = replace(timeline, win_margin=config.win_margin)
        for _, matrix in matrices(history, number):
            if hotkey in dict(other.audits_due(matrix.margins, known)):
                return f" but with win_margin {config.win_margin}, as in {version}"
    return ""


def _removal(history: History, number: int, pair: Pair, played: Version) -> str:
    """The commit that removed a match from the matrix, and who made it; empty where none did."""
    kept = {version for version, matrix in matrices(history, number) if pair in matrix.margins}
    versions = history.versions(Asset.MATCHES_MATRIX.path(number))
    later = [version for version in versions if version.index > played.index]
    gone = next((version for version in later if version not in kept), None)
    return f"; {gone.who} deleted the match in {gone}" if gone else ""


def replay_audits(history: History, number: int, rules: Rules) -> FileReplay | None:
    """The audits' verdicts and numbers, from the regenerated outputs and their distances."""
    path = Asset.AUDITS.path(number)
    raw = history.read(path)
    if raw is None:
        return None
    notes: list[str] = []
    derived: dict[str, GenerationAudit] = {}
    written: dict[str, Version | None] = {}
    for hotkey, audit in history.round(number).audits.items():
        written[hotkey] = history.written(path, partial(audit_entry, hotkey))
        derived[hotkey], note = _verdict(history, number, hotkey, audit, written[hotkey], rules)
        notes += [note] if note else []
    differences, layout = compare(raw, GenerationAudits(derived).to_bytes())
    for hotkey in _unasked(history, number, derived):
        version = written[hotkey]
        if version is not None and version.by_person:
            notes.append(f"{hotkey}: a person gave a verdict, unasked, in {version}")
        else:
            differences.append(Difference(hotkey, "an audit", "no audit: nobody asked for it"))
    with_origins = []
    for difference in differences:
        version = written.get(difference.entry.split(".")[0])
        by = "typed by a person" if version and version.by_person else "written"
        with_origins.append(replace(difference, origin=f"{by} in {version}" if version else ""))
    return compared(Asset.AUDITS, path, with_origins, [*layout, *notes])


def _unasked(history: History, number: int, audits: Iterable[str]) -> list[str]:
    """The hotkeys of the audits for which there is no request, nor ever was one."""
    path = Asset.AUDIT_REQUESTS.path(number)
    ever = {
        request.hotkey
        for _, requests in history.readable(path, partial(AuditRequests.parse, path=path))
        for request in requests.root
    }
    return [hotkey for hotkey in audits if hotkey not in ever]


def _verdict(
    history: History,
    number: int,
    hotkey: str,
    recorded: GenerationAudit,
    written: Version | None,
    rules: Rules,
) -> tuple[GenerationAudit, str]:
    """The verdict that follows from the evidence, and a note where it can't be derived.

    Of the verdicts that may be right (`_verdicts`), it is the recorded one if that is among them,
    else the last. `written`: the commit that brought the recorded one.
    """
    if recorded.outcome is AuditOutcome.PENDING:
        return recorded, f"{hotkey}: no verdict yet"
    if recorded.reason == NO_POD:
        unmeasured = keeping(recorded, reject_unmeasured(hotkey, NO_POD))
        return unmeasured, f"{hotkey}: that no pod got healthy is recorded"
    derived: GenerationAudit | None = None
    for verdict in _verdicts(history, number, hotkey, written, rules):
        derived = keeping(recorded, verdict)
        if derived == recorded:
            break
    if derived is not None:
        return derived, ""
    note = f"{hotkey}: nothing was regenerated that its verdict could be derived from"
    return recorded.model_copy(update={"hotkey": hotkey}), note


def _verdicts(
    history: History, number: int, hotkey: str, written: Version | None, rules: Rules
) -> Iterator[GenerationAudit]:
    """The verdicts by the files at the commit of the audit, and at the next that changed the
    outputs if the platform made it; where a person had changed them last, also at those before.

    A run commits audit and outputs separately. Evidence counts as of its time alone: what it was
    before, or became later, decides nothing.
    """
    paths = [each.path(number, hotkey) for each in (Asset.REGENERATED, Asset.RENDERS)]
    head = len(history.commits)
    index = head if written is None else written.index
    later = sorted(moment for moment in history.moments(paths, head) if moment > index)[:1]
    after = [moment for moment in later if not by_person(history.commits[moment].message)]
    before = history.moments(paths, index)
    typed = bool(before) and by_person(history.commits[before[0]].message)
    for moment in [index, *after, *(before[1:_TRIES] if typed else ())]:
        # What could not be read then led to no verdict.
        with suppress(MalformedFile):
            yield from _verdicts_at(history.round(number, moment), hotkey, rules)


def _verdicts_at(then: Round, hotkey: str, rules: Rules) -> Iterator[GenerationAudit]:
    """The verdicts by a round's files: on a build without an image, and on the outputs."""
    build = then.builds.get(hotkey) if then.builds is not None else None
    if build is not None and build.status.ended and build.docker_image is None:
        yield reject_unmeasured(hotkey, NO_IMAGE)
    submitted, generated = then.submitted(hotkey), then.generated(hotkey)
    request = then.requests.for_hotkey(hotkey)
    if submitted is None or generated is None:
        return
    critical = request.critical_prompts if request else []
    verdict = judge_audit(hotkey, submitted.without(then.missing), generated, critical, rules)
    if verdict is not None:
        yield verdict


def audit_entry(hotkey: str, raw: bytes) -> Any:
    """A hotkey's entry in a version of a file of audits or requests, valid or not; None where there
    is none.
    """
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if isinstance(document, dict):
        return document.get(hotkey)
    entries = document if isinstance(document, list) else []
    return next(
        (entry for entry in entries if isinstance(entry, dict) and entry.get("hotkey") == hotkey),
        None,
    )
