"""Regeneration: which prompt goes to which pod next, when a pod is started or ended, and when all
is over (`interfaces.md`, Pods).

Pure: the caller reports events with their times, in seconds of one clock, and asks what to do next.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from gen404_assets.competition.audits import is_mismatched, trimmed_median
from gen404_assets.competition.due import ATTEMPTS
from gen404_assets.competition.output_formats import DEFAULT_FORMAT
from gen404_assets.competition.outputs import Output, Outputs, PodStatsFile
from gen404_assets.competition.pods import PodAtWork, PodRules
from gen404_assets.competition.settings import Rules


@dataclass(frozen=True, slots=True)
class _Lock:
    """The pod that works on a prompt, and until when. `made`: the pod has delivered its file; the
    rest, to render, keep and measure it, is the platform's work."""

    pod: str
    until: float
    made: bool = False


class Prompts:
    """The prompts of one regeneration: the best result of each, its attempts, and who works on it.

    `audited`: distances count (null: not yet measured); a baseline has none to be measured.
    """

    def __init__(
        self,
        stems: Sequence[str],
        rules: Rules,
        *,
        audited: bool,
        output_format: str = DEFAULT_FORMAT,
    ) -> None:
        self.stems, self.rules = list(stems), rules
        self.audited, self.output_format = audited, output_format
        self.best: dict[str, Output] = {}
        self.attempts = dict.fromkeys(self.stems, 0)
        self.locks: dict[str, _Lock] = {}

    def lock(self, stem: str, pod: str, until: float, *, made: bool = False) -> None:
        """Give a prompt to a pod; until then nobody else gets it."""
        self.locks[stem] = _Lock(pod, until, made)

    def unlock(self, stem: str, pod: str) -> bool:
        """Take a prompt back from a pod; False if its lock had expired before."""
        lock = self.locks.get(stem)
        if lock is None or lock.pod != pod:
            return False
        del self.locks[stem]
        return True

    def expired(self, now: float) -> list[tuple[str, str]]:
        """The prompts, with their pods, whose locks are past."""
        return [
            (stem, lock.pod)
            for stem, lock in self.locks.items()
            if not lock.made and lock.until <= now
        ]

    def output(self, model: str | None = None, png: str | None = None, **more: object) -> Output:
        """A result as it is recorded; without arguments, that of an attempt that made no file."""
        content: dict[str, object] = {
            self.output_format: model,
            "png": png,
            "generation_time": 0.0,
            "size": 0,
        }
        return Output.model_validate(content | {"attempts": 1, "distance": 0.0} | more)

    def recall(self, stem: str, output: Output) -> None:
        """Take up what an earlier run has made of a prompt."""
        if stem in self.attempts:
            self.attempts[stem] += output.attempts
            self.keep(stem, output)

    def keep(self, stem: str, output: Output) -> None:
        """Keep the better of a prompt's results: the matching one first, then the faster; a failed
        one last.
        """
        before = self.best.get(stem)
        if before is None or self._rank(output) < self._rank(before):
            self.best[stem] = output

    def attempts_left(self, stem: str) -> int:
        """How often a prompt may still be handed out."""
        return ATTEMPTS - self.attempts[stem] - (stem in self.locks)  # one under way counts

    def measured(self, stem: str) -> bool:
        """Whether nothing is left to be measured of what there is of a prompt."""
        output = self.best.get(stem)
        return (
            not self.audited or output is None or not output.complete or output.distance is not None
        )

    @property
    def unmeasured(self) -> list[str]:
        """The prompts whose result waits for its distance."""
        return [stem for stem in self.stems if not self.measured(stem)]

    @property
    def decided(self) -> bool:
        """Whether the audit is certain to be rejected: there are twice the tolerated mismatches.

        They are also more than both tolerances together, so that one of these is exceeded whichever
        of the prompts are critical (`rules.md`, Audits).
        """
        if not self.audited:
            return False
        rules = self.rules
        lost = sum(map(self._lost, self.stems))
        tolerated = rules.max_mismatched_prompts
        return lost >= 2 * tolerated and lost > tolerated + rules.max_mismatched_critical_prompts

    def open(self) -> list[str]:
        """The prompts that should be generated (again), locked ones not, in the order in which they
        are handed out.

        Fresh; failed; over the hard limit; and, only while the trimmed median of all times is over
        its limit, the slowest over that limit.
        """
        if self.decided:
            return []
        free = [
            stem for stem in self.stems if stem not in self.locks and self.attempts_left(stem) > 0
        ]
        fresh = [stem for stem in free if stem not in self.best]
        again = [stem for stem in free if stem in self.best and self._may_improve(stem)]
        failed = [stem for stem in again if not self.best[stem].complete]
        timed = [stem for stem in again if self.best[stem].complete]
        over = [stem for stem in timed if self._time(stem) > self.rules.generation_timeout]
        slow = (
            [stem for stem in timed if self._time(stem) <= self.rules.generation_timeout]
            if self._are_slow()
            else []
        )
        return [*fresh, *failed, *over, *sorted(slow, key=self._time, reverse=True)]

    def outputs(self) -> Outputs:
        """`generated.json` as it stands."""
        best = {stem: self.best[stem] for stem in self.stems if stem in self.best}
        return Outputs(
            {
                stem: output.model_copy(update={"attempts": self.attempts[stem]})
                for stem, output in best.items()
            }
        )

    def closed(self) -> Outputs:
        """`generated.json` of a baseline that is over: what was not generated has had its last
        attempt.
        """
        outputs = self.outputs()
        every = {stem: outputs.get(stem) or self.output() for stem in self.stems}
        last = {"attempts": ATTEMPTS}
        return Outputs(
            {
                stem: out if out.complete else out.model_copy(update=last)
                for stem, out in every.items()
            }
        )

    def _rank(self, output: Output) -> tuple[bool, bool, bool, float]:
        matching = (
            not self.audited
            or output.distance is None
            or output.distance <= self.rules.acceptable_distance
        )
        return (
            not output.complete,
            not (output.complete and matching),
            output.model is None,
            output.generation_time,
        )

    def _time(self, stem: str) -> float:
        output = self.best.get(stem)
        return (
            output.generation_time if output and output.complete else self.rules.generation_timeout
        )

    def _are_slow(self) -> bool:
        time = trimmed_median(
            [self._time(stem) for stem in self.stems], self.rules.generation_median_trim_count
        )
        return time is not None and time > self.rules.generation_median_limit

    def _may_improve(self, stem: str) -> bool:
        """Not done: not complete within the median's limit and the distance, nor mismatched in
        distance.
        """
        output = self.best[stem]
        if not output.complete:
            return True
        return (
            self.measured(stem)
            and not self._far(output)
            and self._time(stem) > self.rules.generation_median_limit
        )

    def _far(self, output: Output) -> bool:
        return (
            self.audited
            and output.distance is not None
            and output.distance > self.rules.acceptable_distance
        )

    def _lost(self, stem: str) -> bool:
        """Mismatched, and nothing will change that."""
        output = self.best.get(stem)
        if (
            output is not None
            and output.complete
            and (self._far(output) or not self.measured(stem))
        ):
            return self._far(output)
        last = self.attempts[stem] >= ATTEMPTS and stem not in self.locks
        return last and is_mismatched(output, self.rules)


