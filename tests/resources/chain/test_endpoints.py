"""A node that is out of order, or that lags behind the clock, is named, and another is asked; what
it takes for the present is never believed.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gen404_assets.competition.faults import InfrastructureFault
from resources.chain.endpoints import Endpoint, Endpoints
from resources.chain.opening import open_chain
from resources.chain.subtensor import Block, Chain
from resources.settings import BadSetting
from simulators.chain_node import Node, listening

BLOCK = timedelta(seconds=12)


def node_at(block: int, age: timedelta) -> Node:
    """A node whose last finalised block is `age` old."""
    return Node(datetime.now(UTC) - age - block * BLOCK, finalized=block)


@pytest.fixture
def nodes() -> list[Node]:
    """The first lags by 20 minutes, the second is up to date."""
    return [node_at(100, timedelta(minutes=20)), node_at(200, timedelta(seconds=30))]


@pytest.fixture
def urls(nodes: list[Node]) -> Iterator[list[str]]:
    with ExitStack() as stack:
        yield [f"ws://127.0.0.1:{stack.enter_context(listening(node))[1]}" for node in nodes]


def opened(*urls: str) -> Chain:
    return open_chain({"SUBTENSOR_NETWORK": ", ".join(urls)}, deadline=30)


def test_a_node_that_lags_is_named_and_not_believed(urls: list[str]) -> None:
    chain = opened(urls[0])
    with pytest.raises(InfrastructureFault, match=r"node 127.0.0.1 lags: .* 100 is 20 minutes old"):
        chain.finalized()
    chain.close()


def test_another_node_is_asked_where_the_first_lags(urls: list[str], nodes: list[Node]) -> None:
    chain = opened(*urls)
    assert chain.finalized().number == 200
    nodes[1].finalized += 1
    nodes[1].genesis -= BLOCK
    assert chain.finalized().number == 201
    chain.close()


def test_a_node_that_has_caught_up_is_believed_again(urls: list[str], nodes: list[Node]) -> None:
    chain = opened(urls[0])
    with pytest.raises(InfrastructureFault, match="lags"):
        chain.finalized()
    nodes[0].finalized += 100
    assert chain.finalized().number == 200
    chain.close()


def test_where_no_node_answers_each_is_named() -> None:
    chain = open_chain(
        {"SUBTENSOR_NETWORK": "ws://localhost:1,ws://key:hunter2@127.0.0.1:1/my-key"}, deadline=4
    )
    with pytest.raises(
        InfrastructureFault, match=r"localhost: chain: .*; 127.0.0.1: chain: "
    ) as it:
        chain.finalized()
    assert "hunter2" not in str(it.value)
    assert "my-key" not in str(it.value)


@pytest.mark.parametrize("networks", ["finney,", ",finney", "finney,nowhere", "finney,http://x"])
def test_each_of_several_networks_must_be_one(networks: str) -> None:
    with pytest.raises(BadSetting, match="SUBTENSOR_NETWORK must be"):
        open_chain({"SUBTENSOR_NETWORK": networks})


class Told:
    """A node that says what it is told to: a number, or that it is out of order."""

    def __init__(self) -> None:
        self.says: int | None = None

    def finalized(self) -> Block:
        if self.says is None:
            raise InfrastructureFault("chain: connection refused")
        return Block(self.says, f"0x{self.says}", datetime(2026, 1, 1, tzinfo=UTC))

    def block(self, number: int) -> Block:
        return Block(number, f"0x{number}", self.finalized().time)

    def reveals(self, at: int) -> dict[str, list[tuple[int, str]]]:
        return {"at": [(self.finalized().number, str(at))]}

    def close(self) -> None:
        pass


@given(st.lists(st.tuples(*[st.one_of(st.none(), st.integers(0, 1000))] * 3), max_size=20))
def test_the_finalised_block_never_goes_back_whichever_nodes_answer(
    answers: list[tuple[int | None, ...]],
) -> None:
    nodes = [Told(), Told(), Told()]
    chain = Endpoints([Endpoint(f"{n}", node) for n, node in enumerate(nodes)], 1e12)
    seen = -1
    for each in answers:
        for node, says in zip(nodes, each, strict=True):
            node.says = says
        if all(says is None for says in each):
            with pytest.raises(InfrastructureFault, match="refused"):
                chain.finalized()
            continue
        number = chain.finalized().number
        assert number >= seen
        assert number in {*each, seen}
        seen = number
