"""DUELS: the matches that are due are played, one commit a match, and audits asked for; in the end
the winner.
"""

from collections.abc import Mapping, Sequence

from gen404_assets.competition.audits import AuditRequest, AuditRequests, verdicts
from gen404_assets.competition.catalogue import Asset, Lane
from gen404_assets.competition.due import Due
from gen404_assets.competition.duels import MatchReport, without_usable_answer
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.match_under_play import MatchUnderPlay, Sides
from gen404_assets.competition.matches import Match, Pair
from gen404_assets.competition.round import Overlay, Round, report_path
from gen404_assets.competition.state import Stage
from gen404_assets.competition.winner import crown
from gen404_assets.live.canaries import Canaries
from gen404_assets.live.patience import Patience
from gen404_assets.live.playing import MatchesAtOnce, names
from gen404_assets.live.work import Overtaken, Work, state_file
from resources.git_commands import RepositoryError

_UNUSABLE_SHARE = 0.01
"""The operator is alerted when a larger share of a round's duels has no usable answer."""


def judge_matches(work: Work) -> None:
    """Play what is due until nothing is, asking for audits as they become due.

    While the judge doesn't judge, it waits (`Patience`): a match is recorded whole or not at all.
    Raises InfrastructureFault when that lasts too long for one run.
    """
    canaries, patience = (
        Canaries(work),
        Patience(work, Lane.JUDGING, work.pace.judge_patience_seconds),
    )
    try:
        while _judge_next(work, canaries, patience):
            pass
    except Overtaken:
        patience.end()
        raise
    patience.end()


def _judge_next(work: Work, canaries: Canaries, patience: Patience) -> bool:
    """Do what is due next, or wait; False where nothing is due."""
    try:
        due, current = work.due()
        assets = due.assets(Lane.JUDGING)
        if due.stage is not Stage.DUELS or not {Asset.AUDIT_REQUESTS, Asset.DUELS} & set(assets):
            return False
        if Asset.AUDIT_REQUESTS in assets:
            message = f"Update audit requests for round {work.number}"
            work.publish([message], {Stage.DUELS}, lambda now: _requests(work, now))
        elif due.pairs:
            _play(work, current, _at_once(due), canaries)
    except InfrastructureFault as fault:
        patience.wait(fault)
    else:
        patience.end()
    return True


def _at_once(due: Due) -> Sequence[Pair]:
    """The matches that can be played beside each other: all of the qualification, or the next of
    the line.
    """
    qualification = [pair for pair in due.pairs if pair[0] == LEADER]
    # `rules.md`, Timeline: qualification matches depend on no other; each of the line on the one
    # before.
    return qualification if len(qualification) > 1 else due.pairs[:1]


def _play(work: Work, current: Round, pairs: Sequence[Pair], canaries: Canaries) -> None:
    """Play matches and record each, in order.

    Where the repository doesn't take a record, the other matches are played all the same, so that
    the judge loses no time, and their answers are kept. Then the fault is raised.
    """
    unpublished: RepositoryError | None = None
    matches = [_match(work, current, pair) for pair in pairs]
    played = [match for match in matches if match.margin_without_report is None]
    with MatchesAtOnce(work, current, played, canaries) as at_once:
        for match in matches:
            margin, report = match.margin_without_report, None
            if margin is None:
                report = at_once.report(match.pair)
                margin = report.margin
            if unpublished is not None:
                continue
            try:
                _record(work, current, Match(*match.pair, margin), report)
            except RepositoryError as fault:
                work.say(f"{names(match.pair)} is published later: {fault}")
                unpublished = fault
    if unpublished is not None:
        raise unpublished


def _match(work: Work, current: Round, pair: Pair) -> MatchUnderPlay:
    return MatchUnderPlay(pair, current, Sides.of_round(current, pair), work.rules)


def _record(work: Work, seen: Round, match: Match, report: MatchReport | None) -> None:
    """Publish a match, with the audits that it makes due; nothing if it has been played, or isn't
    due, any more.
    """
    named = names(match.pair)
    messages = [f"Match report: {named}"] if report else []
    messages.append(f"Update matches matrix for round {work.number}")
    work.publish(messages, {Stage.DUELS}, lambda now: _match_files(work, seen, now, match, report))
    work.say(f"{named}: {match.margin:+.3f}")
    if report and without_usable_answer(report.duels):
        _alert_unusable(work, match.pair)


