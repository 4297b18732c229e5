"""Simulators of Targon's and Verda's HTTP APIs, with faults on demand.

Written from their SDKs (targon-sdk 1.0, verda 1.25) and, for Verda, from its public documentation:
every request to a container goes through a gateway at `https://containers.datacrunch.io/{name}`,
needs the project's inference key as a bearer token, and waits in a queue for a replica; error codes
are those of the API's documentation. How the gateway refuses a request isn't documented; users
report 401 without a header and 404 without a key. Whether it takes the key off before the request
reaches the container isn't documented either: here it does, unless `forwards_key` is set. Targon's
containers have hosts of their own, without a gateway that asks for anything.

What is deployed runs as a process of the local provider, so that a regeneration can be run on them.
"""

import http.client
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from http.server import ThreadingHTTPServer
from typing import Any

from resources.providers.local import LocalProvider
from simulators.serving import QuietHandler, serving

Answer = tuple[int, Any]

GATEWAY = "/containers/"
CODES = {
    401: "unauthorized_request",
    402: "insufficient_funds",
    403: "forbidden_action",
    500: "server_error",
    503: "service_unavailable",
}


class Cloud:
    """What both have in common: deployments by id, and what goes wrong.

    `free`: GPUs that are free; None: enough. `broken`: (method, part of the path) -> how many
    requests yet fail, with `status`; with `creates`, what they ask for happens nevertheless.
    `slow`: seconds before each answer. `stale`: lists don't know what was made since. `unplaced`:
    nothing that is deployed gets a GPU, until it is no longer set; only then does its process
    start. `html`: errors are no JSON. `down`: connections are closed without an answer. `silent`:
    requests to containers wait.
    """

    def __init__(self, provider: LocalProvider) -> None:
        self.provider = provider
        self.deployments: dict[str, dict[str, Any]] = {}
        self.free: int | None = None
        self.broken: dict[tuple[str, str], int] = {}
        self.creates = self.stale = self.unplaced = self.html = self.down = False
        self.silent = False
        self.status, self.slow, self.base = 500, 0.0, ""
        self.asked: list[tuple[str, str, Any]] = []
        self.keys: set[str | None] = set()
        self._listed: list[Any] = []
        self._removing = threading.Lock()

    def answer(self, method: str, path: str, body: Any) -> Answer:
        raise NotImplementedError

    def through_gateway(
        self, method: str, path: str, headers: Message, body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        raise NotImplementedError

    def deploy(self, uid: str, name: str, image: str, token: str | None) -> None:
        self.deployments[uid] |= {"deployed": True, "run": (name, image, token)}
        self._place()

    def _place(self) -> None:
        """Start what has been deployed, once there is a GPU for it."""
        with self._removing:
            for deployment in list(self.deployments.values()):
                if not self.unplaced and (run := deployment.pop("run", None)):
                    self.provider.start(*run)

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
                return self.status, {"code": CODES[self.status], "message": "no"}
        self._place()
        return self.answer(method, path, body)

    @contextmanager
    def served(self) -> Iterator[str]:
        cloud = self

        class Handler(QuietHandler):
            def respond(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if cloud.down:
                    self.close_connection = True
                    return
                if self.path.startswith(GATEWAY):
                    while cloud.silent:
                        time.sleep(0.05)
                    answer = cloud.through_gateway(self.command, self.path, self.headers, raw)
                    if not cloud.down:
                        self.pass_on(*answer)
                    return
                cloud.keys.add(self.headers["Authorization"])
                status, document = cloud.handle(
                    self.command, self.path, json.loads(raw) if raw else None
                )
                html = cloud.html and status >= 400
                body = b"<html>down</html>" if html else json.dumps(document).encode()
                self.send(status, body, "text/html" if html else "application/json")

            def pass_on(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
                self.send_response(status)
                for name, value in headers:
                    if name.lower() not in {"content-length", "connection", "transfer-encoding"}:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_DELETE = respond  # noqa: N815 -- as http.server names them

        with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as url:
            self.base = url
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
                "token": next((env["value"] for env in body.get("envs", [])), None),
                "deployed": False,
            }
            return 200, {"uid": uid, "name": body["name"]}
        if path == "/workloads":
            assert query == "type=SERVERLESS"
            return 200, {
                "items": self.listed([self._described(uid) for uid in list(self.deployments)])
            }
        if match is None or match[1] not in self.deployments:
            return 404, {"error": "not found"}
        uid = match[1]
        if method == "DELETE":
            return self.remove(uid)
        if match[2] == "/deploy":
            deployment = self.deployments[uid]
            self.deploy(uid, deployment["name"], deployment["image"], deployment["token"])
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
    """`/v1`: a deployment is created in one request. `key`: the inference key that the gateway
    takes; None: it asks for none. `forwards_key`: the container gets it too. `turned_away`: to
    which containers requests came without it. `gone`: what it answers for a deployment that isn't
    there. `pulls`: images are pulled, no replica runs yet.
    """

    def __init__(self, provider: LocalProvider, key: str | None = "verda-gateway") -> None:
        super().__init__(provider)
        self.key, self.forwards_key, self.pulls = key, False, False
        self.gone = 404
        self.turned_away: list[str] = []

    def through_gateway(
        self, method: str, path: str, headers: Message, body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        name, _, rest = path.removeprefix(GATEWAY).partition("/")
        if self.key is not None and headers["Authorization"] != f"Bearer {self.key}":
            self.turned_away.append(name)
            return 401, [("Content-Type", "application/json")], b'{"code":"unauthorized_request"}'
        if name not in self.deployments:
            return self.gone, [], b""
        url = None if self.pulls else self.url(name)
        if url is None:
            return 503, [], b""
        sent = {key: value for key, value in headers.items() if key.lower() != "host"}
        if not self.forwards_key:
            sent.pop("Authorization", None)
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
        try:
            connection.request(method, f"/{rest}", body, sent)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        except OSError:
            return 502, [], b""
        finally:
            connection.close()

    def answer(self, method: str, path: str, body: Any) -> Answer:
        path = path.removeprefix("/v1")
        match = re.fullmatch(r"/container-deployments/([^/]+)(/replicas|/status)?", path)
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
            container = body["containers"][0]
            tokens = [str(env["value_or_reference_to_secret"]) for env in container["env"]]
            self.deploy(name, name, container["image"], tokens[0] if tokens else None)
            return 201, body
        if path == "/container-deployments":
            return 200, self.listed([self._described(name) for name in list(self.deployments)])
        if match is None or match[1] not in self.deployments:
            return 404, {"code": "not_found", "message": "there is no such deployment"}
        if method == "DELETE":
            return self.remove(match[1])
        runs = not self.unplaced and not self.pulls
        if match[2] == "/status":
            waiting = "image_pulling" if self.pulls else "initializing"
            return 200, {"status": "healthy" if runs else waiting}
        replica = {"id": "r-1", "status": "running", "started_at": "2026-01-01T00:00:00Z"}
        return 200, {"list": [replica] if runs else []}

    def _described(self, name: str) -> dict[str, Any]:
        body = {
            key: value
            for key, value in self.deployments[name].items()
            if key not in {"deployed", "run", "_inference_client"}
        }
        return body | {"endpoint_base_url": self.endpoint(name)}

    def endpoint(self, name: str) -> str | None:
        """Where callers find a container."""
        return f"{self.base}{GATEWAY}{name}"
