"""Alerts: each thing is told once, over a real service, and no secret is in any."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from gen404_assets.competition.news import News
from gen404_assets.competition_repository import open_repository
from gen404_assets.live.alerts import RECORD, Alerts, Reporter
from resources.alerts import AppriseSender, open_sender
from resources.notes import FileNotes
from resources.settings import BadSetting
from simulators.histories import make_competition
from simulators.serving import QuietHandler, serving

NOW = datetime(2026, 1, 5, tzinfo=UTC)


class Heard:
    """Who hears of alerts."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def send(self, text: str) -> None:
        self.texts.append(text)

    def new(self) -> list[str]:
        texts, self.texts = self.texts, []
        return texts


@pytest.fixture
def heard() -> Heard:
    return Heard()


def news(*names: str) -> list[News]:
    return [News(name, name.upper()) for name in names]


def test_what_there_is_at_first_is_no_news_and_what_comes_is_told_once(
    heard: Heard, tmp_path: Path
) -> None:
    alerts = Alerts(heard, FileNotes(tmp_path))
    alerts.tell(news("a", "b"), NOW)
    assert heard.new() == []
    alerts.tell(news("a", "b", "c"), NOW)
    alerts.tell(news("a", "b", "c"), NOW)
    assert heard.new() == ["C"]
    restarted = Alerts(heard, FileNotes(tmp_path))
    restarted.tell(news("a", "b", "c", "d"), NOW)
    assert heard.new() == ["D"]


def test_the_first_look_of_an_empty_competition_is_a_first_look_too(
    heard: Heard, tmp_path: Path
) -> None:
    alerts = Alerts(heard, FileNotes(tmp_path))
    alerts.tell([], NOW)
    alerts.tell(news("a"), NOW)
    assert heard.new() == ["A"]


def test_who_is_waited_for_is_told_at_once_and_again_after_hours(
    heard: Heard, tmp_path: Path
) -> None:
    waits = [News("w", "waits", lasts=True)]
    alerts = Alerts(heard, FileNotes(tmp_path), again_hours=6)
    for hours in (0, 1, 5.9, 6, 11, 12):
        alerts.tell(waits, NOW + timedelta(hours=hours))
    assert heard.new() == ["waits"] * 3  # after 0, 6 and 12 hours
    alerts.tell(waits, NOW - timedelta(days=30))  # the clock was set back
    assert heard.new() == ["waits"]
    alerts.tell([], NOW)
    assert heard.new() == []


def test_each_pause_and_each_end_of_one_is_told_once_across_restarts(
    heard: Heard, tmp_path: Path
) -> None:
    paused, over = News("p", "paused"), News("g", "goes on", ends="p")
    for news_now in ([over], [paused], [paused], [over], [over], [paused], [over]):
        Alerts(heard, FileNotes(tmp_path)).tell(news_now, NOW)
    assert heard.new() == ["paused", "goes on", "paused", "goes on"]


def test_a_platform_that_starts_in_a_pause_tells_its_end(heard: Heard, tmp_path: Path) -> None:
    alerts = Alerts(heard, FileNotes(tmp_path))
    alerts.tell([News("p", "paused")], NOW)
    assert heard.new() == []
    alerts.tell([News("g", "goes on", ends="p")], NOW)
    assert heard.new() == ["goes on"]


def test_a_service_out_of_order_is_told_once_and_once_that_it_is_back(
    heard: Heard, tmp_path: Path
) -> None:
    alerts = Alerts(heard, FileNotes(tmp_path))
    for text in ("no answer", "no answer, since 08:00"):
        alerts.tell_waits({"judging": text})
    assert heard.new() == ["out of order: judging: no answer"]
    alerts.tell_waits({})
    alerts.tell_waits({})
    assert heard.new() == ["back in order: judging"]


def test_each_restart_of_a_part_is_told(heard: Heard, tmp_path: Path) -> None:
    alerts = Alerts(heard, FileNotes(tmp_path))
    for count in (0, 1, 1, 2):
        alerts.tell_restarts({"daemon": (count, "gave no answer for 51 s")})
    text = "the platform has started its daemon again: it gave no answer for 51 s"
    assert heard.new() == [text, text]


@pytest.mark.parametrize("spoilt", ["{", "[]", '{"a": "yesterday"}', '{"a": "2026-01-05"}'])
def test_a_spoilt_record_is_set_aside_and_floods_nobody(
    heard: Heard, tmp_path: Path, spoilt: str
) -> None:
    (tmp_path / RECORD).write_text(spoilt)
    Alerts(heard, FileNotes(tmp_path)).tell(news("a", "b"), NOW)
    assert heard.new() == []
    assert set(json.loads((tmp_path / RECORD).read_text())) == {"a", "b"}


def test_a_competitions_news_are_those_of_its_last_two_rounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEN404_HOME", str(tmp_path / "home"))
    path = make_competition(tmp_path / "repo.git", rounds=2, miners=3, prompts=4)
    repository = open_repository(str(path), "main")
    repository.refresh()
    reporter = Reporter(repository)
    keys = [each.key for each in reporter.news()]
    assert len(set(keys)) == len(keys)
    assert {"1:ended", "1:collected", "2:begun:open"} <= set(keys)
    assert not any(key.startswith("0:") for key in keys)
    assert [each.key for each in reporter.news()] == keys


@contextmanager
def service(status: list[int], got: list[dict[str, object]]) -> Iterator[str]:
    """A web hook of apprise's `json://`; answers with each status in turn, then with 200."""

    class Handler(QuietHandler):
        def do_POST(self) -> None:  # noqa: N802 -- as the base class calls it
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = status.pop(0) if status else 200
            if answer == 200:
                got.append(json.loads(body))
            self.send(answer, b"")

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as url:
        yield url.replace("http://", "json://user:s3cret@")


def test_alerts_reach_every_service_though_one_fails(caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("apprise")
    first: list[dict[str, object]] = []
    second: list[dict[str, object]] = []
    with service([500, 500, 500], first) as broken, service([500], second) as slow:
        sender = AppriseSender(f"{broken},{slow}", waits=(0.0, 0.0, 0.0))
        with caplog.at_level(logging.DEBUG):
            sender.send("round 3: duels begins")
    assert first == []
    assert [(each["title"], each["message"]) for each in second] == [
        ("404-GEN competition", "round 3: duels begins")
    ]
    assert "an alert could not be sent" in caplog.text
    assert "s3cret" not in caplog.text


def test_without_urls_nobody_is_told_and_bad_ones_are_a_bad_setting() -> None:
    assert open_sender({}) is None
    pytest.importorskip("apprise")
    with pytest.raises(BadSetting, match="ALERT_URLS must be URLs") as refused:
        open_sender({"ALERT_URLS": "nonsense://s3cret"})
    assert "s3cret" not in str(refused.value)
