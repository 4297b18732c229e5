"""Prompts sent to a pod's container, and what becomes of its answers."""

import asyncio
import math
import time
from collections import Counter
from pathlib import Path

from gen404_assets.competition.due import ATTEMPTS
from gen404_assets.competition.faults import InfrastructureFault, MinerFault
from gen404_assets.live.boundary import held_against_miner
from gen404_assets.live.results import GeneratedFile
from gen404_assets.live.running_pods import RegenerationRun, RunningPod, RunningPods
from gen404_assets.live.threads import in_thread, steadily
from resources.container import (
    Container,
    GatewayRefused,
    Missing,
    TimedOut,
    Unanswered,
    Unconnected,
    Unreachable,
)

_IN_FLIGHT = 4
"""Prompts of one pod at a time: one is being generated, the files of the others are being fetched,
rendered and measured.
"""


_CONNECT_SECONDS = 60.0
"""For how long connections to a container may fail before that is its fault."""

_TOGETHER_SECONDS = 2.0
"""Connections of several pods that break within so many seconds have broken on this side."""


class PromptSender:
    """Sends the prompts of a regeneration to its pods. Files in the making are kept in `folder`."""

    def __init__(
        self, run: RegenerationRun, pods: RunningPods, generation_timeout: float, folder: Path
    ) -> None:
        self._run, self._pods, self._folder = run, pods, folder
        self._generation_timeout = generation_timeout
        self._broken: dict[str, tuple[str, float]] = {}  # by pod: under which prompt, and when
        self._our_side_failed = -math.inf  # when connections last failed on this side
        self._excused: Counter[str] = Counter()  # attempts that didn't count, by prompt

    async def serve(self, pod: RunningPod) -> None:
        """Wait until the pod is healthy, then send it one prompt after another, the next as soon as
        the headers of an answer have come. Ends with the pod.
        """
        while pod.listed is None or pod.listed.url is None:
            await asyncio.sleep(self._run.poll)
        container = Container(
            pod.listed.url,
            pod.listed.token or pod.started.token,
            gateway=pod.listed.gateway,
            limit=self._run.means.limit,
        )
        try:
            if await self._becomes_healthy(pod, container):
                await self._send_prompts(pod, container)
        finally:
            await container.aclose()

    async def _becomes_healthy(self, pod: RunningPod, container: Container) -> bool:
        """Wait until the container is healthy; False if the pod ended before."""
        while not await self._is_healthy(pod, container):
            await asyncio.sleep(self._run.poll)
            # A cancellation can be lost in a connection that fails, so the end is looked for.
            if self._pods.has_ended(pod.name):
                return False
        self._run.means.say(f"{pod.name}: healthy")
        self._run.plan.healthy(pod.name)
        return True

    async def _is_healthy(self, pod: RunningPod, container: Container) -> bool:
        began = time.monotonic()
        try:
            with held_against_miner(f"the health of {pod.name}", self._run.means.say):
                healthy = await container.healthy()
        except MinerFault:
            return False
        except (Unreachable, GatewayRefused) as fault:
            self._run.plan.unseen(pod.name, time.monotonic() - began + self._run.poll)
            self._not_reached(pod, fault)
            return False
        pod.unreachable_since = None
        return healthy

    async def _send_prompts(self, pod: RunningPod, container: Container) -> None:
        """Begin an attempt whenever the container is free and the plan has a prompt for it."""
        run = self._run
        slots = asyncio.Semaphore(_IN_FLIGHT)
        while True:
            await slots.acquire()
            while (stem := run.plan.hand_out(pod.name, time.monotonic())) is None:
                await asyncio.sleep(run.poll)
                if self._pods.has_ended(pod.name):
                    return
            answered = asyncio.Event()
            attempt = run.tasks.begin(self._attempt(pod, container, stem, answered))
            pod.tasks.add(attempt)
            attempt.add_done_callback(lambda _: slots.release())
            await answered.wait()

    async def _attempt(
        self, pod: RunningPod, container: Container, stem: str, answered: asyncio.Event
    ) -> None:
        """One attempt at a prompt; `answered` is set when the container is free for the next.

        Raises InfrastructureFault if a fault that isn't the miner's lasts too long: that ends the
        regeneration.
        """
        run, name = self._run, pod.name
        path = self._folder / f"{name}-{stem}.{run.subject.output_format}"
        try:
            file = await self._generate(pod, container, stem, path, answered)
            if file is None:
                return
            # What follows needs the pod no more, and is not cancelled when that ends.
            if (this := asyncio.current_task()) is not None:
                pod.tasks.discard(this)
            run.plan.made(name, stem)
            output = await run.results.keep(stem, path, file)
            run.plan.finished(name, stem, output)
        finally:
            answered.set()
            path.unlink(missing_ok=True)

    async def _generate(
        self, pod: RunningPod, container: Container, stem: str, path: Path, answered: asyncio.Event
    ) -> GeneratedFile | None:
        """Have a prompt's file generated and save it at `path`; None if that failed, which the plan
        knows then.
        """
        run, name = self._run, pod.name
        picture, seed = run.results.picture(stem), run.subject.seed
        began = time.monotonic()
        try:
            with held_against_miner(f"the answer of {name} to {stem}", run.means.say):
                async with container.generate(picture, seed, self._generation_timeout) as generated:
                    answered.set()
                    size = await generated.save(path)
        except (Unreachable, Unconnected) as fault:
            if self._not_reached(pod, fault):
                await self._broke(pod, stem, fault, began)
            else:
                run.plan.given_back(name, stem)
                await asyncio.sleep(run.poll)
        except Unanswered as fault:
            await self._broke(pod, stem, fault, began)
        except MinerFault as fault:
            if isinstance(fault, Missing) and not (await self._still_exists(pod))[0]:
                self._pods.lose(name)
            else:
                run.plan.finished(name, stem, run.results.failed(stem, str(fault)))
        except GatewayRefused as fault:
            run.doubt = f"{name}: {fault}"
            self._pods.end(name, "the gateway refuses the token", replaced=True)
        else:
            pod.unreachable_since = None
            return GeneratedFile(generated.seconds, size, run.plan.is_late(name, stem))
        return None

    def _not_reached(
        self, pod: RunningPod, fault: Unreachable | Unconnected | GatewayRefused
    ) -> bool:
        """Take in that a pod could not be connected to; whether that is its container's fault.

        It is once connections have failed for a while, though there was a way to where the
        container should listen. A pod to which there is no way is given up in the end.
        """
        now, patience = time.monotonic(), self._run.means.patience
        if isinstance(fault, Unreachable):
            self._our_side_failed = now
        if pod.unreachable_since is None:
            pod.unreachable_since = now
            self._run.means.say(f"{pod.name}: {fault}")
        lasted = now - pod.unreachable_since
        if isinstance(fault, Unconnected):
            return lasted >= min(_CONNECT_SECONDS, patience)
        if lasted >= patience and not self._pods.has_ended(pod.name):
            self._run.doubt = f"{pod.name}: {fault}"
            self._pods.end(pod.name, "can't be reached", replaced=True)
        return False

    async def _broke(
        self, pod: RunningPod, stem: str, fault: Unanswered | Unreachable, began: float
    ) -> None:
        """Take in that the connection broke under a prompt, or was silent for too long.

        That is the container's fault, unless its pod is gone; or this side has failed at about the
        same time: the provider can't be reached either, or another pod's connection broke as well,
        under another prompt.
        """
        run, name = self._run, pod.name
        now = time.monotonic()
        # Before the question below, so that another pod's break sees it.
        self._broken[name] = (stem, now)
        exists, at_once = await self._still_exists(pod)
        if not exists:
            self._pods.lose(name)
            return
        recently = now - _TOGETHER_SECONDS
        together = any(under != stem and when >= recently for under, when in self._broken.values())
        if together or not at_once:
            self._our_side_failed = time.monotonic()
        failed = max(self._our_side_failed, pod.list_failed)
        since = began if isinstance(fault, TimedOut | Unconnected) else recently
        # A prompt that breaks connections is not excused for ever.
        if failed < since or self._excused[stem] >= ATTEMPTS:
            run.plan.finished(name, stem, run.results.failed(stem, str(fault)))
        else:
            self._excused[stem] += 1
            run.means.say(f"{name}: an attempt at {stem} doesn't count: {fault}")
            run.plan.given_back(name, stem)

    async def _still_exists(self, pod: RunningPod) -> tuple[bool, bool]:
        """Whether a pod's provider lists it, and whether that could be learnt at the first try."""
        means, fleet = self._run.means, self._run.fleet
        try:
            return await in_thread(fleet.has, pod.started), True
        except InfrastructureFault as fault:
            means.say(f"tried again: {fault}")
        exists = await steadily(fleet.has, pod.started, say=means.say, patience=means.patience)
        return exists, False
