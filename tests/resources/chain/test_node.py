"""What the chain's adapter promises of a node reached over the network, and of one that is out of
order.
"""

import asyncio
import gc
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import cast

import bittensor
import pytest
from bittensor.sp_core import Keypair

from gen404_assets.competition.faults import InfrastructureFault
from resources.chain.opening import open_chain
from resources.chain.substrate import LocalSubstrate
from resources.chain.subtensor import Chain, SubtensorChain
from simulators.chain_node import Node, listening
from tests.resources.chain.conftest import GENESIS, Network

ALICE, BOB = (Keypair.create_from_uri(f"//{name}").ss58_address for name in ("alice", "bob"))
DEADLINE = 5.0


def whenever(networks: str) -> dict[str, str]:
    """The settings of a chain whose blocks may be of any time."""
    return {"SUBTENSOR_NETWORK": networks, "CHAIN_LAG_SECONDS": "1e12"}


@pytest.fixture
def node() -> Node:
    return Node(GENESIS)


@pytest.fixture
def chain(node: Node) -> Iterator[Chain]:
    with listening(node) as (_, port):
        opened = open_chain(whenever(f"ws://127.0.0.1:{port}"), deadline=DEADLINE)
        yield opened
        opened.close()


def test_a_node_is_read_over_its_own_protocol(chain: Chain, node: Node) -> None:
    block = chain.finalized()
    assert (block.number, block.hash, block.time) == (100, node.hash(100), node.time(100))
    assert chain.block(40).time == GENESIS + timedelta(seconds=480)
    node.finalized = 101
    assert chain.finalized().hash == node.hash(101)


def test_g10_a_nodes_garbage_is_decoded_by_the_sdk_and_hides_nobody(
    chain: Chain, node: Node
) -> None:
    node.reveals = {
        ALICE: [(b"\xff\x00\x80", 5), (b"", 6), (b"\x00" * 300, 7)],
        BOB: [(b'{"repo": "a/b"}', 8), ("é".encode(), 99)],
    }
    assert chain.reveals(90) == {
        ALICE: [(5, "\ufffd\x00\ufffd"), (6, ""), (7, "\x00" * 300)],
        BOB: [(8, '{"repo": "a/b"}')],
    }


def test_discarded_state_is_read_at_the_last_finalised_block(chain: Chain, node: Node) -> None:
    node.reveals = {ALICE: [(b"before", 5), (b"after", 60)]}
    node.discarded_below = 90
    assert chain.reveals(50) == {ALICE: [(5, "before")]}
    assert (chain.block(50).hash, chain.block(50).time) == (node.hash(50), node.time(50))
    node.discarded_below = 1000
    with pytest.raises(InfrastructureFault, match="State discarded"):
        chain.reveals(50)


@pytest.mark.parametrize("fault", ["hang", "close", "drip", "nonsense"])
def test_g12_a_node_out_of_order_is_a_fault_in_time_and_the_next_call_works(
    chain: Chain, node: Node, fault: str
) -> None:
    before = chain.finalized()
    node.finalized, node.fault = 101, fault
    started = time.monotonic()
    with pytest.raises(InfrastructureFault, match="the last finalised block: "):
        chain.finalized()
    assert time.monotonic() - started < DEADLINE + 20
    node.fault = ""
    node.stopped.set()
    assert chain.finalized().number == before.number + 1


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_g12_connecting_has_the_same_deadline(chain: Chain, node: Node) -> None:
    node.fault = "hang"
    started = time.monotonic()
    with pytest.raises(InfrastructureFault, match=f"no answer within {DEADLINE:g} s"):
        chain.reveals(50)
    assert time.monotonic() - started < DEADLINE + 20
    for thread in threading.enumerate():
        if thread.name == "chain":
            thread.join(5)
    gc.collect()  # to which the SDK leaves its socket, when it is told to stop while it connects


def test_a_node_that_goes_away_and_comes_back(node: Node) -> None:
    with listening(node) as (_, port):
        chain = open_chain(whenever(f"ws://127.0.0.1:{port}"), deadline=DEADLINE)
        assert chain.finalized().number == 100
    with pytest.raises(InfrastructureFault):
        chain.finalized()
    with listening(node, port):
        assert chain.finalized().number == 100
        chain.close()


def test_one_threads_failure_ends_what_others_wait_for_and_none_hangs(
    chain: Chain, node: Node
) -> None:
    chain.finalized()
    node.finalized, node.fault = 101, "hang"
    outcomes: list[str] = []

    def ask() -> None:
        try:
            chain.finalized()
        except InfrastructureFault as fault:
            outcomes.append(str(fault))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE * 3)
    assert len(outcomes) == 4
    node.fault = ""
    assert chain.finalized().number == 101


@pytest.mark.parametrize("bad", ["", "#no-fragment-is-allowed-here"])
def test_g23_an_endpoints_key_is_in_no_message(caplog: pytest.LogCaptureFixture, bad: str) -> None:
    endpoint = f"ws://me:hunter2@127.0.0.1:1/my-key?token=mine{bad}"
    with pytest.raises(InfrastructureFault) as failure:
        open_chain({"SUBTENSOR_NETWORK": endpoint}, deadline=DEADLINE).finalized()
    for secret in ("hunter2", "my-key", "mine"):
        assert secret not in str(failure.value)
        assert secret not in caplog.text


class Stubborn(LocalSubstrate):
    """Takes no notice of being cancelled, or keeps its whole event loop busy."""

    stuck = "loop"

    async def finalized_block_number(self) -> int:
        if self.stuck == "loop":
            time.sleep(8)
        while self.stuck == "task":
            try:
                await asyncio.sleep(0.1)
            except asyncio.CancelledError:
                continue
        return await super().finalized_block_number()


@pytest.mark.parametrize("stuck", ["loop", "task"])
def test_g12_not_even_a_client_that_will_not_be_cancelled_holds_a_call(
    network: Network, stuck: str
) -> None:
    made: list[Stubborn] = []

    def substrate() -> "bittensor.Substrate":
        made.append(
            Stubborn(cast("LocalSubstrate", LocalSubstrate.in_folder(network.folder)).chain)
        )
        made[-1].stuck = "" if len(made) > 1 else stuck
        return cast("bittensor.Substrate", made[-1])

    chain = SubtensorChain("local", 17, substrate, deadline=1)
    started = time.monotonic()
    with pytest.raises(InfrastructureFault, match="no answer within 1 s"):
        chain.finalized()
    assert time.monotonic() - started < 7
    assert chain.finalized().number == chain.block(chain.finalized().number).number
    made[0].stuck = ""
    chain.close()
