"""What has happened in a round that the people who run it want to hear of. The same files give the
same news, each under a key of its own, so that each is told once.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from gen404_assets.competition.audits import AuditOutcome
from gen404_assets.competition.hotkeys import short
from gen404_assets.competition.leader import Leader
from gen404_assets.competition.round import Round
from gen404_assets.competition.state import Stage

_ORDER = (Stage.OPEN, Stage.MINER_GENERATION, Stage.DOWNLOADING, Stage.DUELS, Stage.FINALIZING)


@dataclass(frozen=True, slots=True)
class News:
    """One thing that has happened. One that `lasts` is told again after some hours. `ends`: the key
    of what it ends; it is told only where that was told, and that may then happen again.
    """

    key: str
    text: str
    lasts: bool = False
    ends: str = ""


def news_of(current: Round) -> list[News]:
    """All that has happened in a round so far, in order; the round may be over. Raises
    MalformedFile.
    """
    return [
        *_stages(current),
        _pause(current),
        *_submissions(current),
        *_audits(current),
        *_leaders(current.leaders),
    ]


def unjudgeable(number: int, left: str, right: str, duels: int) -> News:
    """A match with duels that ended in a draw because the judge gave no usable answer."""
    pair = f"{short(left)} against {short(right)}"
    return News(
        f"{number}:unjudgeable:{left}:{right}",
        f"round {number}: the judge gave no usable answer in {duels} duels of {pair}: draws",
    )


def reached(current: Round) -> int:
    """How many stages of `_ORDER` a round has begun."""
    state = current.required_state
    if state.current_round > current.number or state.stage is Stage.FINISHED:
        return len(_ORDER) + 1
    stage = state.interrupted_stage if state.stage is Stage.PAUSED else state.stage
    return _ORDER.index(stage) + 1 if stage in _ORDER else 0


def _stages(current: Round) -> Iterator[News]:
    number, count = current.number, reached(current)
    for place, stage in enumerate(_ORDER[:count]):
        ended = f"{_ORDER[place - 1]} has ended, " if place else ""
        yield News(f"{number}:begun:{stage}", f"round {number}: {ended}{stage} begins")
    if count > len(_ORDER):
        winner = current.winner
        won = f", {winner.winner_hotkey} has won" if winner is not None else ""
        yield News(f"{number}:ended", f"round {number} has ended{won}")
    if current.required_state.stage is Stage.FINISHED:
        yield News("finished", "the competition has ended")


def _pause(current: Round) -> News:
    """That a person has paused the round; else what is told once the pause is over."""
    number, state, key = current.number, current.required_state, f"{current.number}:paused"
    if state.current_round == number and state.stage is Stage.PAUSED:
        stage = f" in {state.interrupted_stage}" if state.interrupted_stage else ""
        return News(key, f"round {number} is paused{stage} by a person")
    stage = f" with {state.stage}" if state.current_round == number else ""
    return News(f"{number}:goes on", f"round {number} goes on{stage}: the pause is over", ends=key)


def _submissions(current: Round) -> Iterator[News]:
    """Told once all are in, with how many files are refused and how many are missing."""
    if reached(current) <= _ORDER.index(Stage.DUELS) or current.submissions is None:
        return
    miners = current.submissions.names
    files = [known for hotkey in miners if (known := current.submitted(hotkey)) is not None]
    outputs = [output for each in files for output in each.root.values()]
    without = [hotkey for hotkey in miners if not _has_files(current, hotkey)]
    refused = sum(output.model is not None and output.png is None for output in outputs)
    missing = sum(output.model is None for output in outputs)
    yield News(
        f"{current.number}:collected",
        f"round {current.number}: {len(miners)} submissions collected, {len(outputs) - missing} "
        f"files, {refused} refused, {missing} missing; {len(without)} miners without any file",
    )


def _has_files(current: Round, hotkey: str) -> bool:
    submitted = current.submitted(hotkey)
    return submitted is not None and any(output.model for output in submitted.root.values())


def _audits(current: Round) -> Iterator[News]:
    number, people = current.number, current.source_audits.verdicts()
    over = reached(current) > _ORDER.index(Stage.DUELS) + 1
    for request in current.requests.root:
        hotkey = request.hotkey
        yield News(f"{number}:audit:{hotkey}", f"round {number}: an audit of {hotkey} is asked for")
        audit = current.audits.get(hotkey)
        if audit is not None and audit.outcome is not AuditOutcome.PENDING:
            why = f": {audit.reason}" if audit.reason else ""
            key = f"{number}:audited:{hotkey}:{audit.outcome}"
            yield News(
                key, f"round {number}: the audit of {hotkey} has ended, {audit.outcome}{why}"
            )
        if hotkey in people:
            key = f"{number}:source:{hotkey}:{people[hotkey]}"
            verdict = f"round {number}: the source audit of {hotkey} has ended, {people[hotkey]}"
            yield News(key, verdict)
        elif not over and (audit is None or audit.outcome is not AuditOutcome.REJECTED):
            text = f"round {number} waits for a person's source audit of {hotkey}"
            yield News(f"{number}:waits:{hotkey}", text, lasts=True)


def _leaders(leaders: Leader) -> Iterator[News]:
    previous = None
    for entry in leaders.root:
        if previous is not None and entry.hotkey != previous.hotkey:
            yield News(
                f"leader:{entry.effective_block}",
                f"the leader changes to {entry.hotkey} at block {entry.effective_block}",
            )
        previous = entry
