"""`/metrics`: how the competition and the platform stand, in figures for Prometheus."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import takewhile

from gen404_assets.commands.supervisor import Condition
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.history import History
from gen404_assets.competition.round import Round
from gen404_assets.competition.settings import BLOCK_SECONDS
from gen404_assets.competition.state import Stage
from gen404_assets.competition_repository import history_of
from gen404_assets.live.shared import Shared
from gen404_assets.live.sightings import CHAIN, Sightings
from gen404_assets.live.waiting import Waiting
from gen404_assets.live.work import see
from resources.figures import Labels, exposition
from resources.repository import Repository

_COUNTED: Mapping[str, str] = {
    "questions": "questions that the judge was asked",
    "words_in_pictures": "runs whose judge obeyed or resisted words in a picture, by round",
    "tokens": "tokens of those questions and answers, where the judge's server tells them",
    "fetched_bytes": "bytes of miners' files that were fetched",
    "files": "miners' files that were drawn or refused by the renderer",
    "render_seconds": "seconds that drawing took, waiting for a worker included",
    "pods": "pods that were started",
    "pod_seconds": "seconds that pods were there, counted when they are gone",
}
_FUTURE = datetime.max.replace(tzinfo=UTC)
Figure = tuple[str, str, Mapping[Labels, float]]


@dataclass
class Measured:
    """The figures of a platform whose processes share `shared`; `repository` is read as its mirror
    stands. `costs`: provider -> what an hour of a pod costs there.
    """

    repository: Repository
    shared: Shared
    costs: Mapping[str, float] = field(default_factory=dict)
    _head: str = ""
    _round: Round | None = None
    _since: datetime = _FUTURE

    def text(self, conditions: Sequence[Condition]) -> str:
        """All figures; what isn't known is left out."""
        restarts: dict[Labels, float] = {
            (("process", each.name),): float(each.restarts) for each in conditions
        }
        up: dict[Labels, float] = {
            (("process", each.name),): float(each.state == "up") for each in conditions
        }
        figures: list[Figure] = [
            ("gen404_process_up", "whether a process of the platform answers", up),
            ("gen404_process_restarts_total", "restarts of a process since the start", restarts),
            *self._outside(),
            *self._competition(),
            *self._counted(),
        ]
        return exposition(figures)

    def _outside(self) -> Iterator[Figure]:
        sightings, waiting = Sightings(self.shared.notes), Waiting(self.shared.notes)
        seen = sightings.latest()
        ages: dict[Labels, float] = {
            (("of", name),): float(sighting["age"])
            for name, sighting in seen.items()
            if sighting["age"] is not None
        }
        yield "gen404_sighting_age_seconds", "since repository and chain were last seen", ages
        waits: dict[Labels, float] = {
            (("for", "chain or repository"),): float(len(sightings.waits())),
            (("for", "a lane's work"),): float(len(waiting.all())),
        }
        yield "gen404_waits", "what can't be had outside now", waits
        if (chain := seen.get(CHAIN)) and chain["age"] is not None:
            yield "gen404_block", "last finalised block that was seen", _one(float(chain["seen"]))
            behind = _one(float(chain["age"] // BLOCK_SECONDS))
            yield "gen404_blocks_behind", "blocks that have come since, at 12 s each", behind

    def _competition(self) -> Iterator[Figure]:
        current = self._current()
        if current is None:
            return
        state = current.required_state
        stages: dict[Labels, float] = {
            (("stage", stage.value),): float(stage is state.stage) for stage in Stage
        }
        yield "gen404_round", "round under way", _one(float(state.current_round))
        yield "gen404_stage", "1 for the stage that the round is in", stages
        yield "gen404_stage_age_seconds", "since the commit that began it", _age(self._since)
        head = self.repository.snapshot(self._head).commit.time
        yield "gen404_head_age_seconds", "age of the repository's newest commit", _age(head)

    def _current(self) -> Round | None:
        """The round at the head that was seen last; the one before where it can't be read."""
        try:
            head = self.repository.last_known_head()
            if head != self._head:
                snapshot = self.repository.snapshot(head)
                self._round, self._since = see(snapshot), _stage_began(history_of(snapshot))
                self._head = head
        except (InfrastructureFault, MalformedFile):
            return self._round
        return self._round

    def _counted(self) -> Iterator[Figure]:
        values: dict[str, dict[Labels, float]] = {name: {} for name in _COUNTED}
        for (name, labels), value in self.shared.totals.read().items():
            values.setdefault(name, {})[labels] = value
        for name, meaning in _COUNTED.items():
            yield f"gen404_{name}_total", meaning, values[name]
        costs = {
            labels: seconds / 3600 * self.costs[provider]
            for labels, seconds in values["pod_seconds"].items()
            if (provider := dict(labels).get("provider", "")) in self.costs
        }
        yield "gen404_pod_cost_total", "what those seconds cost by POD_HOUR_COSTS", costs


def _stage_began(history: History) -> datetime:
    """When the commit was made that began the stage under way."""
    _, now = history.states[-1]
    under_way = takewhile(
        lambda each: (each[1].current_round, each[1].stage) == (now.current_round, now.stage),
        reversed(history.states),
    )
    *_, (began, _) = under_way
    return began.commit.time


def _age(since: datetime) -> Mapping[Labels, float]:
    return _one(max(0.0, time.time() - since.timestamp()))


def _one(value: float) -> Mapping[Labels, float]:
    """A figure without labels."""
    return {(): value}
