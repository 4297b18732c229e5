"""What must hold of outputs that are evidence: their prompts are the round's, their URLs name where
they belong, and what was submitted took no time.
"""

import re
from collections.abc import Iterator, Mapping, Set

from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.history import History
from gen404_assets.competition.outputs import Outputs
from gen404_assets.competition.prompts import stem as stem_of
from gen404_assets.competition.round import round_of
from gen404_assets.replay.result import Difference

_NAMED = re.compile(r"/rounds/(\d+/[^/]+)/(?:[^/?#]+/)?([^/?#]+)$")
_OBJECT = re.compile(r"/(rounds/\d+/[^/]+/(?:submitted|generated))/([^/?#]+)$")


def contradictions(history: History, path: str, outputs: Outputs) -> Iterator[Difference]:
    """What does not hold in a `submitted.json` or `generated.json`."""
    number = round_of(path)
    if number is None:
        return
    folder = path.removesuffix(".json")
    home = f"/{folder}"
    stems = _stems(history, number)
    submitted = folder.endswith("/submitted")
    for stem, output in outputs.root.items():
        if stems and stem not in stems:
            yield Difference(stem, "an output", "none: it is no prompt of the round")
        if submitted and output.generation_time:
            yield Difference(f"{stem}.generation_time", str(output.generation_time), "0")
        file, png = outputs.urls[stem]
        for key, url in (("png", png), ("file", file)):
            if not url:
                continue
            slash = url.rfind("/")
            if url.startswith(stem, slash + 1) and url.endswith(home, 0, slash):
                continue  # so it is of nearly all, which need not be searched
            match = _OBJECT.search(url)
            if match and (match[1] != folder or not _is_of(match[2], stem)):
                wanted = f"a URL that ends in {folder}/{stem}.…"
                yield Difference(f"{stem}.{key}", url, wanted)


def of_others(
    path: str, outputs: Mapping[str, Mapping[str, object]], stems: Set[str]
) -> Iterator[Difference]:
    """What does not hold in an edition's outputs: an output of no prompt, or a URL whose path is
    another round's, miner's or prompt's.
    """
    folder = path.removeprefix("rounds/").rpartition("/")[0]
    for name, output in outputs.items():
        if stems and name not in stems:
            yield Difference(name, "an output", "none: it is no prompt of the round")
        for key, url in output.items():
            match = _NAMED.search(url) if isinstance(url, str) else None
            if match and (match[1] != folder or not _is_of(match[2], name)):
                wanted = f"a URL below rounds/{folder}/ that names {name}"
                yield Difference(f"{name}.{key}", str(url), wanted)


def _is_of(name: str, stem: str) -> bool:
    """Whether an object's name is a prompt's; one that was made again has more after the stem."""
    return name.startswith(stem) or stem_of(name) == stem


def _stems(history: History, number: int) -> Set[str]:
    try:
        return history.round(number).prompt_of.keys()
    except MalformedFile:
        return set()
