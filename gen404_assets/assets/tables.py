"""Rows as tables of Dagster's UI, in plain text and with few digits."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import dagster as dg

from gen404_assets.assets.shown import plain_value
from gen404_assets.frames import plain_rows

if TYPE_CHECKING:
    import pandas as pd

Value = str | int | float | bool | None


def table(rows: "Sequence[Mapping[str, Value]] | pd.DataFrame") -> dg.TableMetadataValue | str:
    """Rows as the UI shows them, in plain text; all have the keys of the first."""
    records = rows if isinstance(rows, Sequence) else plain_rows(rows)
    if not records:
        return "none"
    return dg.MetadataValue.table(
        [dg.TableRecord(_plain_row(record)) for record in records], _schema(records[0])
    )


def _plain_row(row: Mapping[str, Value]) -> dict[str, Value]:
    return {key: plain_value(value) for key, value in row.items()}


def _schema(row: Mapping[str, Value]) -> dg.TableSchema:
    kinds = {bool: "bool", int: "int", float: "float"}
    return dg.TableSchema(
        [dg.TableColumn(key, kinds.get(type(value), "string")) for key, value in row.items()]
    )
