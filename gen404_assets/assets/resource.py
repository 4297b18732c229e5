"""The competition as a Dagster resource: its repository at one pinned commit a run, and everything
else outside.
"""

import atexit
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

import dagster as dg

from gen404_assets.assets.adapters import (
    VARIABLES,
    AdapterResource,
    adapter_resources,
    adapters_in,
)
from gen404_assets.assets.sight import Sight
from gen404_assets.competition.catalogue import Lane
from gen404_assets.competition.history import History
from gen404_assets.competition.settings import Rules
from gen404_assets.competition_repository import history_at
from gen404_assets.live.outside import Outside
from gen404_assets.live.shared import open_shared
from gen404_assets.live.sightings import Sightings
from gen404_assets.replay.editions.choosing import COMPETITION_1, EDITIONS
from gen404_assets.settings import platform_settings
from resources.repository import Repository
from resources.settings import read_settings, setting

if TYPE_CHECKING:
    from gen404_assets.assets.refusals import Commitments


NO_REPOSITORY = (
    "COMPETITION_REPO is not set: `gen404 up` runs a competition on this machine, "
    "`gen404 browse REPO` looks at another, and with COMPETITION_REPO set to a git URL or path "
    "Dagster looks at that one."
)
"""What to do where Dagster was started without a competition, as by a plain `dagster dev`."""

_ENDS_WITHIN = 60.0
"""Seconds to end in order: another process may work in the lane by then."""


class CompetitionResource(dg.ConfigurableResource[None]):
    """The competition: its repository, and every other adapter that work on it takes.

    `operates` (`GEN404_OPERATE`): whether rounds under way are worked on here; otherwise they are
    only looked at. Adapters are opened when first used, once a process and configuration.
    """

    repository_settings: AdapterResource
    chain: AdapterResource
    object_store: AdapterResource
    downloads: AdapterResource
    renderer: AdapterResource
    judge: AdapterResource
    distance: AdapterResource
    gpu_providers: AdapterResource
    builds: AdapterResource
    operates: bool = False

    def is_named(self) -> bool:
        """Whether there is a competition to look at (`COMPETITION_REPO`)."""
        return "COMPETITION_REPO" in self.repository_settings.environment()

    @property
    def edition(self) -> str:
        """The name of the edition whose assets are shown (`COMPETITION_EDITION`)."""
        return self.repository_settings.environment().get("COMPETITION_EDITION", "competition-1")

    def repository(self) -> Repository:
        """The competition's repository. Fails where none is named."""
        if not self.is_named():
            raise dg.Failure(NO_REPOSITORY, allow_retries=False)
        return self.outside().repository

    def sight(self) -> Sight:
        """What ticks see; the sensors, which tick together, share it."""
        return _sight(self.outside())

    def history(self, run_id: str) -> History:
        """The history up to the head that the run's first step saw; all of its steps read that
        commit.
        """
        return history_at(self.repository(), _head(self.repository(), run_id))

    def history_now(self) -> History:
        """The history up to the head as it is now."""
        return history_at(self.repository(), self.repository().refresh())

    def outside(self) -> Outside:
        """Everything outside, by the settings of the adapters' resources."""
        settings: dict[str, str] = {}
        for name in type(self).model_fields:
            adapter = getattr(self, name)
            if isinstance(adapter, AdapterResource):
                settings |= adapter.environment()
        return _outside(frozenset(settings.items()))

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


def competition_resources(
    environment: Mapping[str, str], *, operates: bool
) -> dict[str, dg.ConfigurableResource[None]]:
    """The resources of the definitions: each adapter's, and the competition, which uses them."""
    adapters = adapter_resources(environment)
    return {**adapters, "competition": _competition(adapters, operates=operates)}


def watched_competition() -> CompetitionResource:
    """The competition that this process's environment sets, for sensors.

    A sensor that took it as a Dagster resource would open Dagster's storage at each tick to build
    it: 0.1 s of CPU on SQLite, three connections on PostgreSQL. Most ticks find nothing new.
    """
    names = VARIABLES | {"GEN404_OPERATE"}
    return _watched(frozenset((name, os.environ.get(name, "")) for name in names))


@lru_cache(maxsize=4)
def _watched(settings: frozenset[tuple[str, str]]) -> CompetitionResource:
    environment = dict(settings)
    edition = EDITIONS.get(setting(environment, "COMPETITION_EDITION"), COMPETITION_1)
    operates = edition is COMPETITION_1 and platform_settings(environment).gen404_operate
    return _competition(adapters_in(environment), operates=operates)


def _competition(adapters: Mapping[str, AdapterResource], *, operates: bool) -> CompetitionResource:
    nested = {
        "repository_settings" if name == "repository" else name: adapter
        for name, adapter in adapters.items()
    }
    return CompetitionResource(**nested, operates=operates)


@contextmanager
def hold(lane: Lane, patience: float = 1.0) -> Iterator[bool]:
    """Whether the lane could be had for oneself within `patience` seconds; it is held until the end
    of the block, and free again if the process dies.

    Where the database that knows of it can't be reached, or gave it to another run, this process is
    told to end (SIGTERM), as by a person who cancels its run: it may no longer work in the lane.
    """
    with open_shared().claims.hold(f"lanes/{lane}", patience, _end_this_process) as held:
        yield held


def lane_is_free(lane: Lane) -> bool:
    """Whether no run works in a lane, on any machine of the platform."""
    return not open_shared().claims.is_held(f"lanes/{lane}")


def _end_this_process() -> None:
    """Have this process end in order, and, where it does not, end it."""
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_ENDS_WITHIN)
    os._exit(1)


_OPENED: dict[frozenset[tuple[str, str]], Outside] = {}
_OPENING = threading.Lock()


def _outside(settings: frozenset[tuple[str, str]]) -> Outside:
    """What is open in this process with these settings of the adapters: a chain's connection takes
    a second, and sensors look every few. All other settings are the process's own.
    """
    with _OPENING:
        if settings not in _OPENED:
            others = {key: value for key, value in os.environ.items() if key not in VARIABLES}
            _OPENED[settings] = Outside({**others, **dict(settings)})
        return _OPENED[settings]


@atexit.register
def close_adapters() -> None:
    """Close what this process has opened; what is used again is opened anew."""
    with _OPENING:
        while _OPENED:
            _OPENED.popitem()[1].close()
        # It holds what has just been closed.
        _sight.cache_clear()


@lru_cache(maxsize=4)
def _sight(outside: Outside) -> Sight:
    url = setting(outside.environment, "COMPETITION_REPO")
    sightings = Sightings(outside.shared.notes)
    return Sight(url, outside.repository, lambda: outside.chain, sightings)


@lru_cache(maxsize=64)
def _head(repository: Repository, run_id: str) -> str:  # noqa: ARG001 -- the run is what the head is remembered for
    return repository.refresh()
