"""The leader's baseline, and the audits of candidates for the lead: their images are run again on
GPUs, and verdicts follow from the outputs.
"""

import logging
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Event

from gen404_assets.competition.audits import (
    NO_IMAGE,
    NO_POD,
    AuditOutcome,
    GenerationAudit,
    GenerationAudits,
    judge_audit,
    reject_unmeasured,
)
from gen404_assets.competition.catalogue import Asset
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.outputs import Outputs, PodStatsFile
from gen404_assets.competition.pods import PodRules
from gen404_assets.competition.prompts import stem
from gen404_assets.competition.regeneration import Prompts
from gen404_assets.competition.round import Round
from gen404_assets.competition.state import WITH_IMAGES, Stage
from gen404_assets.live.building import look_again
from gen404_assets.live.publishing import (
    ImageRun,
    PublishedOutputs,
    outputs_message,
    regenerate_and_publish,
)
from gen404_assets.live.regenerating import Cancelled, Regenerated
from gen404_assets.live.work import Overtaken, Work
from resources.settings import read_settings

AUDIT_THREADS = "audit"
"""What the names of the threads begin with that audits run in."""
_POLL_SECONDS = 2.0
"""Between two looks at which audits are due and which have ended."""
_LOG = logging.getLogger(__name__)


def make_baseline(work: Work) -> None:
    """Regenerate all prompts that have a picture with the leader's image, and publish the outputs.

    What could not be generated in the last attempt is published as such: the baseline is closed.
    """
    due, current = work.due()
    if due.hotkeys(Asset.BASELINE) is None:
        return
    leader = current.required_defending
    published = PublishedOutputs(LEADER, current.baseline)
    try:
        if leader.docker is None:
            baseline = _without_image(work, current)
        else:
            image_run = ImageRun(published, leader.docker)
            baseline = regenerate_and_publish(work, current, image_run, Event())
        work.publish(
            [outputs_message(work.number, LEADER)],
            WITH_IMAGES,
            published.publication(baseline.outputs, baseline.pods),
        )
    except Cancelled as reason:
        work.say(str(reason))


def _without_image(work: Work, current: Round) -> Regenerated:
    """The closed baseline of a leader that has no image, so that the round can go on."""
    prompts = Prompts(
        [stem(url) for url in current.prompts_with_picture],
        work.rules,
        audited=False,
        output_format=current.config.output_format,
    )
    return Regenerated(prompts.closed(), PodStatsFile({}), deployed=False)


def audit_candidates(work: Work) -> None:
    """Run the audits that are due, several at a time, until none is.

    Raises, once all other audits are done, InfrastructureFault if one could not be measured, or the
    exception of a bug that one has met: its candidate is neither passed nor rejected.
    """
    audits = _AuditsUnderWay(work)
    audits.run_while_due()
    for bug in audits.bugs.values():
        raise bug
    if audits.faults:
        raise InfrastructureFault(
            "; ".join(f"{hotkey}: {fault}" for hotkey, fault in audits.faults.items())
        )


class _AuditsUnderWay:
    """The audits that run at the same time, each in a thread of its own."""

    def __init__(self, work: Work) -> None:
        self.faults: dict[str, InfrastructureFault | MalformedFile] = {}
        self.bugs: dict[str, Exception] = {}
        """Hotkey -> what kept its audit from a verdict; it is not tried again in this run."""
        self._work = work
        self._active: dict[Future[None], str] = {}
        self._stopped = Event()

    def run_while_due(self) -> None:
        """Start the audits that are due, with a pause between two, until none is due or active."""
        pause = read_settings(PodRules, self._work.outside.environment).pod_start_interval
        next_start = time.monotonic()
        at_once = self._work.pace.max_concurrent_miners
        with ThreadPoolExecutor(at_once, thread_name_prefix=AUDIT_THREADS) as pool:
            try:
                while (ready := self._ready()) or self._active:
                    if ready and time.monotonic() >= next_start:
                        audit = pool.submit(_audit, self._work, ready[0], self._stopped)
                        self._active[audit] = ready[0]
                        next_start = time.monotonic() + pause
                    self._wait(next_start)
            finally:
                # Also where this run is told to end: the audits under way end and delete their
                # pods, before the pool is left.
                self._stopped.set()

    def _ready(self) -> list[str]:
        """The hotkeys whose audits are due, are not active, and have met no fault."""
        try:
            due, _ = self._work.due()
        except (InfrastructureFault, MalformedFile):
            if not self._active:
                raise
            return []  # the audits under way go on: their pods have cost money already
        left_out = {*self.faults, *self.bugs, *self._active.values()}
        return [hotkey for hotkey in due.hotkeys(Asset.AUDITS) or () if hotkey not in left_out]

    def _wait(self, next_start: float) -> None:
        """Until an audit has ended, or another may be started, or what is due is to be asked."""
        if self._active:
            for audit in wait(self._active, timeout=_POLL_SECONDS).done:
                self._end(self._active.pop(audit), audit)
        if not self._active:
            time.sleep(min(_POLL_SECONDS, max(0.0, next_start - time.monotonic())))

    def _end(self, hotkey: str, audit: Future[None]) -> None:
        try:
            audit.result()
        except Overtaken:
            raise
        except (InfrastructureFault, MalformedFile) as fault:
            self._work.say(f"{hotkey} is neither passed nor rejected: {fault}")
            self.faults[hotkey] = fault
        except Exception as bug:  # noqa: BLE001 - one audit stops no other; it is raised at the end
            _LOG.exception("the audit of %s failed", hotkey)
            self._work.alert(f"a bug: the audit of {hotkey} raised {bug!r}; the others go on")
            self.bugs[hotkey] = bug


