"""A platform that dies at its n-th effect on the outside, for every n, ends with the files of one
that never died.
"""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from gen404_assets.competition.audits import SourceVerdict
from gen404_assets.competition.due import due
from gen404_assets.competition.state import Stage
from simulators.outside import SimulatedOutside
from simulators.rounds import now
from simulators.whole_rounds import MinerDoes, World, simulate, step

FINE = MinerDoes(
    build="success",
    serves=True,
    penalty=1,
    honest=True,
    deploys=True,
    reviewed=SourceVerdict.PASSED,
)
CHEAT = MinerDoes(
    build="success",
    serves=True,
    penalty=0,
    honest=False,
    deploys=True,
    reviewed=SourceVerdict.PASSED,
)
UNREACHABLE = MinerDoes(
    build="failure",
    serves=False,
    penalty=9,
    honest=True,
    deploys=True,
    reviewed=SourceVerdict.PASSED,
)
SHARES = 12
"""Into how many tests the effects are shared."""

WORLD = World(
    miners=(CHEAT, FINE, UNREACHABLE), leader_works=True, leader_penalty=7, gone=frozenset("adgj")
)


class Killed(BaseException):
    """SIGKILL, as near as a test can come in one process."""


class Life:
    """Counts effects; each can be died of before and after it has come about."""

    def __init__(self, ends_at: int) -> None:
        self.left, self.lock = ends_at, threading.Lock()

    def lived(self) -> None:
        with self.lock:
            self.left -= 1
            if self.left == 0:
                raise Killed

    def __call__(self, effect: Callable[..., Any]) -> Callable[..., Any]:
        def mortal(*arguments: Any, **options: Any) -> Any:
            self.lived()
            result = effect(*arguments, **options)
            self.lived()
            return result

        return mortal


def play(outside: SimulatedOutside) -> int:
    """Play to the end, beginning anew whenever it dies; how often it died."""
    deaths = 0
    for _ in range(300):
        found = due(now(outside).files, outside.chain.number)
        if found.stage is Stage.FINISHED:
            return deaths
        head = outside.repository.head
        try:
            step(outside, found)
        except Killed:
            deaths += 1
            continue
        if outside.repository.head is head:
            outside.chain.number += 100
    raise AssertionError("stuck")


def mortal(ends_at: int) -> tuple[SimulatedOutside, Life]:
    """The world, for a platform that dies of its effect number `ends_at`."""
    outside, life = simulate(WORLD), Life(ends_at)
    for owner, name in (
        (outside.repository, "publish"),
        (outside.store, "put"),
        (outside.downloads, "download"),
        (outside.judging, "ask"),
        (outside, "regenerate"),
    ):
        setattr(owner, name, life(getattr(owner, name)))
    return outside, life


@pytest.fixture(scope="module")
def undisturbed() -> tuple[SimulatedOutside, int]:
    """How it ends for a platform that never dies, and how many effects that takes."""
    outside, endless = mortal(-1)
    play(outside)
    return outside, -1 - endless.left


@pytest.mark.parametrize("share", range(SHARES))
def test_g15_killed_at_any_effect_it_ends_with_the_same_files(
    undisturbed: tuple[SimulatedOutside, int], share: int
) -> None:
    whole, effects = undisturbed
    assert effects > 100
    for ends_at in range(1 + share, effects + 1, SHARES):
        outside, life = mortal(ends_at)
        # Threads may publish together what they have: then there are fewer effects than were
        # counted, and nobody dies.
        assert play(outside) == (life.left <= 0)
        assert outside.repository.head.files == whole.repository.head.files
        assert outside.store.objects == whole.store.objects
