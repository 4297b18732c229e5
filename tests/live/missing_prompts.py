"""A round some of whose prompts have no picture, at the end of its window."""

from gen404_assets.competition.prompts import stem
from simulators.examples import MINERS
from simulators.outside import SimulatedOutside, picture_of
from simulators.rounds import opened, reveal

FINE, POOR = MINERS[:2]
SEED = "rounds/0/seed.json"
LATEST, DEADLINE = 600, 900


def pool_of(outside: SimulatedOutside, names: str) -> None:
    """The pool has these prompts alone: fewer than a round has, so they are taken as they stand."""
    urls = "\n".join(f"https://pool.example/{name}.png" for name in names)
    outside.repository.commit({"prompts.txt": urls.encode()}, "By hand")


def gone(
    outside: SimulatedOutside, names: str, reason: str | bytes = "the host isn't found"
) -> None:
    """These prompts' hosts give no picture."""
    outside.downloads.prompt = lambda url: reason if stem(url) in names else picture_of(url)


def window_closed(missing: str, names: str = "abcd", **config: object) -> SimulatedOutside:
    """Round 0 at the end of its window, with prompts whose hosts are gone."""
    outside = opened(**{"prompts_per_round": len(names) + 1, **config})
    pool_of(outside, names)
    gone(outside, missing)
    reveal(outside, [FINE, POOR])
    outside.chain.number = LATEST
    return outside


def copies(outside: SimulatedOutside, number: int = 0) -> list[str]:
    return sorted(
        key for key in outside.store.objects if key.startswith(f"rounds/{number}/prompts/")
    )
