"""The leader's baseline and the candidates' audits: images run again on GPUs, and the verdicts that
follow.
"""

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
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.hotkeys import LEADER, short
from gen404_assets.competition.outputs import Outputs, PodStatsFile
from gen404_assets.competition.pods import PodRules
from gen404_assets.competition.prompts import stem
from gen404_assets.competition.regeneration import Prompts
from gen404_assets.competition.round import Round, miner_path, read_file
from gen404_assets.competition.state import Stage
from gen404_assets.live.building import look_again
from gen404_assets.live.regenerating import Cancelled, Regenerated, Subject
from gen404_assets.live.work import Overtaken, Work
from resources.settings import read_settings

_STAGES = {Stage.MINER_GENERATION, Stage.DOWNLOADING, Stage.DUELS}
_LOOK = 2.0


def make_baseline(work: Work) -> None:
    """Regenerate all prompts that have a picture with the leader's image; what its last attempt has
    not made is closed as such."""
    due, current = work.due()
    if due.hotkeys("baseline") is None:
        return
    leader = current.required_defending
    told = _Told(LEADER, current.baseline)
    try:
        if leader.docker is None:  # nothing can run: closed by rule, so that the round goes on
            stems = [stem(url) for url in current.prompts_with_picture]
            prompts = Prompts(
                stems, work.rules, audited=False, output_format=current.config.output_format
            )
            found = Regenerated(prompts.closed(), PodStatsFile({}), deployed=False)
        else:
            found = _regenerate(work, current, (told, leader.docker), None, Event())
        work.publish(
            [f"Update generated for round {work.number}, miner {LEADER}"],
            _STAGES,
            lambda now: told.files(now, found.outputs, found.pods),
        )
    except Cancelled as reason:
        work.say(str(reason))


def audit_candidates(work: Work) -> None:
    """Audit whoever is to be audited, several at a time, until nobody is.

    An audit that can't be measured ends the work with an InfrastructureFault, once the others are
    done: it is neither passed nor rejected.
    """
    faults: dict[str, InfrastructureFault] = {}
    stopped = Event()
    with ThreadPoolExecutor(work.pace.max_concurrent_miners) as pool:
        try:
            _audit_while_due(work, pool, faults, stopped)
        # Also when the run is told to stop: the audits under way are to end, and their pods with
        # them.
        finally:
            stopped.set()
    if faults:
        raise InfrastructureFault(
            "; ".join(f"{hotkey}: {fault}" for hotkey, fault in faults.items())
        )


def _audit_while_due(
    work: Work, pool: ThreadPoolExecutor, faults: dict[str, InfrastructureFault], stopped: Event
) -> None:
    """Begin the audits that are due one after another, staggered, and gather what keeps them from a
    verdict.
    """
    active: dict[Future[None], str] = {}
    stagger = read_settings(PodRules, work.outside.environment).pod_start_interval
    next_start = time.monotonic()
    while True:
        try:
            due, _ = work.due()
            ready = [
                hotkey
                for hotkey in due.hotkeys("audits") or ()
                if hotkey not in {*faults, *active.values()}
            ]
        except InfrastructureFault:  # not worth the pods of the audits under way
            if not active:
                raise
            ready = []
        if ready and time.monotonic() >= next_start:
            active[pool.submit(_audit, work, ready[0], stopped)] = ready[0]
            next_start = time.monotonic() + stagger
        if not active and not ready:
            return
        for future in wait(active, timeout=_LOOK).done if active else ():
            hotkey = active.pop(future)
            try:
                future.result()
            except InfrastructureFault as fault:
                work.say(f"{hotkey} is neither passed nor rejected: {fault}")
                faults[hotkey] = fault
        if not active:
            time.sleep(min(_LOOK, max(0.0, next_start - time.monotonic())))


def _audit(work: Work, hotkey: str, stopped: Event) -> None:
    if not _has_image(work.head(), hotkey) and look_again(work, hotkey):
        work.say(f"{hotkey} waits: its build failed, and is being run again")
        time.sleep(work.pace.build_poll_seconds)
        return
    current = work.head()
    build = current.builds[hotkey] if current.builds is not None else None
    submitted = _to_audit(current, hotkey)
    if build is None or build.docker_image is None or submitted is None:
        told = _Told(hotkey, current.generated(hotkey))
        _publish_verdict(work, told, None, reject_unmeasured(hotkey, NO_IMAGE))
        return
    told = _Told(hotkey, current.generated(hotkey))
    try:
        found = _regenerate(work, current, (told, build.docker_image), submitted, stopped)
        _conclude(work, current, told, found)
    except Cancelled as reason:
        work.say(str(reason))


def _has_image(current: Round, hotkey: str) -> bool:
    build = current.builds.get(hotkey) if current.builds is not None else None
    return build is not None and build.docker_image is not None


