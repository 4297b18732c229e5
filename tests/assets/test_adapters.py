"""What is set of each adapter, as Dagster shows it; and that what is set is what is opened."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster_graphql.test.utils import define_out_of_process_context, execute_dagster_graphql

from gen404_assets.assets.adapters import MODELS, VARIABLES, adapter_resources
from gen404_assets.assets.resource import (
    NO_REPOSITORY,
    CompetitionResource,
    close_adapters,
    competition_resources,
)
from resources.object_store import ObjectStore
from resources.settings import BadSetting, is_secret, setting_fields
from sensors.lanes import SENSORS
from sensors.mirror import mirror

ADDRESSES = {
    "COMPETITION_REPO": "https://x:token-in-a-url@git.example/competition.git",
    "SUBTENSOR_NETWORK": "wss://node.example/key-in-a-path",
}
SECRETS = {
    name.upper(): f"secret-{name}"
    for models in MODELS.values()
    for model in models
    for name, field in setting_fields(model).items()
    if is_secret(field)
}
PLAIN = {
    "R2_ENDPOINT": "https://s3.example",
    "CDN_URL": "https://cdn.example",
    "NETUID": "23",
}
QUERY = """{
  allTopLevelResourceDetailsOrError(
    repositorySelector: {
      repositoryLocationName: "gen404_assets.definitions", repositoryName: "__repository__"}
  ) {
    ... on ResourceDetailsList { results {
      name description resourceType
      configFields { name description defaultValueAsJson }
      configuredValues { key value type }
      nestedResources { name type }
    } }
  }
}"""


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GEN404_HOME", str(tmp_path / "home"))
    yield
    close_adapters()


def competition() -> CompetitionResource:
    """The competition's resource as a run has it."""
    with dg.build_resources(competition_resources(os.environ, operates=False)) as opened:
        found = opened.competition  # type: ignore[attr-defined] -- named by its resources
    assert isinstance(found, CompetitionResource)
    return found


def test_every_setting_of_an_adapter_stands_in_one_resource_with_its_meaning() -> None:
    resources = adapter_resources({})
    fields = [(key, field) for each in resources.values() for key, field in each_fields(each)]
    names = [key for key, _ in fields]
    assert len(names) == len(set(names))
    for models in MODELS.values():
        for model in models:
            assert set(setting_fields(model)) <= set(names)
    assert all(field.description for _, field in fields)
    assert {key.upper() for key in names} == VARIABLES


def each_fields(resource: dg.ConfigurableResource[None]) -> list[tuple[str, Any]]:
    return list(type(resource).model_fields.items())


def shown_by_the_ui() -> tuple[str, dict[str, Any]]:
    """The page of the resources, as Dagster's UI gets it, and each resource by its name."""
    with (
        dg.DagsterInstance.ephemeral() as instance,
        define_out_of_process_context(
            str(Path(__file__).parents[2] / "gen404_assets" / "definitions.py"), None, instance
        ) as context,
    ):
        answer = execute_dagster_graphql(context, QUERY)
    return str(answer.data), answer.data
