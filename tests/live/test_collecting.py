"""DOWNLOADING: what miners serve is recorded, what they don't too, and our own faults are held
against nobody.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
import pytest

from gen404_assets.competition.faults import InfrastructureFault, TryLater
from gen404_assets.competition.settings import Rules
from gen404_assets.competition.state import Stage
from gen404_assets.live.collecting import collect
from gen404_assets.live.work import Work
from gpu.remarks import with_remarks
from gpu.views import png
from resources.downloads import Downloads
from simulators.examples import MINERS
from simulators.outside import (
    SimulatedDownloads,
    SimulatedOutside,
    SimulatedRenderer,
    SimulatedStore,
)
from simulators.rounds import generating, now, stage, work
from simulators.strangers import ok, status, stranger


def submitted(outside: SimulatedOutside, hotkey: str = MINERS[0]) -> dict[str, object]:
    outputs = now(outside).submitted(hotkey)
    return dict(outputs.items()) if outputs is not None else {}


def test_nothing_is_fetched_before_the_deadline() -> None:
    outside = generating(MINERS[:1])
    outside.chain.number = 899
    collect(work(outside))
    assert not outside.downloads.asked
    assert stage(outside) is Stage.MINER_GENERATION


def test_files_and_previews_are_stored_and_recorded_and_the_duels_begin() -> None:
    outside = generating(MINERS[:2])
    collect(work(outside))
    assert stage(outside) is Stage.DUELS
    current = now(outside)
    for number, hotkey in enumerate(MINERS[:2]):
        outputs = current.submitted(hotkey)
        assert outputs is not None
        assert outputs.names == current.stems
        for stem, output in outputs.items():
            model = f"model at https://cdn{number}.example/{stem}.glb".encode()
            assert output.glb == f"https://store.example/rounds/0/{hotkey}/submitted/{stem}.glb"
            assert outside.store.objects[f"rounds/0/{hotkey}/submitted/{stem}.glb"] == model
            assert (
                outside.store.objects[f"rounds/0/{hotkey}/submitted/{stem}.png"]
                == b"picture of " + model
            )
            assert (output.size, output.attempts, output.generation_time) == (len(model), 1, 0.0)
    assert "Round 0: downloading" in outside.repository.messages


def test_what_was_tolerated_in_a_file_that_is_drawn_is_its_reason() -> None:
    class Tolerant(SimulatedRenderer):
        def render(self, path: Path, output_format: str) -> bytes:  # noqa: ARG002
            remarks = ["magFilter 7 is ignored"] if b"01" in path.read_bytes() else []
            return with_remarks(png(np.zeros((4, 4, 3), np.uint8)), remarks)

    outside = generating(MINERS[:1])
    first, *others = now(outside).stems
    outside.downloads = SimulatedDownloads(
        lambda url: b"file 01" if Path(url).stem == first else b"file 02"
    )
    outside.renderer = Tolerant()
    collect(work(outside))
    outputs = now(outside).submitted(MINERS[0])
    assert outputs is not None
    assert outputs[first].png is not None
    assert (outputs[first].model_extra or {})["reason"] == "magFilter 7 is ignored"
    assert all("reason" not in (outputs[stem].model_extra or {}) for stem in others)


def test_a_file_that_cant_be_had_is_null_after_two_tries_and_one_that_cant_be_rendered_keeps_its_url() -> (
    None
):
    outside = generating(MINERS[:1])
    first, second, *_ = now(outside).stems
    served: dict[str, bytes | str] = {first: "status 404", second: b"bad file"}
    outside.downloads = SimulatedDownloads(lambda url: served.get(Path(url).stem, b"good"))
    collect(work(outside))
    outputs = now(outside).submitted(MINERS[0])
    assert outputs is not None
    assert (outputs[first].model, outputs[first].png, outputs[first].attempts) == (None, None, 2)
    assert (outputs[first].model_extra or {})["reason"] == "status 404"
    assert outputs[second].model is not None
    assert outputs[second].png is None
    assert (outputs[second].model_extra or {})["reason"] == "not a model"
    assert outside.downloads.asked.count(f"https://cdn0.example/{first}.glb") == 2
    assert stage(outside) is Stage.DUELS


def test_g11_the_duels_begin_even_if_nobody_serves_anything() -> None:
    outside = generating(MINERS[:2])
    outside.downloads = SimulatedDownloads(lambda _: "unreachable")
    collect(work(outside))
    assert stage(outside) is Stage.DUELS


def test_g01_a_renderer_out_of_order_costs_no_miner_its_preview(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outside = generating(MINERS[:1])
    last = now(outside).stems[-1]
    render = outside.renderer.render

    def broken(path: Path, output_format: str) -> bytes:
        if last in path.name:
            raise InfrastructureFault("no OpenGL")
        return render(path, output_format)

    with monkeypatch.context() as patch:
        patch.setattr(outside.renderer, "render", broken)
        with pytest.raises(InfrastructureFault, match="no OpenGL"):
            collect(work(outside))
    assert stage(outside) is Stage.DOWNLOADING
    assert last not in submitted(outside)
    asked = len(outside.downloads.asked)
    collect(work(outside))
    assert stage(outside) is Stage.DUELS
    assert last in submitted(outside)
    assert len(outside.downloads.asked) < 2 * asked, "what was recorded is not fetched again"


def reasons(outside: SimulatedOutside, hotkey: str) -> list[object]:
    outputs = now(outside).submitted(hotkey)
    assert outputs is not None
    return [(output.model_extra or {}).get("reason") for _, output in outputs.items()]


def attempts(outside: SimulatedOutside, hotkey: str) -> list[int]:
    outputs = now(outside).submitted(hotkey)
    assert outputs is not None
    return [output.attempts for _, output in outputs.items()]


PATIENT = {"CDN_PATIENCE_SECONDS": "1800", "PUBLISH_INTERVAL_SECONDS": "60"}


class Clock:
    """The collection's clock: it stands still while files are fetched, and waiting moves it."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds


