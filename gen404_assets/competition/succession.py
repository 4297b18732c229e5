"""The entry that a round's winner adds to `leader.json` (`rules.md`, FINALIZING)."""

from collections.abc import Sequence

from gen404_assets.competition.config import Config
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.history import History
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.leader import FULL_WEIGHT, Leader, Transition
from gen404_assets.competition.round import LEADERS, read_file
from gen404_assets.competition.settings import Rules
from gen404_assets.competition.state import Stage
from gen404_assets.competition.winner import Winner


def continue_leader(
    leader: Leader,
    winner: Winner,
    effective_block: int,
    config: Config,
    rules: Rules,
    undone: Sequence[Transition] = (),
) -> Leader:
    """`leader` after a round that `winner` won, from `effective_block` on (`rules.md`, FINALIZING).

    New code leads with full weight. If the leader defended, or the winner has the same code, the
    weight decays down to the floor. `undone` are entries that an earlier end of the same round made
    for another winner: they stay as what was in effect, and the new entry continues what came
    before them. Raises ValueError if nobody leads before that block.
    """
    standing = Leader([entry for entry in leader.root if entry not in undone])
    current = standing.at(effective_block - 1)
    if current is None:
        raise ValueError(f"nobody leads before block {effective_block}")
    same_code = (winner.repo, winner.commit) == (current.repo, current.commit)
    if winner.winner_hotkey != LEADER and not same_code:
        entry = Transition(
            hotkey=winner.winner_hotkey,
            repo=winner.repo,
            commit=winner.commit,
            docker=winner.docker_image,
            weight=FULL_WEIGHT,
            effective_block=effective_block,
        )
    elif current.weight > config.weight_floor:
        decayed = current.weight - config.weight_decay
        digits = rules.weight_digits
        weight = max(config.weight_floor, decayed if digits is None else round(decayed, digits))
        entry = current.model_copy(update={"weight": weight, "effective_block": effective_block})
    elif leader.at(effective_block - 1) != current:
        entry = current.model_copy(update={"effective_block": effective_block})
    else:
        return leader
    return Leader([*leader.root, entry])


def entries_made(history: History, number: int, until: int | None = None) -> list[Transition]:
    """What the platform has added to `leader.json` each time that the round ended, before commit
    `until` (None: so far).

    A round ends more than once where a person set its stage back, or extended the competition.
    """
    made: list[Transition] = []
    for version, before, after in history.states_of(number):
        left = (
            before is not None
            and before.current_round == number
            and (after.current_round > number or after.stage is Stage.FINISHED)
        )
        if left and not version.by_person and (until is None or version.index < until):
            earlier = _leaders_at(history, version.index - 1)
            made += [e for e in _leaders_at(history, version.index) if e not in earlier]
    return made


def _leaders_at(history: History, index: int) -> Sequence[Transition]:
    """The entries as a commit left them; none where they could not be read."""
    try:
        leaders = read_file(history.at(index), LEADERS, Leader)
    except MalformedFile:
        return []
    return leaders.root if leaders else []
