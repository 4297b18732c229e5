"""How far the judge has obeyed words in pictures, by round: one note each, written by the runs that
measure it (`live.words`), for people.
"""

import json
from typing import TYPE_CHECKING

from resources.notes import Notes, parsed_note

if TYPE_CHECKING:
    from gen404_assets.live.words import Effect

NOT_MEASURED = "not measured"
_OUTCOMES = ("obeyed", "resisted", "unknown")


class WordsMeasured:
    """What runs have measured. Calls raise InfrastructureFault where the disk or the database
    fails.
    """

    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    def add(self, number: int, effect: "Effect | None") -> None:
        """A run has measured it in round `number`; None: it could not."""
        counts, last = parsed_note(self._notes, _note(number), _parsed) or ({}, "")
        outcome = "unknown" if effect is None else "obeyed" if effect.obeyed else "resisted"
        counts = {**counts, outcome: counts.get(outcome, 0) + 1}
        last = last if effect is None else str(effect)
        self._notes.write(_note(number), json.dumps([counts, last]).encode())

    def in_round(self, number: int) -> str:
        """In how many runs of a round the judge obeyed, resisted, or wasn't measured, and what was
        measured last, in words.
        """
        known = parsed_note(self._notes, _note(number), _parsed)
        if known is None:
            return NOT_MEASURED
        counts, last = known
        obeyed, resisted, unknown = (counts.get(each, 0) for each in _OUTCOMES)
        if not obeyed + resisted:
            return f"{NOT_MEASURED}: {unknown} runs could not"
        failed = f", could not be measured in {unknown}" if unknown else ""
        return f"obeyed in {obeyed} runs, resisted in {resisted}{failed}; last: {last}"


def _note(number: int) -> str:
    return f"words/{number}.json"


def _parsed(content: bytes) -> tuple[dict[str, int], str]:
    counts, last = json.loads(content)
    return {each: int(counts[each]) for each in _OUTCOMES if each in counts}, str(last)
