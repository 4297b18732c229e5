"""The alerts of a platform that runs: what has happened, is out of order, or was restarted."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime

from gen404_assets.commands.occupied import Competition
from gen404_assets.commands.supervisor import Condition
from gen404_assets.competition.catalogue import Lane
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition_repository import open_repository
from gen404_assets.live.alerts import Alerts, Reporter
from gen404_assets.live.sightings import FILES, Sightings
from gen404_assets.live.waiting import Waiting
from resources.alerts import AlertSettings, open_sender
from resources.deadlines import in_background
from resources.notes import Notes
from resources.settings import read_settings

_EVERY = 10.0
"""Seconds between two looks."""
_LOG = logging.getLogger(__name__)


@dataclass
class Reporting:
    """Looks every few seconds, in the background; a look that hangs delays only the next one."""

    alerts: Alerts
    reporter: Reporter
    waits: Callable[[], Mapping[str, str]]
    conditions: Callable[[], Sequence[Condition]]
    _looked: float = float("-inf")
    _look: Future[None] | None = None

    def each_round(self) -> None:
        """Begin a look where it is time. Never waits and never raises."""
        if time.monotonic() - self._looked < _EVERY or (self._look and not self._look.done()):
            return
        if self._look is not None and (error := self._look.exception()) is not None:
            _LOG.error("alerts: %s: %s", type(error).__name__, error)
        self._looked = time.monotonic()
        self._look = in_background(self.look)

    def look(self) -> None:
        """Tell what is new. Raises what is a bug."""
        restarts = {each.name: (each.restarts, each.reason) for each in self.conditions()}
        self.alerts.tell_restarts(restarts)
        try:
            waits = dict(self.waits())
        except InfrastructureFault as fault:
            self.alerts.tell_waits({"database or disk": str(fault)})
            return
        try:
            self.alerts.tell(self.reporter.news(), datetime.now(UTC))
        except MalformedFile as fault:
            waits[FILES] = str(fault)
        except InfrastructureFault as fault:
            waits.setdefault("repository", str(fault))
        self.alerts.tell_waits(waits)


def open_reporting(
    environment: Mapping[str, str],
    notes: Notes,
    conditions: Callable[[], Sequence[Condition]],
    more_waits: Callable[[], Mapping[str, str]] = dict,
) -> Reporting | None:
    """The alerts that the settings ask for; None where nobody is to hear. `more_waits` is what is
    out of order beside what the notes say. Raises BadSetting.
    """
    sender = open_sender(environment)
    if sender is None:
        return None
    where = Competition.named_in(environment)
    repository = open_repository(where.repository, where.branch, environment)
    settings = read_settings(AlertSettings, environment)
    waiting, sightings = Waiting(notes), Sightings(notes)

    def waits() -> dict[str, str]:
        lanes = {lane.value: wait.on for lane in Lane if (wait := waiting.for_lane(lane))}
        return {**more_waits(), **sightings.failing(), **lanes}

    alerts = Alerts(sender, notes, settings.alert_again_hours)
    return Reporting(alerts, Reporter(repository), waits, conditions)
