"""The leader's baseline and the candidates' audits: images run again on GPUs, and the verdicts that follow."""

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
from gen404_assets.competition.hotkeys import LEADER, short
from gen404_assets.competition.outputs import Outputs, PodStatsFile
from gen404_assets.competition.pods import PodRules
from gen404_assets.competition.round import Round, miner_path, read_file
from gen404_assets.competition.state import Stage
from gen404_assets.live.regenerating import Cancelled, Regenerated, Subject
from gen404_assets.live.work import Overtaken, Work
from resources.faults import InfrastructureFault

_STAGES = {Stage.MINER_GENERATION, Stage.DOWNLOADING, Stage.DUELS}
_LOOK = 2.0


def make_baseline(work: Work) -> None:
    """Regenerate all prompts with the leader's image; what its last attempt has not made is closed as such."""
    due, current = work.due()
    if due.of("baseline") is None:
        return
    leader = current.need("leader.json", current.defending)
    try:
        found = _regenerate(work, current, (LEADER, leader.docker), None, Event())
    except Cancelled as reason:
        work.say(str(reason))
        return
    work.publish(
        [f"Update generated for round {work.number}, miner {LEADER}"],
        _STAGES,
        lambda now: _outputs_files(now, LEADER, found.outputs, found.pods),
    )


def audit_candidates(work: Work) -> None:
    """Audit whoever is to be audited, several at a time, until nobody is.

    An audit that can't be measured ends the work with an InfrastructureFault, once the others are done: it is neither
    passed nor rejected.
    """
    faults: dict[str, InfrastructureFault] = {}
    stopped = Event()
    with ThreadPoolExecutor(work.pace.max_concurrent_miners) as pool:
        try:
            _audit_while_due(work, pool, faults, stopped)
        finally:  # also when the run is told to stop: the audits under way are to end, and their pods with them
            stopped.set()
    if faults:
        raise InfrastructureFault("; ".join(f"{hotkey}: {fault}" for hotkey, fault in faults.items()))


def _audit_while_due(
    work: Work, pool: ThreadPoolExecutor, faults: dict[str, InfrastructureFault], stopped: Event
) -> None:
    """Begin the audits that are due one after another, staggered, and gather what keeps them from a verdict."""
    active: dict[Future[None], str] = {}
    stagger = PodRules.from_environment(work.outside.environment).pod_start_interval
    next_start = time.monotonic()
    while True:
        due, _ = work.due()
        ready = [hotkey for hotkey in due.of("audits") or () if hotkey not in {*faults, *active.values()}]
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
    current = work.head()
    build = current.builds[hotkey] if current.builds is not None else None
    submitted = current.submitted(hotkey)
    if build is None or build.docker_image is None or submitted is None:
        _publish_verdict(work, hotkey, None, reject_unmeasured(hotkey, NO_IMAGE))
        return
    try:
        found = _regenerate(work, current, (hotkey, build.docker_image), submitted, stopped)
    except Cancelled as reason:
        work.say(str(reason))
        return
    request = current.requests.of(hotkey)
    critical = request.critical_prompts if request else []
    verdict = judge_audit(hotkey, submitted, found.outputs, critical, work.rules)
    if not found.deployed:
        verdict = reject_unmeasured(hotkey, NO_POD)
    if verdict is None:
        raise InfrastructureFault("some distances could not be measured")
    _publish_verdict(work, hotkey, found, verdict)
    work.say(f"{hotkey}: {verdict.outcome} {verdict.reason}")


def _publish_verdict(work: Work, hotkey: str, found: Regenerated | None, verdict: GenerationAudit) -> None:
    """The verdict, with what it follows from. One that a person has entered meanwhile stands."""

    def derive(now: Round) -> Mapping[str, bytes | None]:
        known = now.audits.get(hotkey)
        files = _outputs_files(now, hotkey, found.outputs, found.pods) if found else {}
        if known is not None and known.outcome is not AuditOutcome.PENDING:
            return files
        path = now.path("generation_audits.json")
        audits = GenerationAudits({**now.audits.root, hotkey: verdict})
        return {**files, path: audits.to_bytes(now.files.read(path))}

    messages = [f"Update generated for round {work.number}, miner {short(hotkey)}"] if found else []
    work.publish([*messages, f"Update generation audits for round {work.number}"], {Stage.DUELS}, derive)


def _regenerate(
    work: Work, current: Round, whose: tuple[str, str | None], submitted: Outputs | None, stopped: Event
) -> Regenerated:
    """Run a hotkey's image on the round's prompts, publishing what there is now and then, until `stopped`.

    Raises Cancelled when it isn't wanted any more, InfrastructureFault when nothing can be said of it.
    """
    hotkey, image = whose
    subject = Subject(
        round=work.number,
        hotkey=hotkey,
        image=image or "",
        seed=current.need(current.path("seed.json"), current.seed).seed,
        prompts=current.prompts or [],
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
        work.publish([message], _STAGES, lambda now: _outputs_files(now, hotkey, outputs, pods))
        return True

    def unwanted() -> bool:
        if stopped.is_set():
            return True
        try:
            due, _ = work.due()
        except Overtaken:
            return True
        return hotkey not in (due.of("baseline" if hotkey == LEADER else "audits") or ())

    return work.outside.regenerate(subject, work.say, publish, unwanted)


def _outputs_files(now: Round, hotkey: str, outputs: Outputs, pods: PodStatsFile) -> dict[str, bytes | None]:
    path = miner_path(now.number, hotkey, "generated.json")
    stats = miner_path(now.number, hotkey, "pod_stats.json")
    known = read_file(now.files, stats, PodStatsFile)
    both = PodStatsFile({**(known.root if known is not None else {}), **pods.root})
    return {
        path: outputs.to_bytes(now.files.read(path)),
        stats: both.to_bytes(now.files.read(stats)),
    }
