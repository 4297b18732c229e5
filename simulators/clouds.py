"""Simulators of Targon's and Verda's HTTP APIs, written from their SDKs, with faults on demand.

What is deployed runs as a process of the local provider, so that a regeneration can be run on them.
"""

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from typing import Any

from resources.providers.local import LocalProvider
from simulators.serving import QuietHandler, serving

Answer = tuple[int, Any]


class Cloud:
    """What both have in common: deployments by id, and what goes wrong.

    `free`: GPUs that are free; None: enough. `broken`: (method, part of the path) -> how many
    requests yet fail, with 500; with `creates`, what they ask for happens nevertheless. `slow`:
    seconds before each answer. `stale`: lists don't know what was made since. `unplaced`: nothing
    that is deployed gets a GPU. `html`: errors are no JSON.
    """

    def __init__(self, provider: LocalProvider) -> None:
        self.provider = provider
        self.deployments: dict[str, dict[str, Any]] = {}
        self.free: int | None = None
        self.broken: dict[tuple[str, str], int] = {}
        self.creates = self.stale = self.unplaced = self.html = False
        self.slow = 0.0
        self.asked: list[tuple[str, str, Any]] = []
        self.keys: set[str | None] = set()
        self._listed: list[Any] = []
        self._removing = threading.Lock()

    def answer(self, method: str, path: str, body: Any) -> Answer:
        raise NotImplementedError

    def deploy(self, uid: str, name: str, image: str) -> None:
        self.deployments[uid] |= {"deployed": True}
        self.provider.start(name, image, None)

    def remove(self, uid: str) -> Answer:
        with self._removing:
            if uid not in self.deployments:
                return 404, {"code": "not_found", "message": "there is no such deployment"}
            self.provider.delete(self.deployments[uid]["name"])
            del self.deployments[uid]
            return 200, {}

    def url(self, name: str) -> str | None:
        if self.unplaced:
            return None
        return next((pod.url for pod in self.provider.pods() if pod.name == name), None)

    def listed(self, entries: list[Any]) -> list[Any]:
        if not self.stale:
            self._listed = entries
        return self._listed

    def handle(self, method: str, path: str, body: Any) -> Answer:
        self.asked.append((method, path, body))
        time.sleep(self.slow)
        for (verb, part), left in self.broken.items():
            if verb == method and part in path and left > 0:
                self.broken[verb, part] = left - 1
                if self.creates:
                    self.answer(method, path, body)
                return 500, {"code": "server_error", "message": "internal"}
        return self.answer(method, path, body)

    @contextmanager
    def served(self) -> Iterator[str]:
        cloud = self

        class Handler(QuietHandler):
            def respond(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                cloud.keys.add(self.headers["Authorization"])
                status, document = cloud.handle(
                    self.command, self.path, json.loads(raw) if raw else None
                )
                html = cloud.html and status >= 400
                body = b"<html>down</html>" if html else json.dumps(document).encode()
                self.send(status, body, "text/html" if html else "application/json")

            do_GET = do_POST = do_DELETE = respond  # noqa: N815 -- as http.server names them

        with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as url:
            yield url


class TargonCloud(Cloud):
    """`/tha/v2`: a workload is registered, then deployed."""

    def answer(self, method: str, path: str, body: Any) -> Answer:
        path, _, query = path.removeprefix("/tha/v2").partition("?")
        match = re.fullmatch(r"/workloads/([^/]+)(/deploy|/state)?", path)
        if path == "/inventory":
            available = 8 if self.free is None else self.free
            return 200, [
                {"name": "h100-small", "available": 9},
                {"name": "h200-small", "available": available},
            ]
        if path == "/workloads" and method == "POST":
            uid = f"wrk-{len(self.asked)}"
            self.deployments[uid] = {
                "uid": uid,
                "name": body["name"],
                "image": body["image"],
                "deployed": False,
            }
            return 200, {"uid": uid, "name": body["name"]}
        if path == "/workloads":
            assert query == "type=SERVERLESS"
            return 200, {"items": self.listed([self._described(uid) for uid in self.deployments])}
        if match is None or match[1] not in self.deployments:
            return 404, {"error": "not found"}
        uid = match[1]
        if method == "DELETE":
            return self.remove(uid)
        if match[2] == "/deploy":
            deployment = self.deployments[uid]
            self.deploy(uid, deployment["name"], deployment["image"])
            return 200, self._described(uid)
        return 200, {"uid": uid, **self._described(uid)["state"]}

    def _described(self, uid: str) -> dict[str, Any]:
        deployment = self.deployments[uid]
        url = self.url(deployment["name"]) if deployment["deployed"] else None
        placed = url is not None
        state = {
            "status": "running" if placed else "pending",
            "ready_replicas": int(placed),
            "urls": [{"port": 10006, "url": url or "https://not-yet.example"}]
            if deployment["deployed"]
            else None,
        }
        return {"uid": uid, "name": deployment["name"], "state": state}


class VerdaCloud(Cloud):
    """`/v1`: a deployment is created in one request."""

    def answer(self, method: str, path: str, body: Any) -> Answer:
        path = path.removeprefix("/v1")
        match = re.fullmatch(r"/container-deployments/([^/]+)(/replicas)?", path)
        if path == "/oauth2/token":
            token = {
                "access_token": "access",
                "refresh_token": "refresh",
                "scope": "all",
                "token_type": "Bearer",
            }
            return 200, token | {"expires_in": 3600}
        if path == "/serverless-compute-resources":
            available = self.free is None or self.free > 0
            return 200, [{"name": "H200", "size": 1, "is_available": available}]
        if path == "/container-deployments" and method == "POST":
            name = body["name"]
            if name in self.deployments:
                return 400, {"code": "invalid_request", "message": "the name is taken"}
            self.deployments[name] = body
            self.deploy(name, name, body["containers"][0]["image"])
            return 201, body
        if path == "/container-deployments":
            return 200, self.listed([self._described(name) for name in self.deployments])
        if match is None or match[1] not in self.deployments:
            return 404, {"code": "not_found", "message": "there is no such deployment"}
        if method == "DELETE":
            return self.remove(match[1])
        replica = {"id": "r-1", "status": "running", "started_at": "2026-01-01T00:00:00Z"}
        return 200, {"list": [] if self.unplaced else [replica]}

    def _described(self, name: str) -> dict[str, Any]:
        body = {
            key: value
            for key, value in self.deployments[name].items()
            if key not in {"deployed", "_inference_client"}
        }
        return body | {"endpoint_base_url": self.url(name) or "https://containers.example/x"}
