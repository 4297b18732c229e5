"""Replay of the audits: who had to be audited on which critical prompts, and every verdict to the
last digit.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
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
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.history import History, Version
from gen404_assets.competition.hotkeys import short
from gen404_assets.competition.matches import Pair
from gen404_assets.competition.round import miner_path, round_path
from gen404_assets.competition.settings import Rules
from gen404_assets.replay.compare import LAYOUT, compare, keeping, text
from gen404_assets.replay.judging import arrivals, matrices, rows_played
from gen404_assets.replay.result import Difference, FileReplay, compared

_TRIES = 4
"""How many of the commits before a verdict may hold what it was given on."""


def replay_requests(history: History, number: int, rules: Rules) -> FileReplay | None:
    """The audit requests, from the line as the matches drew it while the verdicts came in."""
    path = round_path(number, "require_audit.json")
    raw = history.read(path)
    current = history.round(number)
    called, owed = _called(history, number)
    owed = owed if history.is_past(number) else set()
    if raw is None:
        missing = [
            Difference(hotkey, "no file", "a request") for hotkey in called if hotkey in owed
        ]
        return compared("audit_requests", path, missing) if missing else None
    asked = [request.hotkey for request in current.requests.root]
    differences = []
    derived: list[AuditRequest] = []
    for request in current.requests.root:
        pair = called.get(request.hotkey)
        wanted = _critical_now_or_then(history, number, pair, rules) if pair else None
        if wanted is None:
            origin = _request_in_history(history, number, request, rules)
            differences.append(Difference(request.hotkey, "a request", "no request", origin))
        elif wanted != request.critical_prompts:
            origin = _request_in_history(history, number, request, rules)
            sides = text(request.critical_prompts), text(wanted)
            differences.append(Difference(f"{request.hotkey}.critical_prompts", *sides, origin))
        derived.append(request)
    differences += [
        Difference(hotkey, "nothing", "a request")
        for hotkey in called
        if hotkey in owed - set(asked)
    ]
    twice = {hotkey for hotkey in asked if asked.count(hotkey) > 1}
    differences += [
        Difference(hotkey, "more than one request", "one request")
        for hotkey in asked
        if hotkey in twice
    ]
    differences += _reordered(
        history, number, asked, [hotkey for hotkey in called if hotkey in asked]
    )
    notes = [LAYOUT] if not differences and AuditRequests(derived).to_bytes() != raw else []
    return compared("audit_requests", path, differences, notes)


def _reordered(
    history: History, number: int, asked: list[str], called: list[str]
) -> Iterator[Difference]:
    """Requests that aren't in the order in which they came up, as far as no match was deleted
    meanwhile.
    """
    grown = [matrix.matches for _, matrix in matrices(history, number)]
    recorded = [hotkey for hotkey in asked if hotkey in called]
    deleted = any(later[: len(earlier)] != earlier for earlier, later in pairwise(grown))
    if not deleted and called != recorded:
        yield Difference("the order", text([*map(short, recorded)]), text([*map(short, called)]))


def _critical_now_or_then(
    history: History, number: int, pair: Pair, rules: Rules
) -> list[str] | None:
    """The critical prompts by the head's files, or, where they are gone, by those at the last
    request.
    """
    asked = history.last(round_path(number, "require_audit.json"))
    wanted = history.round(number).critical_prompts(pair, rules)
    return (
        history.round(number, asked.index).critical_prompts(pair, rules)
        if wanted is None and asked
        else wanted
    )


def _called(history: History, number: int) -> tuple[dict[str, Pair], set[str]]:
    """Who could be called to an audit, with the match that led to it, in order; and who had to be
    in the end.
    """
    found, known = arrivals(history, number), 0
    timeline = history.round(number).timeline
    called: dict[str, Pair] = {}
    margins: dict[Pair, float] = {}
    for row in rows_played(history, number):
        timeline = history.round(number, row.version.index).timeline
        begun = known
        while known + 1 < len(found) and found[known + 1].index <= row.version.index:
            known += 1
            _call(called, timeline.audits_due(margins, found[known].verdicts))
        margins[row.match.pair] = row.match.margin
        for arrival in found[begun : known + 1]:
            _call(called, timeline.audits_due(margins, arrival.verdicts))
    for arrival in found[known:]:
        _call(called, timeline.audits_due(margins, arrival.verdicts))
    return called, {hotkey for hotkey, _ in timeline.audits_due(margins, found[-1].verdicts)}


def _call(called: dict[str, Pair], due: list[tuple[str, Pair]]) -> None:
    for hotkey, pair in due:
        called.setdefault(hotkey, pair)


def _request_in_history(history: History, number: int, request: AuditRequest, rules: Rules) -> str:
    """Where a request comes from that the head's matches don't call for so: the match that did, and
    who took it.
    """
    path = round_path(number, "require_audit.json")
    asked = history.written(path, partial(_entry, request.hotkey))
    origin = f"asked for in {asked}" if asked else ""
    given = arrivals(history, number)
    for version, matrix in matrices(history, number):
        if asked and version.index > asked.index:
            break
        seen = history.round(number, version.index)
        known = [arrival.verdicts for arrival in given if arrival.index <= version.index][-1]
        pair = dict(seen.timeline.audits_due(matrix.margins, known)).get(request.hotkey)
        try:
            wanted = seen.critical_prompts(pair, rules) if pair else None
        except MalformedFile:
            continue
        if pair is None or wanted is None:
            continue
        same = "these" if wanted == request.critical_prompts else "other"
        return (
            f"{origin} after {short(pair[0])},{short(pair[1])} ended {matrix.margins[pair]:+} in "
            f"{version}, which "
            f"calls for it with {same} critical prompts{_removal(history, number, pair, version)}"
        )
    return f"{origin}; no match of the history calls for it"


def _removal(history: History, number: int, pair: Pair, played: Version) -> str:
    """By which commit, and whose, a match left the matrix."""
    kept = {version for version, found in matrices(history, number) if pair in found.margins}
    later = [
        v
        for v in history.versions(round_path(number, "matches_matrix.csv"))
        if v.index > played.index
    ]
    gone = next((version for version in later if version not in kept), None)
    return f"; {gone.who} deleted the match in {gone}" if gone else ""


def replay_audits(history: History, number: int, rules: Rules) -> FileReplay | None:
    """The audits' verdicts and numbers, from what was regenerated and how far it was from what was
    submitted.
    """
    path = round_path(number, "generation_audits.json")
    raw = history.read(path)
    if raw is None:
        return None
    audits = history.round(number).audits
    notes: list[str] = []
    derived: dict[str, GenerationAudit] = {}
    for hotkey, audit in audits.items():
        written = history.written(path, partial(_entry, hotkey))
        derived[hotkey], note = _verdict(history, number, (hotkey, audit), written, rules)
        notes += note
    found, layout = compare(raw, GenerationAudits(derived).to_bytes())
    differences = []
    for difference in found:
        hotkey = difference.entry.split(".")[0]
        version = history.written(path, partial(_entry, hotkey))
        origin = (
            f"{'typed by a person' if version.by_person else 'written'} in {version}"
            if version
            else ""
        )
        differences.append(
            Difference(difference.entry, difference.recorded, difference.derived, origin)
        )
    return compared("audits", path, differences, [*layout, *notes])


def _verdict(
    history: History,
    number: int,
    entry: tuple[str, GenerationAudit],
    written: Version | None,
    rules: Rules,
) -> tuple[GenerationAudit, list[str]]:
    """The verdict that the evidence gives, as it was when the audit was written, or as the head has
    it.
    """
    hotkey, recorded = entry
    if recorded.outcome is AuditOutcome.PENDING:
        return recorded, [f"{hotkey}: no verdict yet"]
    if recorded.reason == NO_POD:
        return keeping(recorded, reject_unmeasured(hotkey, NO_POD)), [
            f"{hotkey}: that no pod got healthy is recorded"
        ]
    derived: GenerationAudit | None = None
    for verdict in _verdicts(history, number, hotkey, written, rules):
        derived = keeping(recorded, verdict)
        if derived == recorded:
            return recorded, []
    if derived is None:
        derived = recorded.model_copy(update={"hotkey": hotkey})
        return derived, [
            f"{hotkey}: nothing was regenerated that its verdict could be derived from"
        ]
    return derived, []


def _verdicts(
    history: History, number: int, hotkey: str, written: Version | None, rules: Rules
) -> Iterator[GenerationAudit]:
    """The verdicts by what had been regenerated when the audit was written, soon after, before, and
    by the head.
    """
    paths = [miner_path(number, hotkey, name) for name in ("generated.json", "submitted.json")]
    head = len(history.commits)
    index = head if written is None else written.index
    after = [moment for moment in reversed(history.moments(paths, head)) if moment > index]
    moments = [index, *after[:1], *history.moments(paths, index)[1:_TRIES]]
    for moment in [*moments, None]:
        seen = history.round(number, moment)
        with suppress(MalformedFile):
            build = seen.builds.get(hotkey) if seen.builds is not None else None
            if build is not None and build.status.ended and build.docker_image is None:
                yield reject_unmeasured(hotkey, NO_IMAGE)
            submitted, generated = seen.submitted(hotkey), seen.generated(hotkey)
            request = seen.requests.of(hotkey)
            if submitted is None or generated is None:
                continue
            wanted = submitted.without(seen.missing)
            verdict = judge_audit(
                hotkey, wanted, generated, request.critical_prompts if request else [], rules
            )
            if verdict is not None:
                yield verdict


def _entry(hotkey: str, raw: bytes) -> Any:
    """A hotkey's entry in a file of audits or requests, whatever its form; None where that can't be
    read.
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
