"""The page that opens first in Dagster's UI: what is due, and why it waits."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from dagster._serdes import serialize_value

from gen404_assets.assets.standing import Standing
from gen404_assets.competition.catalogue import Asset, Lane
from gen404_assets.competition.due import Due, DueAsset, Wait
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.state import Stage
from resources.chain.subtensor import Block
from sensors.standing import standing
from simulators.examples import MINERS

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def block(number: int) -> Block:
    return Block(number, "0x" + "0" * 64, NOW)


def duels() -> Standing:
    """Round 3 while it is judged: the judge is out of order, and an image is still built."""
    due = Due(3, Stage.DUELS, None)
    due.work = [
        DueAsset(Asset.BUILDS, Lane.BUILDS, MINERS[:6]),
        DueAsset(Asset.DUELS, Lane.JUDGING),
        DueAsset(Asset.MATCHES_MATRIX, Lane.JUDGING),
    ]
    due.pairs = [(LEADER, MINERS[0]), (LEADER, MINERS[1])]
    due.waits = [Wait(f"the build of {MINERS[2]} (pending)"), Wait("nobody", until=1300)]
    lanes = [(Lane.JUDGING, Wait("the judge: no answer, since 08:00"))]
    return Standing(due, block(1000), "", lanes, "0123abc", "nobody")


def rows(value: object) -> list[dict[str, object]]:
    assert isinstance(value, dg.TableMetadataValue)
    return [dict(record.data) for record in value.records]


def test_what_is_due_stands_beside_whom_it_is_for_and_what_is_left() -> None:
    builds, judging = rows(duels().metadata()["due"])
    assert builds["assets"] == "builds"
    assert str(builds["for"]).endswith(f"{MINERS[3][:10]} and 2 more")
    assert judging["assets"] == "duels, matches_matrix"
    assert judging["for"] == f"leader against {MINERS[0][:10]}"
    assert judging["matches left"] == 2


def test_how_far_the_judge_obeys_words_in_pictures_is_shown_for_the_round() -> None:
    assert duels().metadata()["words in pictures"] == "not measured"
    measured = replace(duels(), words="obeyed in 1 runs")
    assert measured.metadata()["words in pictures"] == "obeyed in 1 runs"
    assert measured.mark() != duels().mark()


def test_one_line_says_first_what_is_due_and_what_it_waits_for() -> None:
    first, line = next(iter(duels().metadata().items()))
    assert first == "now"
    blind = replace(duels(), unseen="the chain").metadata()["now"]
    assert blind == f"{line} Not seen: the chain."
    assert line == (
        "Round 3, stage duels. Due: builds (builds); judging (duels, matches_matrix). Waits for: "
        f"the build of {MINERS[2][:10]} (pending); nobody; "
        "judging: the judge: no answer, since 08:00."
    )


def test_the_code_server_can_send_it() -> None:
    event = dg.AssetMaterialization("standing", metadata=duels().metadata())
    assert "judging" in serialize_value(event)


def test_each_wait_says_until_which_block_and_when_that_is_expected() -> None:
    build, later, judge = rows(duels().metadata()["waits"])
    assert build["waits for"] == f"the build of {MINERS[2][:10]} (pending)"
    assert (later["until block"], later["expected (UTC)"]) == (1300, "2026-01-05 01:00")
    assert judge["waits for"] == "judging: the judge: no answer, since 08:00"


def test_a_new_block_alone_is_no_change_and_all_else_is() -> None:
    now = duels()
    assert replace(now, block=block(1001)).mark() == now.mark()
    assert replace(now, lanes=[]).mark() != now.mark()
    assert replace(now, leader="somebody").mark() != now.mark()
    assert replace(now, block=None, unseen="the chain").mark() != now.mark()


def test_it_is_logged_once_and_links_the_reports_there_are(
    honest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEN404_HOME", str(tmp_path))
    monkeypatch.setenv("COMPETITION_REPO", str(honest))
    url = "https://cdn.invalid/reports/1/0123/rounds/1/index.html"
    with dg.DagsterInstance.ephemeral() as instance:
        made = dg.AssetMaterialization("report", partition="1", metadata={"page": url})
        instance.report_runless_asset_event(made)
        with dg.build_sensor_context(instance) as context:
            first = standing(context)
        assert isinstance(first, dg.SensorResult)
        (event,) = first.asset_events
        assert isinstance(event, dg.AssetMaterialization)
        assert str(event.metadata["now"].value).startswith("Round 3, stage open. Due: ")
        assert event.metadata["reports"].value == f"[round 1]({url})"
        assert "(/assets/state?view=partitions&partition=3)" in str(event.metadata["look at"].value)
        cursor = first.cursor
        with dg.build_sensor_context(instance, cursor=cursor) as context:
            assert isinstance(standing(context), dg.SkipReason)
