"""Who takes part in the local competition, as data: how well each works, how it gets better, and
who cheats.
"""

from dataclasses import dataclass
from hashlib import sha1

from resources.local_network.lathe import Skill

FINEST = Skill(splats=40_000, noise=0.001)
FINER = Skill(rings=44, segments=32, splats=8_000, noise=0.002)
FINE = Skill(rings=20, segments=16, splats=3_000, noise=0.01)
COARSE = Skill(rings=13, segments=9, splats=1_200, noise=0.02)
MEDIOCRE = Skill(rings=9, segments=7, splats=600, colours="few", noise=0.04)
POOR = Skill(rings=6, segments=5, splats=300, colours="grey", noise=0.1)


@dataclass(frozen=True, kw_only=True)
class Member:
    """A miner, known on the chain by the hotkey that is derived from its `name`.

    `skills` are what it submits: (the round from which on, its skill), a new version of its code
    each. `image` is what its published code can do instead, if it cheats. It commits when `share`
    of the time to reveal, counted from when it first saw the round, has passed.
    """

    name: str
    repo: str
    share: float
    skills: tuple[tuple[int, Skill], ...] = ()
    image: Skill | None = None
    copies: str | None = None
    failing_cdn: bool = False
    garbage: bytes | None = None
    sdk: int | None = None

    def version(self, number: int) -> int:
        """The version, from 0, of its code in round `number`."""
        return sum(start <= number for start, _ in self.skills) - 1

    def skill(self, number: int) -> Skill:
        """What it submits in round `number` comes from this."""
        return self.skills[self.version(number)][1]

    def published_skill(self, number: int) -> Skill:
        """What the code can do that it publishes for round `number`."""
        return self.image or self.skill(number)

    def commit(self, hotkey: str, number: int) -> str:
        """The commit, 40 hex digits, of its code in round `number`."""
        return sha1(f"{hotkey}:{self.version(number)}".encode(), usedforsecurity=False).hexdigest()


FIRST_LEADER = Member(name="founder", repo="founder/first-lathe", share=0, skills=((0, POOR),))
"""Leads when the competition begins, and takes no further part."""

CAST = (
    # Comes out first in the duels, while nobody honest is as good, and fails its audit.
    Member(
        name="cheat", repo="smith/mirror-lathe", share=0, skills=((0, FINEST),), image=POOR, sdk=11
    ),
    Member(name="fine", repo="ada/fine-lathe", share=0.3, skills=((0, FINE), (4, FINEST)), sdk=10),
    Member(
        name="coarse", repo="bo/quick-lathe", share=0.33, skills=((0, COARSE), (2, FINER)), sdk=11
    ),
    Member(name="mediocre", repo="cy/first-try", share=0.36, skills=((0, MEDIOCRE),), sdk=10),
    Member(name="poor", repo="dee/blunt-chisel", share=0.39, skills=((0, POOR),)),
    Member(
        name="unreachable", repo="eve/cheap-host", share=0.42, skills=((0, FINE),), failing_cdn=True
    ),
    Member(name="copier", repo="fay/copy", share=0.4, copies="fine"),
    Member(
        name="garbage", repo="gus/noise", share=0.2, garbage=b"\xff\xfe not a commitment \x00\xd8"
    ),
)
"""All who take part, each a process of `resources.local_network.miner`."""


def member(name: str) -> Member:
    """The one of this name; KeyError if there is none."""
    return {each.name: each for each in CAST}[name]
