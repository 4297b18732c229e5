"""The assets of a competition: its history is imported, past rounds replay, and commits by others
show up.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from gen404_assets.assets.events import CHECK, NO_FILE
from gen404_assets.assets.partitions import ROUNDS
from gen404_assets.assets.resource import hold
from gen404_assets.assets.specs import shown_path
from gen404_assets.assets.views import VIEWS
from gen404_assets.competition.catalogue import Asset, Lane
from gen404_assets.competition_repository import history_of, open_repository
from gen404_assets.definitions import definitions
from sensors import mirror as mirror_module
from sensors.mirror import mirror
from tests.assets.mirrored import GRAPH, commit_by_hand, git, import_all, replay

BUILDS = "rounds/1/builds.json"


def tick(
    instance: dg.DagsterInstance, cursor: str | None = None
) -> dg.SensorResult | dg.SkipReason:
    with dg.build_sensor_context(instance, cursor=cursor) as context:
        result = mirror(context)
    assert isinstance(result, dg.SensorResult | dg.SkipReason)
    return result


def test_an_import_shows_every_round_with_the_blobs_of_its_files(
    instance: dg.DagsterInstance, competition: Path
) -> None:
    assert import_all(instance, competition) > 2 * len(Asset)
    assert set(instance.get_dynamic_partitions(str(ROUNDS.name))) == {"0", "1", "2"}
    for asset in ("submissions", "seed", "prompts", "builds", "matches_matrix", "winner"):
        tags = instance.event_log_storage.get_latest_tags_by_partition(
            dg.AssetKey(asset), dg.DagsterEventType.ASSET_MATERIALIZATION, ["dagster/data_version"]
        )
        for number in ("0", "1"):
            path = shown_path(Asset(asset)).format(n=number)
            assert tags[number]["dagster/data_version"] == git(
                competition, "rev-parse", f"main:{path}"
            ), path
    assert import_all(instance, competition) == 0


def test_a_past_round_materialises_with_the_data_versions_of_the_repository_and_its_checks_pass(
    instance: dg.DagsterInstance, competition: Path
) -> None:
    import_all(instance, competition)
    before = git(competition, "for-each-ref")
    done = replay(instance, 1)
    assert done.success
    events = {
        event.asset_key: event
        for event in done.get_asset_materialization_events()
        if event.asset_key
    }
    assert set(events) == set(GRAPH.executable_asset_keys)
    events.pop(dg.AssetKey("report"))  # it is no file of the repository
    executable = set(events)
    for event in events.values():
        assert event.partition == "1"
        metadata = event.materialization.metadata
        has_file = (event.materialization.tags or {})["dagster/data_version"] != NO_FILE
        assert {"file", "replay"} | ({"commit"} if has_file else set()) <= set(metadata)
    winner = events[dg.AssetKey("winner")].materialization
    assert (winner.tags or {})["dagster/data_version"] == git(
        competition, "rev-parse", "main:rounds/1/winner.json"
    )
    checks = done.get_asset_check_evaluations()
    assert {check.asset_key for check in checks} == executable
    assert all(
        check.passed and check.partition == "1" and check.check_name == CHECK for check in checks
    )
    assert import_all(instance, competition) == 0, "the mirror finds nothing left to say"
    assert git(competition, "for-each-ref") == before, "a replay writes nothing"


def test_a_replay_of_a_past_round_holds_no_lane_where_live_work_would_wait_for_it(
    instance: dg.DagsterInstance, competition: Path, tmp_path: Path
) -> None:
    import_all(instance, competition)
    job = definitions(
        {**os.environ, "GEN404_OPERATE": "true"}
    ).resolve_implicit_global_asset_job_def()
    done = job.execute_in_process(
        instance=instance,
        partition_key="0",
        asset_selection=[dg.AssetKey(asset) for asset in ("builds", "duels", "winner")],
        raise_on_error=False,
    )
    assert done.success
    held = tmp_path / "home" / "lanes"
    assert not held.exists()
    with hold(Lane.JUDGING) as got:
        assert got
        assert list(held.iterdir()), "a lane that is held is seen there"


@pytest.mark.parametrize(
    ("message", "severity"),
    [
        ("a better winner", dg.AssetCheckSeverity.WARN),
        ("Round 0 winner: leader", dg.AssetCheckSeverity.ERROR),
    ],
)
def test_a_replay_shows_what_differs_as_a_failed_check_and_a_persons_doing_as_a_warning(
    instance: dg.DagsterInstance, competition: Path, message: str, severity: dg.AssetCheckSeverity
) -> None:
    audits = git(competition, "show", "main:rounds/0/winner.json").replace(
        '"winner_hotkey": "', '"winner_hotkey": "5'
    )
    commit_by_hand(competition, "rounds/0/winner.json", audits, message)
    import_all(instance, competition)
    failed = [
        check for check in replay(instance, 0).get_asset_check_evaluations() if not check.passed
    ]
    assert {check.asset_key.to_user_string() for check in failed} >= {"winner"}
    shown = next(check for check in failed if check.asset_key == dg.AssetKey("winner"))
    assert "differences" in shown.metadata
    assert shown.severity is severity
    assert message in str(shown.metadata["differences"].value)


def test_the_views_show_who_met_whom_and_how_it_went(
    instance: dg.DagsterInstance, competition: Path
) -> None:
    import_all(instance, competition)
    done = replay(instance, 0)

    def shown(asset: str, entry: str) -> list[dict[str, Any]]:
        [event] = [
            e for e in done.get_asset_materialization_events() if e.asset_key == dg.AssetKey(asset)
        ]
        table = event.materialization.metadata[entry]
        assert isinstance(table, dg.TableMetadataValue)
        return [dict(record.data) for record in table.records]

    matrix = git(competition, "show", "main:rounds/0/matches_matrix.csv").splitlines()[1:]
    played = [row.split(",") for row in matrix]
    met = [
        (left[:10], right[:10], float(margin))
        for left, right, margin in played
        if abs(float(margin)) < 100
    ]
    duels = shown("duels", "match by match")
    assert [(row["left"], row["right"], row["margin"]) for row in duels] == [
        (left, right, round(margin, 3)) for left, right, margin in met
    ]
    for row, (_, _, margin) in zip(duels, met, strict=True):
        assert (row["right's wins"] - row["left's wins"]) / 8 == margin
        assert row["right's wins"] + row["left's wins"] + row["draws"] == 8
    timeline = shown("matches_matrix", "timeline")
    assert [row["margin"] for row in timeline] == [
        round(float(margin), 3) for _, _, margin in played
    ]
    audits = json.loads(git(competition, "show", "main:rounds/0/generation_audits.json"))
    assert [(row["hotkey"], row["median, s"]) for row in shown("audits", "audits")] == [
        (hotkey[:10], round(audit["generation_time"], 3)) for hotkey, audit in audits.items()
    ]
    leaders = json.loads(git(competition, "show", "main:leader.json"))
    assert shown("leader", "transitions") == leaders[: len(shown("leader", "transitions"))]


def test_every_view_shows_a_round_that_has_nothing_yet(competition: Path) -> None:
    repository = open_repository(str(competition), "main")
    repository.refresh()
    current = history_of(repository.snapshot()).round(2)
    for name, view in VIEWS.items():
        shown = view(current)
        assert shown or name in {"seed", "winner"}, name
    assert VIEWS["duels"](current)["match by match"] == "none"
    assert VIEWS["submissions"](current) == {"submissions": 0, "in order of reveal": "none"}


def test_a_round_under_way_materialises_what_it_has_and_says_what_is_not_there_yet(
    instance: dg.DagsterInstance, competition: Path
) -> None:
    import_all(instance, competition)
    done = replay(instance, 2)
    assert not done.success
    failed = done.failure_data_for_node("submissions_seed_prompts")
    assert failed is not None
    assert failed.user_failure_data is not None
    assert failed.user_failure_data.description == (
        "submissions, seed, prompts of round 2: not there yet (round 2 is open)"
    )
    assert {event.asset_key for event in done.get_asset_materialization_events()} == {
        dg.AssetKey("schedule")
    }


def test_what_others_commit_shows_up_by_itself(
    instance: dg.DagsterInstance, competition: Path
) -> None:
    import_all(instance, competition)
    head = git(competition, "rev-parse", "main")
    first = tick(instance)
    assert isinstance(first, dg.SensorResult)
    assert not first.asset_events
    assert first.cursor == head
    assert isinstance(tick(instance, cursor=head), dg.SkipReason)
    verdicts = '[\n  {"hotkey": "5abc", "verdict": "failed", "reason": "copied"}\n]\n'
    commit_by_hand(competition, "rounds/2/source_audit.json", verdicts, "Source audit")
    schedule = git(competition, "show", "main:rounds/2/schedule.json")
    commit_by_hand(competition, "rounds/3/schedule.json", schedule, "one more round")
    time.sleep(1.1)  # sensors share a look at the head for a second
    result = tick(instance, cursor=head)
    assert isinstance(result, dg.SensorResult)
    assert {
        (event.asset_key.to_user_string(), event.partition) for event in result.asset_events
    } == {
        ("source_audits", "2"),
        ("schedule", "3"),
    }
    requests = result.dynamic_partitions_requests
    assert requests
    assert [key for request in requests for key in request.partition_keys] == ["3"]


def test_a_long_history_is_mirrored_over_several_ticks(
    instance: dg.DagsterInstance, competition: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror_module, "EVENTS_A_TICK", 10)
    cursor, ticks = None, 0
    while True:
        result = tick(instance, cursor)
        if isinstance(result, dg.SkipReason):
            if "waits" in str(result.skip_message):  # a busy machine has not looked yet
                continue
            break
        assert len(result.asset_events) <= 10
        for request in result.dynamic_partitions_requests or []:
            instance.add_dynamic_partitions(str(ROUNDS.name), list(request.partition_keys))
        for event in result.asset_events:
            instance.report_runless_asset_event(event)
        cursor, ticks = result.cursor, ticks + 1
    assert ticks > 3
    assert import_all(instance, competition) == 0


def test_g17_a_malformed_file_is_shown_with_its_line_and_hides_nothing_else(
    instance: dg.DagsterInstance, competition: Path
) -> None:
    commit_by_hand(
        competition, "rounds/0/builds.json", '{\n  "5abc": {\n    "repo": 7\n  }\n}', "oops"
    )
    assert import_all(instance, competition) > 2 * len(Asset)
    done = replay(instance, 0)
    checks = {
        check.asset_key.to_user_string(): check for check in done.get_asset_check_evaluations()
    }
    assert not checks["builds"].passed
    assert "rounds/0/builds.json:" in str(checks["builds"].metadata["remarks"].value)
    assert checks["prompts"].passed


def test_g26_a_commits_subject_is_text_and_no_picture(
    instance: dg.DagsterInstance, competition: Path
) -> None:
    """Whoever opened the asset's page once loaded what the picture named."""
    subject = "Corrected ![x](http://evil.example/p) <img src=http://evil.example/q> \u202e"
    builds = history_of(open_repository(str(competition), "main").snapshot()).read(BUILDS)
    assert builds is not None
    commit_by_hand(competition, BUILDS, builds.decode() + "\n", subject)
    import_all(instance, competition)
    last = instance.get_latest_materialization_event(dg.AssetKey("builds"))
    assert last is not None
    assert last.asset_materialization is not None
    metadata = last.asset_materialization.metadata
    escaped = subject.replace("\u202e", "\ufffd")
    assert str(metadata["commit"].value).endswith(f'"{escaped}"')
    people = str(metadata["people's commits"].value)
    assert people.startswith("- ` ")
    assert people.endswith(f'"{escaped}" `')
