"""The entry that a round's winner adds to `leader.json` (`rules.md`, FINALIZING)."""

from gen404_assets.competition.config import Config
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.leader import FULL_WEIGHT, Leader, Transition
from gen404_assets.competition.settings import Rules
from gen404_assets.competition.winner import Winner


def continue_leader(
    leader: Leader, winner: Winner, effective_block: int, config: Config, rules: Rules
) -> Leader:
    """`leader` after a round that `winner` won, from `effective_block` on (`rules.md`, FINALIZING).

    New code leads with full weight. If the leader defended, or the winner has the same code, the
    weight decays down to the floor. Raises ValueError if nobody leads before that block.
    """
    current = leader.at(effective_block - 1)
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
    else:
        return leader
    return Leader([*leader.root, entry])