def _audit(work: Work, hotkey: str, stopped: Event) -> None:
    """Audit one candidate, and publish its verdict."""
    if not _has_image(work.head(), hotkey) and look_again(work, hotkey):
        work.say(f"{hotkey} waits: its build failed, and is being run again")
        time.sleep(work.pace.build_poll_seconds)
        return
    current = work.head()
    build = current.builds[hotkey] if current.builds is not None else None
    submitted = _to_audit(current, hotkey)
    published = PublishedOutputs(hotkey, current.generated(hotkey))
    if build is None or build.docker_image is None or submitted is None:
        _publish_verdict(work, published, None, reject_unmeasured(hotkey, NO_IMAGE))
        return
    image_run = ImageRun(published, build.docker_image, submitted)
    try:
        regenerated = regenerate_and_publish(work, current, image_run, stopped)
        verdict = _verdict(work, current, hotkey, regenerated)
        _publish_verdict(work, published, regenerated, verdict)
        work.say(f"{hotkey}: {verdict.outcome} {verdict.reason}")
    except Cancelled as reason:
        work.say(str(reason))


def _has_image(current: Round, hotkey: str) -> bool:
    build = current.builds.get(hotkey) if current.builds is not None else None
    return build is not None and build.docker_image is not None


def _to_audit(current: Round, hotkey: str) -> Outputs | None:
    """What a miner submitted, without the prompts that have no picture to regenerate it from."""
    submitted = current.submitted(hotkey)
    return None if submitted is None else submitted.without(current.missing)


def _verdict(work: Work, current: Round, hotkey: str, regenerated: Regenerated) -> GenerationAudit:
    """The verdict on what was regenerated. Raises InfrastructureFault if a distance is missing."""
    if not regenerated.deployed:
        return reject_unmeasured(hotkey, NO_POD)
    submitted = _to_audit(current, hotkey) or Outputs({})
    request = current.requests.for_hotkey(hotkey)
    critical = request.critical_prompts if request else []
    verdict = judge_audit(hotkey, submitted, regenerated.outputs, critical, work.rules)
    if verdict is None:
        raise InfrastructureFault("some distances could not be measured")
    return verdict


def _publish_verdict(
    work: Work,
    published: PublishedOutputs,
    regenerated: Regenerated | None,
    verdict: GenerationAudit,
) -> None:
    """Publish a verdict together with the outputs that it follows from.

    A verdict that a person has entered meanwhile stays as it is.
    """
    hotkey = published.hotkey
    outputs = published.publication(regenerated.outputs, regenerated.pods) if regenerated else None

    def derive(now: Round) -> Mapping[str, bytes | None]:
        files = outputs(now) if outputs else {}
        recorded = now.audits.get(hotkey)
        if recorded is not None and recorded.outcome is not AuditOutcome.PENDING:
            return files
        can_be_run = _has_image(now, hotkey) and now.submitted(hotkey) is not None
        if verdict.reason == NO_IMAGE and can_be_run:
            return files  # the image was built meanwhile, so the audit is due with it
        path = Asset.AUDITS.path(now.number)
        audits = GenerationAudits({**now.audits.root, hotkey: verdict})
        return {**files, path: audits.to_bytes(now.files.read(path))}

    messages = [outputs_message(work.number, hotkey)] if regenerated else []
    work.publish(
        [*messages, f"Update generation audits for round {work.number}"], {Stage.DUELS}, derive
    )
