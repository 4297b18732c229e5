"""Competitions of other editions in Dagster: a partition a round, the assets that the edition has,
what their files hold; and no asset that it lacks.
"""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from gen404_assets.assets.events import CHECK, NO_FILE
from gen404_assets.assets.mirroring import mirrored_as, missing_events
from gen404_assets.assets.partitions import ROUNDS
from gen404_assets.commands.importing import import_history
from gen404_assets.competition.history import History
from gen404_assets.competition_repository import newest_history
from gen404_assets.definitions import definitions
from gen404_assets.replay.editions.choosing import EDITIONS, edition_of
from sensors.mirror import mirror
from simulators.edition_histories import hotkeys, make_competition_0, make_competition_2
from simulators.histories import make_competition

MAKERS = {"competition-0": make_competition_0, "competition-2": make_competition_2}
NAMES = list(MAKERS)
MINERS = hotkeys(4)
SHARED = {"config", "prompt_pool"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GEN404_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def made(name: str, folder: Path) -> Path:
    return MAKERS[name](folder / f"{name}.git")


def import_all(instance: dg.DagsterInstance, name: str, history: History) -> int:
    return import_history(instance, history, mirrored_as(name, instance))


def shown(instance: dg.DagsterInstance, asset: str, number: int) -> Mapping[str, Any]:
    """The metadata of an asset's last event of a round; tables as their rows."""
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(dg.AssetKey(asset), asset_partitions=[str(number)]), limit=1
    ).records
    metadata = records[0].asset_materialization.metadata  # type: ignore[union-attr]
    return {
        name: [dict(record.data) for record in value.records]
        if isinstance(value, dg.TableMetadataValue)
        else value.value
        for name, value in metadata.items()
    }


@pytest.mark.parametrize("name", NAMES)
def test_the_graph_has_the_assets_of_the_edition_and_no_others(name: str) -> None:
    graph = definitions({"COMPETITION_EDITION": name}).resolve_asset_graph()
    rules = EDITIONS[name].rules
    assert rules is not None
    files = {kind.asset: kind for kind in rules.files}
    assert {key.to_user_string() for key in graph.get_all_asset_keys()} == {*files, *SHARED}
    for asset, kind in files.items():
        node = graph.get(dg.AssetKey(asset))
        assert kind.shown in (node.description or "")
        assert node.group_name == kind.stage
        assert node.kinds
        assert len(node.owners) == 1
        assert node.partitions_def is not None
        assert node.parent_keys, f"{asset} is made from something"


@pytest.mark.parametrize("name", NAMES)
def test_each_round_has_an_event_of_every_asset_with_the_blobs_of_its_files(
    instance: dg.DagsterInstance, tmp_path: Path, name: str
) -> None:
    repository = made(name, tmp_path)
    history = newest_history(str(repository), "main")
    assert import_all(instance, name, history) > 0
    known = {str(number) for number in history.round_numbers}
    assert set(instance.get_dynamic_partitions(str(ROUNDS.name))) == known
    rules = EDITIONS[name].rules
    assert rules is not None
    for kind in rules.files:
        tags = instance.event_log_storage.get_latest_tags_by_partition(
            dg.AssetKey(kind.asset),
            dg.DagsterEventType.ASSET_MATERIALIZATION,
            ["dagster/data_version"],
        )
        assert "0" in tags, f"{kind.asset} of a past round is not missing"
        if not kind.shared and "{hotkey}" not in kind.shown:
            blob = history.paths.get(f"rounds/0/{kind.shown}", NO_FILE)
            assert tags["0"]["dagster/data_version"] == blob
    assert import_all(instance, name, history) == 0


