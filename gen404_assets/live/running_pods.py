"""The pods of one regeneration: started when they are due, watched, ended and deleted."""

import asyncio
import math
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.pods import PodRules
from gen404_assets.competition.regeneration import Regeneration
from gen404_assets.live.fleet import Fleet, Started
from gen404_assets.live.results import Means, Results, Subject
from gen404_assets.live.tasks import Tasks
from gen404_assets.live.threads import in_thread
from resources.providers.provider import Pod

_SHORTEST_POLL = 0.01
"""Seconds: a shorter pause between two looks would be a loop that takes a core."""

_MISSES = 3
"""A pod that so many lists in a row don't name is lost; one list alone may be out of date."""

_SILENT_SECONDS = 10.0
"""A provider's list that takes longer was kept waiting, perhaps on this side."""


@dataclass(slots=True)
class RunningPod:
    """A started pod, as its provider last listed it, and the tasks that send it prompts."""

    started: Started
    listed: Pod | None = None
    misses: int = 0
    unreachable_since: float | None = None
    list_failed: float = -math.inf
    """When its provider last gave no list, or only after a long silence."""
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def name(self) -> str:
        return self.started.name


@dataclass(slots=True)
class RegenerationRun:
    """What the parts of one running regeneration share."""

    subject: Subject
    means: Means
    pod_rules: PodRules
    fleet: Fleet
    plan: Regeneration
    results: Results
    tasks: Tasks
    doubt: str | None = None
    """Why prompts that are still open at the end say nothing of the miner; None: they do."""

    @property
    def poll(self) -> float:
        """Seconds between two looks at what changes by itself."""
        return poll_seconds(self.pod_rules)


def poll_seconds(pod_rules: PodRules) -> float:
    """Seconds between two looks at the pods: a fraction of the interval between their starts."""
    return min(5.0, max(_SHORTEST_POLL, pod_rules.pod_start_interval / 6))


class RunningPods:
    """The started pods of a regeneration, by name. All methods run in its event loop."""

    def __init__(self, run: RegenerationRun) -> None:
        self._run = run
        self._pods: dict[str, RunningPod] = {}

    async def start_due(self, serve: Callable[[RunningPod], Coroutine[None, None, None]]) -> None:
        """Start pods as the plan says, and serve each with a task of its own; never ends.

        Raises InfrastructureFault if no GPU has been free for `POD_CAPACITY_TIMEOUT` and no pod
        is alive.
        """
        run, rules = self._run, self._run.pod_rules
        refused_since: float | None = None
        while True:
            # A full provider is not asked at every poll.
            await asyncio.sleep(run.poll if refused_since is None else rules.pod_start_interval)
            if not run.plan.start_due(time.monotonic()):
                continue
            try:
                started = await in_thread(run.fleet.start, run.subject.image)
            except InfrastructureFault as fault:
                run.means.say(f"no pod: {fault}")
                now = time.monotonic()
                refused_since = now if refused_since is None else refused_since
                if now - refused_since >= rules.pod_capacity_timeout and not self._alive():
                    raise
                continue
            refused_since = None
            run.means.say(f"{started.name}: started on {started.provider.name}")
            run.plan.started(started.name, time.monotonic())
            pod = self._pods[started.name] = RunningPod(started)
            pod.tasks.add(run.tasks.begin(serve(pod)))

    async def watch(self) -> None:
        """Ask the providers again and again where pods are, and which failed or are gone."""
        run = self._run
        while True:
            alive = self._alive()
            providers = {id(pod.started.provider): pod.started.provider for pod in alive}
            listed, began = None, time.monotonic()
            try:
                listed = await in_thread(run.fleet.listed, list(providers.values()))
            except InfrastructureFault as fault:
                run.means.say(f"pods can't be listed: {fault}")
            now = time.monotonic()
            for pod in alive:
                if listed is None or now - began > _SILENT_SECONDS:
                    pod.list_failed = now
                if listed is not None:
                    self._update(pod, listed.get(pod.name))
            await asyncio.sleep(run.poll)

    def has_ended(self, name: str) -> bool:
        return self._run.plan.pods[name].ended is not None

    def lose(self, name: str) -> None:
        """End a pod that its provider no longer has. The miner can do nothing about that."""
        self._run.doubt = f"the provider has lost {name}"
        self.end(name, "lost by the provider", replaced=True)

    def end(self, name: str, reason: str, *, replaced: bool) -> None:
        """Stop sending prompts to a pod, and delete it; `replaced`: another is started for it."""
        run = self._run
        run.means.say(f"{name}: {reason}")
        pod = self._pods[name]
        was_placed = run.plan.pods[name].placed is not None
        has_failed = pod.listed is not None and pod.listed.failed
        if replaced and not (was_placed or has_failed):
            run.doubt = f"{name} was never placed"
        elif replaced and not run.plan.pods[name].healthy and pod.unreachable_since is not None:
            run.doubt = run.doubt or f"{name} could not be reached"
        run.plan.ended(name, reason, replaced=replaced)
        for task in pod.tasks:
            if not task.cancelling():
                task.cancel()
        run.tasks.begin(self._delete(name))

    def _alive(self) -> list[RunningPod]:
        return [pod for name, pod in self._pods.items() if not self.has_ended(name)]

    def _update(self, pod: RunningPod, listed: Pod | None) -> None:
        """Take in how a provider lists a pod now; None: it doesn't."""
        if self.has_ended(pod.name):
            return
        if listed is None:
            pod.misses += 1
            # One that never was listed may be late in coming.
            if pod.listed is not None and pod.misses >= _MISSES:
                self.lose(pod.name)
            return
        pod.listed, pod.misses = listed, 0
        if listed.url is not None:
            self._run.plan.placed(pod.name, time.monotonic())
        if listed.failed:
            self._end_failed(pod.name)

    def _end_failed(self, name: str) -> None:
        """End a pod whose container has ended; the attempts that it was working on have failed."""
        plan, reason = self._run.plan, "the container ended"
        for stem in plan.working_on(name):
            plan.finished(name, stem, self._run.results.failed(stem, reason))
        was_healthy = plan.pods[name].healthy
        self.end(name, reason if was_healthy else "never became healthy", replaced=True)

    async def _delete(self, name: str) -> None:
        with suppress(InfrastructureFault):  # all pods are deleted again at the end of the run
            await in_thread(self._run.fleet.delete, name)
