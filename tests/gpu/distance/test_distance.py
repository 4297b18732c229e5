"""Measuring distances: in this process or by the service; what could not be measured is unknown."""

import json
import math
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import numpy as np
import pytest
from fastapi import FastAPI, Response

from gen404_assets.competition.faults import InfrastructureFault
from gpu.distance.embedding import Embeddings
from gpu.services.distance import create_app
from gpu.services.fetching import Pictures
from resources.distance import (
    DistanceService,
    DistanceServices,
    MeasuredHere,
    open_distance,
)
from resources.local_network.pictures import PictureEmbedder
from simulators.drawn_pictures import blank, drawn, png
from simulators.judge_server import drips, judge_server
from simulators.judge_serving import Files, serving, serving_files

PICTURES = {
    "vase": png(drawn("vase-0000")),
    "same": png(drawn("vase-0000")),
    "coarse": png(drawn("vase-0000", "poor")),
    "text": b"not a picture",
    "blank": png(blank()),
}


def read(url: str) -> bytes:
    try:
        return PICTURES[url]
    except KeyError:
        raise InfrastructureFault(f"{url} is missing") from None


@contextmanager
def service(answer: object, status: int = 200) -> Iterator[DistanceService]:
    """A client of a service that answers everything so."""
    app = FastAPI()
    content = answer if isinstance(answer, str) else json.dumps(answer)

    @app.post("/distance")
    @app.get("/health")
    def reply() -> Response:
        return Response(content, status, media_type="application/json")

    with serving(app) as url, closing(DistanceService(url, seconds=5)) as client:
        yield client


@contextmanager
def real_service(files: Mapping[str, bytes]) -> Iterator[tuple[DistanceService, Files]]:
    with (
        serving_files(files) as store,
        serving(create_app(Embeddings(PictureEmbedder()), Pictures([store.url]).fetch)) as url,
        closing(DistanceService(url)) as client,
    ):
        yield client, store


def test_the_same_distance_is_measured_here_and_by_the_service() -> None:
    here = MeasuredHere(PictureEmbedder(), read)
    with real_service(PICTURES) as (there, store):
        assert there.model == here.model == PictureEmbedder().model
        for one, other in (("vase", "same"), ("vase", "coarse")):
            assert there.measure(f"{store.url}/{one}", f"{store.url}/{other}") == here.measure(
                one, other
            )
    assert here.measure("vase", "same") == 0
    assert 0.1 < here.measure("vase", "coarse") < 2


def test_g01_a_missing_picture_is_not_measured() -> None:
    with pytest.raises(InfrastructureFault, match="missing"):
        MeasuredHere(PictureEmbedder(), read).measure("vase", "gone")
    with (
        real_service(PICTURES) as (there, store),
        pytest.raises(InfrastructureFault, match="file_not_found"),
    ):
        there.measure(f"{store.url}/vase", f"{store.url}/gone")


def test_g01_what_is_no_picture_is_not_measured() -> None:
    with pytest.raises(InfrastructureFault, match="not a picture"):
        MeasuredHere(PictureEmbedder(), read).measure("text", "vase")
    with (
        real_service(PICTURES) as (there, store),
        pytest.raises(InfrastructureFault, match=r"status 500: .*not a picture"),
    ):
        there.measure(f"{store.url}/vase", f"{store.url}/text")


def test_g10_a_model_that_shows_nothing_has_a_distance_too() -> None:
    here = MeasuredHere(PictureEmbedder(), read)
    assert here.measure("blank", "blank") == 0
    assert here.measure("blank", "vase") > 0.9


def test_g26_the_service_fetches_only_below_its_base_and_follows_no_redirect() -> None:
    with real_service(PICTURES) as (there, store), serving_files(PICTURES) as elsewhere:
        for url in (
            f"{elsewhere.url}/vase",
            f"{store.url}@{elsewhere.url}",
            "file:///etc/passwd",
            f"{store.url}/../vase",
        ):
            with pytest.raises(InfrastructureFault, match="request_error"):
                there.measure(f"{store.url}/vase", url)
        with pytest.raises(InfrastructureFault, match="request_error"):
            there.measure(f"{store.url}/vase", f"{store.url}/moved-vase")
        assert not elsewhere.asked


@pytest.mark.parametrize(
    "answer",
    [
        {"distance": None, "error": "file_not_found"},
        {"distance": None, "error": "request_error"},
        {"distance": None, "error": None},
        {"distance": 0.0, "error": "request_error"},
        {"distance": 2.5, "error": None},
        {"distance": -0.5, "error": None},
        {"distance": "0.1", "error": None},
        {"distance": True, "error": None},
        '{"distance": NaN, "error": null}',
        '{"distance": Infinity, "error": null}',
        {"error": None},
        [0.1],
        "",
        "<html>",
    ],
    ids=str,
)
def test_g01_what_the_service_does_not_measure_is_unknown_never_zero(answer: object) -> None:
    with service(answer) as client, pytest.raises(InfrastructureFault, match="distance"):
        client.measure("a", "b")


@pytest.mark.parametrize("status", [302, 400, 404, 500, 503])
def test_g01_a_service_out_of_order_has_not_measured(status: int) -> None:
    with service({"distance": 0.0, "error": None}, status) as client:
        with pytest.raises(InfrastructureFault, match=f"status {status}"):
            client.measure("a", "b")
        with pytest.raises(InfrastructureFault, match=f"status {status}"):
            _ = client.model