def test_competition_0_is_shown_as_it_was_played(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    history = newest_history(str(made("competition-0", tmp_path)), "main")
    import_all(instance, "competition-0", history)
    duels = shown(instance, "duels", 0)["miner by miner"]
    assert [(row["miner"], row["leader"], row["outcome"]) for row in duels] == [
        (MINERS[0], "leader", "leader_defends"),
        (MINERS[1], "leader", "challenger_wins"),
        (MINERS[2], MINERS[1], "leader_defends"),
    ]
    for row in duels:
        assert row["duels"] == 8
        assert row["miner wins"] - row["leader wins"] == row["score"]
    assert shown(instance, "judge_progress", 0)["leader"] == MINERS[1]
    assert shown(instance, "builds", 0)["by status"] == "2 success, 1 failure"
    leaders = shown(instance, "leader", 0)["entry by entry"]
    assert [row["hotkey"] for row in leaders][1:] == [MINERS[1]]
    generations = {row["miner"]: row for row in shown(instance, "generations", 0)["miner by miner"]}
    assert set(generations) == {"leader", *MINERS[:2]}
    assert all(row["entries"] == row["with png"] == 8 for row in generations.values())
    carried = [row["carried over"] for row in shown(instance, "prompts", 1)["the round's prompts"]]
    assert carried.count(True) >= 4
    assert {row["stage"] for row in shown(instance, "state", 0)["stages"]} >= {
        "0 generating",
        "0 duels",
        "0 finalizing",
    }


def test_competition_2_is_shown_as_it_was_played(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    history = newest_history(str(made("competition-2", tmp_path)), "main")
    import_all(instance, "competition-2", history)
    best = MINERS[3]
    assert shown(instance, "winner", 0)["winner_hotkey"] == best
    margins = shown(instance, "matches_matrix", 0)["margins"]
    assert (margins[0]["left"], margins[0]["right"]) == ("leader", MINERS[0][:10])
    assert "data:image/svg+xml" in shown(instance, "matches_matrix", 0)["picture"]
    audited = shown(instance, "audit_matrix", 0)["margins"]
    assert {row["left"] for row in audited} >= {"submitted_1", "leader_3"}
    assert shown(instance, "audits", 0)["by verdict"] == "2 failed, 1 passed"
    assert shown(instance, "generation_reports", 0)["entry by entry"][-1]["repeats"] == 3
    reports = shown(instance, "audit_duels", 0)["miner by miner"]
    assert {row["file"] for row in reports if row["miner"] == best} >= {"audit_leader_1.json"}


@pytest.mark.parametrize("name", NAMES)
def test_a_round_materialised_is_derived_again_by_its_own_rules(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    repository = made(name, tmp_path)
    monkeypatch.setenv("COMPETITION_REPO", str(repository))
    monkeypatch.setenv("COMPETITION_EDITION", name)
    history = newest_history(str(repository), "main")
    import_all(instance, name, history)
    job = definitions(os.environ).resolve_implicit_global_asset_job_def()
    done = job.execute_in_process(instance=instance, partition_key="0")
    checks = done.get_asset_check_evaluations()
    rules = EDITIONS[name].rules
    assert rules is not None
    assert {check.asset_key.to_user_string() for check in checks} == {
        kind.asset for kind in rules.files
    }
    assert all(check.passed and check.check_name == CHECK for check in checks)
    assert import_all(instance, name, history) == 0, "the mirror finds nothing left to say"


@pytest.mark.parametrize("name", NAMES)
def test_a_round_under_way_says_what_is_not_there_yet_and_does_not_end_green_with_nothing(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    repository = made(name, tmp_path)
    monkeypatch.setenv("COMPETITION_REPO", str(repository))
    monkeypatch.setenv("COMPETITION_EDITION", name)
    history = newest_history(str(repository), "main")
    import_all(instance, name, history)
    number = max(history.round_numbers)
    versions = mirrored_as(name, instance).versions(history, number)
    missing = [asset for asset, version in versions.items() if version is None]
    there = [asset for asset, version in versions.items() if version is not None]
    assert missing
    assert there
    job = definitions(os.environ).resolve_implicit_global_asset_job_def()

    def materialised(assets: list[str]) -> dg.ExecuteInProcessResult:
        return job.execute_in_process(
            instance=instance,
            partition_key=str(number),
            asset_selection=[dg.AssetKey(asset) for asset in assets],
            raise_on_error=False,
        )

    failed = materialised(missing).failure_data_for_node("round_again")
    assert failed is not None
    assert failed.user_failure_data is not None
    said = failed.user_failure_data.description or ""
    assert f"of round {number}: not there yet (round {number} is " in said
    assert all(asset in said for asset in missing)
    assert materialised([*missing, there[0]]).success


def tick(instance: dg.DagsterInstance) -> dg.SensorResult:
    """What the sensor gives once it has seen the repository, which a busy machine takes a while
    for.
    """
    while True:
        with dg.build_sensor_context(instance) as context:
            result = mirror(context)
        if isinstance(result, dg.SensorResult):
            return result
        assert isinstance(result, dg.SkipReason)
        assert "waits for" in str(result.skip_message)


def test_the_sensor_shows_what_is_committed_to_a_competition_of_another_edition(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = made("competition-0", tmp_path)
    monkeypatch.setenv("COMPETITION_REPO", str(repository))
    import_all(instance, "competition-0", newest_history(str(repository), "main"))
    clone = tmp_path / "clone"
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.invalid"]
    subprocess.run([*git, "clone", "-q", str(repository), str(clone)], check=True)
    progress = '{"leader": "leader", "completed_hotkeys": []}'
    (clone / "rounds/1/judge_progress.json").write_text(progress)
    for command in (["commit", "-qam", "By hand"], ["push", "-q"]):
        subprocess.run([*git, *command], cwd=clone, check=True)
    monkeypatch.setenv("COMPETITION_EDITION", "competition-0")
    [event] = tick(instance).asset_events
    assert isinstance(event, dg.AssetMaterialization)
    assert (event.asset_key.to_user_string(), event.partition) == ("judge_progress", "1")
    assert "By hand" in str(event.metadata["people's commits"].value)


def make_competition_1(path: Path) -> Path:
    return make_competition(path, rounds=1, miners=3)


@pytest.mark.parametrize("name", [*NAMES, "competition-1"])
def test_files_that_the_rules_do_not_fit_are_shown_as_malformed_and_stop_nothing(
    instance: dg.DagsterInstance, tmp_path: Path, name: str
) -> None:
    """As where a later edition is taken for one that is known."""
    for other, maker in {**MAKERS, "competition-1": make_competition_1}.items():
        if other == name:
            continue
        history = newest_history(str(maker(tmp_path / f"{other}.git")), "main")
        assert edition_of(history).name == other
        events = list(missing_events(instance, history, mirrored_as(name, instance)))
        assert events
