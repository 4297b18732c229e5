"""What is set of each adapter, as Dagster shows it; and that what is set is what is opened."""

import json
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
        resource = opened.competition
    assert isinstance(resource, CompetitionResource)
    return resource


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


def shown_by_the_ui(storage: Path) -> dict[str, dict[str, Any]]:
    """The page of the resources, as Dagster's UI gets it: each resource by its name."""
    workspace = str(Path(__file__).parents[2] / "workspace.yaml")
    with (
        dg.DagsterInstance.local_temp(str(storage)) as instance,
        define_out_of_process_context(workspace, None, instance) as context,
    ):
        answer = execute_dagster_graphql(context, QUERY)
    results = answer.data["allTopLevelResourceDetailsOrError"]["results"]
    return {each["name"]: each for each in results}


def test_g23_the_ui_shows_what_is_set_of_every_adapter_and_no_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in (SECRETS | ADDRESSES | PLAIN).items():
        monkeypatch.setenv(name, value)
    page = shown_by_the_ui(tmp_path)
    assert set(page) == {*MODELS, "competition"}
    for name, models in MODELS.items():
        meanings = {field["name"]: field["description"] for field in page[name]["configFields"]}
        for model in models:
            for key, field in setting_fields(model).items():
                assert meanings.get(key, field.description) == field.description
        assert page[name]["description"]
    configured = {
        each["key"]: (each["value"], each["type"])
        for resource in page.values()
        for each in resource["configuredValues"]
    }
    for name, value in PLAIN.items():
        assert configured[name.lower()] == (json.dumps(value), "VALUE")
    for name in SECRETS | ADDRESSES:
        assert configured[name.lower()] == (name, "ENV_VAR")
    for value in [*SECRETS.values(), *ADDRESSES.values()]:
        assert value not in str(page)
    nested = {each["name"] for each in page["competition"]["nestedResources"]}
    assert nested == {"repository_settings", *MODELS} - {"repository"}


def test_what_is_set_is_what_is_opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COMPETITION_REPO", str(tmp_path / "competition.git"))
    monkeypatch.setenv("R2_ENDPOINT", "https://s3.example")
    monkeypatch.setenv("R2_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("R2_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("CDN_URL", "https://cdn.example")
    opened = competition().outside()
    assert isinstance(opened.store, ObjectStore)
    assert opened.store.url("key") == "https://cdn.example/key"
    assert competition().outside() is opened, "an adapter is opened once a process"
    monkeypatch.setenv("CDN_URL", "https://other.example")
    assert competition().outside().store.url("key") == "https://other.example/key"


def test_a_bad_setting_is_named_where_its_adapter_is_first_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COMPETITION_REPO", str(tmp_path / "competition.git"))
    monkeypatch.setenv("NETUID", "many")
    outside = competition().outside()
    with pytest.raises(BadSetting, match="NETUID must be a whole number"):
        _ = outside.chain


def test_without_a_competition_sensors_and_assets_say_how_to_begin() -> None:
    for sensor in (mirror, *SENSORS):
        with dg.build_sensor_context() as context:
            skipped = sensor(context)
        assert isinstance(skipped, dg.SkipReason)
        assert skipped.skip_message == NO_REPOSITORY
    with pytest.raises(dg.Failure, match="gen404 up"):
        competition().repository()