def test_g01_a_service_that_cannot_be_reached_has_not_measured() -> None:
    with serving(FastAPI()) as url:
        """Nobody listens here any more."""
    with (
        closing(DistanceService(url)) as client,
        pytest.raises(InfrastructureFault, match="gave no answer"),
    ):
        client.measure("a", "b")


def test_g12_a_service_that_answers_byte_by_byte_is_left_at_the_deadline() -> None:
    with (
        judge_server(drips) as slow,
        closing(DistanceService(slow.url, seconds=0.3)) as client,
        pytest.raises(InfrastructureFault, match=r"no answer within 0\.3 s"),
    ):
        client.measure("a", "b")


@pytest.mark.parametrize(
    ("answered", "distance"), [(0, 0.0), (0.25, 0.25), (2, 2.0), (-1.2e-7, 0.0), (2.0000001, 2.0)]
)
def test_a_services_rounding_is_forgiven(answered: float, distance: float) -> None:
    with service({"distance": answered, "error": None}) as client:
        assert client.measure("a", "b") == distance


def test_a_service_that_does_not_name_its_model_is_said_not_to() -> None:
    with service({"status": "ok"}) as client:
        assert client.model == "unnamed by the distance service"


def test_g01_a_model_in_this_process_that_gives_nan_has_not_measured() -> None:
    class Broken(PictureEmbedder):
        def embed(self, pictures):  # type: ignore[no-untyped-def]
            return np.full((len(pictures), 4), math.nan)

    with pytest.raises(InfrastructureFault, match="no distance"):
        MeasuredHere(Broken(), read).measure("vase", "vase")


def test_the_local_networks_model_measures_only_where_it_is_asked_for_by_name() -> None:
    distance = open_distance({"EMBEDDER": "pictures"}, read)
    assert distance.model == PictureEmbedder().model
    assert distance.measure("vase", "same") == 0


def test_without_the_packages_of_dinov3_the_platform_does_not_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    for environment in ({}, {"EMBEDDER": "dinov3"}):
        with pytest.raises(ValueError, match=r"^EMBEDDER .*torch.*IMAGE_DISTANCE_SERVICE_URL"):
            open_distance(environment, read)


def test_with_them_dinov3_is_the_model_and_nothing_is_loaded_yet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    name = "facebook/dinov3-vits16-pretrain-lvd1689m@114c1379950215c8b35dfcd4e90a5c251dde0d32"
    assert open_distance({}, read).model == name
    assert open_distance({"MODEL_ID": "folder", "MODEL_REVISION": "1"}, read).model == "folder@1"


def test_the_service_is_used_where_its_url_is_set() -> None:
    with real_service(PICTURES) as (client, store):
        environment = {"IMAGE_DISTANCE_SERVICE_URL": str(client._client.base_url)}
        distance = open_distance(environment, read)
        assert isinstance(distance, DistanceService)
        assert distance.measure(f"{store.url}/vase", f"{store.url}/same") == 0
        distance.close()


def measuring(model: str, distance: float | None, error: str | None = None) -> FastAPI:
    """A service that measures everything so."""
    app = FastAPI()
    app.get("/health")(lambda: {"model": model})
    app.post("/distance")(lambda: {"distance": distance, "error": error})
    return app


def asked(*urls: str) -> DistanceServices:
    opened = open_distance({"IMAGE_DISTANCE_SERVICE_URL": ",".join(urls)}, read)
    assert isinstance(opened, DistanceServices)
    return opened


def test_a_distance_service_out_of_order_is_replaced_by_another() -> None:
    with serving(measuring("a", 0.5)) as url, closing(asked("http://127.0.0.1:9", url)) as services:
        assert [services.measure("x", "y") for _ in range(3)] == [0.5] * 3
        assert services.model == "a"
    with (
        closing(asked("http://127.0.0.1:9", "http://127.0.0.1:19")) as none,
        pytest.raises(InfrastructureFault, match=r"127\.0\.0\.1:19: the distance service gave no"),
    ):
        none.measure("x", "y")


def test_g01_distance_services_measure_by_one_model() -> None:
    with (
        serving(measuring("a", 0.5)) as one,
        serving(measuring("b", 0.25)) as other,
        closing(asked(one, other)) as services,
        ThreadPoolExecutor(4) as pairs,
    ):
        assert services.model == "a"
        assert set(pairs.map(lambda _: services.measure("x", "y"), range(8))) == {0.5}


def test_g01_a_pair_that_can_t_be_measured_is_no_fault_of_the_services() -> None:
    with (
        serving(measuring("a", None, "file_not_found")) as one,
        serving(measuring("a", None, "file_not_found")) as other,
        closing(asked(one, other)) as services,
    ):
        for _ in range(3):
            with pytest.raises(InfrastructureFault, match=r"of x and y was not.*file_not_found"):
                services.measure("x", "y")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EMBEDDER", "clip"),
        *[("IMAGE_DISTANCE_SERVICE_URL", url) for url in ("here", "http://a@b/")],
    ],
)
def test_a_bad_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be"):
        open_distance({name: value}, read)
