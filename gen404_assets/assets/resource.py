"""The competition as a Dagster resource: its repository at one pinned commit a run, and everything
else outside.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import IO, TYPE_CHECKING

import dagster as dg

from gen404_assets.assets.sight import Sight
from gen404_assets.competition.catalogue import Lane
from gen404_assets.competition.history import History
from gen404_assets.competition.settings import Rules
from gen404_assets.competition_repository import history_at, open_repository
from gen404_assets.live.outside import Outside
from gen404_assets.live.sightings import Sightings
from gen404_assets.settings import home
from resources.repository import Repository
from resources.settings import read_settings

if TYPE_CHECKING:
    from gen404_assets.assets.refusals import Commitments


class CompetitionResource(dg.ConfigurableResource[None]):
    """`url` and `branch` of the competition's repository (`COMPETITION_REPO`, `GITHUB_BRANCH`).

    `operates` (`GEN404_OPERATE`): whether rounds under way are worked on here; otherwise they are
    only looked at.
    """

    url: str
    branch: str = "main"
    operates: bool = False

    def repository(self) -> Repository:
        return _repository(self.url, self.branch)

    def sight(self) -> Sight:
        """What ticks see; the sensors, which tick together, share it."""
        return _sight(self.url, self.branch)

    def history(self, run_id: str) -> History:
        """The history up to the head that the run's first step saw; all of its steps read that
        commit.
        """
        return history_at(self.repository(), _head(self.url, self.branch, run_id))

    def history_now(self) -> History:
        """The history up to the head as it is now."""
        return history_at(self.repository(), self.repository().refresh())

    def outside(self) -> Outside:
        return _outside()

    def chain_of(self, history: History, number: int) -> "Callable[[], Commitments] | None":
        """The chain, where its commitments are still those that a round was opened with; else
        None.
        """
        return (lambda: self.outside().chain) if self._may_ask(history, number) else None

    def seen_chain_of(self, history: History, number: int) -> "Callable[[], Commitments] | None":
        """The same for a tick, which doesn't wait for it."""
        return self.sight if self._may_ask(history, number) else None

    def _may_ask(self, history: History, number: int) -> bool:
        return self.operates and not history.is_past(number)

    @staticmethod
    def rules() -> Rules:
        return read_settings(Rules, os.environ)


@contextmanager
def hold(lane: Lane, patience: float = 1.0) -> Iterator[bool]:
    """Whether the lane could be had for oneself within `patience` seconds; it is held until the end
    of the block, and free again if the process dies.
    """
    folder = home() / "lanes"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{lane}.lock").open("w") as handle:
        until = time.monotonic() + patience
        while not (held := _try(handle)) and time.monotonic() < until:
            time.sleep(0.05)
        yield held


def lane_is_free(lane: Lane) -> bool:
    """Whether no run on this machine works in a lane."""
    with hold(lane, patience=0) as held:
        return held


def _try(handle: IO[str]) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@lru_cache(maxsize=1)
def _outside() -> Outside:
    return Outside(os.environ)


@lru_cache(maxsize=4)
def _repository(url: str, branch: str) -> Repository:
    return open_repository(url, branch)


@lru_cache(maxsize=4)
def _sight(url: str, branch: str) -> Sight:
    sightings = Sightings(home() / "sightings")
    return Sight(url, _repository(url, branch), lambda: _outside().chain, sightings)


@lru_cache(maxsize=64)
def _head(url: str, branch: str, run_id: str) -> str:  # noqa: ARG001 -- the run is what the head is remembered for
    return _repository(url, branch).refresh()
