"""Regenerating: one image runs on GPU pods until each of its prompts is made and measured, or given
up.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from gen404_assets.competition.faults import InfrastructureFault, MinerFault
from gen404_assets.competition.outputs import Outputs, PodStatsFile
from gen404_assets.competition.pods import PodRules, pod_prefix
from gen404_assets.competition.regeneration import Regeneration
from gen404_assets.competition.settings import Rules
from gen404_assets.live.fleet import Fleet, Started, lease, owner
from gen404_assets.live.results import Means, Results, Subject, prompts_of
from gen404_assets.live.tasks import Tasks
from gen404_assets.live.threads import in_thread, steadily
from resources.container import Container, GatewayRefused, Unanswered
from resources.providers.provider import Pod

__all__ = ["Cancelled", "Means", "Regenerated", "Subject", "regenerate"]

# A pod: one request that generates, others whose files are being fetched, rendered and measured.
_IN_FLIGHT = 4
_MISSES = 3

Progress = Callable[[Outputs, PodStatsFile], bool]
"""Told, now and then, of what there is; whether it has been published."""


class Cancelled(Exception):
    """The regeneration isn't wanted any more."""


@dataclass(frozen=True, slots=True)
class Regenerated:
    """How a regeneration ended. Not `deployed`: every start was a real one, and no pod ever became
    healthy.

    A baseline's `outputs` are closed: what could not be generated is marked as having had its last
    attempt.
    """

    outputs: Outputs
    pods: PodStatsFile
    deployed: bool


def regenerate(
    subject: Subject,
    means: Means,
    rules: tuple[Rules, PodRules],
    progress: Progress = lambda _outputs, _pods: False,
    cancelled: Callable[[], bool] = lambda: False,
) -> Regenerated:
    """Generate the subject's prompts with its image on pods, which are all gone in the end.

    Results are kept on disk at once, so that a run cut short at any point goes on where it was.
    Raises InfrastructureFault when the outside keeps it from going on (nothing follows from it;
    call again), and Cancelled once `cancelled` says so, which is asked every few seconds.
    """
    prefix = pod_prefix(subject.round, subject.hotkey)
    with lease(means.home, prefix), TemporaryDirectory(prefix=f"{prefix}pods-") as folder:
        fleet = Fleet(means.providers, prefix, owner(means.home))
        fleet.delete_all()  # of a run that died
        work = _Work(subject, means, rules, fleet, Path(folder))
        try:
            asyncio.run(work.run(progress, cancelled))
        finally:
            try:
                fleet.delete_all()
            except InfrastructureFault as fault:  # the reaper's from here on
                means.say(f"pods are left: {fault}")
        return work.result()


@dataclass(slots=True)
class _Serving:
    """A started pod, as its provider last listed it, and the tasks that feed it."""

    started: Started
    seen: Pod | None = None
    misses: int = 0
    tasks: set[asyncio.Task[None]] = field(default_factory=set)