class WaitingQueue(SimpleQueue[Any]):
    """Waiting in vain for a try to end moves the clock, while none is under way."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        try:
            return super().get(block, 0.05)
        except Empty:
            self.clock.seconds += timeout or 0.0
            raise


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("gen404_assets.live.collecting.time", clock)
    monkeypatch.setattr("gen404_assets.live.fetching.time", clock)
    monkeypatch.setattr("gen404_assets.live.collecting.SimpleQueue", lambda: WaitingQueue(clock))
    return clock


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


def test_g18_what_an_attempt_that_was_cut_off_has_stored_stands() -> None:
    outside = generating(MINERS[:1])
    stem = now(outside).stems[0]
    key = f"rounds/0/{MINERS[0]}/submitted/{stem}"
    outside.store.objects[f"{key}.glb"] = b"served at first"
    collect(work(outside))
    outputs = now(outside).submitted(MINERS[0])
    assert outputs is not None
    assert outputs[stem].size == len(b"served at first")
    assert outside.store.objects[f"{key}.png"] == b"picture of served at first"


def test_a_miner_whom_a_person_adds_meanwhile_is_fetched_too_before_the_duels() -> None:
    outside = generating(MINERS[:1])
    path = "rounds/0/submissions.json"

    def serve(url: str) -> bytes:
        submissions = json.loads(outside.repository.head.read(path) or b"")
        if MINERS[1] not in submissions:
            submissions[MINERS[1]] = submissions[MINERS[0]] | {"cdn_url": "https://cdn9.example"}
            outside.repository.commit({path: json.dumps(submissions).encode()}, "By hand")
        return b"good " + url.encode()

    outside.environment = {
        **outside.environment,
        "MAX_CONCURRENT_DOWNLOADS": "1",
        "PUBLISH_INTERVAL_SECONDS": "60",
    }
    outside.downloads = SimulatedDownloads(serve)
    collect(work(outside))
    assert stage(outside) is Stage.DOWNLOADING
    collect(work(outside))
    assert stage(outside) is Stage.DUELS
    assert set(submitted(outside, MINERS[1])) == set(now(outside).stems)


def test_a_pause_between_the_stages_holds_the_downloads_up() -> None:
    outside = generating(MINERS[:1])
    outside.rules = Rules(pause_on_stage_end=True)
    collect(work(outside))
    assert stage(outside) is Stage.PAUSED
    assert not outside.downloads.asked


def test_a_submission_recorded_by_a_person_is_kept() -> None:
    outside = generating(MINERS[:1])
    stem = now(outside).stems[0]
    path = f"rounds/0/{MINERS[0]}/submitted.json"
    typed = (
        f'{{"{stem}": {{"glb": null, "png": null, "generation_time": 0, "size": 7, "attempts": 1, "distance": 0,'
        ' "note": "by hand"}}'
    )
    outside.repository.commit({path: typed.encode()}, "By hand")
    collect(work(outside))
    outputs = now(outside).submitted(MINERS[0])
    assert outputs is not None
    assert outputs[stem].size == 7
    assert outputs[stem].model_extra == {"note": "by hand"}
    assert set(outputs.names) == set(now(outside).stems)


def alerting(outside: SimulatedOutside) -> tuple[Any, list[str]]:
    """The round's work, and the alerts that it gives the operator."""
    alerts = list[str]()
    job = Work(outside, now(outside).number, lambda _: None, alerts.append)  # type: ignore[arg-type]
    return job, alerts


