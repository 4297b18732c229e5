"""Pictures a second that DINOv3 embeds, for batches of several sizes, beside one at a time.

`python -m bench.distance [--pictures 64] [--threads 16]`, with the extra `gpu` installed. The
architecture is the true one; the weights are random unless `MODEL_ID` names some that can be had,
which changes nothing about the speed. Where the time goes is printed first: a picture's preparation
by one thread and by all, and the network by itself.
"""

import argparse
import importlib
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from gpu.distance.dinov3 import DinoV3, from_environment, preprocessed
from gpu.distance.embedding import BATCH

SIDE = 1041
SIZES = (1, 2, 4, 8, BATCH)


def main() -> None:
    """Print a row a batch size; the first is the baseline."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=64)
    parser.add_argument(
        "--threads", type=int, help="that prepare pictures; default: as the service has it"
    )
    options = parser.parse_args()
    count: int = options.pictures
    noise = np.random.default_rng(0)
    pictures = [
        Image.fromarray(noise.integers(0, 256, (SIDE, SIDE, 3), np.uint8)) for _ in range(count)
    ]
    with _model(options.threads) as model:
        model.embed(pictures[:1])  # loaded
        parts(model, pictures)
        alone = 0.0
        print(f"{'batch':>6}{'pictures/s':>12}{'ratio':>7}")
        for size in SIZES:
            began = time.perf_counter()
            for first in range(0, count, size):
                model.embed(pictures[first : first + size])
            speed = count / (time.perf_counter() - began)
            alone = alone or speed
            print(f"{size:>6}{speed:>12.1f}{speed / alone:>7.2f}", flush=True)


def parts(model: DinoV3, pictures: Sequence[Image.Image]) -> None:
    """Pictures a second of each part by itself."""
    torch: Any = importlib.import_module("torch")
    several = len(os.sched_getaffinity(0))
    for threads in (1, several):
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            list(pool.map(preprocessed, pictures[:several]))
            began = time.perf_counter()
            list(pool.map(preprocessed, pictures))
            print(
                f"preparing, {threads} threads: "
                f"{len(pictures) / (time.perf_counter() - began):.1f} pictures/s"
            )
    network = model._loaded()
    batch = torch.stack([preprocessed(pictures[0])] * BATCH).to(network.device)
    with torch.inference_mode():
        network(pixel_values=batch).pooler_output.cpu()
        began = time.perf_counter()
        for _ in range(4):
            network(pixel_values=batch).pooler_output.cpu()
    print(
        f"the network on {network.device}, {BATCH} at a time: "
        f"{4 * BATCH / (time.perf_counter() - began):.1f}"
    )


@contextmanager
def _model(threads: int | None) -> Iterator[DinoV3]:
    if os.environ.get("MODEL_ID"):
        yield from_environment(os.environ)
        return
    kinds: Any = importlib.import_module("transformers")  # the extra's
    with tempfile.TemporaryDirectory() as folder:
        kinds.DINOv3ViTModel(kinds.DINOv3ViTConfig(num_register_tokens=4)).save_pretrained(
            Path(folder)
        )
        yield DinoV3(folder, threads=threads)


if __name__ == "__main__":
    main()