class _Work:
    """One regeneration's asyncio side: tasks that start, watch, feed and end pods, over the pure
    `Regeneration`.
    """

    def __init__(
        self,
        subject: Subject,
        means: Means,
        rules: tuple[Rules, PodRules],
        fleet: Fleet,
        folder: Path,
    ) -> None:
        self.subject, self.means, self.fleet, self.folder = subject, means, fleet, folder
        self.rules, self.pod_rules = rules
        self.prompts = prompts_of(subject, self.rules)
        self.plan = Regeneration(self.prompts, self.pod_rules)
        self.results = Results(subject, means, self.prompts, folder)
        self.serving: dict[str, _Serving] = {}
        self.doubt: str | None = None
        self.poll = min(5.0, self.pod_rules.pod_start_interval / 6)
        self.tasks = Tasks(self.poll)

    async def run(self, progress: Progress, cancelled: Callable[[], bool]) -> None:
        """Until all is over; every task is gone then."""
        try:
            self.tasks.begin(self._tell(progress, cancelled))
            await self.tasks.through(self.results.recall())
            if not self.plan.over:
                await self.tasks.through(*self.results.fetch_pictures())
                self.tasks.begin(self._watch())
                self.tasks.begin(self._start_pods())
            while not self.plan.over:
                now = time.monotonic()
                self.plan.expire(now)
                for name, reason, replaced in self.plan.to_end(now):
                    self._end(name, reason, replaced=replaced)
                await self.tasks.pause()
        finally:
            await self.tasks.stop()

    def result(self) -> Regenerated:
        """Raises InfrastructureFault if what is missing is not the miner's doing."""
        prompts = self.prompts
        if self.doubt and prompts.open():
            raise InfrastructureFault(self.doubt)
        outputs = prompts.outputs() if prompts.audited else prompts.closed()
        deployed = self.plan.deployed or bool(prompts.best) or not prompts.stems
        return Regenerated(outputs, self.plan.stats(), deployed)

    async def _tell(self, progress: Progress, cancelled: Callable[[], bool]) -> None:
        """Hear whether all this is still wanted, and tell how far it is."""
        told = self.subject.generated
        while True:
            if await in_thread(cancelled):
                raise Cancelled(f"{self.subject.hotkey} is not to be regenerated any more")
            outputs = self.prompts.outputs()
            if outputs.root and (told is None or not outputs.says_the_same(told)):
                self.results.journal.publishing(outputs)
                if await in_thread(progress, outputs, self.plan.stats()):
                    self.results.journal.published(outputs)
                    told = outputs
            await asyncio.sleep(self.means.pause)

    async def _start_pods(self) -> None:
        """Start pods as they are due; no free GPU is tried again for up to a day."""
        refused: float | None = None
        while True:
            await asyncio.sleep(self.poll if refused is None else self.pod_rules.pod_start_interval)
            if not self.plan.start_due(time.monotonic()):
                continue
            try:
                started = await in_thread(self.fleet.start, self.subject.image)
            except InfrastructureFault as fault:
                self.means.say(f"no pod: {fault}")
                now = time.monotonic()
                refused = now if refused is None else refused
                if now - refused >= self.pod_rules.pod_capacity_timeout and not self._alive():
                    raise
                continue
            refused = None
            self.means.say(f"{started.name}: started on {started.provider.name}")
            self.plan.started(started.name, time.monotonic())
            serving = self.serving[started.name] = _Serving(started)
            serving.tasks.add(self.tasks.begin(self._serve(serving)))

    def _alive(self) -> list[_Serving]:
        return [self.serving[name] for name, pod in self.plan.pods.items() if pod.ended is None]

    async def _watch(self) -> None:
        """See what the providers list: where pods are, which have failed, which are gone."""
        while True:
            alive = self._alive()
            providers = list(
                {id(pod.started.provider): pod.started.provider for pod in alive}.values()
            )
            try:
                listed = await in_thread(self.fleet.listed, providers)
            except InfrastructureFault as fault:
                self.means.say(f"pods can't be listed: {fault}")
            else:
                for serving in alive:
                    self._saw(serving, listed.get(serving.started.name))
            await asyncio.sleep(self.poll)

    def _saw(self, serving: _Serving, pod: Pod | None) -> None:
        name = serving.started.name
        if self.plan.pods[name].ended is not None:
            return
        if pod is None:
            serving.misses += 1  # lists may be stale
            if serving.seen is not None and serving.misses >= _MISSES:
                self._lost(name)
            return
        serving.seen, serving.misses = pod, 0
        if pod.url is not None:
            self.plan.placed(name, time.monotonic())
        if pod.failed:
            for stem in self.plan.working_on(name):
                self.plan.finished(name, stem, self.results.failed(stem, "the container ended"))
            healthy = self.plan.pods[name].healthy
            self._end(
                name, "the container ended" if healthy else "never became healthy", replaced=True
            )

    def _lost(self, name: str) -> None:
        self.doubt = f"the provider has lost {name}"
        self._end(name, "lost by the provider", replaced=True)

    def _end(self, name: str, reason: str, *, replaced: bool) -> None:
        self.means.say(f"{name}: {reason}")
        serving, pod = self.serving[name], self.plan.pods[name]
        failed = serving.seen is not None and serving.seen.failed
        if replaced and not pod.healthy and pod.placed is None and not failed:
            self.doubt = f"{name} was never placed"
        self.plan.ended(name, reason, replaced=replaced)
        for task in serving.tasks:
            if not task.cancelling():
                task.cancel()
        self.tasks.begin(self._delete(name))

    async def _delete(self, name: str) -> None:
        with suppress(InfrastructureFault):  # tried again in the end
            await in_thread(self.fleet.delete, name)

    async def _serve(self, serving: _Serving) -> None:
        """Wait until the pod is healthy, then feed it: the next prompt as soon as an answer's
        headers are in.
        """
        name = serving.started.name
        while serving.seen is None or serving.seen.url is None:
            await asyncio.sleep(self.poll)
        container = Container(
            serving.seen.url,
            serving.seen.token or serving.started.token,
            gateway=serving.seen.gateway,
            limit=self.means.limit,
        )
        try:
            while not await self._is_healthy(name, container):
                await asyncio.sleep(self.poll)
                if (
                    self.plan.pods[name].ended is not None
                ):  # a cancellation can be lost in a connection that fails
                    return
            self.means.say(f"{name}: healthy")
            self.plan.healthy(name)
            slots = asyncio.Semaphore(_IN_FLIGHT)
            while True:
                await slots.acquire()
                while (stem := self.plan.hand_out(name, time.monotonic())) is None:
                    await asyncio.sleep(self.poll)
                    if self.plan.pods[name].ended is not None:
                        return
                answered = asyncio.Event()
                attempt = self.tasks.begin(self._attempt(serving, container, stem, answered))
                serving.tasks.add(attempt)
                attempt.add_done_callback(lambda _: slots.release())
                await answered.wait()
        finally:
            await container.aclose()

    async def _is_healthy(self, name: str, container: Container) -> bool:
        try:
            return await container.healthy()
        except GatewayRefused as fault:
            self.doubt = f"{name}: {fault}"
            return False

    async def _attempt(
        self, serving: _Serving, container: Container, stem: str, answered: asyncio.Event
    ) -> None:
        """One prompt on one pod. A fault of ours that lasts is raised, and ends the run."""
        name = serving.started.name
        path = self.folder / f"{name}-{stem}.{self.subject.output_format}"
        try:
            try:
                picture = self.results.picture(stem)
                async with container.generate(
                    picture, self.subject.seed, self.rules.generation_timeout
                ) as generated:
                    answered.set()
                    size = await generated.save(path)
            except MinerFault as fault:
                if isinstance(fault, Unanswered) and not await steadily(
                    self.fleet.has,
                    serving.started,
                    say=self.means.say,
                    patience=self.means.patience,
                ):  # then its silence is not the miner's doing
                    self._lost(name)
                    return
                output = self.results.failed(stem, str(fault))
            except GatewayRefused as fault:
                self.doubt = f"{name}: {fault}"
                self._end(name, "no way in", replaced=True)
                return
            else:
                if (this := asyncio.current_task()) is not None:
                    serving.tasks.discard(this)  # it goes on without the pod
                self.plan.made(name, stem)
                output = await self.results.keep(stem, path, generated.seconds, size)
            self.plan.finished(name, stem, output)
        finally:
            answered.set()
            path.unlink(missing_ok=True)
