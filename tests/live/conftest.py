"""A clock for those who would wait."""

import pytest

from tests.live.collected import Clock, WaitingQueue


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("gen404_assets.live.collecting.time", clock)
    monkeypatch.setattr("gen404_assets.live.fetching.time", clock)
    monkeypatch.setattr("gen404_assets.live.collecting.SimpleQueue", lambda: WaitingQueue(clock))
    return clock
