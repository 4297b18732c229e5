"""Prompts sent to a pod's container, and what becomes of its answers."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

from gen404_assets.competition.faults import MinerFault
from gen404_assets.live.running_pods import RegenerationRun, RunningPod, RunningPods
from gen404_assets.live.threads import steadily
from resources.container import Container, GatewayRefused, Unanswered

_IN_FLIGHT = 4
"""Prompts of one pod at a time: one is being generated, the files of the others are being fetched,
rendered and measured.
"""


@dataclass(frozen=True, slots=True)
class _GeneratedFile:
    """A file that was saved: the seconds that generating it took, and its size in bytes."""

    seconds: float
    size: int


class PromptSender:
    """Sends the prompts of a regeneration to its pods. Files in the making are kept in `folder`."""

    def __init__(
        self, run: RegenerationRun, pods: RunningPods, generation_timeout: float, folder: Path
    ) -> None:
        self._run, self._pods, self._folder = run, pods, folder
        self._generation_timeout = generation_timeout

    async def serve(self, pod: RunningPod) -> None:
        """Wait until the pod is healthy, then send it one prompt after another, the next as soon as
        the headers of an answer have come. Ends with the pod.
        """
        while pod.listed is None or pod.listed.url is None:
            await asyncio.sleep(self._run.poll)
        gateway_token = pod.listed.token
        container = Container(
            pod.listed.url,
            gateway_token or pod.started.token,
            behind_gateway=gateway_token is not None,
            limit=self._run.means.limit,
        )
        try:
            if await self._becomes_healthy(pod.name, container):
                await self._send_prompts(pod, container)
        finally:
            await container.aclose()

    async def _becomes_healthy(self, name: str, container: Container) -> bool:
        """Wait until the container is healthy; False if the pod ended before."""
        while not await self._is_healthy(name, container):
            await asyncio.sleep(self._run.poll)
            # A cancellation can be lost in a connection that fails, so the end is looked for.
            if self._pods.has_ended(name):
                return False
        self._run.means.say(f"{name}: healthy")
        self._run.plan.healthy(name)
        return True

    async def _is_healthy(self, name: str, container: Container) -> bool:
        try:
            return await container.healthy()
        except GatewayRefused as fault:
            self._run.doubt = f"{name}: {fault}"
            return False

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
            output = await run.results.keep(stem, path, file.seconds, file.size)
            run.plan.finished(name, stem, output)
        finally:
            answered.set()
            path.unlink(missing_ok=True)

    async def _generate(
        self, pod: RunningPod, container: Container, stem: str, path: Path, answered: asyncio.Event
    ) -> _GeneratedFile | None:
        """Have a prompt's file generated and save it at `path`; None if that failed, which the plan
        knows then.
        """
        run, name = self._run, pod.name
        picture, seed = run.results.picture(stem), run.subject.seed
        try:
            async with container.generate(picture, seed, self._generation_timeout) as generated:
                answered.set()
                size = await generated.save(path)
        except MinerFault as fault:
            if isinstance(fault, Unanswered) and not await self._still_exists(pod):
                self._pods.lose(name)  # then its silence is not the miner's fault
            else:
                run.plan.finished(name, stem, run.results.failed(stem, str(fault)))
        except GatewayRefused as fault:
            run.doubt = f"{name}: {fault}"
            self._pods.end(name, "the gateway refuses the token", replaced=True)
        else:
            return _GeneratedFile(generated.seconds, size)
        return None

    async def _still_exists(self, pod: RunningPod) -> bool:
        means, fleet = self._run.means, self._run.fleet
        return await steadily(fleet.has, pod.started, say=means.say, patience=means.patience)
