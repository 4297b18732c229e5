"""Pods: how many a regeneration may have, what one has done, and when it is bad (`interfaces.md`,
Pods).
"""

from dataclasses import dataclass, field
from statistics import mean, median

from pydantic import BaseModel, ConfigDict, Field

from gen404_assets.competition.hotkeys import short
from gen404_assets.competition.outputs import Output, PodStats
from gen404_assets.competition.quantities import Count, Seconds, Timeout
from gen404_assets.competition.settings import Rules

# When a pod is bad, and how many retries are measured before it may get no more (`interfaces.md`,
# Pods): failures, number of last times, their median in seconds, retries.
_FAILED, _SLOW_TIMES, _SLOW, _RETRIES = 8, 8, 120.0, 3


class PodRules(BaseModel):
    """How many pods an image gets, and how long they are waited for (`interfaces.md`, Pods)."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    initial_pod_count: Count = Field(2, description="pods that an image starts with")
    pods_per_miner: Count = Field(4, description="pods of an image once one is healthy")
    max_pod_attempts: Count = Field(6, description="starts of pods for an image in all")
    pod_start_interval: Seconds = Field(30.0, description="seconds between two starts")
    pod_warmup_timeout: Timeout = Field(
        3600.0,
        description="seconds in which a started pod must be run by its provider, and as many in "
        "which it must then become healthy",
    )
    pod_capacity_timeout: Timeout = Field(
        86400.0, description="seconds for which a provider without free GPUs is asked again"
    )
    prompt_lock_timeout: Timeout = Field(
        600.0, description="seconds after which a prompt handed to a pod is free again"
    )


def pod_prefix(number: int, hotkey: str) -> str:
    """What the names of all pods of one image in a round begin with; an index follows."""
    return f"miner-{number:02d}-{short(hotkey).lower()}-"


@dataclass(slots=True)
class PodAtWork:
    """What one pod has done so far; `started` and `placed`, when its provider has begun to run it,
    in seconds of the caller's clock. `ended`: why it was deleted; None while it runs.
    """

    name: str
    started: float
    placed: float | None = None
    healthy: bool = False
    ended: str | None = None
    replaced: bool = False
    tried: set[str] = field(default_factory=set)
    times: list[float] = field(default_factory=list)
    fresh_times: list[float] = field(default_factory=list)
    retry_deltas: list[float] = field(default_factory=list)
    hard_failed: int = 0
    hard_overtime: int = 0
    bad: bool = False

    def late(self, now: float, warmup_timeout: float) -> str | None:
        """Why the pod is given up before it was ever healthy; None while it is waited for.

        Its image has the whole warm-up from when the provider runs it. Until then nothing that
        happens is the image's doing.
        """
        since, why = (
            (self.started, "never placed")
            if self.placed is None
            else (self.placed, "never became healthy")
        )
        return why if not self.healthy and now >= since + warmup_timeout else None

    def record(self, output: Output, before: Output | None, rules: Rules) -> None:
        """Count one result; `before`: what other pods had made of the prompt, None if it was
        fresh.
        """
        if not output.complete:
            self.hard_failed += 1
        else:
            self.times.append(output.generation_time)
            self.hard_overtime += output.generation_time > rules.generation_timeout
            if before is None:
                self.fresh_times.append(output.generation_time)
            elif before.complete:
                self.retry_deltas.append(output.generation_time - before.generation_time)
        self.bad = self.bad or self.hard_failed + self.hard_overtime >= _FAILED or self._is_slow()

    @property
    def takes_retries(self) -> bool:
        """Whether the pod gets retries: until three or more have been measured that together were
        no faster than the first attempts.
        """
        return len(self.retry_deltas) < _RETRIES or sum(self.retry_deltas) < 0

    def _is_slow(self) -> bool:
        last = self.fresh_times[-_SLOW_TIMES:]
        half = _SLOW_TIMES // 2
        return (
            len(last) == _SLOW_TIMES
            and median(last) > _SLOW
            and median(last[half:]) >= median(last[:half])
        )

    def stats(self) -> PodStats:
        """The pod's entry of `pod_stats.json`."""
        return PodStats(
            pod_id=self.name,
            processed=len(self.times) + self.hard_failed,
            successful=len(self.times) - self.hard_overtime,
            hard_failed=self.hard_failed,
            hard_overtime=self.hard_overtime,
            time_min=min(self.times, default=None),
            time_max=max(self.times, default=None),
            time_avg=mean(self.times) if self.times else None,
            time_median=median(self.times) if self.times else None,
            marked_bad=self.bad,
            retry_cumulative_delta=sum(self.retry_deltas),
            retry_delta_count=len(self.retry_deltas),
            termination_reason=self.ended,
        )
