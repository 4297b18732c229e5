"""DINOv3, the model whose distances decide audits, by `transformers`."""

import importlib
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gpu.distance import MODEL_ID, MODEL_REVISION
from gpu.distance.embedding import BATCH, Unmeasured

SIDE = 224  # pixels
# ImageNet's, of red, green and blue between 0 and 1; the model was trained with them.
_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)


class DinoV3:
    """The embedder of interfaces.md, Distance service: the pooler's output. Loaded when first used.

    `model_id` may also be a folder that holds the weights. The token is the hub's, for the gated
    model.
    """

    def __init__(
        self,
        model_id: str = MODEL_ID,
        revision: str = MODEL_REVISION,
        token: str | None = None,
        threads: int | None = None,
    ) -> None:
        """`threads` prepare pictures; None: as many as there are cores, where a GPU has the
        network, and otherwise none, since the network takes the cores."""
        self._model_id = model_id
        self._revision = revision
        self._token = token
        self._lock = threading.Lock()
        self._network: Any = None
        self._thread_count = threads
        self._threads: ThreadPoolExecutor | None = None

    @property
    def model(self) -> str:
        return f"{self._model_id}@{self._revision}"

    def embed(self, pictures: Sequence[Image.Image]) -> NDArray[np.floating]:
        """(n, 384) for ViT-S. The same bits whatever the batch: a GPU's kernels go by the batch's
        size, so there it is always filled up. While one batch is with the network, the next ones
        are prepared. Raises Unmeasured.
        """
        torch = _torch()
        network = self._loaded()
        vectors = []
        try:
            with torch.inference_mode():
                for pixels in self._prepared(pictures):
                    filling = (
                        pixels[:1] * (BATCH - len(pixels)) if network.device.type != "cpu" else []
                    )
                    batch = torch.stack([*pixels, *filling]).to(network.device)
                    vectors.append(
                        # Without what filled the batch up.
                        network(pixel_values=batch).pooler_output[: len(pixels)].cpu().numpy()
                    )
        except RuntimeError as error:
            raise Unmeasured(f"{self.model} failed: {_first_line(error)}") from error
        return np.concatenate(vectors)

    def _prepared(self, pictures: Sequence[Image.Image]) -> Iterator[list[Any]]:
        """The pictures as the network takes them, a batch at a time, up to two batches ahead."""
        prepare = self._threads.map if self._threads else map
        batches = [pictures[first : first + BATCH] for first in range(0, len(pictures), BATCH)]
        waiting = [prepare(preprocessed, batch) for batch in batches[:2]]
        for batch in batches[2:]:
            yield list(waiting.pop(0))
            waiting.append(prepare(preprocessed, batch))
        for pixels in waiting:
            yield list(pixels)

    def _loaded(self) -> Any:
        with self._lock:
            if self._network is None:
                self._network = self._load()
            return self._network

    def _load(self) -> Any:
        torch = _torch()
        transformers: Any = importlib.import_module("transformers")
        device = "cuda" if torch.cuda.is_available() else "cpu"
        threads = self._thread_count or (0 if device == "cpu" else len(os.sched_getaffinity(0)))
        if (
            threads
        ):  # each of them takes one core: torch's own threads would only wait for one another
            self._threads = ThreadPoolExecutor(
                threads, initializer=torch.set_num_threads, initargs=(1,)
            )
        try:
            network = transformers.DINOv3ViTModel.from_pretrained(
                self._model_id, revision=self._revision, token=self._token, dtype=torch.float32
            )
            return network.eval().to(device)
        except (OSError, ValueError, RuntimeError) as error:
            raise Unmeasured(f"{self.model} can't be loaded: {_first_line(error)}") from error


def from_environment(environment: Mapping[str, str]) -> DinoV3:
    """The model that `MODEL_ID`, `MODEL_REVISION` and `HF_TOKEN` name."""
    return DinoV3(
        environment.get("MODEL_ID", "").strip() or MODEL_ID,
        environment.get("MODEL_REVISION", "").strip() or MODEL_REVISION,
        environment.get("HF_TOKEN", "").strip() or None,
    )


def preprocessed(picture: Image.Image) -> Any:
    """What the model's own image processor makes of an RGB picture, (3, 224, 224), to the bit.

    Its order is: to 0..1, antialiased bilinear to 224x224, ImageNet's mean and deviation. The
    processor itself needs torchvision, which this does without.
    """
    torch = _torch()
    pixels = torch.from_numpy(np.array(picture, np.uint8)).permute(2, 0, 1).contiguous() * (1 / 255)
    resized = torch.nn.functional.interpolate(
        pixels[None], size=(SIDE, SIDE), mode="bilinear", align_corners=False, antialias=True
    )[0]
    return (resized - torch.tensor(_MEAN)[:, None, None]) / torch.tensor(_STD)[:, None, None]


def _torch() -> Any:
    return importlib.import_module(
        "torch"
    )  # where it is used: it takes seconds, and few hosts have it


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
