"""A platform that dies at its n-th effect on the outside ends with the files of one that never
died: for an n of each kind of effect, before it and after it, and with `THOROUGH` for every n.
"""

import re
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
from tests.sampling import of_each_kind

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
NAMES = re.compile(r"\b5\w{47}|[0-9a-f]{8,}|\d+|\b[a-z]\b")
"""Hotkeys, digests, numbers and prompts in messages and keys."""

WORLD = World(
    miners=(CHEAT, FINE, UNREACHABLE), leader_works=True, leader_penalty=7, gone=frozenset("adgj")
)


class Killed(BaseException):
    """SIGKILL, as near as a test can come in one process."""


class Life:
    """Notes the kinds of effects; each can be died of before and after it has come about."""

    def __init__(self, ends_at: int) -> None:
        self.left, self.lock = ends_at, threading.Lock()
        self.kinds: list[tuple[str, str, bool]] = []

    def lived(self, name: str, about: object, after: bool) -> None:
        with self.lock:
            text = about.partition("\n")[0] if isinstance(about, str) else ""
            self.kinds.append((name, NAMES.sub("", text), after))
            self.left -= 1
            if self.left == 0:
                raise Killed

    def __call__(self, effect: Callable[..., Any], name: str) -> Callable[..., Any]:
        def mortal(about: Any, *arguments: Any, **options: Any) -> Any:
            self.lived(name, about, after=False)
            result = effect(about, *arguments, **options)
            self.lived(name, about, after=True)
            return result

        return mortal


def play(outside: SimulatedOutside) -> int:
    """Play to the end, beginning anew whenever it dies; how often it died."""
    deaths = 0
    for _ in range(300):
        due_now = due(now(outside).files, outside.chain.number)
        if due_now.stage is Stage.FINISHED:
            return deaths
        head = outside.repository.head
        try:
            step(outside, due_now)
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
        setattr(owner, name, life(getattr(owner, name), name))
    return outside, life


def lasting(outside: SimulatedOutside) -> dict[str, bytes]:
    """The objects that something rests on. How many canary duels there were, and what the answers'
    records say of them, depends on the clock.
    """
    by_the_clock = ("provisional/", "canaries/")
    objects = outside.store.objects.items()
    return {key: data for key, data in objects if not key.startswith(by_the_clock)}


@pytest.fixture(scope="module")
def undisturbed() -> tuple[SimulatedOutside, list[int]]:
    """How it ends for a platform that never dies, and the effects that others die of."""
    outside, endless = mortal(-1)
    play(outside)
    assert len(endless.kinds) > 100
    return outside, [1 + place for place in of_each_kind(endless.kinds)]


@pytest.mark.parametrize("share", range(SHARES))
def test_g15_killed_at_any_effect_it_ends_with_the_same_files(
    undisturbed: tuple[SimulatedOutside, list[int]], share: int
) -> None:
    whole, effects = undisturbed
    assert effects[share:], "each share has some"
    for ends_at in effects[share::SHARES]:
        outside, life = mortal(ends_at)
        # Threads may publish together what they have: then there are fewer effects than were
        # counted, and nobody dies.
        assert play(outside) == (life.left <= 0)
        assert outside.repository.head.files == whole.repository.head.files
        assert lasting(outside) == lasting(whole)
