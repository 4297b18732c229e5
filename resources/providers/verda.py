"""Verda as a GPU provider, by its SDK: a pod is a container deployment with one replica."""

from collections import deque
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

from pydantic import Field

from gen404_assets.competition.faults import InfrastructureFault
from resources.deadlines import within
from resources.providers.provider import PORT, TOKEN_VARIABLE, NoCapacity, Pod, StartRefused
from resources.settings import BaseUrl, Secret, Settings, read_settings

if TYPE_CHECKING:
    from verda import VerdaClient  # type: ignore[import-untyped]
    from verda.containers import Deployment  # type: ignore[import-untyped]

T = TypeVar("T")

_COMPUTE = "H200"
_SECONDS = 60.0  # of one call, with all its requests
_AT_ONCE = 4  # requests that may be in flight to a pod
_QUEUE_SECONDS = 600
"""For which Verda keeps a request that waits, and a replica that is idle."""
_NOT_FOUND = "not_found"
_REFUSALS = {"unauthorized_request", "insufficient_funds", "forbidden_action"}
"""Codes of errors after which nothing was made, as the API's documentation lists them. Not
`invalid_request`: the name may be taken, by a start that seemed to fail."""

_PULLING = "image_pulling"
_NO_DEPLOYMENT = "gen404-asks-the-gateway"


class Verda:
    """Deployments of one Verda project; each call ends within a minute.

    `generation_token` is the project's inference key, which Verda's gateway asks of whoever calls a
    container. It is sent to the gateway's URLs alone: those that carry the deployment's name.
    """

    name = "verda"

    def __init__(self, client_id: str, secret: str, generation_token: str | None, api: str) -> None:
        self._client_id, self._secret, self._api = client_id, secret, api
        self._generation_token = generation_token
        # Clients not in use. The SDK's client isn't safe to share between threads.
        self._clients: deque[VerdaClient] = deque()
        self._placed: set[str] = set()

    def start(self, pod_name: str, image: str, token: str | None) -> None:
        """See `Provider.start`."""
        deployment = self._deployment(pod_name, image, token)

        def start(client: "VerdaClient") -> None:
            if not any(
                compute.name == _COMPUTE
                # Of size 1, and available.
                for compute in client.containers.get_compute_resources(1, True)
            ):
                raise NoCapacity(f"verda: no {_COMPUTE} is free")
            try:
                client.containers.create_deployment(deployment)
            except _api_exception() as error:
                if error.code in _REFUSALS:
                    raise StartRefused(f"verda: start: {error.code}") from None
                raise

        self._placed.discard(pod_name)
        self._run("start", start)

    def pods(self) -> list[Pod]:
        """See `Provider.pods`. A deployment has its URL once a GPU has been found for it."""
        return self._run(
            "list",
            lambda client: [
                pod
                for deployment in client.containers.get_deployments()
                if (pod := self._pod(client, deployment)) is not None
            ],
        )

    def delete(self, pod_name: str) -> None:
        """See `Provider.delete`."""

        def delete(client: "VerdaClient") -> None:
            try:
                client.containers.delete_deployment(pod_name)
            except _api_exception() as error:
                if error.code != _NOT_FOUND:
                    raise

        self._run("delete", delete)

    def _pod(self, client: "VerdaClient", deployment: "Deployment") -> Pod | None:
        """The pod; None for one that has been deleted since it was listed."""
        name, url = str(deployment.name), deployment.endpoint_base_url
        if name.startswith("miner-") and name not in self._placed:
            try:
                if _is_placed(client, name):
                    self._placed.add(name)
            except _api_exception() as error:
                if error.code != _NOT_FOUND:
                    raise
                return None
        if name not in self._placed or not url:
            return Pod(name)
        gateway = _elsewhere(url, name)
        return Pod(name, url, token=self._generation_token if gateway else None, gateway=gateway)

    def _deployment(self, pod_name: str, image: str, token: str | None) -> "Deployment":
        from verda import containers as verda  # noqa: PLC0415

        environment = [verda.EnvVar(TOKEN_VARIABLE, token, verda.EnvVarType.PLAIN)] if token else []
        return verda.Deployment(
            name=pod_name,
            containers=[
                verda.Container(
                    image=image,
                    exposed_port=PORT,
                    healthcheck=verda.HealthcheckSettings(enabled=True, port=PORT, path="/health"),
                    env=environment,
                )
            ],
            compute=verda.ComputeResource(name=_COMPUTE, size=1),
            scaling=verda.ScalingOptions(
                min_replica_count=1,
                max_replica_count=1,
                scale_down_policy=verda.ScalingPolicy(delay_seconds=_QUEUE_SECONDS),
                scale_up_policy=verda.ScalingPolicy(delay_seconds=_QUEUE_SECONDS),
                queue_message_ttl_seconds=_QUEUE_SECONDS,
                concurrent_requests_per_replica=_AT_ONCE,
                scaling_triggers=verda.ScalingTriggers(
                    queue_load=verda.QueueLoadScalingTrigger(threshold=1.0)
                ),
            ),
        )

    def _run(self, action: str, call: Callable[["VerdaClient"], T]) -> T:
        import httpx2  # noqa: PLC0415
        from verda import VerdaClient  # noqa: PLC0415

        _bound_the_sdk()

        def run() -> T:
            client = (
                self._clients.pop()
                if self._clients
                else VerdaClient(self._client_id, self._secret, self._api)
            )
            result = call(client)
            self._clients.append(client)  # not after a failure: that client isn't used again
            return result

        try:
            return within(_SECONDS, run)
        except _api_exception() as error:
            raise InfrastructureFault(f"verda: {action}: {error.code}") from None
        except TimeoutError:
            raise InfrastructureFault(f"verda: {action}: no answer within {_SECONDS:g} s") from None
        except (
            httpx2.HTTPError,
            ValueError,
            TypeError,
            KeyError,
            AttributeError,
        ) as error:
            raise InfrastructureFault(f"verda: {action}: {type(error).__name__}") from None


