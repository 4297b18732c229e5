"""What the local chain promises: blocks from time, nothing lost, and the same for all processes."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import bittensor
import pytest

from gen404_assets.competition.faults import InfrastructureFault
from resources.chain.committing import commit, commit_sealed
from resources.chain.local import (
    FINALITY,
    REVEAL_AFTER,
    LocalChain,
    create_local_chain,
    keep_ticking,
    local_keypair,
)
from resources.chain.opening import open_chain
from resources.chain.substrate import LARGEST_COMMITMENT, LocalSubstrate
from resources.chain.subtensor import Chain
from resources.chain.timelock import ROUND, seal
from tests.resources.chain.conftest import GENESIS, GENESIS_NUMBER, Network, while_blocks_come

TICK = (
    "import sys, threading, pathlib; from resources.chain.local import keep_ticking;"
    "print('started', flush=True); keep_ticking(pathlib.Path(sys.argv[1]), threading.Event())"
)


def eventually(holds: Callable[[], bool], seconds: float = 150) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_blocks_come_at_the_block_time_while_ticking_and_stand_still_otherwise(
    network: Network,
) -> None:
    chain = LocalChain(network.folder)
    time.sleep(0.1)
    assert chain.head() == GENESIS_NUMBER
    stop = threading.Event()
    ticking = threading.Thread(target=keep_ticking, args=(network.folder, stop))
    started = time.monotonic()
    ticking.start()
    time.sleep(1.2)
    stop.set()
    ticking.join()
    head, passed = chain.head(), time.monotonic() - started
    assert 1.2 / 0.02 * 0.8 < head - GENESIS_NUMBER <= passed / 0.02
    time.sleep(0.1)
    assert chain.head() == head


def test_the_height_never_falls_when_the_ticking_process_is_killed_and_another_goes_on(
    network: Network,
) -> None:
    heights: list[list[int]] = [[], []]
    done = threading.Event()

    def watch(seen: list[int]) -> None:
        chain = LocalChain(network.folder)
        while not done.is_set():
            seen.append(chain.head())
            time.sleep(0.005)  # the ticking process needs the machine, too

    watching = [threading.Thread(target=watch, args=(seen,)) for seen in heights]
    for thread in watching:
        thread.start()
    try:
        for kill in (signal.SIGKILL, signal.SIGINT, signal.SIGKILL):
            command = [sys.executable, "-c", TICK, str(network.folder)]
            with subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            ) as process:
                assert process.stdout is not None
                assert process.stdout.readline() == b"started\n"
                before = LocalChain(network.folder).head()
                eventually(lambda at=before: LocalChain(network.folder).head() > at + 15)  # type: ignore[misc]
                process.send_signal(kill)
            if kill == signal.SIGINT:
                stood = LocalChain(network.folder).head()
                time.sleep(0.1)
                assert LocalChain(network.folder).head() == stood
    finally:
        done.set()
        for thread in watching:
            thread.join()
    for seen in heights:
        assert seen == sorted(seen)
        assert seen[-1] > GENESIS_NUMBER + 30


def test_a_killed_network_goes_on_where_it_stopped_not_where_the_clock_is(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = LocalChain(network.folder)
    now = 1000.0
    monkeypatch.setattr("resources.chain.local.time.monotonic", lambda: now)
    chain.tick()  # the last one before SIGKILL
    now += 1
    assert chain.head() == GENESIS_NUMBER + 50
    now += 86_400
    stood = chain.head()
    assert stood == GENESIS_NUMBER + 150  # three seconds after the last tick
    chain.tick()
    assert chain.head() == stood
    now += 1
    assert chain.head() == stood + 50
    now = 5.0  # this machine was started anew
    assert chain.head() >= stood + 50


def test_a_chain_that_is_there_is_left_as_it_is(network: Network) -> None:
    network.advance(9)
    again = create_local_chain(network.folder, block_time=5, genesis_time=GENESIS, genesis_number=1)
    assert (again.head(), again.block_time) == (GENESIS_NUMBER + 9, 0.02)
    for block_time in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="block_time must be"):
            create_local_chain(
                network.folder / "other", block_time=block_time, genesis_time=GENESIS
            )


def test_a_line_torn_by_a_kill_is_ignored_and_written_over(chain: Chain, network: Network) -> None:
    first = network.commit("alice", "one")
    with (network.folder / "extrinsics.jsonl").open("ab") as log:
        log.write(b'{"block": 7000001, "signer": "5G')
    network.advance(FINALITY)
    assert list(chain.reveals(first)) == [local_keypair("alice").ss58_address]
    second = network.commit("bob", "two")
    network.advance(FINALITY)
    assert len(chain.reveals(second)) == 2
    lines = (network.folder / "extrinsics.jsonl").read_bytes().splitlines()
    assert [json.loads(line)["block"] for line in lines] == [first, second]


def test_g17_a_malformed_file_stops_with_its_path(chain: Chain, network: Network) -> None:
    block = network.commit("alice", "one")
    network.advance(FINALITY)
    log = network.folder / "extrinsics.jsonl"
    log.write_text(log.read_text() + "nonsense\n")
    with pytest.raises(InfrastructureFault, match=r"extrinsics\.jsonl.*nonsense"):
        chain.reveals(block)
    (network.folder / "clock.json").write_text("nonsense")
    with pytest.raises(InfrastructureFault, match=r"clock\.json"):
        chain.finalized()


def test_processes_that_commit_at_once_lose_nothing(chain: Chain, network: Network) -> None:
    program = (
        "import sys, pathlib; from resources.chain.local import LocalChain;"
        "chain = LocalChain(pathlib.Path(sys.argv[1]));"
        "[chain.append(sys.argv[2], 'Commitments.set_commitment',"
        " {'netuid': 17, 'info': {'fields': [{'Raw1': f'0x{n + 48:02x}'}]}}) for n in range(10)]"
    )

    def write() -> int:
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", program, network.folder, local_keypair(str(n)).ss58_address]
            )
            for n in range(4)
        ]
        return sum(writer.wait(60) for writer in writers)

    assert while_blocks_come(network.folder, write) == 0
    network.advance(FINALITY + 1)
    revealed = chain.reveals(chain.finalized().number)
    assert [len(texts) for texts in revealed.values()] == [10] * 4
    assert all(
        [text for _, text in texts] == [str(n) for n in range(10)] for texts in revealed.values()
    )


def test_what_a_finalised_block_shows_does_not_change_under_writers(network: Network) -> None:
    """A commitment is never included in a block that somebody has read."""
    stop = threading.Event()
    ticking = threading.Thread(target=keep_ticking, args=(network.folder, stop))
    ticking.start()
    seen: dict[int, int] = {}
    try:
        writer = LocalChain(network.folder)
        for n in range(40):
            head = LocalChain(network.folder).head()
            seen[head] = len(LocalChain(network.folder).extrinsics(head))
            assert writer.append(str(n), "Commitments.set_commitment", {"netuid": 17}).block > head
    finally:
        stop.set()
        ticking.join()
    assert {block: len(LocalChain(network.folder).extrinsics(block)) for block in seen} == seen


def test_a_commitment_that_is_too_large_or_a_call_nobody_knows_is_refused(network: Network) -> None:
    with pytest.raises(InfrastructureFault, match="at most 1024 bytes"):
        commit(network.environment, "alice", bytes(LARGEST_COMMITMENT + 1))
    network.commit("alice", bytes(LARGEST_COMMITMENT))

    async def transfer() -> bittensor.ExtrinsicResult:
        client = bittensor.Client("local", substrate=LocalSubstrate.in_folder(network.folder))
        call = bittensor.calls.SubtensorModule.root_register(
            hotkey=local_keypair("alice").ss58_address
        )
        return await client.submit_call(call, local_keypair("alice"))

    assert "takes no SubtensorModule.root_register" in asyncio.run(transfer()).message


@pytest.mark.parametrize("sdk", [10, 11])
def test_a_timelocked_commitment_is_revealed_once_its_round_has_come(
    chain: Chain, network: Network, sdk: int
) -> None:
    alice = local_keypair("alice").ss58_address
    text = '{"repo": "a/b"}'
    included = while_blocks_come(
        network.folder, lambda: commit_sealed(network.environment, "alice", text, sdk)
    )
    network.advance(FINALITY + REVEAL_AFTER)
    revealed = included + REVEAL_AFTER
    assert chain.reveals(revealed - 1) == {}
    assert chain.reveals(revealed) == {alice: [(revealed, text)]}
    kept = (network.folder / "extrinsics.jsonl").read_text()
    assert text.encode().hex() not in kept


def test_what_no_timelock_round_opens_is_never_revealed(chain: Chain, network: Network) -> None:
    sealed = seal(b"never", 11)
    for encrypted, at in [(sealed[:-1], ROUND), (b"", ROUND), (sealed, ROUND + 1)]:
        field = {"TimelockEncrypted": {"encrypted": f"0x{encrypted.hex()}", "reveal_round": at}}
        LocalChain(network.folder).append(
            "5G", "Commitments.set_commitment", {"netuid": 17, "info": {"fields": [field]}}
        )
    network.advance(50)
    assert chain.reveals(chain.finalized().number) == {}


def test_reveals_are_kept_in_the_order_in_which_they_open(chain: Chain, network: Network) -> None:
    alice = local_keypair("alice").ss58_address
    while_blocks_come(
        network.folder, lambda: commit_sealed(network.environment, "alice", "sealed first", 10)
    )
    plain = LocalChain(network.folder).append(
        alice,
        "Commitments.set_commitment",
        {"netuid": 17, "info": {"fields": [{"Raw4": f"0x{b'open'.hex()}"}]}},
    )
    network.advance(FINALITY + REVEAL_AFTER + 1)
    texts = chain.reveals(chain.finalized().number)[alice]
    assert texts == sorted(texts, key=lambda reveal: reveal[0])
    assert (plain.block, "open") in texts
    assert {text for _, text in texts} == {"open", "sealed first"}


def test_a_registered_validator_sets_weights_through_the_sdk(network: Network) -> None:
    network.commit("miner", "x")
    validator = local_keypair("validator")

    kept: list[object] = []

    async def set_weights() -> int:
        client = bittensor.Client("local", substrate=LocalSubstrate.in_folder(network.folder))
        call = bittensor.calls.SubtensorModule.burned_register(
            netuid=17, hotkey=validator.ss58_address
        )
        (await client.submit_call(call, validator)).raise_for_failure()
        uids = dict(await client.query_map(("SubtensorModule", "Uids"), [17]))
        weights = bittensor.SetWeights(
            netuid=17, weights={uids[local_keypair("miner").ss58_address]: 0.25, 199: 0.75}
        )
        (await client.execute(weights, validator)).raise_for_failure()
        kept.extend(await client.query_map(("SubtensorModule", "Weights"), [17]))
        return int(uids[validator.ss58_address])

    uid = while_blocks_come(network.folder, lambda: asyncio.run(set_weights()))
    assert kept == [(uid, [(0, 21845), (199, 65535)])]


def test_commits_need_a_local_chain() -> None:
    with pytest.raises(ValueError, match="SUBTENSOR_NETWORK must be a local chain"):
        commit({"SUBTENSOR_NETWORK": "finney"}, "alice", "x")


def test_it_leaves_nothing_in_the_home_folder(tmp_path: Path, network: Network) -> None:
    home = tmp_path / "home"
    home.mkdir()
    program = (
        "import os; from resources.chain.opening import open_chain; "
        "print(open_chain(os.environ).finalized().number)"
    )
    environment = os.environ | network.environment | {"HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, check=True
    )
    assert done.stdout.decode().strip() == str(open_chain(network.environment).finalized().number)
    assert list(home.iterdir()) == []
