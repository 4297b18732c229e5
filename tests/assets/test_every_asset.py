"""What the UI shows of every asset and sensor of every edition, before anything is made."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from gen404_assets.assets.tags import DERIVED, EVIDENCE, NO_REPLAY, REPLAY_TAG
from gen404_assets.definitions import definitions
from gen404_assets.replay.editions.choosing import EDITIONS

ROOT = Path(__file__).parents[2]
OWNERS = {"team:platform", "team:operators", "team:miners"}
NO_ROWS = {"commitments", "report", "standing", "weights"}
"""Those that are no file of the repository."""


def made(edition: str) -> dg.Definitions:
    return definitions({"COMPETITION_EDITION": edition, "SET_WEIGHTS": "true"})


def nodes() -> Iterator[tuple[str, str]]:
    for edition in EDITIONS:
        for key in made(edition).resolve_asset_graph().get_all_asset_keys():
            yield edition, key.to_user_string()


@pytest.mark.parametrize(("edition", "asset"), sorted(nodes()))
def test_an_asset_says_what_it_is_whose_it_is_and_where_its_code_stands(
    edition: str, asset: str
) -> None:
    node = made(edition).resolve_asset_graph().get(dg.AssetKey(asset))
    assert node.description
    assert node.group_name
    assert node.kinds
    assert len(node.owners) == 1
    assert set(node.owners) <= OWNERS
    assert node.tags[REPLAY_TAG] in {DERIVED, EVIDENCE, NO_REPLAY}
    assert isinstance(
        node.metadata.get("dagster/column_schema"),
        type(None) if asset in NO_ROWS else dg.TableSchema,
    )
    links = node.metadata["dagster/code_references"]
    assert isinstance(links, dg.CodeReferencesMetadataValue)
    roles = set()
    for link in links.code_references:
        assert isinstance(link, dg.LocalFileCodeReference)
        role, _, name = str(link.label).rpartition(" ")
        lines = Path(link.file_path).read_text().splitlines()
        # `inspect` gives a decorated thing's first line.
        there = "\n".join(lines[int(link.line_number or 0) - 1 :][:12])
        assert f"def {name}(" in there or f"class {name}" in there, link
        assert Path(link.file_path).is_relative_to(ROOT)
        roles.add(role)
    if node.tags[REPLAY_TAG] == DERIVED:
        assert roles & {"made by", "derived by"}, "it links to the function that makes it"


@pytest.mark.parametrize("edition", EDITIONS)
def test_a_sensor_says_what_it_does(edition: str) -> None:
    for sensor in made(edition).sensors or []:
        assert isinstance(sensor, dg.SensorDefinition)
        assert sensor.description, sensor.name
