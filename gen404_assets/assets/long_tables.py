"""Which rows of a long table the UI shows: Dagster shows a table whole, so that at 64 miners or 128
prompts what stands below it would not be found.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from gen404_assets.competition.hotkeys import LEADER

MOST_ROWS = 25
"""Of one table that are shown."""


def cut(view: Mapping[str, Any]) -> dict[str, Any]:
    """A view whose long tables hold the rows that say most, and beside each how many more there
    are.
    """
    kept: dict[str, Any] = {}
    for name, value in view.items():
        kept[name] = value
        if isinstance(value, dg.TableMetadataValue) and len(value.records) > MOST_ROWS:
            rows = sorted(value.records, key=_weight) if _are_matches(value) else value.records
            newest_last = name == "transitions"
            shown = rows[-MOST_ROWS:] if newest_last else rows[:MOST_ROWS]
            kept[name] = dg.MetadataValue.table(shown, value.schema)
            more = len(rows) - MOST_ROWS
            kept[f"{name}: the rest"] = f"{more} more, in the file and in the round's report"
    return kept


def _are_matches(table: dg.TableMetadataValue) -> bool:
    return {"left", "margin"} <= {column.name for column in table.schema.columns}


def _weight(match: dg.TableRecord) -> tuple[bool, float]:
    """Matches of the main line come first, as they were played, then those against the leader, the
    best challenger's first.
    """
    against_leader = match.data["left"] == LEADER
    return against_leader, -float(match.data["margin"] or 0) if against_leader else 0.0
