"""What the repository holds when the platform starts: of which edition it is, and how Dagster is
told of it, beside the processes that already serve it.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import dagster as dg

from gen404_assets.assets import logged
from gen404_assets.assets.mirrored import Mirrored
from gen404_assets.assets.mirroring import missing_events, new_rounds
from gen404_assets.assets.partitions import ROUNDS
from gen404_assets.commands.refused import Refused
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.history import History
from gen404_assets.live.importing import importing
from gen404_assets.live.shared import Shared
from gen404_assets.replay.editions.choosing import COMPETITION_1, EDITIONS, edition_of
from gen404_assets.settings import PlatformSettings
from resources.settings import read_settings, setting

Tell = Callable[[str], None]
_LOGGED_EVERY, _SHOWN_EVERY = 10.0, 1.0
"""Seconds between two lines of the log, and between two notes for the sensor."""


def shown_edition(environment: Mapping[str, str], history: History) -> str:
    """The name of the edition that is shown: the one named, or that of the repository's files.
    Raises Refused where it is to be operated and can't be.
    """
    named = setting(environment, "COMPETITION_EDITION")
    edition = EDITIONS[named] if named in EDITIONS else edition_of(history)
    if edition is not COMPETITION_1:
        if read_settings(PlatformSettings, environment).gen404_operate:
            raise Refused(
                f"{setting(environment, 'COMPETITION_REPO')} is of {edition.title}; only "
                "competition 1 can be operated. `gen404 browse` looks at it"
            )
        print(f"The files are of {edition.title}", flush=True)
    return edition.name


def import_history(
    instance: dg.DagsterInstance,
    history: History,
    mirrored: Mirrored,
    progress: Callable[[str], bool] = lambda _: True,
) -> int:
    """Log what the repository holds and Dagster has not seen; returns how many events that took.

    `progress` hears before each event how far it is, and says whether to go on.
    """
    logged.forget()  # whatever was done to the log before is seen
    instance.add_dynamic_partitions(str(ROUNDS.name), new_rounds(instance, history))
    places = {str(number): at for at, number in enumerate(history.round_numbers, start=1)}
    done = 0
    for event in missing_events(instance, history, mirrored):
        at = places.get(str(event.partition), 0)
        if not progress(f"importing round {at} of {len(places)}: {done} files' states so far"):
            break
        instance.report_runless_asset_event(event)
        done += 1
    return done


@contextmanager
def import_beside(
    instance: dg.DagsterInstance, history: History, mirrored: Mirrored, shared: Shared, tell: Tell
) -> Iterator[None]:
    """Import in a thread of its own while the context lasts. The sensor `mirror` waits meanwhile,
    and goes on with whatever is left when the import ends early.
    """
    began, stop = threading.Event(), threading.Event()

    def work() -> None:
        try:
            with importing(shared) as show:
                began.set()
                if show is not None:
                    progress = _Progress(show, tell, stop)
                    done = import_history(instance, history, mirrored, progress)
                    tell(f"imported {done} files' states")
        except InfrastructureFault as fault:
            tell(f"the import stops, and the sensor mirror goes on with it: {fault}")
        finally:
            began.set()

    thread = threading.Thread(target=work, name="import", daemon=True)
    thread.start()
    # The claim must be taken before the sensor `mirror` first looks, or both would import.
    began.wait()
    try:
        yield
    finally:
        stop.set()
        thread.join()


class _Progress:
    """Tells how far an import is, every few seconds, until it is to stop."""

    def __init__(self, show: Tell, tell: Tell, stop: threading.Event) -> None:
        self._show, self._tell, self._stop = show, tell, stop
        self._logged = self._shown = time.monotonic()

    def __call__(self, text: str) -> bool:
        now = time.monotonic()
        if now - self._shown > _SHOWN_EVERY:
            self._shown = now
            self._show(text)
        if now - self._logged > _LOGGED_EVERY:
            self._logged = now
            self._tell(text)
        return not self._stop.is_set()
