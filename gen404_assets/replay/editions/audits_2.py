"""Replay of competition 2's audits: requests, generation reports, the matches of audits, verdicts,
and the timeline that rests on them.
"""

from collections.abc import Iterator, Mapping, Sequence

from gen404_assets.competition.audits import NO_IMAGE, SourceAudits, SourceVerdict
from gen404_assets.competition.builds import Builds, BuildStatus
from gen404_assets.competition.editions.competition_2 import (
    BY_REPORT,
    BY_SOURCE,
    SUBMITTED,
    Audits,
    Config2,
    Findings,
    GenerationReport,
    GenerationReports,
    Place,
    Report2,
    ReportOutcome,
    Requests,
    Standing,
    Verdict2,
    late_reason,
    outcome_of,
    rejection,
    score_of,
    timeline,
    worded,
)
from gen404_assets.competition.hotkeys import LEADER, short
from gen404_assets.competition.submissions import Submissions
from gen404_assets.replay.editions.edition_round import EditionRound
from gen404_assets.replay.editions.matches_2 import matrix_of
from gen404_assets.replay.result import Difference, FileReplay, compared, underivable


def _reports(this_round: EditionRound) -> Mapping[str, GenerationReport]:
    reports = this_round.file("generation_reports.json", GenerationReports)
    return reports.root if reports is not None else {}


def _verdicts(this_round: EditionRound) -> Audits:
    return this_round.file("generation_audits.json", Audits) or Audits({})


def _without_report(this_round: EditionRound) -> dict[str, str]:
    """Hotkey -> the reason of a verdict that names a generation report which is not there, as in a
    copy that is older than the verdict.
    """
    reports = _reports(this_round)
    return {
        hotkey: audit.reason
        for hotkey, audit in _verdicts(this_round).items()
        if hotkey not in reports and audit.reason.startswith(BY_REPORT)
    }


def taken_from_verdicts(this_round: EditionRound) -> list[str]:
    """A note on the generation reports that are missing."""
    missing = _without_report(this_round)
    return (
        [f"by generation_audits.json alone rejected, for want of a report: {', '.join(missing)}"]
        if missing
        else []
    )


def standings_of(this_round: EditionRound) -> Mapping[str, Standing]:
    """Every submission's place by the round's files."""
    config = this_round.config(Config2)
    sources = this_round.file("source_audit.json", SourceAudits)
    verdict_of = {each.hotkey: each for each in sources.root} if sources is not None else {}
    rejected = {
        hotkey: worded(BY_SOURCE, each.reason)
        for hotkey, each in verdict_of.items()
        if each.verdict is SourceVerdict.FAILED
    }
    rejected |= _without_report(this_round)
    rejected |= {
        hotkey: reason
        for hotkey, report in _reports(this_round).items()
        if (reason := rejection(report)) is not None
    }
    findings = Findings(
        matrix_of(this_round, "matches_matrix.csv").margins,
        matrix_of(this_round, "audit_matrix.csv").margins,
        rejected,
        frozenset(
            hotkey for hotkey, each in verdict_of.items() if each.verdict is SourceVerdict.PASSED
        ),
    )
    order = this_round.required("submissions.json", Submissions).names
    return timeline(order, findings, config.win_margin, config.audit_repeats)


def is_open(standing: Standing) -> bool:
    """Whether a match or an audit of it is still to come."""
    unproven = standing.place is Place.WON and not standing.verified
    return unproven or standing.place is Place.PENDING


def unfounded(this_round: EditionRound, hotkeys: Sequence[str]) -> str:
    """Why it can't be known how these stand: a file that would say so has never been here. Empty
    if all are.
    """
    lacking = [
        name
        for name in ("source_audit.json", "audit_matrix.csv")
        if not this_round.history.versions(this_round.path(name))
    ]
    if not lacking:
        return ""
    return f"{' and '.join(lacking)} is not in the repository, on which {', '.join(hotkeys)} rest"


# --- requests


