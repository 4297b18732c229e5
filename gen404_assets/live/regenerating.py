"""Regenerating: one image runs on GPU pods until each of its prompts is generated and measured, or
has had its last attempt.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.outputs import Outputs, PodStatsFile
from gen404_assets.competition.pods import PodRules, pod_prefix
from gen404_assets.competition.regeneration import Regeneration
from gen404_assets.competition.settings import Rules
from gen404_assets.live.fleet import Fleet, lease, owner
from gen404_assets.live.results import Means, Results, Subject, prompts_of
from gen404_assets.live.running_pods import RegenerationRun, RunningPods, poll_seconds
from gen404_assets.live.serving_pods import PromptSender
from gen404_assets.live.tasks import Tasks
from gen404_assets.live.threads import in_thread

Progress = Callable[[Outputs, PodStatsFile], bool]
"""Called now and then with the outputs so far; returns whether it has published them."""


class Cancelled(Exception):
    """The regeneration is no longer wanted."""


@dataclass(frozen=True, slots=True)
class Regenerated:
    """How a regeneration ended.

    `deployed` is False if every pod was really started and none ever became healthy. A baseline's
    `outputs` are closed: what could not be generated is marked as having had its last attempt.
    """

    outputs: Outputs
    pods: PodStatsFile
    deployed: bool


def regenerate(
    subject: Subject,
    means: Means,
    rules: Rules,
    pod_rules: PodRules,
    progress: Progress = lambda _outputs, _pods: False,
    cancelled: Callable[[], bool] = lambda: False,
) -> Regenerated:
    """Generate the subject's prompts with its image on pods, all of which are deleted at the end.

    Results are kept on disk at once, so that a run that was cut short goes on where it was. Raises
    Cancelled once `cancelled` returns True, which is called every few seconds, and
    InfrastructureFault if the outside keeps it from going on: that says nothing of the miner, and
    the regeneration can be called again.
    """
    prefix = pod_prefix(subject.round, subject.hotkey)
    with lease(means.shared, prefix), TemporaryDirectory(prefix=f"{prefix}pods-") as folder:
        fleet = Fleet(means.providers, prefix, owner(means.shared))
        fleet.delete_all()  # pods of an earlier run that died
        prompts = prompts_of(subject, rules)
        run = RegenerationRun(
            subject=subject,
            means=means,
            pod_rules=pod_rules,
            fleet=fleet,
            plan=Regeneration(prompts, pod_rules),
            results=Results(subject, means, prompts, Path(folder)),
            tasks=Tasks(poll_seconds(pod_rules)),
        )
        pods = RunningPods(run)
        sender = PromptSender(run, pods, rules.generation_timeout, Path(folder))
        report = _Report(run, progress, cancelled)
        try:
            asyncio.run(_run_until_over(run, pods, sender, report))
        finally:
            try:
                fleet.delete_all()
            except InfrastructureFault as fault:  # the sensor `reaper` deletes them later
                means.say(f"pods are left: {fault}")
        return _result(run)


class _Report:
    """What a running regeneration does for others: it ends when it is no longer wanted, and hands
    on its outputs so far.
    """

    def __init__(
        self, run: RegenerationRun, progress: Progress, cancelled: Callable[[], bool]
    ) -> None:
        self._run, self._progress, self._cancelled = run, progress, cancelled
        self.recalled = False
        """Whether what earlier runs have made is known: before, the outputs lack some of it."""

    async def repeat(self) -> None:
        """Do it every few seconds. Raises Cancelled."""
        run = self._run
        journal, prompts = run.results.journal, run.plan.prompts
        published = run.subject.generated
        while True:
            if await in_thread(self._cancelled):
                raise Cancelled(f"the regeneration of {run.subject.hotkey} is no longer wanted")
            # Fewer than are published would take results back.
            outputs = prompts.outputs() if self.recalled else Outputs({})
            if outputs.root and (published is None or not outputs.says_the_same(published)):
                # Written before and after, since a run can die between the two.
                journal.publishing(outputs)
                if await in_thread(self._progress, outputs, run.plan.stats()):
                    journal.published(outputs)
                    published = outputs
            await asyncio.sleep(run.means.pause)


async def _run_until_over(
    run: RegenerationRun, pods: RunningPods, sender: PromptSender, report: _Report
) -> None:
    """Run until nothing is left to be done; every task has ended then."""
    tasks, plan = run.tasks, run.plan
    unanswered = f"no file within {run.pod_rules.prompt_lock_timeout:g} s"
    try:
        tasks.begin(report.repeat())
        await tasks.through(run.results.recall())
        report.recalled = True
        if not plan.over:
            # All pictures are fetched before the first pod costs money.
            await tasks.through(*run.results.fetch_pictures())
            tasks.begin(pods.watch())
            tasks.begin(pods.start_due(sender.serve))
        while not plan.over:
            now = time.monotonic()
            plan.expire(now, lambda stem: run.results.failed(stem, unanswered))
            for name, reason, replaced in plan.to_end(now):
                pods.end(name, reason, replaced=replaced)
            await tasks.pause()
    finally:
        await tasks.stop()


def _result(run: RegenerationRun) -> Regenerated:
    """Raises InfrastructureFault if prompts are open for reasons that are not the miner's."""
    prompts = run.plan.prompts
    if run.doubt and prompts.open():
        raise InfrastructureFault(run.doubt)
    outputs = prompts.outputs() if prompts.audited else prompts.closed()
    # Results of earlier runs show a pod that was healthy.
    deployed = run.plan.deployed or bool(prompts.best) or not prompts.stems
    return Regenerated(outputs, run.plan.stats(), deployed)
