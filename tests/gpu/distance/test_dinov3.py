"""DINOv3 with random weights: where torch and transformers are installed (extra `gpu`)."""

import importlib
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gpu.distance.dinov3 import DinoV3, preprocessed
from gpu.distance.embedding import BATCH, Embeddings, Unmeasured
from gpu.services.distance import create_app
from gpu.services.fetching import Pictures
from resources.distance import DistanceService, open_distance
from simulators.drawn_pictures import drawn, noise, png, prompt
from simulators.judge_serving import serving, serving_files

_LIBRARIES: list[Any] = []  # operators last as long as what defined them

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed"),
    pytest.mark.skipif(
        importlib.util.find_spec("transformers") is None, reason="transformers is not installed"
    ),
    pytest.mark.filterwarnings("default"),  # theirs
]


def pictures() -> list[Image.Image]:
    """Grids, a view, and sizes that grow and shrink to 224, evenly and not."""
    grids = [drawn("vase-0000"), drawn("bowl-0009", "poor"), noise()]
    return [
        *grids,
        prompt("vase-0000"),
        *(grids[0].resize(size) for size in ((224, 224), (100, 90), (640, 333), (223, 1))),
    ]


@pytest.fixture(scope="module")
def torchvision() -> bool:
    """Whether there is a torchvision, which `transformers` imports where it finds one.

    One for GPUs lacks two operators beside a torch for CPUs and can't be imported; they aren't used
    here.
    """
    if importlib.util.find_spec("torchvision") is None:
        return False
    torch: Any = importlib.import_module("torch")
    try:
        importlib.import_module("torchvision")
    except RuntimeError:
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        importlib.import_module("torchvision")
        _LIBRARIES.append(library)
    return True


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory, torchvision: bool) -> Path:
    """A folder with the true architecture of ViT-S/16 and random weights."""
    del torchvision
    torch: Any = importlib.import_module("torch")
    transformers: Any = importlib.import_module("transformers")
    torch.manual_seed(1)
    torch.set_num_threads(1)  # several on a busy machine are many times slower
    folder = tmp_path_factory.mktemp("weights")
    transformers.DINOv3ViTModel(
        transformers.DINOv3ViTConfig(num_register_tokens=4)
    ).save_pretrained(folder)
    return folder


def test_pictures_are_prepared_as_the_models_own_image_processor_does_to_the_bit(
    torchvision: bool,
) -> None:
    if not torchvision:
        pytest.skip("torchvision, which the processor needs, is not installed")
    module: Any = importlib.import_module(
        "transformers.models.dinov3_vit.image_processing_dinov3_vit"
    )
    processor = module.DINOv3ViTImageProcessor()
    for picture in pictures():
        expected = processor(picture, return_tensors="pt")["pixel_values"][0]
        assert np.array_equal(preprocessed(picture).numpy(), expected.numpy()), picture.size


def test_preparing_pictures_matches_a_plain_computation() -> None:
    """The processor's three steps in numpy: to 0..1, a triangle filter as wide as the reduction,
    mean and deviation.
    """
    for picture in pictures():
        pixels = np.asarray(picture, float) / 255
        for axis in (0, 1):
            size = pixels.shape[axis]
            scale = size / 224
            centres = (np.arange(224)[:, None] + 0.5) * scale
            weight = np.maximum(0, 1 - np.abs(np.arange(size) + 0.5 - centres) / max(scale, 1))
            weight /= weight.sum(axis=1, keepdims=True)
            pixels = np.moveaxis(np.tensordot(weight, pixels, (1, axis)), 0, axis)
        expected = (pixels - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
        assert np.abs(np.moveaxis(preprocessed(picture).numpy(), 0, -1) - expected).max() < 1e-4, (
            picture.size
        )


def test_a_picture_has_the_same_bits_whatever_the_batch(weights: Path) -> None:
    model = DinoV3(str(weights))
    shown = (pictures() * 3)[: BATCH + 2]
    together = model.embed(shown)
    assert together.shape == (BATCH + 2, 384)
    for size in (1, 2, 7):
        assert np.array_equal(model.embed(shown[:size]), together[:size]), size
    for place in (4, BATCH, BATCH + 1):
        assert np.array_equal(model.embed(shown[place : place + 1])[0], together[place]), place


def test_threads_that_prepare_pictures_change_no_bit(weights: Path) -> None:
    shown = (pictures() * 5)[: 2 * BATCH + 3]
    model = DinoV3(str(weights), threads=2)
    assert np.array_equal(model.embed(shown), DinoV3(str(weights)).embed(shown))
    assert np.array_equal(model.embed(shown[:1]), model.embed(shown)[:1])


def test_the_vector_is_the_poolers_output_of_the_model(weights: Path) -> None:
    torch: Any = importlib.import_module("torch")
    transformers: Any = importlib.import_module("transformers")
    network = transformers.DINOv3ViTModel.from_pretrained(weights).eval()
    shown = pictures()[:2]
    with torch.inference_mode():
        expected = network(
            pixel_values=torch.stack([preprocessed(each) for each in shown])
        ).pooler_output.numpy()
    assert np.array_equal(DinoV3(str(weights)).embed(shown), expected)


def test_here_and_behind_the_service_the_distance_is_the_same(weights: Path) -> None:
    files = {"a": png(drawn("vase-0000")), "b": png(drawn("bowl-0009"))}
    here = open_distance({"MODEL_ID": str(weights), "MODEL_REVISION": "random"}, files.__getitem__)
    assert here.model == f"{weights}@random"
    assert here.measure("a", "a") == 0
    with (
        serving_files(files) as store,
        serving(
            create_app(Embeddings(DinoV3(str(weights), "random")), Pictures([store.url]).fetch)
        ) as url,
        closing(DistanceService(url)) as there,
    ):
        assert there.model == here.model
        assert there.measure(f"{store.url}/a", f"{store.url}/b") == here.measure("a", "b") > 0


def test_g01_a_model_that_cannot_be_loaded_measures_nothing_and_no_token_is_told(
    tmp_path: Path, torchvision: bool
) -> None:
    del torchvision
    with pytest.raises(Unmeasured, match="can't be loaded") as raised:
        DinoV3(str(tmp_path), token="hf_secret").embed(pictures()[:1])
    assert "hf_secret" not in str(raised.value)
