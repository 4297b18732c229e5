"""`gen404 again`: previews, and files that were not had, are made again for a reason that stands in
the repository.
"""

from collections.abc import Mapping, Sequence

from gen404_assets.commands.refused import Refused
from gen404_assets.competition.again import Again, AgainFile
from gen404_assets.competition.catalogue import Asset
from gen404_assets.competition.outputs import Outputs
from gen404_assets.competition.round import AGAIN, STATE, Round
from gen404_assets.competition.state import Stage, State
from gen404_assets.live.outside import Outside
from gen404_assets.live.work import see
from resources.repository import Snapshot

_NAMED = 5  # matches that a refusal names


def make_again(outside: Outside, hotkey: str, stems: Sequence[str], reason: str) -> list[str]:
    """Have a miner's entries of these prompts (none named: all) made again by the collection.

    They are taken out of `submitted.json` and kept in `again.json` with the reason; the round goes
    back to `downloading` from `duels`. Returns the stems. Raises Refused where matches were played
    with the entries already, or there are none.
    """
    done: list[str] = []

    def taken_out(head: Snapshot) -> Mapping[str, bytes | None]:
        current = see(head)
        known = current.submitted(hotkey)
        if known is None:
            raise Refused(f"round {current.number} has no submitted.json of {hotkey}")
        unknown = [stem for stem in stems if stem not in known]
        if unknown:
            raise Refused(f"submitted.json of {hotkey} has no entry for {', '.join(unknown)}")
        done[:] = [stem for stem in known.names if not stems or stem in stems]
        entries = [
            Again(hotkey=hotkey, stem=stem, reason=reason, before=known[stem]) for stem in done
        ]
        path, again = (
            Asset.RENDERS.path(current.number, hotkey),
            current.path(AGAIN),
        )
        left = Outputs({stem: known[stem] for stem in known.names if stem not in done})
        return {
            STATE: _downloading(current, hotkey).to_bytes(current.files.read(STATE)),
            path: left.to_bytes(current.files.read(path)),
            again: AgainFile([*current.again.root, *entries]).to_bytes(current.files.read(again)),
        }

    outside.repository.publish(f"Again: {hotkey}\n\n{reason}", taken_out, time=outside.now())
    return done


def _downloading(current: Round, hotkey: str) -> State:
    """The state in which the collection works. Raises Refused."""
    state = current.required_state
    paused = state.stage is Stage.PAUSED
    stage = state.interrupted_stage if paused else state.stage
    if stage not in {Stage.DOWNLOADING, Stage.DUELS}:
        raise Refused(
            f"round {current.number} is {stage}: entries are made again until it is judged"
        )
    played = [pair for pair in current.matrix.margins if hotkey in pair]
    if played:
        named = ", ".join(f"{left} and {right}" for left, right in played[:_NAMED])
        raise Refused(
            f"matches were played with the entries of {hotkey} already ({named}); a person has to "
            "take them out of matches_matrix.csv, with their reports, before"
        )
    if stage is Stage.DOWNLOADING:
        return state
    key = "interrupted_stage" if paused else "stage"
    return state.model_copy(update={key: Stage.DOWNLOADING, "next_stage_eta": None})
