"""What is shown of the files of an edition that is not operated: made from the classes of its
formats, so that an edition brings no views of its own.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, get_args

from pydantic.fields import FieldInfo

from gen404_assets.assets.heat_map import heat_map
from gen404_assets.assets.shown import markdown
from gen404_assets.assets.tables import Value, table
from gen404_assets.assets.views import picture
from gen404_assets.competition.editions.rules import EditionFile
from gen404_assets.competition.files import ListFile, MapFile, Record, StateFile
from gen404_assets.competition.hotkeys import short
from gen404_assets.competition.matches import Match, Matrix
from gen404_assets.competition.prompts import parse_prompts, stem

Contents = Mapping[str, tuple[str, bytes]]
"""Path of a file below its round -> its path in the repository, and its content."""


def view(
    kind: EditionFile, files: Contents, *, before: frozenset[str], win_margin: float
) -> dict[str, Any]:
    """What there is to look at in the files of one kind. `before`: the prompts of the round before.

    Raises MalformedFile.
    """
    if per_miner(kind):
        rows = [_summary(kind, name, *file) for name, file in files.items()]
        return {"miner by miner": table(_aligned(rows))}
    path, raw = next(iter(files.values()))
    if kind.kind is None:
        if path.endswith(".csv"):
            return _margins(Matrix.parse(raw, path).matches, win_margin)
        return _prompts(parse_prompts(raw, path), before)
    content = kind.kind.parse(raw, path)
    if isinstance(content, MapFile):
        return _records(kind, [_row(record, hotkey=name) for name, record in content.items()])
    if isinstance(content, ListFile):
        return _records(kind, [_row(record) for record in content.root])
    return {
        name: _shown_value(value)
        for name, value in content.model_dump(mode="json", exclude_unset=True).items()
    }


def per_miner(kind: EditionFile) -> bool:
    """Whether each miner has files of this kind of its own."""
    return "{hotkey}" in kind.shown


def _prompts(urls: Sequence[str], before: frozenset[str]) -> dict[str, Any]:
    rows: list[dict[str, Value]] = [
        {"stem": stem(url), "carried over": url in before, "picture": url} for url in urls
    ]
    return {"prompts": len(rows), "the round's prompts": table(rows)}


def _margins(matches: Sequence[Match], win_margin: float) -> dict[str, Any]:
    rows: list[dict[str, Value]] = [
        {
            "left": _side(match.left),
            "right": _side(match.right),
            "margin": match.margin,
            "enough": match.margin >= win_margin,
        }
        for match in matches
    ]
    shown: dict[str, Any] = {"matches": len(rows), "margins": table(rows)}
    if matches and all(_side(match.left) == short(match.left) for match in matches):
        order = list(dict.fromkeys(side for match in matches for side in match.pair))
        svg = heat_map(_frame(matches), order, win_margin)
        shown["picture"] = markdown(picture(svg, "margins: rows defend, columns challenge"))
    return shown


def _frame(matches: Sequence[Match]) -> Any:
    import pandas as pd  # noqa: PLC0415 -- takes most of a second, and few need it

    return pd.DataFrame(list(matches), columns=["left", "right", "margin"])


def _side(name: str) -> str:
    """A side of a match in few characters. A repeat's number, as in `submitted_1`, stays."""
    side, mark, repeat = name.rpartition("_")
    return f"{short(side)}{mark}{repeat}" if mark and repeat.isdecimal() else short(name)


def _row(record: Record, **key: str) -> dict[str, Value]:
    fields = record.model_dump(mode="json", exclude_unset=True)
    return {**key, **{field: _cell(value) for field, value in fields.items()}}


def _records(kind: EditionFile, rows: Sequence[Mapping[str, Value]]) -> dict[str, Any]:
    """Records as a table, one a row, with how often each value of an enumeration occurs."""
    counted = {
        f"by {field}": _counted(str(row.get(field)) for row in rows)
        for field, info in _fields(kind.kind).items()
        if _enumeration(info) is not None and rows
    }
    return {"entries": len(rows)} | counted | {"entry by entry": table(_aligned(rows))}