class VerdaSettings(Settings):
    """The project at Verda; needed where GPU_PROVIDERS lists verda."""

    verda_client_id: Secret = Field(description="client id of the project at Verda")
    verda_client_secret: Secret = Field(description="client secret of the project at Verda")
    verda_generation_token: Secret = Field(
        description="inference key of the project at Verda, which its gateway asks for"
    )
    verda_api_url: BaseUrl = Field("https://api.verda.com/v1", description="URL of Verda's API")


def open_verda(environment: Mapping[str, str]) -> Verda:
    """The project of `VERDA_CLIENT_ID`, `VERDA_CLIENT_SECRET` and `VERDA_GENERATION_TOKEN`, at
    `VERDA_API_URL`.

    Raises BadSetting.
    """
    settings = read_settings(VerdaSettings, environment)
    return Verda(
        settings.verda_client_id.get_secret_value(),
        settings.verda_client_secret.get_secret_value(),
        settings.verda_generation_token.get_secret_value(),
        settings.verda_api_url,
    )


def _is_placed(client: "VerdaClient", name: str) -> bool:
    """Whether a machine has been found for a deployment: it has a replica, or pulls its image."""
    if client.containers.get_deployment_replicas(name):
        return True
    try:
        return bool(client.containers.get_deployment_status(name) == _PULLING)
    except _api_exception() as error:
        if error.code != _NOT_FOUND:
            raise
        return False


def _elsewhere(url: str, name: str) -> str | None:
    """A URL of the gateway behind which no deployment stands; None where `url` is no gateway's.

    A gateway serves many deployments and tells them apart by name, in the path or in the host. A
    URL without the name leads to a container directly.
    """
    parts = urlsplit(url)
    labels, segments = parts.netloc.split("."), parts.path.split("/")
    if name in segments:
        segments[segments.index(name)] = _NO_DEPLOYMENT
    elif labels[0] == name:
        labels[0] = _NO_DEPLOYMENT
    else:
        return None
    return urlunsplit((parts.scheme, ".".join(labels), "/".join(segments), "", ""))


@cache
def _bound_the_sdk() -> None:
    """Have the SDK's modules make their requests by `BoundedRequests`."""
    from verda.authentication import _authentication  # type: ignore[import-untyped]  # noqa: PLC0415
    from verda.http_client import _http_client  # type: ignore[import-untyped]  # noqa: PLC0415

    from resources.providers.sdk_answers import BoundedRequests  # noqa: PLC0415

    # Private modules: it takes no session.
    _authentication.requests = _http_client.requests = BoundedRequests(_SECONDS)


def _api_exception() -> Any:
    from verda.exceptions import APIException  # type: ignore[import-untyped]  # noqa: PLC0415

    return APIException
