"""A simulated driver of the plan: pods warm up, work, fail, lie and get lost, on a clock that only
events move.
"""

import heapq
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count

from gen404_assets.competition.outputs import Output
from gen404_assets.competition.pods import PodRules
from gen404_assets.competition.regeneration import Prompts, Regeneration

IN_FLIGHT = 4
TICK = 30.0


@dataclass(frozen=True)
class Made:
    """What a pod makes of a prompt: seconds until the headers, seconds until it is measured; None:
    it fails. `cut_off`: the platform's own connection breaks first.
    """

    seconds: float
    after: float = 5.0
    distance: float | None = 0.01
    cut_off: bool = False


@dataclass(frozen=True)
class Image:
    """How a miner's image behaves: `warm_up` of the i-th pod (inf: never), what it makes, when a
    provider loses it, and how many seconds after its start the provider runs it.
    """

    warm_up: Callable[[int], float]
    make: Callable[[int, str], Made]
    lost: Callable[[int], float] = lambda _: float("inf")
    placed: Callable[[int], float] = lambda _: 0.0


@dataclass
class Trace:
    """What happened: hand-outs (time, pod, prompt), starts, and the life of each pod in seconds."""

    handed: list[tuple[float, str, str]] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    lives: dict[str, list[float]] = field(default_factory=dict)
    most_alive: int = 0
    most_alive_before_healthy: int = 0
    end: float = 0.0

    @property
    def pod_seconds(self) -> float:
        return sum(ended - began for began, ended in self.lives.values())


class Simulation:
    """Runs a plan on an image's pods to its end; faults of the plan itself are asserted on the
    way.
    """

    def __init__(
        self,
        prompts: Prompts,
        pod_rules: PodRules,
        image: Image,
        kind: type[Regeneration] = Regeneration,
    ) -> None:
        self.plan, self.image = kind(prompts, pod_rules), image
        self.trace = Trace()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._working: dict[str, str | None] = {}
        self._in_flight: dict[str, int] = {}
        self._held: dict[str, str] = {}
        self.now = 0.0

    def run(self, limit: float = 1e6) -> Trace:
        self._at(0.0, self._tick)
        while not self.plan.over:
            self.now, _, event = heapq.heappop(self._events)
            assert self.now < limit, "it never ends"
            event()
            self._direct()
        for name, life in self.trace.lives.items():
            if self.plan.pods[name].ended is None:
                life[1] = self.now
        self.trace.end = self.now
        return self.trace

    def _at(self, when: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (when, next(self._order), event))

    def _tick(self) -> None:
        if self.plan.start_due(self.now):
            index = len(self.plan.pods)
            name = f"pod-{index}"
            self.plan.started(name, self.now)
            self.trace.starts.append(self.now)
            self.trace.lives[name] = [self.now, float("inf")]
            self._working[name], self._in_flight[name] = None, 0
            warm_up, lost = self.image.warm_up(index), self.image.lost(index)
            placed = self.now + self.image.placed(index)
            self._at(placed, lambda: self.plan.placed(name, self.now))
            if warm_up < float("inf"):
                self._at(placed + warm_up, lambda: self._warm(name))
            if lost < float("inf"):
                self._at(self.now + lost, lambda: self._lost(name))
        self._at(self.now + TICK, self._tick)

    def _warm(self, name: str) -> None:
        if self.plan.pods[name].ended is None:
            self.plan.healthy(name)

    def _lost(self, name: str) -> None:
        if self.plan.pods[name].ended is None:
            self._end(name, "lost", replaced=True)

    def _direct(self) -> None:
        self.plan.expire(self.now, lambda _: self.plan.prompts.output())
        for name, reason, replaced in self.plan.to_end(self.now):
            self._end(name, reason, replaced=replaced)
        alive = [pod for pod in self.plan.pods.values() if pod.ended is None]
        self.trace.most_alive = max(self.trace.most_alive, len(alive))
        if not self.plan.deployed:
            self.trace.most_alive_before_healthy = max(
                self.trace.most_alive_before_healthy, len(alive)
            )
        for pod in alive:
            if self._working[pod.name] is None and self._in_flight[pod.name] < IN_FLIGHT:
                self._hand_out(pod.name)

    def _hand_out(self, name: str) -> None:
        stem = self.plan.hand_out(name, self.now)
        if stem is None:
            return
        assert stem not in self._held, "a prompt twice at once"
        assert (name, stem) not in {(pod, prompt) for _, pod, prompt in self.trace.handed}, (
            "twice to the same pod"
        )
        self.trace.handed.append((self.now, name, stem))
        self._held[stem], self._working[name] = name, stem
        self._in_flight[name] += 1
        made = self.image.make(int(name.removeprefix("pod-")), stem)
        self._at(self.now + made.seconds, lambda: self._answered(name, stem, made))

    def _answered(self, name: str, stem: str, made: Made) -> None:
        if self.plan.pods[name].ended is not None:
            return
        self._working[name] = None
        if made.cut_off:
            self.trace.handed = [entry for entry in self.trace.handed if entry[1:] != (name, stem)]
            self._in_flight[name] -= 1
            self._held.pop(stem, None)
            self.plan.given_back(name, stem)
            return
        if made.distance is not None:
            self.plan.made(name, stem)
        self._at(self.now + made.after, lambda: self._finished(name, stem, made))

    def _finished(self, name: str, stem: str, made: Made) -> None:
        if made.distance is None and self.plan.pods[name].ended is not None:
            return
        self._in_flight[name] -= 1
        self._held.pop(stem, None)
        self.plan.finished(name, stem, result(self.plan.prompts, made))

    def _end(self, name: str, reason: str, *, replaced: bool) -> None:
        self._held = {
            stem: pod
            for stem, pod in self._held.items()
            if pod != name or self.plan.prompts.locks[stem].made
        }
        self.plan.ended(name, reason, replaced=replaced)
        self.trace.lives[name][1] = self.now