@pytest.mark.parametrize(
    "error", [UnicodeError("label empty or too long"), KeyError("x"), ZeroDivisionError()]
)
def test_g10_an_error_that_nobody_foresaw_in_one_miners_download_costs_that_miner_alone(
    error: Exception,
) -> None:
    outside = generating(MINERS[:2])

    def serve(url: str) -> bytes:
        if "cdn0" in url:
            raise error
        return b"good"

    outside.downloads = SimulatedDownloads(serve)
    job, alerts = alerting(outside)
    collect(job)
    assert stage(outside) is Stage.DUELS
    assert (
        reasons(outside, MINERS[0]) == [f"the download fails with it ({type(error).__name__})"] * 4
    )
    assert reasons(outside, MINERS[1]) == [None] * 4
    assert alerts
    assert all("a bug" in alert and MINERS[0] in alert for alert in alerts)


def test_g10_an_error_that_nobody_foresaw_in_drawing_a_file_costs_that_file_alone() -> None:
    class Buggy(SimulatedRenderer):
        def render(self, path: Path, output_format: str) -> bytes:
            if path.read_bytes() == b"trap":
                raise IndexError("list index out of range")
            return super().render(path, output_format)

    outside = generating(MINERS[:1])
    trapped = now(outside).stems[0]
    outside.downloads = SimulatedDownloads(
        lambda url: b"trap" if Path(url).stem == trapped else b"good"
    )
    outside.renderer = Buggy()
    job, alerts = alerting(outside)
    collect(job)
    assert stage(outside) is Stage.DUELS
    assert reasons(outside, MINERS[0]) == [
        "drawing the file fails with it (IndexError)",
        *[None] * 3,
    ]
    outputs = now(outside).submitted(MINERS[0])
    assert outputs is not None
    assert outputs[trapped].model is not None
    assert len(alerts) == 1


@pytest.mark.parametrize("host", ["xn--a..com", "my_bucket.xn--p1ai", "xn--", "a..b", "xn--\u0660"])
@pytest.mark.usefixtures("clock")
def test_g10_a_host_that_no_name_can_be_made_of_costs_its_miner_alone(
    host: str,
) -> None:
    """Reading such a host once raised an error that failed the whole collection, again and again;
    a redirect leads there, too."""
    outside = generating(MINERS[:3])
    moved = f"Location: http://{host}/x".encode()
    with stranger(
        lambda path: (
            [b"HTTP/1.1 302 Moved\r\n" + moved + b"\r\n\r\n"]
            if path.startswith("/moved")
            else [ok(b"good")]
        )
    ) as cdn:
        path = "rounds/0/submissions.json"
        submissions = json.loads(outside.repository.head.read(path) or b"")
        for hotkey, url in zip(
            MINERS[:3], (f"https://{host}", f"{cdn.url}/moved", f"{cdn.url}/good"), strict=True
        ):
            submissions[hotkey]["cdn_url"] = url
        outside.repository.commit({path: json.dumps(submissions).encode()}, "By hand")
        outside.downloads = Downloads(private=True, resolve=_loopback_alone)  # type: ignore[assignment]
        collect(work(outside))
    assert stage(outside) is Stage.DUELS
    assert all(reasons(outside, MINERS[0]))
    assert all(reasons(outside, MINERS[1]))
    assert reasons(outside, MINERS[2]) == [None] * 4


