"""What the chain's adapter promises, through the SDK's own client, against a local chain."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.hotkeys import is_hotkey
from resources.chain.local import FINALITY, LocalChain, create_local_chain, local_keypair
from resources.chain.opening import open_chain
from resources.chain.subtensor import Chain, read_reveals, revealed_text
from resources.settings import BadSetting
from tests.resources.chain.conftest import GENESIS, GENESIS_NUMBER, Network

ALICE, BOB = (local_keypair(name).ss58_address for name in ("alice", "bob"))


def test_the_last_finalised_block_trails_the_head_and_has_the_chains_own_time(
    chain: Chain, network: Network
) -> None:
    assert chain.finalized().number == GENESIS_NUMBER
    network.advance(100)
    block = chain.finalized()
    assert block.number == GENESIS_NUMBER + 100 - FINALITY
    assert block.time == GENESIS + timedelta(seconds=12) * (100 - FINALITY)
    assert block.time.utcoffset() == timedelta(0)
    assert re.fullmatch(r"0x[0-9a-f]{64}", block.hash)
    assert chain.block(block.number) == block


def test_block_hashes_are_the_same_for_everybody_and_differ_by_block(
    chain: Chain, network: Network
) -> None:
    network.advance(20)
    blocks = [chain.block(GENESIS_NUMBER + n) for n in range(10)]
    assert len({block.hash for block in blocks}) == 10
    other = open_chain(network.environment)
    assert [other.block(block.number) for block in blocks] == blocks
    other.close()


def test_a_block_that_is_not_finalised_is_not_told(chain: Chain, network: Network) -> None:
    network.advance(10)
    last = GENESIS_NUMBER + 10 - FINALITY
    assert chain.block(last).number == last
    for ask in (chain.block, chain.reveals):
        with pytest.raises(InfrastructureFault, match=f"block {last + 1} is not finalised yet"):
            ask(last + 1)
    with pytest.raises(InfrastructureFault, match="no block at height"):
        chain.block(GENESIS_NUMBER - 1)
    assert chain.finalized().number == last


def test_what_another_process_commits_is_revealed_at_its_block(
    chain: Chain, network: Network
) -> None:
    program = (
        "import sys; from resources.chain.committing import commit;"
        "print(commit({'SUBTENSOR_NETWORK': sys.argv[1]}, 'alice', '{\"repo\": \"a/b\"}'))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, network.folder.as_uri()], stdout=subprocess.PIPE, text=True
    ) as process:
        while process.poll() is None:
            network.advance(1)
            time.sleep(0.02)
        assert process.stdout is not None
        block = int(process.stdout.read())
    network.advance(FINALITY)
    assert chain.reveals(block) == {ALICE: [(block, '{"repo": "a/b"}')]}
    assert chain.reveals(block - 1) == {}
    assert is_hotkey(ALICE)


def test_reveals_at_a_block_stay_what_they_were(chain: Chain, network: Network) -> None:
    first = network.commit("alice", "one")
    network.advance(FINALITY)
    then = chain.reveals(first)
    second = network.commit("alice", "two")
    network.commit("bob", "three")
    network.advance(FINALITY)
    assert chain.reveals(first) == then == {ALICE: [(first, "one")]}
    assert chain.reveals(second)[ALICE] == [(first, "one"), (second, "two")]


def test_the_last_ten_reveals_of_a_hotkey_are_kept(chain: Chain, network: Network) -> None:
    for n in range(12):
        LocalChain(network.folder).append(
            ALICE, "Commitments.set_commitment", _commitment(f"{n}".encode())
        )
        network.advance(1)
    network.commit("bob", "alone")
    network.advance(FINALITY)
    revealed = chain.reveals(chain.finalized().number)
    assert [text for _, text in revealed[ALICE]] == [str(n) for n in range(2, 12)]
    assert [text for _, text in revealed[BOB]] == ["alone"]


def test_other_subnets_are_not_read(network: Network) -> None:
    network.commit("alice", "here")
    network.advance(FINALITY)
    elsewhere = open_chain(network.environment | {"NETUID": "18"})
    assert elsewhere.reveals(elsewhere.finalized().number) == {}
    elsewhere.close()


def test_g10_garbage_of_one_miner_hides_nobody_elses_commitment(
    chain: Chain, network: Network
) -> None:
    network.commit("alice", bytes(range(256)))
    network.commit("bob", "{'repo': 'a/b'}")
    network.advance(FINALITY)
    revealed = chain.reveals(chain.finalized().number)
    assert [text for _, text in revealed[BOB]] == ["{'repo': 'a/b'}"]
    assert [text for _, text in revealed[ALICE]] == [bytes(range(256)).decode(errors="replace")]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Network, Chain]]:
    folder = tmp_path_factory.mktemp("chain")
    create_local_chain(folder, block_time=0.02, genesis_time=GENESIS)
    network = Network(folder)
    opened = open_chain(network.environment)
    yield network, opened
    opened.close()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.binary(max_size=200) | st.text(max_size=60).map(lambda text: text.encode(errors="replace"))
)
def test_g10_any_bytes_arrive_as_text(shared: tuple[Network, Chain], payload: bytes) -> None:
    network, chain = shared
    included = LocalChain(network.folder).append(
        BOB, "Commitments.set_commitment", _commitment(payload)
    )
    network.advance(FINALITY + 1)
    block, text = chain.reveals(included.block)[BOB][-1]
    assert block == included.block
    if not re.fullmatch(
        rb"0x([0-9a-f]{2})+", payload
    ):  # such a text may be taken for what the SDK makes of bytes
        assert text == revealed_text(payload)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([("text", 5), ["list", 6]], [(5, "text"), (6, "list")]),
        ([("0xff7b7d", 5), ("0xf", 6), ("0x", 7)], [(5, "\ufffd{}"), (6, "0xf"), (7, "0x")]),
        (
            [(b"\xffbytes", 5), ({"odd": 1}, 6), (None, 7)],
            [(5, "\ufffdbytes"), (6, "{'odd': 1}"), (7, "None")],
        ),
        ([("late", 11), ("text", "5"), ("short",), "ab", None, 3], []),
        ("text", []),
        (None, []),
        ({"a": 1}, []),
    ],
)
def test_g10_odd_data_is_text_and_only_what_has_no_shape_is_left_out(
    value: object, expected: list[tuple[int, str]]
) -> None:
    assert read_reveals(value, at=10) == expected


def test_threads_share_a_chain(chain: Chain, network: Network) -> None:
    network.advance(50)
    with ThreadPoolExecutor(8) as threads:
        blocks = list(threads.map(chain.block, [GENESIS_NUMBER + n % 40 for n in range(200)]))
    assert [block.number for block in blocks] == [GENESIS_NUMBER + n % 40 for n in range(200)]


def test_the_last_finalised_block_is_told_in_milliseconds(chain: Chain) -> None:
    chain.finalized()
    started = time.process_time()
    for _ in range(100):
        chain.finalized()
    assert time.process_time() - started < 1  # of CPU


def test_a_closed_chain_opens_again_when_asked(chain: Chain) -> None:
    block = chain.finalized()
    chain.close()
    chain.close()
    assert chain.finalized() == block


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("NETUID", "seventeen"),
        ("NETUID", "-1"),
        ("NETUID", "65536"),
        ("SUBTENSOR_NETWORK", "mainnet"),
        ("SUBTENSOR_NETWORK", "https://node.example"),
        ("SUBTENSOR_NETWORK", "ws://"),
        ("SUBTENSOR_NETWORK", "ws://[secret"),
        ("SUBTENSOR_NETWORK", "file:///nowhere/at/all"),
        ("SUBTENSOR_NETWORK", "file://elsewhere/tmp"),
    ],
)
def test_a_bad_setting_is_named(setting: str, value: str) -> None:
    with pytest.raises(BadSetting, match=f"{setting} must be") as refusal:
        open_chain({setting: value})
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    "network", ["finney", "", "ws://127.0.0.1:9944", "wss://node.example:443/key"]
)
def test_a_good_network_is_not_asked_before_it_is_needed(network: str) -> None:
    open_chain({"SUBTENSOR_NETWORK": network}).close()


def test_importing_it_leaves_the_sdk_alone() -> None:
    program = (
        "import sys, resources.chain.subtensor, resources.chain.local;"
        "sys.exit(any(name.startswith('bittensor') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def _commitment(data: bytes) -> dict[str, object]:
    return {"netuid": 17, "info": {"fields": [{f"Raw{len(data)}": f"0x{data.hex()}"}]}}
