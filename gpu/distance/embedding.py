"""Pictures as vectors, each picture embedded once, and the distance of two pictures."""

import hashlib
import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gpu.unpacking import NoPicture, unpacked

Vector = NDArray[np.float64]

BATCH = 16
"""Pictures that go through the model together."""
_KEPT = 1 << 14
"""Vectors, the oldest forgotten first; of 384 numbers each they take 50 MB."""
_MAX_PIXELS = 1 << 25
"""Unpacked, so many take 100 MB; a preview has a million."""
_ROUNDING = 1e-6
"""By which float32 may bring the distance of identical or opposite vectors out of 0 to 2."""


class Unmeasured(Exception):
    """No distance could be measured, and none is implied; the message says why."""


class Embedder(Protocol):
    """A model that turns pictures into vectors, whatever else is in the batch."""

    @property
    def model(self) -> str:
        """The model's name and revision."""

    def embed(self, pictures: Sequence[Image.Image]) -> NDArray[np.floating]:
        """One vector for each RGB picture, (n, size). Raises Unmeasured."""


class Embeddings:
    """The embeddings of pictures, each computed once; pictures that wait at the same time go in one
    batch.
    """

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._turn = threading.Lock()  # the model's: one batch at a time
        self._lock = threading.Lock()  # what is below
        self._waiting: dict[str, tuple[Image.Image, Future[Vector]]] = {}
        self._known: OrderedDict[str, Future[Vector]] = OrderedDict()

    @property
    def model(self) -> str:
        return self._embedder.model

    def distance(self, a: bytes, b: bytes) -> float:
        """The cosine distance of two picture files: 0 identical, 2 opposite. Raises Unmeasured."""
        wanted = [self._want(picture) for picture in (a, b)]
        return cosine_distance(*map(self._result, wanted))

    def _want(self, file: bytes) -> Future[Vector]:
        digest = hashlib.sha256(file).hexdigest()
        with self._lock:
            if embedding := self._find(digest):
                return embedding
        picture = decoded(file)
        with self._lock:
            return self._find(digest) or self._waiting.setdefault(digest, (picture, Future()))[1]

    def _find(self, digest: str) -> Future[Vector] | None:
        waiting = self._waiting.get(digest)
        return waiting[1] if waiting else self._known.get(digest)

    def _result(self, wanted: Future[Vector]) -> Vector:
        """The first thread to get the model also embeds what others wait for by then."""
        while not wanted.done():
            with self._turn:
                if not wanted.done():
                    self._embed_waiting()
        return wanted.result()

    def _embed_waiting(self) -> None:
        with self._lock:
            batch = dict(list(self._waiting.items())[:BATCH])
        futures = {digest: future for digest, (_, future) in batch.items()}
        try:
            vectors = self._embedder.embed([picture for picture, _ in batch.values()])
        # Whatever it is: other threads wait for these vectors.
        except BaseException as error:
            for future in futures.values():
                future.set_exception(error)
            futures = {}
            raise
        else:
            for future, vector in zip(futures.values(), vectors, strict=True):
                future.set_result(np.asarray(vector, np.float64))
        finally:
            with self._lock:
                for digest in batch:
                    del self._waiting[digest]
                self._known |= futures
                while len(self._known) > _KEPT:
                    self._known.popitem(last=False)


def decoded(file: bytes) -> Image.Image:
    """A preview (PNG, as the renderer makes it) as RGB. Raises Unmeasured if it isn't one, or is
    very large.
    """
    try:
        return unpacked(file, _MAX_PIXELS)
    except NoPicture as reason:
        raise Unmeasured(f"not a picture to measure: {reason}") from None


def cosine_distance(a: Vector, b: Vector) -> float:
    """1 - cos of the angle between two vectors (interfaces.md, Distance service). Raises Unmeasured
    where that is not a number from 0 to 2.
    """
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    distance = 1 - float(a @ b) / length if length else math.nan
    if not -_ROUNDING <= distance <= 2 + _ROUNDING:  # false for NaN as well
        raise Unmeasured(f"the model's vectors give no distance: {distance}")
    return min(max(distance, 0.0), 2.0)