class Regeneration:
    """One image's prompts and pods. `pod` is a pod's name, `now` the time. A pod that has ended, or
    whose lock has expired, may still report a result.
    """

    def __init__(self, prompts: Prompts, pod_rules: PodRules) -> None:
        self.prompts, self.pod_rules = prompts, pod_rules
        self.pods: dict[str, PodAtWork] = {}

    # --- events that the caller reports

    def started(self, pod: str, now: float) -> None:
        """A provider has taken the pod's start."""
        self.pods[pod] = PodAtWork(pod, now)

    def placed(self, pod: str, now: float) -> None:
        """The provider runs the pod, at the latest since now: its warm-up begins."""
        pod_state = self.pods[pod]
        if pod_state.placed is None:
            pod_state.placed = now

    def unseen(self, pod: str, seconds: float) -> None:
        """Nobody could look at the pod for so long; its warm-up is as much longer."""
        pod_state = self.pods[pod]
        if pod_state.placed is not None:
            pod_state.placed += seconds

    def healthy(self, pod: str) -> None:
        """The pod is ready for prompts."""
        self.pods[pod].healthy = True

    def made(self, pod: str, stem: str) -> None:
        """The pod has made a file of the prompt; what is left, to render, keep and measure it, is
        not its doing.
        """
        lock = self.prompts.locks.get(stem)
        if lock is not None and lock.pod == pod:
            self.prompts.lock(stem, pod, lock.until, made=True)

    def finished(self, pod: str, stem: str, output: Output) -> None:
        """An attempt has ended: complete and, in an audit, measured; or failed."""
        prompts = self.prompts
        if prompts.unlock(stem, pod):
            prompts.attempts[stem] += 1
            self.pods[pod].record(output, prompts.best.get(stem), prompts.rules)
        elif not prompts.attempts[stem]:  # the pod was given up, and this with it
            return
        prompts.keep(stem, output)

    def given_back(self, pod: str, stem: str) -> None:
        """An attempt came to nothing without the miner's doing: it doesn't count, and the same pod
        may be given the prompt again.
        """
        if self.prompts.unlock(stem, pod):
            self.pods[pod].tried.discard(stem)

    def ended(self, pod: str, reason: str, *, replaced: bool) -> None:
        """The pod is deleted, and what it worked on is free; `replaced`: another may take its
        place.
        """
        self.pods[pod].ended, self.pods[pod].replaced = reason, replaced
        for stem in self.working_on(pod):
            self.prompts.unlock(stem, pod)

    def is_late(self, pod: str, stem: str) -> bool:
        """Whether an attempt that goes on has been counted as failed already."""
        lock = self.prompts.locks.get(stem)
        return (lock is None or lock.pod != pod) and self.prompts.attempts[stem] > 0

    def expire(self, now: float, failed: Callable[[str], Output]) -> None:
        """Count the attempts whose locks are past as failed; `failed` gives a prompt's result."""
        for stem, pod in self.prompts.expired(now):
            self.finished(pod, stem, failed(stem))

    # --- what is to be done next

    def hand_out(self, pod: str, now: float) -> str | None:
        """The prompt that the pod shall generate now, locked for it; None: there is none for it at
        present.
        """
        worker = self.pods[pod]
        if worker.ended or worker.bad or not worker.healthy:
            return None
        stem = next(self._takes(worker, self.prompts.open()), None)
        if stem is not None:
            worker.tried.add(stem)
            self.prompts.lock(stem, pod, now + self.pod_rules.prompt_lock_timeout)
        return stem

    def start_due(self, now: float) -> bool:
        """Whether one more pod should be started now."""
        if any(now < pod.started + self.pod_rules.pod_start_interval for pod in self.pods.values()):
            return False
        waiting = self.prompts.open()
        takers = sum(any(self._takes(pod, waiting)) for pod in self._alive())
        return self._may_start() and len(waiting) > takers

    def to_end(self, now: float) -> list[tuple[str, str, bool]]:
        """The pods to be deleted now, with the reason, and whether another may take their place."""
        ending = []
        waiting = [*self.prompts.open(), *self.prompts.locks]
        idle = []
        for pod in self._alive():
            if pod.bad:
                ending.append((pod.name, "bad", True))
            elif reason := pod.late(now, self.pod_rules.pod_warmup_timeout):
                ending.append((pod.name, reason, True))
            elif not self.working_on(pod.name):
                idle.append(pod)
        # Of those without work, as many are kept as there are attempts that may yet come to them.
        useful = sorted(
            (pod for pod in idle if any(self._takes(pod, waiting))), key=lambda pod: not pod.healthy
        )
        kept = {pod.name for pod in useful[: sum(map(self.prompts.attempts_left, waiting))]}
        return ending + [
            (pod.name, "nothing left to do", False) for pod in idle if pod.name not in kept
        ]

    @property
    def over(self) -> bool:
        """Whether nothing is left to be generated, or can be, or needs to be."""
        prompts = self.prompts
        if prompts.decided:
            return True
        if prompts.locks or prompts.unmeasured:
            return False
        waiting = prompts.open()
        if not waiting:
            return True
        return not self._may_start() and not any(
            any(self._takes(pod, waiting)) for pod in self._alive()
        )

    @property
    def deployed(self) -> bool:
        """Whether any pod became healthy."""
        return any(pod.healthy for pod in self.pods.values())

    def stats(self) -> PodStatsFile:
        """`pod_stats.json` of these pods."""
        return PodStatsFile({pod.name: pod.stats() for pod in self.pods.values()})

    def _alive(self) -> list[PodAtWork]:
        return [pod for pod in self.pods.values() if pod.ended is None]

    def working_on(self, pod: str) -> list[str]:
        """The prompts that the pod has been given and has made nothing of yet."""
        return [
            stem for stem, lock in self.prompts.locks.items() if lock.pod == pod and not lock.made
        ]

    def _may_start(self) -> bool:
        """Whether target and budget allow another pod. One that was no longer needed keeps its
        place.
        """
        target = (
            self.pod_rules.pods_per_miner if self.deployed else self.pod_rules.initial_pod_count
        )
        places = sum(not (pod.replaced or pod.bad) for pod in self.pods.values())
        return places < target and len(self.pods) < self.pod_rules.max_pod_attempts

    def _takes(self, pod: PodAtWork, stems: Sequence[str]) -> Iterator[str]:
        """Those of `stems` that may be handed to the pod: none twice, and retries only while they
        help.
        """
        if pod.bad:
            return iter(())
        return (
            stem
            for stem in stems
            if stem not in pod.tried and (stem not in self.prompts.best or pod.takes_retries)
        )
