"""DOWNLOADING when something fails that isn't the miner's doing, or that nobody foresaw: it costs
at most the one file or miner, and nothing is fetched twice for it."""

import json
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any

import pytest

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.state import Stage
from gen404_assets.live.collecting import collect
from gen404_assets.live.work import Work
from resources.downloads import Downloads
from simulators.examples import MINERS
from simulators.outside import (
    SimulatedDownloads,
    SimulatedOutside,
    SimulatedRenderer,
    SimulatedStore,
)
from simulators.rounds import generating, now, stage, work
from simulators.strangers import ok, stranger
from tests.live.collected import reasons, submitted


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

    def __init__(self, objects: MutableMapping[str, bytes], fails: Callable[[str], bool]) -> None:
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
