"""Refused commitments are seen, with their reason, where `submissions` is looked at in Dagster."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from gen404_assets.assets import open as opening
from gen404_assets.assets.partitions import ROUNDS
from gen404_assets.assets.refusals import COUNT, REASONS
from gen404_assets.assets.resource import close_adapters, competition_resources
from gen404_assets.competition.commitments import read_submissions
from gen404_assets.competition.schedule import Schedule
from gen404_assets.competition.seed import draw_seed
from gen404_assets.competition_repository import open_repository
from resources.chain.local import LocalChain, local_keypair
from resources.chain.opening import open_chain
from resources.chain.timelock import scale_bytes
from sensors.mirror import mirror
from simulators.examples import COMMIT
from tests.sensors.test_lanes import Platform

GOOD, OLD, BAD, GARBAGE = (
    str(local_keypair(name).ss58_address) for name in ("good", "old", "bad", "garbage")
)
VALID = {"repo": "owner/model", "commit": COMMIT, "cdn_url": "https://cdn.example"}


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    """A competition whose round 0 has opened with two submissions; two commitments were refused."""
    monkeypatch.setenv("GEN404_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SUBTENSOR_NETWORK", (tmp_path / "chain").as_uri())
    monkeypatch.setenv("COMPETITION_REPO", str(tmp_path / "competition.git"))
    monkeypatch.setenv("GEN404_OPERATE", "true")
    monkeypatch.setenv("BITTENSOR_RUNTIME_CACHE_DIR", str(tmp_path / "runtime-cache"))
    close_adapters()
    with dg.DagsterInstance.ephemeral() as instance:
        made = Platform(tmp_path, instance)
        instance.add_dynamic_partitions(str(ROUNDS.name), ["0"])
        reveal(made, GOOD, json.dumps(VALID).encode())
        reveal(made, OLD, scale_bytes(json.dumps(VALID).encode()))
        reveal(made, BAD, json.dumps(VALID | {"repo": "[x](https://evil.example)"}).encode())
        reveal(made, GARBAGE, b"\xff\xfe![x](https://evil.example)")
        LocalChain(made.chain).stand(620)
        open_by_hand(made)
        yield made
    close_adapters()


def reveal(platform: Platform, hotkey: str, data: bytes) -> None:
    field = {f"Raw{len(data)}": f"0x{data.hex()}"}
    params = {"netuid": 17, "info": {"fields": [field]}}
    LocalChain(platform.chain).append(hotkey, "Commitments.set_commitment", params)


def open_by_hand(platform: Platform) -> None:
    """What the opening commits."""
    chain = open_chain({"SUBTENSOR_NETWORK": platform.chain.as_uri()})
    revealed = chain.reveals(600)
    chain.close()

    def derive(snapshot: Any) -> dict[str, bytes | None]:
        schedule = Schedule.parse(snapshot.read("rounds/0/schedule.json"), "schedule.json")
        state = json.loads(snapshot.read("state.json")) | {"stage": "miner_generation"}
        return {
            "rounds/0/submissions.json": read_submissions(
                revealed, schedule, "mesh-0"
            ).submissions.to_bytes(),
            "rounds/0/seed.json": draw_seed(600, "0x00", "mesh-0").to_bytes(),
            "rounds/0/prompts.txt": b"https://pool.example/a.png\n",
            "state.json": json.dumps(state).encode(),
        }

    repository = open_repository(str(platform.repository), "main")
    repository.publish("Seed, prompts and submissions for round 0", derive)


def mirrored(platform: Platform) -> dict[str, Any]:
    """The metadata of `submissions` that the mirror brings."""
    with dg.build_sensor_context(platform.instance) as context:
        result = mirror(context)
    assert isinstance(result, dg.SensorResult)
    (event,) = (
        each for each in result.asset_events if each.asset_key == dg.AssetKey("submissions")
    )
    assert isinstance(event, dg.AssetMaterialization)
    return dict(event.metadata)


def materialised(platform: Platform, *, operates: bool = True) -> dict[str, Any]:
    """The metadata of `submissions` that a run brings."""
    done = dg.materialize(
        opening.ASSETS,
        instance=platform.instance,
        selection=["submissions"],
        partition_key="0",
        resources=competition_resources(os.environ, operates=operates),
    )
    (event,) = done.asset_materializations_for_node("submissions_seed_prompts")
    return dict(event.metadata)


def reasons_shown(metadata: dict[str, Any]) -> dict[str, str]:
    """Hotkey -> reason, of the table."""
    records = [record.data for record in metadata[REASONS].records]
    return {str(row["hotkey"]): str(row["reason"]) for row in records}


EXPECTED = {BAD: "not a valid repo", GARBAGE: "no repo, commit, cdn_url revealed"}


@pytest.mark.parametrize("seen", [mirrored, materialised])
def test_who_was_refused_is_listed_with_the_reason(platform: Platform, seen: Any) -> None:
    metadata = seen(platform)
    assert metadata["submissions"].value == 2
    assert metadata[COUNT].value == 2
    assert reasons_shown(metadata) == EXPECTED


def test_nothing_that_a_miner_wrote_is_shown_as_markdown(platform: Platform) -> None:
    for value in materialised(platform).values():
        assert not isinstance(value, dg.MarkdownMetadataValue) or "evil" not in str(value.value)
    assert all("evil" not in reason for reason in reasons_shown(materialised(platform)).values())


def test_what_was_said_once_is_said_again_when_the_chain_is_not_asked(platform: Platform) -> None:
    materialised(platform)
    assert reasons_shown(materialised(platform, operates=False)) == EXPECTED
    with dg.DagsterInstance.ephemeral() as fresh:
        fresh.add_dynamic_partitions(str(ROUNDS.name), ["0"])
        platform.instance = fresh
        assert COUNT not in materialised(platform, operates=False)


def test_a_past_rounds_reveals_are_not_asked_for(platform: Platform) -> None:
    materialised(platform)
    repository = open_repository(str(platform.repository), "main")
    later = json.dumps({"current_round": 1, "stage": "open"}).encode()
    repository.publish("Next", lambda _: {"state.json": later})
    (platform.chain / "extrinsics.jsonl").write_text("the node has dropped that state\n")
    close_adapters()
    assert reasons_shown(materialised(platform)) == EXPECTED


def test_a_person_who_enters_a_refused_miner_ends_its_refusal(platform: Platform) -> None:
    def enter(snapshot: Any) -> dict[str, bytes | None]:
        entries = json.loads(snapshot.read("rounds/0/submissions.json"))
        entries[BAD] = entries[GOOD]
        return {"rounds/0/submissions.json": json.dumps(entries).encode()}

    open_repository(str(platform.repository), "main").publish("Let bad take part", enter)
    close_adapters()
    assert reasons_shown(materialised(platform)) == {GARBAGE: EXPECTED[GARBAGE]}


def test_g01_a_chain_that_cannot_be_asked_refuses_nobody_and_stops_nothing(
    platform: Platform,
) -> None:
    (platform.chain / "extrinsics.jsonl").write_text("nonsense\n")
    close_adapters()
    metadata = mirrored(platform)
    assert str(metadata[REASONS].value).startswith("not known: ")
    assert COUNT not in metadata
