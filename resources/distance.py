"""The distance of two pictures: in this process, or by the distance service."""

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

import httpx2
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.plain_text import keep_secret, quoted
from gpu.bounded_http import Bounds, bounded_client
from gpu.distance import MODEL_ID, MODEL_REVISION
from resources.deadlines import within
from resources.replicas import NotTheService, Replicas
from resources.settings import BadSetting, BaseUrls, Secret, Settings, read_settings

if TYPE_CHECKING:
    from gpu.distance.embedding import Embedder

# What measures here is imported where it is opened: Dagster's definitions need the settings alone.
# ruff: noqa: PLC0415

_SECONDS = 120.0
"""Of one request: two pictures fetched and measured by the service."""
_BYTES = 2**20
"""Of an answer: a number, or a sentence."""
_ROUNDING = 1e-6  # a service's float32 can bring identical pictures a little below 0
_A = TypeVar("_A", bound=BaseModel)


class Distance(Protocol):
    """What measures distances. Threads may share it."""

    @property
    def model(self) -> str:
        """The model that measures. Raises InfrastructureFault if it can't be known now."""

    def measure(self, url_a: str, url_b: str) -> float:
        """The distance of two pictures by their public URLs, from 0 (identical) to 2 (opposite).

        Raises InfrastructureFault if it could not be measured: unmeasured is unknown, never zero.
        """


class MeasuredHere:
    """Distances by a model in this process; `read` gives the file behind a public URL, or an
    InfrastructureFault.
    """

    def __init__(self, embedder: "Embedder", read: Callable[[str], bytes]) -> None:
        from gpu.distance.embedding import Embeddings

        self._embeddings = Embeddings(embedder)
        self._read = read

    @property
    def model(self) -> str:
        return self._embeddings.model

    def measure(self, url_a: str, url_b: str) -> float:
        from gpu.distance.embedding import Unmeasured

        try:
            return self._embeddings.distance(self._read(url_a), self._read(url_b))
        except Unmeasured as error:
            raise InfrastructureFault(
                f"the distance of {url_a} and {url_b} was not measured: {error}"
            ) from error


class DistanceService:
    """Distances by the service of interfaces.md, at a base URL."""

    def __init__(self, server: str, token: str | None = None, *, seconds: float = _SECONDS) -> None:
        self.address, self._seconds = server, seconds
        keep_secret(token or "")
        headers = {"Authorization": f"Bearer {token}"} if token else None
        self._client = bounded_client(Bounds(seconds, _BYTES), base_url=server, headers=headers)

    @cached_property
    def model(self) -> str:
        return self._answer("GET", "/health", None, _Health).model

    def measure(self, url_a: str, url_b: str) -> float:
        measured = self._answer("POST", "/distance", {"url_a": url_a, "url_b": url_b}, _Measured)
        if measured.error is not None or measured.distance is None:
            raise NotTheService(
                f"the distance of {url_a} and {url_b} was not measured: {measured.error}"
            )
        return min(max(measured.distance, 0.0), 2.0)

    def close(self) -> None:
        """End the connections."""
        self._client.close()

    def _answer(self, method: str, path: str, body: dict[str, str] | None, kind: type[_A]) -> _A:
        try:
            response = within(self._seconds, self._client.request, method, path, json=body)
            response.raise_for_status()
            return kind.model_validate_json(response.content)
        except (TimeoutError, httpx2.TimeoutException):
            reason = f"no answer within {self._seconds:g} s"
        except httpx2.HTTPStatusError as error:
            reason = f"status {error.response.status_code}: {quoted(error.response.text, 300)}"
        except httpx2.HTTPError as error:
            reason = f"{type(error).__name__}: {error}"
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, problem["loc"]))
            reason = f"an answer not as documented: {place} {problem['msg']}"
        raise InfrastructureFault(f"the distance service gave no answer: {reason}")


class DistanceServices:
    """Several distance services, which share the pairs. All measure by the model of the first that
    answers: one with another model counts as out of order.
    """

    def __init__(self, services: Sequence[DistanceService]) -> None:
        self._replicas = Replicas(services)

    @cached_property
    def model(self) -> str:
        return self._replicas.ask(lambda service: service.model)

    def measure(self, url_a: str, url_b: str) -> float:
        def measured(service: DistanceService) -> float:
            if service.model != model:
                raise InfrastructureFault(f"it measures by {service.model}, another by {model}")
            return service.measure(url_a, url_b)

        model = self.model
        return self._replicas.ask(measured)

    def close(self) -> None:
        """End the connections."""
        self._replicas.close()


class DistanceSettings(Settings):
    """What measures the distance of two pictures."""

    image_distance_service_url: BaseUrls | None = Field(
        None,
        description="base URL of a distance service, or several of one model with commas between, "
        "which share the pairs; unset: a model in this process measures",
    )
    distance_token: Secret | None = Field(
        None, description="token of the distance service, which has the same setting"
    )
    embedder: Literal["dinov3", "pictures"] = Field(
        "dinov3", description="the model: dinov3 decides audits, pictures is the local network's"
    )
    model_id: str = Field(MODEL_ID, description="the DINOv3 model on Hugging Face")
    model_revision: str = Field(MODEL_REVISION, description="the commit of that model")
    hf_token: Secret | None = Field(None, description="token for the model, which is gated")


def open_distance(environment: Mapping[str, str], read: Callable[[str], bytes]) -> Distance:
    """What the settings name: the service at `IMAGE_DISTANCE_SERVICE_URL`, or else a model in this
    process.

    `EMBEDDER` names the model: `dinov3` unless the local network's `pictures` is asked for. `read`
    gives the file behind a public URL. Raises BadSetting.
    """
    settings = read_settings(DistanceSettings, environment)
    if urls := settings.image_distance_service_url:
        token = settings.distance_token.get_secret_value() if settings.distance_token else None
        services = [DistanceService(url, token) for url in urls.split(",")]
        return services[0] if len(services) == 1 else DistanceServices(services)
    return measured_here(environment, read)


def measured_here(environment: Mapping[str, str], read: Callable[[str], bytes]) -> "MeasuredHere":
    """The model in this process, whether or not a distance service is set. Raises BadSetting."""
    settings = read_settings(DistanceSettings, environment)
    if settings.embedder == "pictures":
        from resources.local_network.pictures import PictureEmbedder

        return MeasuredHere(PictureEmbedder(), read)
    if not all(map(importlib.util.find_spec, ("torch", "transformers"))):
        raise BadSetting(
            "EMBEDDER is dinov3, which needs the packages torch and transformers (extra `gpu`): "
            "install them, or set "
            "IMAGE_DISTANCE_SERVICE_URL to a distance service's URL"
        )
    from gpu.distance.dinov3 import DinoV3

    token = settings.hf_token.get_secret_value() if settings.hf_token else None
    return MeasuredHere(DinoV3(settings.model_id, settings.model_revision, token), read)


class _Health(BaseModel):
    model: str = "unnamed by the distance service"


class _Measured(BaseModel):
    model_config = ConfigDict(strict=True)

    distance: float | None = Field(ge=-_ROUNDING, le=2 + _ROUNDING, allow_inf_nan=False)
    error: str | None = None