def replay_requests(this_round: EditionRound, path: str) -> FileReplay:
    """Who must be audited: every win names its defender. Entries of those who were rejected or
    lost are of the time when they stood otherwise, as their order is.
    """
    recorded = this_round.required("require_audit.json", Requests)
    standings = standings_of(this_round)
    place = {hotkey: number for number, hotkey in enumerate(standings)}
    requested = {each.hotkey: each.latest_defender for each in recorded.root}
    differences = [*_impossible(recorded, standings, place)]
    wins = {hotkey: each.defender for hotkey, each in standings.items() if each.place is Place.WON}
    for hotkey, defender in wins.items():
        if requested.get(hotkey, defender) != defender:
            differences.append(Difference(f"{hotkey}.latest_defender", requested[hotkey], defender))
    unasked = [hotkey for hotkey in wins if hotkey not in requested]
    verdicts = _verdicts(this_round)
    older = [hotkey for hotkey in verdicts.names if hotkey not in requested]
    differences += [
        Difference(hotkey, "no request", f"a request: it beat {wins[hotkey]}")
        for hotkey in unasked
        if hotkey not in older and this_round.ended is not None
    ]
    kept = [hotkey for hotkey in requested if hotkey not in wins]
    notes = [f"as recorded, being of an earlier time: {', '.join(kept)}"] if kept else []
    if older and not differences:
        reason = (
            "the copy is older than generation_audits.json, which has verdicts on "
            f"{', '.join(older)}; its other entries are as the rules give"
        )
        return underivable("audit_requests", path, reason, notes)
    return compared("audit_requests", path, differences, notes)


def _impossible(
    recorded: Requests, standings: Mapping[str, Standing], place: Mapping[str, int]
) -> Iterator[Difference]:
    """Requests that no verdicts could have led to."""
    this_round: set[str] = set()
    for each in recorded.root:
        standing = standings.get(each.hotkey)
        if each.hotkey in this_round:
            yield Difference(each.hotkey, "two requests", "one")
        elif standing is None or standing.place is Place.OUT:
            yield Difference(each.hotkey, "a request", "none: it has not qualified")
        elif each.latest_defender != LEADER and (
            place.get(each.latest_defender, len(place)) >= place[each.hotkey]
        ):
            allowed = "leader, or a miner that revealed earlier"
            yield Difference(f"{each.hotkey}.latest_defender", each.latest_defender, allowed)
        this_round.add(each.hotkey)


# --- generation reports


def replay_reports(this_round: EditionRound, path: str) -> FileReplay:
    """Outcome and reason of each report, from its repeats and the build."""
    reports = this_round.required("generation_reports.json", GenerationReports)
    builds = this_round.file("builds.json", Builds)
    repeats = this_round.config(Config2).audit_repeats
    differences = []
    for hotkey, report in reports.items():
        build = builds.get(hotkey) if builds is not None else None
        built = build is not None and build.status is BuildStatus.SUCCESS
        if report.hotkey != hotkey:
            differences.append(Difference(f"{hotkey}.hotkey", report.hotkey, hotkey))
        differences += _report(hotkey, report, repeats, built=built)
    missing = [hotkey for hotkey in _verdicts(this_round).names if hotkey not in reports]
    notes = ["given what the repeats took, as recorded"]
    notes += [f"older than the verdicts on {', '.join(missing)}"] if missing else []
    return compared("generation_reports", path, differences, notes)


def _report(
    hotkey: str, report: GenerationReport, repeats: int, *, built: bool
) -> Iterator[Difference]:
    outcome, late = outcome_of(report, repeats), late_reason(report)
    if report.outcome is ReportOutcome.REJECTED and outcome is not ReportOutcome.REJECTED:
        # Images that can't be built, deployed or asked leave no other trace.
        if report.reason.startswith("Repeat ") or not report.reason:
            yield Difference(f"{hotkey}.outcome", report.outcome.value, outcome.value)
        elif report.reason == NO_IMAGE and built:
            yield Difference(f"{hotkey}.reason", report.reason, "another: its image was built")
        return
    if report.outcome is not outcome:
        yield Difference(f"{hotkey}.outcome", report.outcome.value, outcome.value)
    elif outcome is not ReportOutcome.REJECTED and report.reason:
        yield Difference(f"{hotkey}.reason", report.reason, "none")
    elif late is not None and late not in report.reason:
        yield Difference(f"{hotkey}.reason", report.reason, late)


# --- the matches of audits