def result(prompts: Prompts, made: Made) -> Output:
    """The record of what was made."""
    if made.distance is None:
        return prompts.output()
    distance = made.distance if prompts.audited else 0.0
    return prompts.output("u.glb", "u.png", generation_time=made.seconds, size=1, distance=distance)


def an_image(seed: int, stems: list[str]) -> Image:
    """An image of some character, drawn by the seed: honest, slow, failing, lying, sick, or a bit
    of each.
    """
    rng = random.Random(seed)
    fails, lies, lost, sick = (rng.choice([0, 0, 0.05, 0.3, 1]) for _ in range(4))
    cut_off = rng.choice([0, 0, 0.1, 0.5])
    base, spread = rng.choice([10, 60, 85, 130, 190]), rng.choice([0, 0.1, 0.6])
    liars = {stem for stem in stems if rng.random() < lies}
    slow_pods = {index for index in range(6) if rng.random() < rng.choice([0, 0.3])}
    draws: Mapping[str, random.Random] = {stem: random.Random(f"{seed}{stem}") for stem in stems}

    def make(pod: int, stem: str) -> Made:
        draw = draws[stem]
        seconds = min(
            base * (1 + spread * draw.uniform(-1, 2)) * (2 if pod in slow_pods else 1), 360.0
        )
        if draw.random() < cut_off:
            return Made(draw.uniform(0, seconds), cut_off=True)
        if draw.random() < fails or seconds == 360:
            return Made(seconds, distance=None)
        return Made(seconds, draw.uniform(1, 30), 0.5 if stem in liars else 0.02)

    warm_ups = [float("inf") if rng.random() < sick else rng.uniform(60, 3000) for _ in range(6)]
    losses = [rng.uniform(10, 5000) if rng.random() < lost / 2 else float("inf") for _ in range(6)]
    placed = [rng.uniform(0, 3600) * rng.choice([0, 0, 1, 1.3]) for _ in range(6)]
    return Image(warm_ups.__getitem__, make, losses.__getitem__, placed.__getitem__)
