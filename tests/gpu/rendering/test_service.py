"""The render service and its client, over real HTTP: a bad file is told from a service out of
order.
"""

import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2
import pytest
import uvicorn
from PIL import Image

from gpu.services import render as render_service
from gpu.services.connections import SERVED
from gpu.services.render import create_app
from gpu.workers.pool import Pool
from resources.ports import free_ports
from simulators.files_3d import mesh


class Service:
    """The service in a process of its own, of one worker."""

    def __init__(self) -> None:
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gpu.services.render", "--port", str(port), "--workers", "1"]
        )
        for _ in range(1200):
            time.sleep(0.05)
            try:
                if httpx2.get(f"{self.url}/health", timeout=5).status_code == 200:
                    return
            except httpx2.HTTPError:
                continue
        raise AssertionError("the service doesn't come up")

    def post(self, kind: str, content: bytes, name: str = "file") -> httpx2.Response:
        return httpx2.post(f"{self.url}/render_{kind}", files={name: content}, timeout=240)


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    service = Service()
    yield service
    service.process.terminate()
    assert service.process.wait(30) in (0, -signal.SIGTERM)


def test_a_good_file_gets_the_same_picture_as_in_process(
    service: Service, pool: Pool, tmp_path: Path
) -> None:
    file = tmp_path / "good.glb"
    file.write_bytes(mesh())
    answer = service.post("glb", mesh())
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.content == pool.render(file, "glb")
    assert Image.open(io.BytesIO(answer.content)).size == (1041, 1041)


def test_a_bad_file_gets_400_and_the_reason(service: Service) -> None:
    answer = service.post("ply", mesh())
    assert answer.status_code == 400
    assert answer.json() == {"detail": "the file isn't a PLY"}


def test_a_request_without_a_file_is_no_verdict_on_one(service: Service) -> None:
    assert service.post("glb", mesh(), name="other").status_code == 422
    assert httpx2.post(f"{service.url}/render_glb", json={}).status_code in (415, 422)


def test_g20_a_file_over_200_mib_gets_413_however_it_comes(service: Service) -> None:
    def endless() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
        for _ in range(201):
            yield bytes(2**20)
        yield b"\r\n--x--\r\n"

    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    declared = httpx2.Headers(kind | {"Content-Length": str(2**30)})
    assert _status_before_body(service.url, declared) == 413
    answer = httpx2.post(f"{service.url}/render_glb", content=endless(), headers=kind, timeout=240)
    assert answer.status_code == 413
    assert service.post("glb", mesh()).status_code == 200


def _status_before_body(url: str, headers: httpx2.Headers) -> int:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 10) as connection:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        connection.sendall(f"POST /render_glb HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n".encode())
        return int(connection.recv(100).split()[1])


def test_health_says_what_draws(service: Service) -> None:
    health = httpx2.get(f"{service.url}/health").json()
    assert health["status"] == "ok"
    assert health["gl"]
    assert health["cuda"] is None or isinstance(health["cuda"], str)


def stopped_below(pid: int) -> Iterator[int]:
    """The processes that a process has started, and theirs: each is stopped before its own are
    looked for, so that it starts no more.
    """
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, children.read_text().split()):
            with suppress(ProcessLookupError):  # it may just have ended
                os.kill(child, signal.SIGSTOP)
                yield child
                yield from stopped_below(child)


@contextmanager
def held_up(service: Service) -> Iterator[None]:
    """Nothing is drawn within the block."""
    workers = list(stopped_below(service.process.pid))
    assert workers
    try:
        yield
    finally:
        for worker in workers:
            os.kill(worker, signal.SIGCONT)


def test_too_many_requests_are_sent_away_and_the_others_answered(service: Service) -> None:
    """One is drawn, and two may wait for the worker."""
    with ThreadPoolExecutor(3) as clients:
        with held_up(service):
            answers = [clients.submit(service.post, "glb", mesh()) for _ in range(3)]
            while httpx2.get(f"{service.url}/health").json()["busy"] < 3:
                time.sleep(0.02)
            refused = service.post("glb", mesh())
        assert (refused.status_code, bool(refused.headers["Retry-After"])) == (503, True)
        assert [answer.result().status_code for answer in answers] == [200] * 3
    assert service.post("glb", mesh()).status_code == 200


def test_a_stop_waits_for_the_picture_under_way() -> None:
    service = Service()
    with ThreadPoolExecutor(1) as client:
        answer = client.submit(service.post, "glb", mesh())
        for _ in range(1000):
            if httpx2.get(f"{service.url}/health").json()["busy"]:
                break
        service.process.terminate()
        assert answer.result().status_code == 200
    assert service.process.wait(30) in (0, -signal.SIGTERM)


def test_g26_it_listens_on_loopback_unless_told_otherwise(service: Service) -> None:
    port = int(service.url.rpartition(":")[2])
    rows = [
        line.split()
        for line in Path(f"/proc/{service.process.pid}/net/tcp").read_text().splitlines()[1:]
    ]
    listening = [
        row[1].split(":")[0]
        for row in rows
        if row[3] == "0A" and int(row[1].split(":")[1], 16) == port
    ]
    assert listening == ["0100007F"]


def test_g12_an_upload_that_drips_is_given_up(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render_service, "UPLOAD_SECONDS", 0.5)
    server = uvicorn.Server(uvicorn.Config(create_app(pool), port=0, lifespan="off", **SERVED))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.02)
        host, port = server.servers[0].sockets[0].getsockname()
        with socket.create_connection((host, port), 30) as connection:
            head = "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 1000000\r\n"
            head += "\r\n--x\r\n"
            connection.sendall(f"POST /render_glb HTTP/1.1\r\nHost: {host}\r\n{head}".encode())
            assert connection.recv(64).split()[1] == b"408"
    finally:
        server.should_exit = True
        thread.join()
