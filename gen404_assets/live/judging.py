"""DUELS: the matches that are due are played, one commit a match, and audits asked for; in the end the winner."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from gen404_assets.competition.audits import AuditRequest, AuditRequests, verdicts
from gen404_assets.competition.due import Due, Lane
from gen404_assets.competition.duels import (
    Answer,
    Duel,
    MatchReport,
    Outcome,
    duel_entry,
    forced_outcome,
    judged_outcome,
    make_report,
    margin_without_report,
    overtime,
)
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.hotkeys import LEADER, short
from gen404_assets.competition.matches import Match, Pair
from gen404_assets.competition.outputs import Outputs
from gen404_assets.competition.prompts import stem
from gen404_assets.competition.replay.auditing import critical
from gen404_assets.competition.round import Overlay, Round, report_path
from gen404_assets.competition.state import Stage
from gen404_assets.competition.winner import crown
from gen404_assets.live.work import Work, state_file
from resources.judge import Question


def judge_matches(work: Work) -> None:
    """Play what is due until nothing is, asking for audits as they become due.

    A judge that doesn't judge ends the work with an InfrastructureFault: a match is recorded whole or not at all.
    """
    while True:
        due, current = work.due()
        assets = due.assets(Lane.JUDGING)
        if due.stage is not Stage.DUELS or not assets or "winner" in assets:
            return
        if "audit_requests" in assets:
            message = f"Update audit requests for round {work.number}"
            work.publish([message], {Stage.DUELS}, lambda now: _requests(work, now))
        elif due.pairs:
            _play(work, current, _at_once(due))


def _at_once(due: Due) -> Sequence[Pair]:
    """The matches that can be played beside each other: all of the qualification, or the next of the line."""
    qualification = [pair for pair in due.pairs if pair[0] == LEADER]
    return qualification if len(qualification) > 1 else due.pairs[:1]


def _play(work: Work, current: Round, pairs: Sequence[Pair]) -> None:
    with ThreadPoolExecutor(work.pace.max_concurrent_duels) as pool:
        matches = [(pair, list(_duels(work, current, pair, pool))) for pair in pairs]
        try:
            for pair, duels in matches:
                _record(work, current, pair, [duel.result() for duel in duels])
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _duels(work: Work, current: Round, pair: Pair, pool: ThreadPoolExecutor) -> Iterator[Future[Duel]]:
    """The duels of a match, each decided by rule or asked of the judge; none if a side has no output at all."""
    left, right = _sides(current, pair)
    if _margin_without_report(left, right) is not None:
        return
    prompts = current.prompts or []
    late = (overtime(left, prompts, work.rules), overtime(right, prompts, work.rules))
    for prompt in prompts:
        name = stem(prompt)
        decided = forced_outcome(name, left.get(name), right.get(name), late)
        yield pool.submit(_duel, work, current, prompt, (left, right), decided)


def _duel(
    work: Work, current: Round, prompt: str, sides: tuple[Outputs, Outputs], decided: tuple[Outcome, str] | None
) -> Duel:
    left, right = (outputs.get(stem(prompt)) for outputs in sides)
    if decided is None and left and right and left.png and right.png:
        seed = current.need(current.path("seed.json"), current.seed).seed
        first, swapped = (
            work.outside.judge.ask(Question(prompt=prompt, first=one, second=other, seed=seed))
            for one, other in ((left.png, right.png), (right.png, left.png))
        )
        answers = [
            Answer(penalty_1=answer.penalty_1, penalty_2=answer.penalty_2, issues=answer.issues)
            for answer in (first, swapped)
        ]
        decided = judged_outcome(*answers), first.issues
    if decided is None:
        raise AssertionError(f"{prompt}: neither the rules nor the judge decide")
    return Duel.model_validate(duel_entry(prompt, left, right, decided, current.config.output_format))


def _sides(current: Round, pair: Pair) -> tuple[Outputs, Outputs]:
    left, right = (current.played(hotkey) for hotkey in pair)
    return left if left is not None else Outputs({}), right if right is not None else Outputs({})


def _margin_without_report(left: Outputs, right: Outputs) -> float | None:
    return margin_without_report(
        *(any(output.model or output.png for _, output in side.items()) for side in (left, right))
    )


def _record(work: Work, played: Round, pair: Pair, duels: Sequence[Duel]) -> None:
    """Publish a match, with the audits that it makes due; nothing if it has been played, or isn't due, any more."""
    without_report = _margin_without_report(*_sides(played, pair))
    report = make_report(*pair, duels, len(played.stems)) if without_report is None else None
    margin = report.margin if report else without_report
    names = f"{short(pair[0])} vs {short(pair[1])}"
    messages = [f"Match report: {names}"] if report else []
    messages.append(f"Update matches matrix for round {work.number}")
    if margin is None:
        raise AssertionError(f"{names}: no margin")
    match = Match(*pair, margin)
    work.publish(messages, {Stage.DUELS}, lambda now: _match_files(work, played, now, match, report))
    work.say(f"{names}: {margin:+.3f}")


def _match_files(
    work: Work, played: Round, now: Round, match: Match, report: MatchReport | None
) -> Mapping[str, bytes | None]:
    given = verdicts(now.audits, now.source_audits)
    if match.pair not in now.timeline.matches_due(now.matrix.margins, given):
        return {}
    if _sides(now, match.pair) != _sides(played, match.pair) or now.prompts != played.prompts:
        return {}  # somebody changed what was judged: the match is due again
    path = now.path("matches_matrix.csv")
    files: dict[str, bytes | None] = {path: now.matrix.plus(match).to_bytes(now.files.read(path))}
    if report is not None:
        files[report_path(now.number, match.pair)] = report.to_bytes()
    return files | dict(_requests(work, Round(Overlay(now.files, files), now.number)))


def _requests(work: Work, now: Round) -> Mapping[str, bytes | None]:
    """`require_audit.json` with the audits that are due and were not asked for; empty if there are none."""
    asked = list(now.requests.root)
    given = verdicts(now.audits, now.source_audits)
    for hotkey, pair in now.timeline.audits_due(now.matrix.margins, given):
        if now.requests.of(hotkey) is None:
            prompts = critical(now, pair, work.rules)
            asked.append(AuditRequest(hotkey=hotkey, critical_prompts=prompts or []))
    if len(asked) == len(now.requests):
        return {}
    path = now.path("require_audit.json")
    return {path: AuditRequests(asked).to_bytes(now.files.read(path))}


def crown_winner(work: Work) -> None:
    """Publish the winner once the line is final, with the stage FINALIZING. A winner that a person typed stands."""
    due, current = work.due()
    if "winner" not in due.assets(Lane.JUDGING):
        return
    winner = current.timeline.winner(current.matrix.margins, verdicts(current.audits, current.source_audits))

    def derive(now: Round) -> Mapping[str, bytes | None]:
        hotkey = now.timeline.winner(now.matrix.margins, verdicts(now.audits, now.source_audits))
        if hotkey is None or hotkey != winner:
            return {}
        files: dict[str, bytes | None] = {}
        if now.winner is None:
            if hotkey != LEADER and (now.builds is None or hotkey not in now.builds):
                raise MalformedFile(now.path("builds.json"), 1, f"no build of {hotkey}, who has won")
            defending = now.need("leader.json", now.defending)
            files[now.path("winner.json")] = crown(hotkey, now.builds, defending).to_bytes()
        return files | state_file(now, Stage.FINALIZING, work.rules)

    messages = [f"Round {work.number} winner: {winner}", f"Update state (finalizing) for round {work.number}"]
    work.publish(messages, {Stage.DUELS}, derive)