def _loopback_alone(host: str) -> list[str]:
    if host == "127.0.0.1":
        return [host]
    raise OSError("no such host")


class _FailingStore(SimulatedStore):
    """Each put for which `fails` returns True is refused."""

    def __init__(self, objects: dict[str, bytes], fails: Callable[[str], bool]) -> None:
        super().__init__(objects)
        self.fails = fails

    def put(self, key: str, source: Path | bytes, content_type: str) -> str:
        if self.fails(key):
            raise InfrastructureFault(f"object store: put {key}: InternalError")
        return super().put(key, source, content_type)


def test_a_put_that_fails_once_is_tried_again_alone() -> None:
    """One in five fails, each once: one run, and nothing is fetched or drawn twice."""
    outside = generating(MINERS[:3])
    outside.environment = {**outside.environment, "FAULT_PATIENCE_SECONDS": "10"}
    puts, failed = [0], set[str]()

    def fails(key: str) -> bool:
        puts[0] += 1
        if puts[0] % 5 == 0 and key not in failed:
            failed.add(key)
            return True
        return False

    outside.store = _FailingStore(outside.store.objects, fails)
    collect(work(outside))
    assert stage(outside) is Stage.DUELS
    assert failed
    assert len(outside.downloads.asked) == 12


def test_a_file_that_can_t_be_kept_is_left_and_the_others_are_not_begun_again() -> None:
    outside = generating(MINERS[:3])
    stem = now(outside).stems[0]
    refused = f"rounds/0/{MINERS[1]}/submitted/{stem}.png"
    outside.store = _FailingStore(outside.store.objects, lambda key: key == refused)
    with pytest.raises(
        InfrastructureFault, match=r"1 of 12 files can't be kept here.*InternalError"
    ):
        collect(work(outside))
    assert stage(outside) is Stage.DOWNLOADING
    assert len(submitted(outside, MINERS[1])) == 3
    assert len(outside.downloads.asked) == 12
    outside.store.fails = lambda _: False
    collect(work(outside))
    assert stage(outside) is Stage.DUELS
    assert len(outside.downloads.asked) == 13, "the one that was left alone is fetched again"


def test_a_store_that_is_down_ends_the_run_before_everything_is_fetched_in_vain() -> None:
    outside = generating(MINERS[:3])
    outside.environment = {**outside.environment, "MAX_CONCURRENT_DOWNLOADS": "2"}
    outside.store = _FailingStore(outside.store.objects, lambda _: True)
    with pytest.raises(InfrastructureFault, match="InternalError"):
        collect(work(outside))
    assert len(outside.downloads.asked) <= 6
    assert submitted(outside) == {}


def test_what_can_t_be_published_now_is_published_later_without_being_fetched_again() -> None:
    outside = generating(MINERS[:2])
    outside.environment = {**outside.environment, "FAULT_PATIENCE_SECONDS": "10"}
    publish, refusals = outside.repository.publish, [3]

    def refuse(message: str, derive: Any, **options: Any) -> Any:
        if "submitted" in message and refusals[0]:
            refusals[0] -= 1
            raise InfrastructureFault("the remote hung up")
        return publish(message, derive, **options)

    outside.repository.publish = refuse  # type: ignore[method-assign]
    collect(work(outside))
    assert stage(outside) is Stage.DUELS
    assert refusals == [0]
    assert len(outside.downloads.asked) == 8
