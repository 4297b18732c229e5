"""Targon as a GPU provider, by its SDK: a pod is a serverless workload with one replica."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from pydantic import Field

from gen404_assets.competition.faults import InfrastructureFault
from resources.deadlines import within
from resources.providers.provider import PORT, TOKEN_VARIABLE, NoCapacity, Pod, StartRefused
from resources.providers.sdk_answers import bounded_session
from resources.settings import BaseUrl, Secret, Settings, read_settings

if TYPE_CHECKING:
    from targon.client.client import Client  # type: ignore[import-untyped]

T = TypeVar("T")

_RESOURCE = "h200-small"
_SECONDS = 60.0  # of one call, with all its requests
_AT_ONCE = 4  # requests that may be in flight to a pod
_PLACED = {"running", "active", "deployed"}
_FAILED = {"failed", "error"}


class Targon:
    """Workloads of one Targon account; each call ends within a minute."""

    name = "targon"

    def __init__(self, api_key: str, api: str, resource: str = _RESOURCE) -> None:
        self._api_key, self._api, self._resource = api_key, api, resource
        self._uids: dict[str, str] = {}
        self._half_made: set[str] = set()

    def start(self, pod_name: str, image: str, token: str | None) -> None:
        """See `Provider.start`. What is left by a start that failed half-way is no pod: it was
        registered, and perhaps never deployed, so it could stay pending for ever. It is deleted
        at once, or as soon as a list shows it.
        """
        self._run("start", lambda client: self._start(client, pod_name, image, token))

    def pods(self) -> list[Pod]:
        """See `Provider.pods`. A workload has its URL once a replica of it has been placed."""
        return self._run("list", self._pods)

    def delete(self, pod_name: str) -> None:
        """See `Provider.delete`."""
        self._run("delete", lambda client: self._delete(client, pod_name))

    async def _start(self, client: "Client", pod_name: str, image: str, token: str | None) -> None:
        from targon.client.serverless import ReplicasConfig  # type: ignore[import-untyped]  # noqa: PLC0415
        from targon.core.exceptions import APIError  # type: ignore[import-untyped]  # noqa: PLC0415

        if all(
            entry.available < 1
            for entry in await client.async_inventory.capacity()
            if entry.name == self._resource
        ):
            raise NoCapacity(f"targon: no {self._resource} is free")
        try:
            made = await client.async_serverless.deploy_container(
                name=pod_name,
                image=image,
                resource=self._resource,
                port=PORT,
                env={TOKEN_VARIABLE: token} if token else None,
                replicas=ReplicasConfig(
                    1, 1, container_concurrency=_AT_ONCE, target_concurrency=_AT_ONCE
                ),
            )
        # A cancellation by the deadline, too: what was half made costs money.
        except BaseException as error:
            self._half_made.add(pod_name)
            await self._delete(client, pod_name)
            if isinstance(error, APIError) and 400 <= error.status_code < 500:
                raise StartRefused(f"targon: start: status {error.status_code}") from None
            raise
        self._uids[pod_name] = made.uid

    async def _pods(self, client: "Client") -> list[Pod]:
        items = [item for item in await client.async_serverless.list_container() if item.name]
        left = [item for item in items if self._is_half_made(str(item.name), item.uid)]
        for item in left:
            await self._remove(client, item.uid)
        items = [item for item in items if item not in left]
        reachable = [await self._pod(client, str(item.name), item.uid, item.url) for item in items]
        return [pod for pod in reachable if pod is not None]

    async def _pod(self, client: "Client", name: str, uid: str, url: str | None) -> Pod | None:
        """The pod; None for one that has been deleted since it was listed."""
        from targon.core.exceptions import APIError  # noqa: PLC0415

        if not url or not name.startswith("miner-"):
            return Pod(name)
        try:
            state = await client.async_serverless.get_state(uid)
        except APIError as error:
            if not error.is_not_found:
                raise
            return None
        status = state.status.lower()
        placed = status in _PLACED or state.ready_replicas > 0 or state.total_replicas > 0
        return Pod(
            name,
            (url if "://" in url else f"https://{url}") if placed else None,
            failed=status in _FAILED,
        )

    async def _delete(self, client: "Client", pod_name: str) -> None:
        uids = {
            item.uid
            for item in await client.async_serverless.list_container()
            if item.name == pod_name
        }
        # The list may be stale: a pod that was just started need not be in it.
        started = {uid for name, uid in self._uids.items() if name == pod_name}
        for uid in uids | started:
            await self._remove(client, uid)
        self._uids.pop(pod_name, None)

    async def _remove(self, client: "Client", uid: str) -> None:
        from targon.core.exceptions import APIError  # noqa: PLC0415

        try:
            await client.async_serverless.delete_container(uid)
        except APIError as error:
            if not error.is_not_found:
                raise

    def _is_half_made(self, name: str, uid: str) -> bool:
        return name in self._half_made and uid != self._uids.get(name)

    def _run(self, action: str, call: Callable[["Client"], Awaitable[T]]) -> T:
        # The SDK asks the keyring for a key on import; ours is in the settings.
        os.environ.setdefault("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
        import aiohttp  # noqa: PLC0415
        from targon.client.client import Client  # noqa: PLC0415
        from targon.core.exceptions import APIError, TargonError  # noqa: PLC0415

        async def within_a_minute() -> T:
            client = Client(self._api_key, timeout=_SECONDS)
            # Private: the SDK takes no session of its caller's, and its own bounds no answer.
            client._async_session = bounded_session(client.config.headers, _SECONDS)
            try:
                client.async_inventory.base_url = client.async_serverless.base_url = self._api
                async with asyncio.timeout(_SECONDS):
                    return await call(client)
            finally:
                await client.aclose()

        try:
            # In a thread: asyncio itself waits for a name's resolution, however long it takes.
            return within(2 * _SECONDS, lambda: asyncio.run(within_a_minute()))
        except APIError as error:
            raise InfrastructureFault(f"targon: {action}: status {error.status_code}") from None
        except (
            TargonError,
            aiohttp.ClientError,
            OSError,
            ValueError,
            TypeError,
            AttributeError,
        ) as error:
            raise InfrastructureFault(f"targon: {action}: {type(error).__name__}") from None


class TargonSettings(Settings):
    """The account at Targon; needed where GPU_PROVIDERS lists targon."""

    targon_api_key: Secret = Field(description="key of the account at Targon")
    targon_api_url: BaseUrl = Field("https://api.targon.com", description="URL of Targon's API")


def open_targon(environment: Mapping[str, str]) -> Targon:
    """The account of `TARGON_API_KEY`, at `TARGON_API_URL`. Raises BadSetting."""
    settings = read_settings(TargonSettings, environment)
    return Targon(settings.targon_api_key.get_secret_value(), settings.targon_api_url)
