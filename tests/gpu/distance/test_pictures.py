"""The local network's picture descriptor: its distances behave like a perceptual model's.

An audit accepts a distance of up to 0.1 (rules.md, Audits).
"""

import io
import time
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from gpu.distance.embedding import Embeddings, cosine_distance
from resources.local_network.objects import make_object
from resources.local_network.pictures import PictureEmbedder, views
from simulators.drawn_pictures import LADDER, blank, drawn, grid, noise, png, prompt

OBJECTS = ("vase-0000", "bottle-0001", "lamp-0002", "bowl-0009")
EMBEDDER = PictureEmbedder()


def distance(one: Image.Image, other: Image.Image) -> float:
    a, b = (vector.astype(float) for vector in EMBEDDER.embed([one, other]))
    return cosine_distance(a, b)


def jpeg(picture: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


@pytest.mark.parametrize("name", OBJECTS)
def test_the_same_object_stays_within_what_an_audit_accepts(name: str) -> None:
    truth = drawn(name)
    assert distance(truth, truth) == 0
    assert distance(truth, jpeg(truth, 50)) < 0.02
    assert (
        distance(truth, grid(make_object(name).with_rings(97), 31, turn=3)) < 0.05
    )  # rendered a little differently
    assert distance(truth, drawn(name, "finest")) < 0.05
    brighter = truth.point([min(255, level + 4) for level in range(256)] * 3)
    assert distance(truth, brighter) < 0.05


@pytest.mark.parametrize("name", OBJECTS)
def test_what_could_not_have_come_from_the_same_code_is_far_above(name: str) -> None:
    truth = drawn(name)
    assert distance(truth, drawn(name, "mediocre")) > 0.15
    assert distance(truth, drawn(name, "grey")) > 0.2
    for other in ("poor", "other colours"):
        assert distance(truth, drawn(name, other)) > 0.3, other
    for nothing in (noise(), blank()):
        assert distance(truth, nothing) > 0.9


def test_other_objects_are_far_apart() -> None:
    for one, other in combinations(OBJECTS, 2):
        assert distance(drawn(one), drawn(other)) > 0.4


@pytest.mark.parametrize("name", OBJECTS)
def test_the_coarser_a_remake_the_further_it_is(name: str) -> None:
    distances = [distance(drawn(name), drawn(name, remake)) for remake in LADDER]
    assert distances == sorted(distances)


def test_each_view_counts() -> None:
    truth, wrong = drawn("vase-0000"), drawn("vase-0000").copy()
    wrong.paste(prompt("bowl-0009"), (523, 523))
    assert 0.1 < distance(truth, wrong) < 0.5


def test_a_grid_has_four_views_and_another_picture_is_one() -> None:
    assert [view.size for view in views(drawn("vase-0000"))] == [(518, 518)] * 4
    assert (
        np.asarray(views(drawn("vase-0000"))[3]).tobytes()
        == np.asarray(prompt("vase-0000")).tobytes()
    )
    assert views(prompt("vase-0000")) == [prompt("vase-0000")] * 4
    assert distance(prompt("vase-0000"), Image.new("RGB", (30, 900), "red")) > 0.3


def test_a_picture_has_the_same_vector_whatever_else_is_in_the_batch() -> None:
    pictures = [drawn(name) for name in OBJECTS]
    together = EMBEDDER.embed(pictures)
    for picture, vector in zip(pictures, together, strict=True):
        assert np.array_equal(EMBEDDER.embed([picture])[0], vector)


def test_two_pictures_take_a_quarter_of_a_second_of_one_core_at_most() -> None:
    one, other = png(drawn("vase-0000")), png(drawn("bowl-0009"))
    embeddings = Embeddings(EMBEDDER)
    start = time.process_time()
    embeddings.distance(one, other)
    assert time.process_time() - start < 0.25
