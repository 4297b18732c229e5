"""What the chain's adapter promises of a node reached over the network, and of one that is out of
order.
"""

import asyncio
import gc
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import cast

import bittensor
import pytest
from bittensor.sp_core import Keypair
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from gen404_assets.competition.faults import InfrastructureFault
from resources.chain import bounded_node
from resources.chain.bounded_node import MESSAGE_BYTES, Received, bounded_websocket
from resources.chain.opening import open_chain
from resources.chain.substrate import LocalSubstrate
from resources.chain.subtensor import Chain, SubtensorChain
from simulators.chain_node import Node, listening
from tests.resources.chain.conftest import GENESIS, Network

ALICE, BOB = (Keypair.create_from_uri(f"//{name}").ss58_address for name in ("alice", "bob"))
DEADLINE = 5.0


def whenever(networks: str) -> dict[str, str]:
    """The settings of a chain whose blocks may be of any time."""
    return {"SUBTENSOR_NETWORK": networks, "CHAIN_LAG_SECONDS": "1e9"}


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


def received(messages: Iterable[str | bytes | Iterable[bytes]], most: int = 3) -> list[str | bytes]:
    """What a bounded connection hands on of these, from a server that sends them over a real
    websocket. Raises what the connection raises."""

    async def read(port: int) -> list[str | bytes]:
        connection = await bounded_websocket(f"ws://127.0.0.1:{port}", Received())
        try:
            return [await connection.recv() for _ in range(most)]
        finally:
            await connection.close()

    def send(connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            for message in messages:
                connection.send(message)

    with serve(send, "127.0.0.1", 0, close_timeout=0.2, compression=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            return asyncio.run(read(server.socket.getsockname()[1]))
        finally:
            server.shutdown()
            thread.join()


def test_json_rpc_is_handed_on() -> None:
    answers = ['{"id": 1, "result": null}', '[{"id": 1}, {"id": "x"}]', '{"method": "news"}']
    assert received(answers) == answers


@pytest.mark.parametrize(
    "message",
    [
        "nothing",
        "7",
        '"text"',
        "null",
        "[1]",
        '{"id": []}',
        '{"id": {"a": 1}}',
        '{"id": 1.5}',
        "[" * 100_000,
        '{"a":' * 100_000,
        "[" * 2_000 + "]" * 2_000,
        b"\xff\xfe",
        '{"id": ' + "1" * 5_000 + "}",
    ],
    ids=lambda message: str(message)[:12],
)
def test_g12_what_is_no_json_rpc_ends_the_connection(message: str | bytes) -> None:
    """The SDK's receiver would end on it, and its caller wait for the answer."""
    with pytest.raises(ConnectionError, match="what is no JSON-RPC"):
        received([message])


@pytest.mark.parametrize("pieces", [1, 4])
def test_g12_a_message_without_end_is_not_read(pieces: int) -> None:
    piece = b" " * (MESSAGE_BYTES // pieces + 1)
    message: bytes | Iterable[bytes] = piece if pieces == 1 else iter([piece] * pieces)
    with pytest.raises(ConnectionClosed, match="too big"):
        received([message])  # an iterator is sent in fragments


def test_g12_messages_without_end_are_bounded_over_all_connections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounded_node, "MINUTE_BYTES", 1000)
    with pytest.raises(ConnectionError, match="more than 1,000 bytes a minute"):
        received(['{"id": 1, "result": "' + "x" * 300 + '"}'] * 9, most=9)
    counted = Received()
    assert [counted.too_many(400) for _ in range(3)] == [False, False, True]


def test_g12_pages_without_end_end_with_the_call(node: Node) -> None:
    hotkeys = [Keypair.create_from_uri(f"//{number}").ss58_address for number in range(101)]
    node.reveals = {hotkey: [(b"x", 5)] for hotkey in hotkeys}
    with listening(node) as (_, port):
        chain = open_chain(whenever(f"ws://127.0.0.1:{port}"), deadline=DEADLINE)
        try:
            assert chain.reveals(90).keys() == set(hotkeys)  # in two pages
            node.fault = "pages"
            with pytest.raises(InfrastructureFault, match="the commitments revealed by block 90: "):
                chain.reveals(90)
        finally:
            chain.close()


@pytest.mark.parametrize(
    ("method", "result"),
    [
        ("chain_getFinalizedHead", ["0x"] * 3),
        ("chain_getHeader", None),
        ("chain_getHeader", {"number": None}),
        ("chain_getBlockHash", 5),
        ("state_getStorageAt", 5),
        ("state_getStorageAt", "0xé"),
        ("state_getRuntimeVersion", None),
        ("state_getRuntimeVersion", {"specVersion": "x", "transactionVersion": {}}),
        ("state_getMetadata", "0x6d657461"),
        ("state_getMetadata", 5),
        ("state_getKeysPaged", 5),
        ("state_getKeysPaged", {"a": 1}),
        ("state_queryStorageAt", 5),
        ("state_queryStorageAt", [{}]),
        ("state_queryStorageAt", [{"changes": [5]}]),
        ("state_queryStorageAt", [{"changes": [["zz", "0x00"]]}]),
    ],
)
def test_g12_an_answer_of_another_shape_is_the_nodes_fault(
    node: Node, method: str, result: object
) -> None:
    node.reveals = {ALICE: [(b"x", 5)]}
    node.instead = {method: {"result": result}}
    with listening(node) as (_, port):
        chain = open_chain(whenever(f"ws://127.0.0.1:{port}"), deadline=60)
        try:
            with pytest.raises(InfrastructureFault, match="chain: "):
                chain.finalized()
                chain.block(40)
                chain.reveals(90)
            node.instead = {}
            assert chain.reveals(90) == {ALICE: [(5, "x")]}
        finally:
            chain.close()


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
    released: threading.Event

    async def finalized_block_number(self) -> int:
        if self.stuck == "loop":
            self.released.wait(60)
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
        made[-1].released = threading.Event()
        return cast("bittensor.Substrate", made[-1])

    chain = SubtensorChain("local", 17, substrate, deadline=1)
    started = time.monotonic()
    with pytest.raises(InfrastructureFault, match="no answer within 1 s"):
        chain.finalized()
    assert time.monotonic() - started < 40
    assert chain.finalized().number == chain.block(chain.finalized().number).number
    made[0].stuck = ""
    made[0].released.set()
    chain.close()
