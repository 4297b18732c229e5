"""The columns of an asset's file, as the UI shows them: made from the class of its format."""

from collections.abc import Iterator, Mapping
from typing import Any, get_args

import dagster as dg
from pydantic import BaseModel, TypeAdapter

from gen404_assets.competition.files import MapFile
from gen404_assets.competition.outputs import Outputs


def key_column(file_format: type[BaseModel]) -> str:
    """What the keys of a `MapFile` are: prompt stems in `Outputs`, hotkeys otherwise."""
    return "stem" if file_format is Outputs else "hotkey"


def column_schema(file_format: type, key: str | None = None) -> dg.TableSchema:
    """The columns of a file, whose entries, elements or CSV rows are the table's rows; a file that
    is one object is one row. `key`: what the keys of a map are (None: by `key_column`).
    """
    schema = TypeAdapter(_row(file_format)).json_schema()
    columns = list(_columns(schema))
    if issubclass(file_format, MapFile):
        key = key or key_column(file_format)
        columns = [column for column in columns if column.name != key]
        unique = dg.TableColumnConstraints(nullable=False, unique=True)
        columns.insert(0, dg.TableColumn(key, "string", constraints=unique))
    return dg.TableSchema(columns)


def _row(file_format: type) -> type:
    """The class of a file's rows: of a map's values, of a list's elements, or the file itself."""
    root = getattr(file_format, "model_fields", {}).get("root")
    row: type = get_args(root.annotation)[-1] if root else file_format
    return row


def _columns(schema: Mapping[str, Any]) -> Iterator[dg.TableColumn]:
    for name, field in schema.get("properties", {}).items():
        variants = [
            _resolved(each, schema.get("$defs", {})) for each in field.get("anyOf", [field])
        ]
        types = [str(each["type"]) for each in variants if each["type"] != "null"]
        yield dg.TableColumn(
            name,
            " or ".join(types),
            description=field.get("description"),
            constraints=dg.TableColumnConstraints(
                nullable=len(types) < len(variants),
                other=[text for each in variants for text in _limits(each)],
            ),
        )


def _resolved(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = field.get("$ref")
    return definitions[reference.rsplit("/", 1)[1]] if reference else field


def _limits(field: Mapping[str, Any]) -> Iterator[str]:
    """What the format asks of a value, in words."""
    words = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    yield from (f"{sign} {field[limit]}" for limit, sign in words.items() if limit in field)
    if "enum" in field:
        yield "one of " + ", ".join(map(str, field["enum"]))
