"""What must hold of outputs that are evidence: their prompts are the round's, their URLs name where
they belong, and what was submitted took no time.
"""

import re
from collections.abc import Iterator

from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.history import History
from gen404_assets.competition.outputs import Outputs
from gen404_assets.competition.prompts import stem as stem_of
from gen404_assets.competition.round import round_of
from gen404_assets.replay.result import Difference

_OBJECT = re.compile(r"/(rounds/\d+/[^/]+/(?:submitted|generated))/([^/?#]+)$")


def contradictions(history: History, path: str, outputs: Outputs) -> Iterator[Difference]:
    """What does not hold in a `submitted.json` or `generated.json`."""
    number = round_of(path)
    if number is None:
        return
    folder = path.removesuffix(".json")
    stems = _stems(history, number)
    for stem, output in outputs.items():
        if stems and stem not in stems:
            yield Difference(stem, "an output", "none: it is no prompt of the round")
        if folder.endswith("/submitted") and output.generation_time:
            yield Difference(f"{stem}.generation_time", str(output.generation_time), "0")
        for key, url in (("png", output.png), ("file", output.model)):
            match = _OBJECT.search(url or "")
            if match and (match[1] != folder or not _is_of(match[2], stem)):
                wanted = f"a URL that ends in {folder}/{stem}.…"
                yield Difference(f"{stem}.{key}", str(url), wanted)


def _is_of(name: str, stem: str) -> bool:
    """Whether an object's name is a prompt's; one that was made again has more after the stem."""
    return name.startswith(stem) or stem_of(name) == stem


def _stems(history: History, number: int) -> set[str]:
    try:
        return set(history.round(number).stems)
    except MalformedFile:
        return set()