def replay_matrix(this_round: EditionRound, path: str) -> FileReplay:
    """The rows of audits: each of a repeat that was made, in the order in which it is played, with
    its report's margin.
    """
    matrix = matrix_of(this_round, "audit_matrix.csv")
    order = this_round.required("submissions.json", Submissions).names
    reports = _reports(this_round)
    differences: list[Difference] = []
    last: dict[str, tuple[int, bool]] = {}
    taken = 0
    for match in matrix.matches:
        label = f"{match.left},{short(match.right)}"
        side, _, digits = match.left.rpartition("_")
        if not digits.isdigit() or side not in {SUBMITTED, LEADER, *order}:
            differences.append(Difference(label, match.left, "a side and the number of a repeat"))
            continue
        if match.right not in order:
            differences.append(Difference(label, match.right, "a miner that submitted"))
            continue
        repeat = int(digits)
        made = reports.get(match.right)
        if made is not None and repeat not in {each.repeat_index for each in made.repeats}:
            differences.append(Difference(label, "a match", f"none: no repeat {repeat} was made"))
        turn = (repeat, side != SUBMITTED)
        in_order = side != SUBMITTED or turn >= last.get(match.right, turn)
        if not in_order and not this_round.is_copy:
            differences.append(Difference("the order", label, "repeats in order"))
        last[match.right] = turn
        report = _audit_report(this_round, match.right, side, repeat)
        taken += report is None
        expected = (
            None
            if report is None
            else score_of([duel.winner.value for duel in report.duels]) / max(1, len(report.duels))
        )
        if expected is not None and expected != match.margin:
            differences.append(Difference(label, str(match.margin), str(expected)))
    notes = [f"{taken} margins as recorded: their reports are not in the repository"]
    return compared("audit_matrix", path, differences, notes if taken else [])


def _audit_report(this_round: EditionRound, hotkey: str, side: str, repeat: int) -> Report2 | None:
    return this_round.file(f"{hotkey}/audit_{short(side)}_{repeat}.json", Report2)


# --- verdicts


def replay_audits(this_round: EditionRound, path: str) -> FileReplay:
    """The verdicts by the timeline, as it stands at the end. Their order is that of time; one that
    was given to a miner which then lost stays as it was.
    """
    recorded = _verdicts(this_round)
    standings = standings_of(this_round)
    differences: list[Difference] = []
    stale = []
    missing = _without_report(this_round)
    for hotkey, audit in recorded.items():
        standing = standings.get(hotkey)
        if audit.hotkey != hotkey:
            differences.append(Difference(f"{hotkey}.hotkey", audit.hotkey, hotkey))
        if standing is None:
            differences.append(Difference(hotkey, "a verdict", "none: it has no submission"))
        elif is_open(standing) and not unfounded(this_round, [hotkey]):
            differences.append(Difference(hotkey, audit.verdict.value, "no verdict yet"))
        elif standing.place in {Place.LOST, Place.OUT} or is_open(standing):
            stale.append(hotkey)
        else:
            differences += _verdict(hotkey, audit.verdict, audit.reason, standing)
    requests = this_round.file("require_audit.json", Requests)
    for hotkey in [each.hotkey for each in requests.root] if requests is not None else ():
        decided = standings.get(hotkey, Standing(Place.OUT))
        if hotkey in recorded or this_round.ended is None or this_round.is_copy:
            continue
        if _is_decided(decided):
            verdict = Verdict2.FAILED if decided.reason else Verdict2.PASSED
            differences.append(Difference(hotkey, "no verdict", verdict.value))
    notes = [f"as recorded, for they lost since: {', '.join(stale)}"] if stale else []
    if missing:
        names = ", ".join(missing)
        notes.append(f"as recorded, their generation reports not being here: {names}")
    return compared("audits", path, differences, notes)


def _is_decided(standing: Standing) -> bool:
    return standing.place is Place.REJECTED or (standing.place is Place.WON and standing.verified)


def _verdict(hotkey: str, verdict: str, reason: str, standing: Standing) -> Iterator[Difference]:
    derived = Verdict2.FAILED if standing.place is Place.REJECTED else Verdict2.PASSED
    if verdict != derived:
        yield Difference(f"{hotkey}.verdict", verdict, derived.value)
    if reason != standing.reason:
        yield Difference(f"{hotkey}.reason", reason, standing.reason)
