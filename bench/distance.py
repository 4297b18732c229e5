"""Pictures a second that DINOv3 embeds, for batches of several sizes, beside one at a time.

`python -m bench.distance [--pictures 64]`, with the extra `gpu` installed. The architecture is the true one; the
weights are random unless `MODEL_ID` names some that can be had, which changes nothing about the speed.
"""

import argparse
import importlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from gpu.embedding import BATCH
from gpu.embedding_dinov3 import DinoV3, from_environment

SIDE = 1041
SIZES = (1, 2, 4, 8, BATCH)


def main() -> None:
    """Print a row a batch size; the first is the baseline."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=64)
    count: int = parser.parse_args().pictures
    noise = np.random.default_rng(0)
    pictures = [Image.fromarray(noise.integers(0, 256, (SIDE, SIDE, 3), np.uint8)) for _ in range(count)]
    with _model() as model:
        model.embed(pictures[:1])  # loaded
        alone = 0.0
        print(f"{'batch':>6}{'pictures/s':>12}{'ratio':>7}")
        for size in SIZES:
            began = time.perf_counter()
            for first in range(0, count, size):
                model.embed(pictures[first : first + size])
            speed = count / (time.perf_counter() - began)
            alone = alone or speed
            print(f"{size:>6}{speed:>12.1f}{speed / alone:>7.2f}", flush=True)


@contextmanager
def _model() -> Iterator[DinoV3]:
    if os.environ.get("MODEL_ID"):
        yield from_environment(os.environ)
        return
    kinds: Any = importlib.import_module("transformers")  # the extra's
    with tempfile.TemporaryDirectory() as folder:
        kinds.DINOv3ViTModel(kinds.DINOv3ViTConfig(num_register_tokens=4)).save_pretrained(Path(folder))
        yield DinoV3(folder)


if __name__ == "__main__":
    main()