def _summary(kind: EditionFile, name: str, path: str, raw: bytes) -> dict[str, Value]:
    """One of many files in one row: its plain values, and what its records come to."""
    miner, _, file = name.partition("/")
    row: dict[str, Value] = {"miner": miner}
    if "*" in kind.shown:
        row["file"] = file
    if kind.kind is None:
        return row
    content = kind.kind.parse(raw, path)
    if isinstance(content, MapFile):
        return row | {"entries": len(content)} | _totals(kind.kind, list(content.root.values()))
    for field, info in type(content).model_fields.items():
        value = getattr(content, field)
        record = _record_in(info)
        if record is None:
            row[field] = _cell(value)
        else:
            row[field] = len(value)
            row |= _outcomes(record, value)
    return row


def _totals(kind: type[StateFile], records: Sequence[Record]) -> dict[str, Value]:
    """What many records come to: how many have what may be null, the largest of what is measured,
    the sum of what is counted.
    """
    row: dict[str, Value] = {}
    for field, info in _fields(kind).items():
        values = [getattr(record, field) for record in records]
        if type(None) in get_args(info.annotation):
            row[f"with {field}"] = sum(value is not None for value in values)
        elif info.annotation is float:
            row[f"largest {field}"] = max(values, default=0.0)
        elif info.annotation is int:
            row[f"sum of {field}"] = sum(values)
    return row


def _outcomes(record: type[Record], values: Sequence[Record]) -> dict[str, Value]:
    """How often each value of the records' enumerations occurs."""
    row: dict[str, Value] = {}
    for field, info in record.model_fields.items():
        enumeration = _enumeration(info)
        if enumeration is not None:
            counts = Counter(getattr(value, field) for value in values)
            row |= {_times(str(each)): counts[each] for each in enumeration}
    return row


def _times(outcome: str) -> str:
    """The column that says how often something came out so; no key of a file is named like it."""
    if outcome in {"leader", "miner", "left", "right"}:
        return f"{outcome} wins"
    return "draws" if outcome == "draw" else outcome


def _fields(kind: type[StateFile] | None) -> Mapping[str, FieldInfo]:
    """The fields of the records that a file is of."""
    root = kind.model_fields.get("root") if kind is not None else None
    record = _record_in(root) if root is not None else None
    return record.model_fields if record is not None else {}


def _record_in(info: FieldInfo) -> type[Record] | None:
    """The class of the records that a list or a map holds; None where it holds others."""
    kinds = get_args(info.annotation)
    last = kinds[-1] if kinds else None
    return last if isinstance(last, type) and issubclass(last, Record) else None


def _enumeration(info: FieldInfo) -> type[StrEnum] | None:
    kind = info.annotation
    return kind if isinstance(kind, type) and issubclass(kind, StrEnum) else None


def _cell(value: Any) -> Value:
    """A value in a cell of a table: a list of words in one text, of anything else its length."""
    if isinstance(value, list):
        plain = all(isinstance(each, str | int | float) for each in value)
        return ", ".join(map(str, value)) if value and plain else len(value)
    return len(value) if isinstance(value, dict) else value


def _shown_value(value: Any) -> Any:
    """A value of a file that is one object; a list is shown as a table."""
    if not isinstance(value, list):
        return value if isinstance(value, str | int | float) else str(value)
    return table(_aligned(list(_rows(value))))


def _rows(values: Sequence[Any]) -> Iterator[dict[str, Value]]:
    for value in values:
        if isinstance(value, dict):
            yield {str(key): _cell(each) for key, each in value.items()}
        else:
            yield {"value": _cell(value)}


def _aligned(rows: Sequence[Mapping[str, Value]]) -> list[dict[str, Value]]:
    """Rows that all have the same columns."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    return [{column: row.get(column) for column in columns} for row in rows]


def _counted(values: Iterator[str]) -> str:
    return ", ".join(f"{count} {value}" for value, count in Counter(values).most_common())
