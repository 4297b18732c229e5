"""Whose commitments were refused when a round opened, and why: what `submissions` shows beside its
file, which holds the valid ones alone.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import dagster as dg

from gen404_assets.assets.tables import table
from gen404_assets.competition.catalogue import Asset
from gen404_assets.competition.commitments import read_submissions
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.plain_text import plain
from gen404_assets.competition.round import Round

COUNT = "refused"
REASONS = "refused commitments"


class Commitments(Protocol):
    """The chain, as far as it is asked here."""

    def reveals(self, at: int) -> dict[str, list[tuple[int, str]]]:
        """What is revealed as of a block (`Chain.reveals`)."""
        ...


def refusals(current: Round, chain: Commitments) -> Mapping[str, str]:
    """Hotkey -> reason, as the chain shows it at the last block of the round's window.

    Whoever has a submission on record is left out: a person may have entered it. Raises
    InfrastructureFault.
    """
    schedule, recorded = current.schedule, current.submissions
    if schedule is None or recorded is None:
        return {}
    revealed = chain.reveals(at=schedule.latest_reveal_block)
    reading = read_submissions(revealed, schedule, current.config.round_name(current.number))
    return {hotkey: why for hotkey, why in reading.refused.items() if hotkey not in recorded}


def refusal_metadata(
    current: Round,
    instance: dg.DagsterInstance,
    chain: Callable[[], Commitments] | None,
    *,
    anew: bool = False,
) -> dict[str, Any]:
    """The metadata of a materialisation of `submissions` that says who was refused.

    It is what the last materialisation of the partition says, unless there is none or `anew`: then
    the chain is asked. Without a chain (None), as for a round of the past, whose reveals the chain
    may have dropped, nothing is said that wasn't known.
    """
    known = {} if anew else _last(instance, current.number)
    if known or chain is None:
        return known
    try:
        refused = refusals(current, chain())
    except InfrastructureFault as fault:
        return {REASONS: plain(f"not known: {fault}")}
    rows = [{"hotkey": hotkey, "reason": reason} for hotkey, reason in sorted(refused.items())]
    return {COUNT: len(rows), REASONS: table(rows)}


def _last(instance: dg.DagsterInstance, number: int) -> dict[str, Any]:
    wanted = dg.AssetRecordsFilter(
        asset_key=dg.AssetKey(Asset.SUBMISSIONS.value), asset_partitions=[str(number)]
    )
    for record in instance.fetch_materializations(wanted, limit=1).records:
        if record.asset_materialization and COUNT in record.asset_materialization.metadata:
            metadata = record.asset_materialization.metadata
            return {key: metadata[key] for key in (COUNT, REASONS) if key in metadata}
    return {}
