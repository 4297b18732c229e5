"""DOWNLOADING waits for CDNs that are down, busy or late, within bounds, and the others go on
meanwhile."""

import json
import time

import pytest

from gen404_assets.competition.faults import InfrastructureFault, TryLater
from gen404_assets.competition.state import Stage
from gen404_assets.live.collecting import collect
from resources.downloads import Downloads
from simulators.examples import MINERS
from simulators.outside import SimulatedDownloads
from simulators.rounds import generating, now, stage, work
from simulators.strangers import ok, status, stranger
from tests.live.collected import Clock, attempts, reasons, submitted

PATIENT = {"CDN_PATIENCE_SECONDS": "1800", "PUBLISH_INTERVAL_SECONDS": "60"}


def test_g12_a_cdn_that_lets_everything_run_into_its_deadline_is_given_up_and_the_others_are_not(
    clock: Clock,
) -> None:
    outside = generating(MINERS[:2])
    outside.environment = {
        **outside.environment,
        **PATIENT,
        "CDN_PATIENCE_SECONDS": "100",
        "MAX_CONCURRENT_DOWNLOADS": "1",
    }

    def drips(url: str) -> bytes | str:
        if "cdn1" in url:
            return b"good"
        clock.seconds += 60.0
        raise TryLater("no end after 60 s")

    outside.downloads = SimulatedDownloads(drips)
    collect(work(outside))
    assert stage(outside) is Stage.DUELS
    assert sum(attempts(outside, MINERS[0])) == 2, (
        "60 s in vain, a wait of 5, and the second 60 are more than 100"
    )
    assert "100 s waiting in vain: no end after 60 s" in str(reasons(outside, MINERS[0])[-1])
    others = now(outside).submitted(MINERS[1])
    assert others is not None
    assert others.complete() == others.names


def test_a_cdn_that_is_down_for_twenty_minutes_costs_its_miner_nothing(clock: Clock) -> None:
    outside = generating(MINERS[:1])
    outside.environment = {**outside.environment, **PATIENT}
    up_again = clock.seconds + 1200

    def down(_: str) -> bytes | str:
        if clock.seconds < up_again:
            raise TryLater("the connection failed")
        return b"good"

    outside.downloads = SimulatedDownloads(down)
    collect(work(outside))
    assert reasons(outside, MINERS[0]) == [None] * 4
    assert up_again <= clock.seconds < up_again + 300
    assert sum(attempts(outside, MINERS[0])) < 20, (
        "four at first, and then one at a time, ever more seldom"
    )


def test_a_cdn_that_asks_for_time_gets_it_and_the_others_go_on_meanwhile(clock: Clock) -> None:
    outside = generating(MINERS[:2])
    outside.environment = {**outside.environment, **PATIENT, "MAX_CONCURRENT_DOWNLOADS": "1"}
    began, asked = clock.seconds, list[tuple[str, float]]()

    def busy(url: str) -> bytes | str:
        asked.append((url[:12], clock.seconds - began))
        if "cdn0" in url and clock.seconds < began + 120:
            raise TryLater("HTTP status 429", 120.0)
        return b"good"

    outside.downloads = SimulatedDownloads(busy)
    collect(work(outside))
    assert reasons(outside, MINERS[0]) == reasons(outside, MINERS[1]) == [None] * 4
    assert [round(at) for url, at in asked if url == "https://cdn0"] == [0, 120, 120, 120, 120]
    assert all(at < 120 for url, at in asked if url == "https://cdn1"), (
        "a file that waits holds no slot"
    )


def test_a_file_that_is_uploaded_a_moment_late_is_found_at_the_second_look(clock: Clock) -> None:
    outside = generating(MINERS[:1])
    outside.environment = {**outside.environment, **PATIENT}
    there = clock.seconds + 45
    outside.downloads = SimulatedDownloads(
        lambda _: b"good" if clock.seconds >= there else "HTTP status 404"
    )
    collect(work(outside))
    assert reasons(outside, MINERS[0]) == [None] * 4
    assert attempts(outside, MINERS[0]) == [2] * 4


def test_what_waits_when_something_of_ours_fails_is_not_recorded_and_is_fetched_later(
    clock: Clock,
) -> None:
    outside = generating(MINERS[:2])
    outside.environment = {**outside.environment, **PATIENT, "MAX_CONCURRENT_DOWNLOADS": "1"}
    broken = True

    def serve(url: str) -> bytes | str:
        if "cdn0" in url and clock.seconds < 1005:
            raise TryLater("HTTP status 503")
        if broken and clock.seconds > 1000:
            raise InfrastructureFault("the disk is full")
        clock.seconds += 1
        return b"good"

    outside.downloads = SimulatedDownloads(serve)
    with pytest.raises(InfrastructureFault, match="disk"):
        collect(work(outside))
    assert submitted(outside, MINERS[0]) == {}
    assert len(submitted(outside, MINERS[1])) == 1
    broken = False
    collect(work(outside))
    assert stage(outside) is Stage.DUELS
    assert reasons(outside, MINERS[0]) == reasons(outside, MINERS[1]) == [None] * 4


def test_a_real_cdn_that_limits_its_rate_is_obeyed() -> None:
    """429 with `Retry-After: 2`, then 200, over real HTTP; one miner's files wait, the other's
    don't.
    """
    outside = generating(MINERS[:2])
    outside.environment = {**outside.environment, **PATIENT}
    asked = dict[str, list[float]]()

    def limited(path: str) -> list[bytes]:
        asked.setdefault(path, []).append(time.monotonic())
        first = min(times[0] for times in asked.values())
        busy = path.startswith("/slow") and time.monotonic() < first + 2
        return [status(429, "Retry-After: 2") if busy else ok(b"good")]

    with stranger(limited) as cdn:
        path = "rounds/0/submissions.json"
        submissions = json.loads(outside.repository.head.read(path) or b"")
        for hotkey, folder in zip(MINERS[:2], ("slow", "fast"), strict=True):
            submissions[hotkey]["cdn_url"] = f"{cdn.url}/{folder}"
        outside.repository.commit({path: json.dumps(submissions).encode()}, "By hand")
        outside.downloads = Downloads(private=True)  # type: ignore[assignment]
        collect(work(outside))
    assert stage(outside) is Stage.DUELS
    assert reasons(outside, MINERS[0]) == reasons(outside, MINERS[1]) == [None] * 4
    assert all(
        len(times) == (2 if path.startswith("/slow") else 1) for path, times in asked.items()
    )
    assert all(
        times[1] - times[0] >= 1.9 for path, times in asked.items() if path.startswith("/slow")
    )
