"""Embeddings: each picture once, in batches, and never a number that was not measured."""

import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from gpu.distance.embedding import BATCH, Embeddings, Unmeasured, cosine_distance
from simulators.drawn_pictures import noise, png


def picture(shade: int) -> bytes:
    return png(Image.new("RGB", (8, 8), (shade, 255 - shade, 0)))


class Means:
    """Embeds a picture as its mean colour; remembers how many it was given at once."""

    model = "means"

    def __init__(
        self, embed: Callable[[NDArray[np.float32]], NDArray[np.float32]] = lambda vectors: vectors
    ) -> None:
        self._embed = embed
        self.batches: list[int] = []
        self.gate = threading.Event()
        self.gate.set()

    def embed(self, pictures: Sequence[Image.Image]) -> NDArray[np.floating]:
        self.batches.append(len(pictures))
        self.gate.wait(10)
        return self._embed(
            np.stack([np.asarray(each, np.float32).mean(axis=(0, 1)) for each in pictures])
        )


def test_the_distance_of_a_picture_to_itself_is_zero_and_that_of_others_is_one_less_their_cosine() -> (  # noqa: E501
    None
):
    embeddings = Embeddings(Means())
    assert embeddings.distance(picture(10), picture(10)) == 0
    assert embeddings.distance(picture(0), picture(255)) == pytest.approx(1)
    assert embeddings.model == "means"


def test_a_picture_is_embedded_once() -> None:
    means = Means()
    embeddings = Embeddings(means)
    for other in (20, 30, 20, 10):
        embeddings.distance(picture(10), picture(other))
    assert sum(means.batches) == 3


def test_what_waits_at_the_same_time_goes_in_one_batch_and_every_picture_once() -> None:
    means = Means()
    embeddings = Embeddings(means)
    means.gate.clear()
    pairs = [(0, 200), *[(shade, 200 + shade % 3) for shade in range(1, 40)]]
    with ThreadPoolExecutor(len(pairs)) as pool:
        first = pool.submit(embeddings.distance, picture(0), picture(200))
        while not means.batches:
            time.sleep(0.001)
        rest = [pool.submit(embeddings.distance, picture(a), picture(b)) for a, b in pairs[1:]]
        while len(embeddings._waiting) < 43:  # 0 to 39 and 200 to 202
            time.sleep(0.001)
        means.gate.set()
        measured = [first.result(), *(each.result() for each in rest)]
    assert sum(means.batches) == 43
    assert max(means.batches) == BATCH
    assert len(means.batches) == 4
    alone = Embeddings(Means())
    assert measured == [alone.distance(picture(a), picture(b)) for a, b in pairs]


@pytest.mark.parametrize("vector", [(math.nan, 0, 0), (0, 0, 0), (math.inf, 1, 0), (math.nan,) * 3])
def test_g01_nan_is_no_distance_and_never_zero(vector: tuple[float, ...]) -> None:
    embeddings = Embeddings(
        Means(lambda vectors: np.tile(np.array(vector, np.float32), (len(vectors), 1)))
    )
    with np.errstate(invalid="ignore"), pytest.raises(Unmeasured, match="no distance"):
        embeddings.distance(picture(1), picture(1))


def test_g01_a_model_that_fails_measures_nothing_and_is_asked_again_next_time() -> None:
    def fail(_: NDArray[np.float32]) -> NDArray[np.float32]:
        raise Unmeasured("out of memory")

    means = Means(fail)
    embeddings = Embeddings(means)
    with pytest.raises(Unmeasured, match="out of memory"):
        embeddings.distance(picture(1), picture(2))
    means._embed = lambda vectors: vectors
    assert embeddings.distance(picture(1), picture(2)) > 0


def test_g01_a_model_that_gives_too_few_vectors_measures_nothing() -> None:
    embeddings = Embeddings(Means(lambda vectors: vectors[:1]))
    with pytest.raises(ValueError, match="zip"):
        embeddings.distance(picture(1), picture(2))


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>", png(noise())[:100_000], b"GIF89a" + bytes(20)],
    ids=["empty", "a page", "half a picture", "another format"],
)
def test_g01_what_is_no_picture_is_not_measured(content: bytes) -> None:
    with pytest.raises(Unmeasured, match="not a picture"):
        Embeddings(Means()).distance(picture(1), content)


def test_a_picture_of_many_million_pixels_is_refused_before_it_is_unpacked() -> None:
    bomb = png(Image.new("1", (7_000, 7_000)).convert("L"))
    with pytest.raises(Unmeasured, match="large"):
        Embeddings(Means()).distance(picture(1), bomb)


def test_rounding_never_leaves_the_range() -> None:
    generator = np.random.default_rng(1)
    for _ in range(200):
        vector = generator.standard_normal(384)
        assert 0 <= cosine_distance(vector, vector * 3) < 1e-12
        assert 2 - 1e-12 < cosine_distance(vector, -vector) <= 2
