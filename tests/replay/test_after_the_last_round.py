"""What is written after the last round blames nobody for what stood there before."""

import json
import shutil
from pathlib import Path

import pytest

from gen404_assets.competition.catalogue import Asset
from gen404_assets.competition.settings import Rules
from gen404_assets.replay.missing import missing_files
from gen404_assets.replay.result import Difference, Finding
from gen404_assets.replay.rounds import replay_round
from simulators.recording import RECORDED
from tests.replay.forging import PERSON, Forger
from tests.replay.tampering import open_history

NEXT = "rounds/2/schedule.json"
SCHEDULE = json.dumps(
    {
        "earliest_reveal_block": 20000,
        "latest_reveal_block": 21000,
        "generation_deadline_block": 21300,
    },
    indent=2,
).encode()
PLATFORM = "Update state (open), schedule, leader for round 2"


@pytest.fixture(scope="module")
def forger(tmp_path_factory: pytest.TempPathFactory) -> Forger:
    folder = tmp_path_factory.mktemp("recorded")
    return Forger(open_history(Path(shutil.copy(RECORDED, folder)), folder))


def differences(
    forger: Forger, files: dict[str, bytes], message: str, number: int
) -> dict[str, list[Difference]]:
    """Asset -> what differs in a round after one more commit."""
    replayed = replay_round(
        forger.forge(dict(files), message),
        number,
        Rules(),
        assets=[Asset.SCHEDULE, Asset.LEADER, Asset.STATE],
    )
    return {file.path: list(file.differences) for file in replayed.files if file.differences}


@pytest.mark.parametrize("message", [PLATFORM, PERSON])
def test_a_schedule_after_the_last_round_is_found_and_the_leader_not_blamed(
    forger: Forger, message: str
) -> None:
    assert differences(forger, {NEXT: SCHEDULE}, message, 1) == {}
    found = differences(forger, {NEXT: SCHEDULE}, message, 2)
    assert list(found) == [NEXT]
    assert all(message.split("\n", maxsplit=1)[0] in each.origin for each in found[NEXT])


@pytest.mark.parametrize("message", ["Update state (duels) for round 1", PERSON])
def test_a_stage_set_back_after_the_end_leaves_the_leader_that_the_end_made(
    forger: Forger, message: str
) -> None:
    state = json.loads(forger.honest.read("state.json") or b"")
    back = json.dumps(state | {"stage": "duels"}, indent=2).encode()
    found = differences(forger, {"state.json": back}, message, 1)
    assert list(found) == ([] if message == PERSON else ["state.json"])


@pytest.mark.parametrize("message", [PLATFORM, PERSON])
def test_a_leader_after_the_last_round_is_found(forger: Forger, message: str) -> None:
    leaders = json.loads(forger.honest.read("leader.json") or b"")
    late = dict(leaders[0], effective_block=leaders[-1]["effective_block"] + 5000)
    forged = json.dumps([*leaders, late], indent=2).encode()
    found = differences(forger, {"leader.json": forged}, message, 1)
    assert found["leader.json"][0].derived == "no entry: no round's end leads to it"
    assert found["leader.json"][0].entry == f"from block {late['effective_block']}"


@pytest.mark.parametrize("message", ["Update config for round 1", PERSON])
@pytest.mark.parametrize("content", [b"{", b"[]", b"{}", b'{"name": "mesh"}', b"\xff"])
def test_a_configuration_that_can_not_be_read_is_a_finding(
    forger: Forger, message: str, content: bytes
) -> None:
    history = forger.forge({"config.json": content}, message)
    [config] = [file for file in missing_files(history, 1) if file.path == "config.json"]
    assert config.finding is Finding.MALFORMED
