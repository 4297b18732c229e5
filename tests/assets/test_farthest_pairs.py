"""What a person sees of an audit: the previews that are farthest apart, side by side."""

import base64
import io

import pytest
from PIL import Image

from gen404_assets.assets.farthest_pairs import farthest_pairs
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.live.auditing import audit_candidates
from gen404_assets.live.collecting import collect
from gen404_assets.live.judging import judge_matches
from simulators.examples import MINERS
from simulators.outside import SimulatedOutside
from simulators.rounds import dueling, now, work
from simulators.spoiled_pictures import NO_PNG

MINER = MINERS[0]


def audited() -> SimulatedOutside:
    """One miner has beaten the leader, and was audited: its image makes something else."""
    outside = dueling([MINER])
    collect(work(outside))
    outside.judging.penalty = lambda url: 9 if "leader" in url else 1
    outside.honest = lambda _: False
    judge_matches(work(outside))
    audit_candidates(work(outside))
    assert now(outside).audits.names == [MINER]
    return outside


def test_pictures_are_shown_small_and_side_by_side() -> None:
    outside = audited()
    colours = {"submitted": (255, 0, 0), "generated": (0, 0, 255)}

    def read(url: str) -> bytes:
        content = io.BytesIO()
        Image.new("RGB", (1041, 1041), colours[url.split("/")[6]]).save(content, "PNG")
        return content.getvalue()

    shown = farthest_pairs(now(outside), read)
    assert shown.count("distance 0.500") == 3
    encoded = shown.split("base64,")[1].split(")")[0]
    picture = Image.open(io.BytesIO(base64.b64decode(encoded)))
    left, right = picture.getpixel((150, 150)), picture.getpixel((460, 150))
    assert isinstance(left, tuple)
    assert isinstance(right, tuple)
    assert left[0] - left[2] > 200, "red: what was submitted"
    assert right[2] - right[0] > 200, "blue: what was regenerated"


@pytest.mark.parametrize("kind", NO_PNG)
def test_g01_a_preview_that_can_t_be_unpacked_is_a_link(kind: str) -> None:
    shown = farthest_pairs(now(audited()), lambda _: NO_PNG[kind])
    assert "base64" not in shown
    assert shown.count("distance 0.500") == 3


def test_without_a_store_or_while_it_is_out_of_order_there_are_links() -> None:
    outside = audited()

    def broken(_: str) -> bytes:
        raise InfrastructureFault("out of order")

    for shown in (farthest_pairs(now(outside)), farthest_pairs(now(outside), broken)):
        assert "base64" not in shown
        assert shown.count(f"(https://store.example/rounds/0/{MINER}/generated/") == 3


def test_what_is_no_png_is_not_opened() -> None:
    """Previews are PNGs: no other of Pillow's decoders reads what a store gives."""

    def read(_: str) -> bytes:
        content = io.BytesIO()
        Image.new("RGB", (1041, 1041)).save(content, "TIFF")
        return content.getvalue()

    assert "base64" not in farthest_pairs(now(audited()), read)


def test_without_audits_there_is_nothing_to_see() -> None:
    assert farthest_pairs(now(dueling([MINER]))) == "none"
