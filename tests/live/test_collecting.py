"""DOWNLOADING: what miners serve is recorded, what they don't too, and our own faults are held
against nobody.
"""

import json
import time
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
import pytest

from gen404_assets.competition.faults import InfrastructureFault, TryLater
from gen404_assets.competition.settings import Rules
from gen404_assets.competition.state import Stage
from gen404_assets.live.collecting import collect
from gpu.remarks import with_remarks
from gpu.views import png
from resources.downloads import Downloads
from simulators.examples import MINERS
from simulators.outside import SimulatedDownloads, SimulatedOutside, SimulatedRenderer
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
        if "cdn0" in url and broken:
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
