"""DOWNLOADING: what miners serve is recorded, and what they don't too."""

import json
from pathlib import Path

import numpy as np

from gen404_assets.competition.settings import Rules
from gen404_assets.competition.state import Stage
from gen404_assets.live.collecting import collect
from gpu.remarks import with_remarks
from gpu.views import png
from simulators.examples import MINERS
from simulators.outside import SimulatedDownloads, SimulatedRenderer
from simulators.rounds import generating, now, stage, work
from tests.live.collected import submitted


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


def test_a_file_that_cant_be_had_is_null_after_two_tries_and_one_that_cant_be_rendered_keeps_its_url() -> (  # noqa: E501
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
        f'{{"{stem}": {{"glb": null, "png": null, "generation_time": 0, "size": 7,'
        ' "attempts": 1, "distance": 0, "note": "by hand"}}'
    )
    outside.repository.commit({path: typed.encode()}, "By hand")
    collect(work(outside))
    outputs = now(outside).submitted(MINERS[0])
    assert outputs is not None
    assert outputs[stem].size == 7
    assert outputs[stem].model_extra == {"note": "by hand"}
    assert set(outputs.names) == set(now(outside).stems)