def _alert_unusable(work: Work, pair: Pair) -> None:
    """Alert the operator when too many of the round's duels have no usable answer.

    That happens once a round: at the first match with which their share exceeds 1 % of the duels
    recorded so far. `pair` is the match that was just recorded.
    """
    current = work.head()
    duels = unanswered = 0
    for match in current.matrix.matches:
        report = current.report(match.pair)
        if report is not None:
            duels += len(report.duels)
            unanswered += without_usable_answer(report.duels)
        if unanswered > _UNUSABLE_SHARE * duels:
            # With an earlier match the share was exceeded already, and the operator told.
            if match.pair == pair:
                work.alert(
                    f"the judge gave no usable answer in {unanswered} of the {duels} duels "
                    f"recorded in round {work.number}, which are draws for that reason; look at "
                    f"what {work.outside.judge.model} says (`unusable` in the reports' evidence), "
                    "and at its server"
                )
            return


def _match_files(
    work: Work, seen: Round, now: Round, match: Match, report: MatchReport | None
) -> Mapping[str, bytes | None]:
    audit_verdicts = verdicts(now.audits, now.source_audits)
    if match.pair not in now.timeline.matches_due(now.matrix.margins, audit_verdicts):
        return {}
    same_prompts = (now.prompts, now.missing) == (seen.prompts, seen.missing)
    same_sides = Sides.of_round(now, match.pair) == Sides.of_round(seen, match.pair)
    if not (same_sides and same_prompts):
        return {}  # somebody changed what was judged: the match is due again
    path = Asset.MATCHES_MATRIX.path(now.number)
    files: dict[str, bytes | None] = {path: now.matrix.plus(match).to_bytes(now.files.read(path))}
    if report is not None:
        files[report_path(now.number, match.pair)] = report.to_bytes()
    return files | dict(_requests(work, Round(Overlay(now.files, files), now.number)))


def _requests(work: Work, now: Round) -> Mapping[str, bytes | None]:
    """`require_audit.json` with the audits that are due and not requested yet; no file if there is
    none.
    """
    requests = list(now.requests.root)
    audit_verdicts = verdicts(now.audits, now.source_audits)
    for hotkey, pair in now.timeline.audits_due(now.matrix.margins, audit_verdicts):
        if now.requests.for_hotkey(hotkey) is None:
            prompts = now.critical_prompts(pair, work.rules)
            requests.append(AuditRequest(hotkey=hotkey, critical_prompts=prompts or []))
    if len(requests) == len(now.requests):
        return {}
    path = Asset.AUDIT_REQUESTS.path(now.number)
    return {path: AuditRequests(requests).to_bytes(now.files.read(path))}


def crown_winner(work: Work) -> None:
    """Publish the winner once the line is final, with the stage FINALIZING.

    A winner that a person entered stands. One that the platform entered before somebody set the
    stage back is replaced where the matrix and the verdicts make another.
    """
    due, current = work.due()
    if Asset.WINNER not in due.assets(Lane.JUDGING):
        return
    winner = current.timeline.winner(
        current.matrix.margins, verdicts(current.audits, current.source_audits)
    )

    def derive(now: Round) -> Mapping[str, bytes | None]:
        hotkey = now.timeline.winner(now.matrix.margins, verdicts(now.audits, now.source_audits))
        if hotkey is None or hotkey != winner:
            return {}
        path, files = Asset.WINNER.path(now.number), dict[str, bytes | None]()
        if now.winner is None or not work.history().is_typed(path):
            if hotkey != LEADER and (now.builds is None or hotkey not in now.builds):
                raise MalformedFile(
                    Asset.BUILDS.path(now.number), 1, f"no build of {hotkey}, who has won"
                )
            crowned = crown(hotkey, now.builds, now.required_defending)
            if not crowned.is_same(now.winner):
                files[path] = crowned.to_bytes()
        return files | state_file(now, Stage.FINALIZING, work.rules)

    messages = [
        f"Round {work.number} winner: {winner}",
        f"Update state (finalizing) for round {work.number}",
    ]
    work.publish(messages, {Stage.DUELS}, derive)
