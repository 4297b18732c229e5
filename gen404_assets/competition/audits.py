"""`require_audit.json`, `generation_audits.json`, `source_audit.json`: who must prove it, on what,
with what result.
"""

import math
import random
from collections.abc import Collection, Sequence
from enum import StrEnum
from statistics import median

from pydantic import Field

from gen404_assets.competition.duels import MatchReport, Outcome
from gen404_assets.competition.files import ListFile, MapFile, Record
from gen404_assets.competition.outputs import Output, Outputs
from gen404_assets.competition.settings import Rules
from gen404_assets.competition.timeline import Verdicts

NO_IMAGE = "Failed to build a docker image"
NO_POD = "Failed to deploy a docker image"


class AuditRequest(Record):
    """`critical_prompts`: the stems on which the match that led to the request was won, if it was
    close.
    """

    hotkey: str
    critical_prompts: list[str]


class AuditRequests(ListFile[AuditRequest]):
    """Append-only, one a hotkey: its first request stands."""

    def for_hotkey(self, hotkey: str) -> AuditRequest | None:
        return next((request for request in self.root if request.hotkey == hotkey), None)


class AuditOutcome(StrEnum):
    """How a generation audit stands."""

    PENDING = "pending"
    PASSED = "passed"
    REJECTED = "rejected"


class GenerationAudit(Record):
    """Counts of prompts; `generation_time` is the trimmed median in seconds, null if nothing was
    generated.
    """

    hotkey: str
    outcome: AuditOutcome
    checked_prompts: int
    failed_prompts: int
    failed_critical: int
    generation_time: float | None = Field(allow_inf_nan=False)
    reason: str


class GenerationAudits(MapFile[GenerationAudit]):
    """hotkey -> audit."""


class SourceVerdict(StrEnum):
    """What a person found in the source code."""

    PASSED = "passed"
    FAILED = "failed"


class SourceAudit(Record):
    """A person's verdict on a miner's source code."""

    hotkey: str
    verdict: SourceVerdict
    reason: str


class SourceAudits(ListFile[SourceAudit]):
    """Written by hand; a hotkey's last verdict counts."""

    def verdicts(self) -> dict[str, SourceVerdict]:
        return {audit.hotkey: audit.verdict for audit in self.root}


def critical_prompts(report: MatchReport, seed: int, win_margin: float, rules: Rules) -> list[str]:
    """The prompts that must match, from the match that led to an audit (`rules.md`, Timeline)."""
    if report.margin >= win_margin + rules.max_mismatched_margin:
        return []
    won = [duel.name for duel in report.duels if duel.winner is Outcome.RIGHT]
    size = max(1, math.ceil(len(report.duels) * win_margin))
    return won if len(won) <= size else random.Random(seed).sample(won, size)  # noqa: S311 -- repeatable


def is_mismatched(output: Output | None, rules: Rules) -> bool:
    """Whether a regenerated prompt fails the audit: absent, failed, too slow, or too far from the
    submitted one.
    """
    if output is None or not output.complete or output.generation_time > rules.generation_timeout:
        return True
    return output.distance is not None and output.distance > rules.acceptable_distance


def trimmed_median(times: Sequence[float], trim: int) -> float | None:
    """The median of `times` without `trim` from each end if there are more than twice as many; None
    of none.
    """
    ordered = sorted(times)
    kept = ordered[trim : len(ordered) - trim] if len(ordered) > 2 * trim else ordered
    return median(kept) if kept else None


def judge_audit(
    hotkey: str, submitted: Outputs, generated: Outputs, critical: Collection[str], rules: Rules
) -> GenerationAudit | None:
    """The verdict on what was regenerated; None while a distance is unmeasured (null): the audit
    waits.

    `rules.md`, Audits: over the prompts for which the miner has file and preview.
    """
    checked = submitted.complete()
    outputs = [generated.get(name) for name in checked]
    if any(
        output and not is_mismatched(output, rules) and output.distance is None
        for output in outputs
    ):
        return None
    mismatched = [
        name for name, output in zip(checked, outputs, strict=True) if is_mismatched(output, rules)
    ]
    failed_critical = sum(name in critical for name in mismatched)
    failed = len(mismatched) - failed_critical
    times = [output.generation_time for output in outputs if output and output.complete]
    time = trimmed_median(times, rules.generation_median_trim_count)
    reasons = _reasons(time, failed, failed_critical, rules)
    return GenerationAudit(
        hotkey=hotkey,
        outcome=AuditOutcome.REJECTED if reasons else AuditOutcome.PASSED,
        checked_prompts=len(checked),
        failed_prompts=failed,
        failed_critical=failed_critical,
        generation_time=time,
        reason="; ".join(reasons),
    )


def reject_unmeasured(hotkey: str, reason: str) -> GenerationAudit:
    """The verdict on a miner whose image was never built (`NO_IMAGE`) or never ran (`NO_POD`)."""
    return GenerationAudit(
        hotkey=hotkey,
        outcome=AuditOutcome.REJECTED,
        checked_prompts=0,
        failed_prompts=0,
        failed_critical=0,
        generation_time=None,
        reason=reason,
    )


def verdicts(audits: GenerationAudits, sources: SourceAudits) -> Verdicts:
    """Who is approved and who rejected, by both audits (`rules.md`, Timeline 4)."""
    source = sources.verdicts()
    rejected = {
        hotkey for hotkey, audit in audits.items() if audit.outcome is AuditOutcome.REJECTED
    }
    rejected |= {hotkey for hotkey, verdict in source.items() if verdict is SourceVerdict.FAILED}
    passed = {hotkey for hotkey, audit in audits.items() if audit.outcome is AuditOutcome.PASSED}
    approved = {hotkey for hotkey in passed if source.get(hotkey) is SourceVerdict.PASSED}
    return Verdicts(frozenset(approved - rejected), frozenset(rejected))


def _reasons(time: float | None, failed: int, failed_critical: int, rules: Rules) -> list[str]:
    reasons = []
    if time is not None and time > rules.generation_median_limit:
        limit = rules.generation_median_limit
        reasons.append(f"Trimmed median generation time ({time:.2f}s) exceeds limit ({limit:.2f}s)")
    if failed > rules.max_mismatched_prompts:
        reasons.append(
            f"Non-critical mismatches ({failed}) exceed tolerance ({rules.max_mismatched_prompts})"
        )
    if failed_critical > rules.max_mismatched_critical_prompts:
        tolerance = rules.max_mismatched_critical_prompts
        reasons.append(f"Critical mismatches ({failed_critical}) exceed tolerance ({tolerance})")
    return reasons
