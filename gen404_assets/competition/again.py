"""`again.json`: what a person has had made again in a round, and what there was before."""

from gen404_assets.competition.files import ListFile, Record
from gen404_assets.competition.outputs import Output


class Again(Record):
    """One prompt of one miner. `before` is its entry of `submitted.json` as it was: its objects
    stay in the store.
    """

    hotkey: str
    stem: str
    reason: str
    before: Output


class AgainFile(ListFile[Again]):
    """Append-only; written by `gen404 again`."""

    def of_prompt(self, hotkey: str, stem: str) -> list[Again]:
        """What was made again of one prompt, in order."""
        return [each for each in self.root if (each.hotkey, each.stem) == (hotkey, stem)]


def object_name(stem: str, again: int) -> str:
    """What a file or preview is called in the store, after being made again so many times."""
    return stem if again == 0 else f"{stem}-{again + 1}"