def _to_audit(current: Round, hotkey: str) -> Outputs | None:
    """What a miner submitted, without the prompts that have no picture to regenerate it from."""
    submitted = current.submitted(hotkey)
    return None if submitted is None else submitted.without(current.missing)


def _conclude(work: Work, current: Round, told: "_Told", found: Regenerated) -> None:
    hotkey, submitted = told.hotkey, _to_audit(current, told.hotkey) or Outputs({})
    request = current.requests.of(hotkey)
    critical = request.critical_prompts if request else []
    verdict = judge_audit(hotkey, submitted, found.outputs, critical, work.rules)
    if not found.deployed:
        verdict = reject_unmeasured(hotkey, NO_POD)
    if verdict is None:
        raise InfrastructureFault("some distances could not be measured")
    _publish_verdict(work, told, found, verdict)
    work.say(f"{hotkey}: {verdict.outcome} {verdict.reason}")


def _publish_verdict(
    work: Work, told: "_Told", found: Regenerated | None, verdict: GenerationAudit
) -> None:
    """The verdict, with what it follows from. One that a person has entered meanwhile stands."""
    hotkey = told.hotkey

    def derive(now: Round) -> Mapping[str, bytes | None]:
        known = now.audits.get(hotkey)
        files = told.files(now, found.outputs, found.pods) if found else {}
        if known is not None and known.outcome is not AuditOutcome.PENDING:
            return files
        if (
            verdict.reason == NO_IMAGE
            and _has_image(now, hotkey)
            and now.submitted(hotkey) is not None
        ):
            return files  # built meanwhile: the audit is due with its image
        path = now.path("generation_audits.json")
        audits = GenerationAudits({**now.audits.root, hotkey: verdict})
        return {**files, path: audits.to_bytes(now.files.read(path))}

    messages = [f"Update generated for round {work.number}, miner {short(hotkey)}"] if found else []
    work.publish(
        [*messages, f"Update generation audits for round {work.number}"], {Stage.DUELS}, derive
    )


def _regenerate(
    work: Work,
    current: Round,
    whose: tuple["_Told", str],
    submitted: Outputs | None,
    stopped: Event,
) -> Regenerated:
    """Run a hotkey's image on the round's prompts, publishing what there is now and then, until
    `stopped`.

    Raises Cancelled when it isn't wanted any more, InfrastructureFault when nothing can be said of
    it.
    """
    told, image = whose
    hotkey = told.hotkey
    subject = Subject(
        round=work.number,
        hotkey=hotkey,
        image=image,
        seed=current.required_seed.seed,
        prompts=work.outside.pictures.urls(work.number, current.prompts_with_picture),
        output_format=current.config.output_format,
        submitted=submitted,
        generated=current.generated(hotkey),
    )
    message = f"Update generated for round {work.number}, miner {short(hotkey)}"

    published = time.monotonic()

    def publish(outputs: Outputs, pods: PodStatsFile) -> bool:
        nonlocal published
        if time.monotonic() - published < work.pace.publish_interval_seconds:
            return False
        published = time.monotonic()
        try:
            work.publish([message], _STAGES, lambda now: told.files(now, outputs, pods))
        except InfrastructureFault as fault:  # not worth the pods that work
            work.say(f"what there is of {hotkey} is published later: {fault}")
            return False
        return True

    def unwanted() -> bool:
        if stopped.is_set():
            return True
        try:
            due, _ = work.due()
        except Overtaken:
            return True
        except InfrastructureFault as fault:
            work.say(f"whether {hotkey} is still wanted isn't known: {fault}")
            return False
        return hotkey not in (due.hotkeys("baseline" if hotkey == LEADER else "audits") or ())

    return work.outside.regenerate(subject, work.say, publish, unwanted)


class _Told:
    """What has been published of a hotkey's regeneration: anything else in the repository is a
    person's change.
    """

    def __init__(self, hotkey: str, known: Outputs | None) -> None:
        self.hotkey = hotkey
        self._known = [known]

    def files(self, now: Round, outputs: Outputs, pods: PodStatsFile) -> dict[str, bytes | None]:
        """The files with what there is now. Raises Cancelled over a person's change: the work
        begins anew with that.
        """
        if now.generated(self.hotkey) not in self._known:
            raise Cancelled(f"somebody has changed generated.json of {self.hotkey}")
        self._known.append(outputs)
        path = miner_path(now.number, self.hotkey, "generated.json")
        stats = miner_path(now.number, self.hotkey, "pod_stats.json")
        known = read_file(now.files, stats, PodStatsFile)
        both = PodStatsFile({**(known.root if known is not None else {}), **pods.root})
        return {
            path: outputs.to_bytes(now.files.read(path)),
            stats: both.to_bytes(now.files.read(stats)),
        }
