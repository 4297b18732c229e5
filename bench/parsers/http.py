"""The readers of what CDNs, containers and GitHub answer."""

import asyncio
import json
import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from bench import mutations
from bench.parsers.parser import Parser, Seed, named, scratch, text_seeds


def _urls() -> Callable[[str, bytes], object]:
    from gen404_assets.competition.commitments import is_cdn_url
    from resources.downloads import Downloads

    def nobody(_: str) -> list[str]:
        raise OSError("no such host")

    downloads, to = Downloads(resolve=nobody), scratch() / "file"

    def parse(_: str, data: bytes) -> object:
        url = data.decode(errors="surrogateescape")
        is_cdn_url(url)
        return downloads.download(url, to)

    return parse


def _downloads() -> Callable[[str, bytes], object]:
    from resources.downloads import Downloads

    server, to = _Server(), scratch() / "file"
    downloads = Downloads(private=True, limit=1 << 20, timeout=3, resolve=_here)

    def parse(_: str, data: bytes) -> object:
        server.answer = lambda _path: data
        return downloads.download(f"{server.url}/chair.glb", to)

    return parse


def _here(host: str) -> list[str]:
    if host == "127.0.0.1":
        return [host]
    raise OSError("no such host")


def _containers() -> Callable[[str, bytes], object]:
    from resources.container import Container

    server, to, runner = _Server(), scratch() / "file", asyncio.Runner()
    container = Container(server.url, limit=1 << 20)

    async def ask() -> int:
        await container.healthy()
        async with container.generate(b"picture", 7, seconds=1) as generated:
            return await generated.save(to)

    def parse(_: str, data: bytes) -> object:
        server.answer = lambda _path: data
        return runner.run(ask())

    return parse


def _http_seeds() -> list[Seed]:
    import gzip

    body = b"glTF" + bytes(range(64))
    heads = [
        [
            "HTTP/1.1 200 OK",
            "Content-Length: 68",
            "Content-Type: application/octet-stream",
            "Date: x",
            "ETag: W/1",
        ],
        [
            "HTTP/1.1 200 OK",
            "Connection: close",
            "Content-Encoding: aws-chunked",
            "Set-Cookie: a=b; Path=/",
        ],
        ["HTTP/1.1 206 Partial Content", "Content-Length: 68", "Content-Range: bytes 0-67/68"],
        ["HTTP/1.1 302 Found", "Location: /elsewhere?x=1", "Content-Length: 0"],
        [
            "HTTP/1.1 503 Busy",
            "Retry-After: 2",
            "Content-Length: 0",
            "Date: Wed, 21 Oct 2026 07:28:00 GMT",
        ],
        ["HTTP/1.1 429 Slow", "Retry-After: Wed, 21 Oct 2026 07:28:00 GMT", "Content-Length: 0"],
    ]
    answers = ["\r\n".join([*head, "", ""]).encode() + body for head in heads]
    chunked = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n44\r\n"
        + body
        + b"\r\n0\r\nX: y\r\n\r\n"
    )
    squeezed = gzip.compress(body)
    zipped = (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(squeezed)
        + squeezed
    )
    return named([*answers, chunked, zipped])


def _github() -> Callable[[str, bytes], object]:
    import certifi

    from resources.builds import Builds

    server, roots = _Server(), scratch() / "roots.pem"
    end = "-----END CERTIFICATE-----"
    roots.write_text(Path(certifi.where()).read_text().partition(end)[0] + end)
    os.environ["SSL_CERT_FILE"] = str(
        roots
    )  # each client would load all of them, which takes longer than the rest

    def parse(_: str, data: bytes) -> object:
        try:
            document = json.loads(data)
            parts = {key: json.dumps(document[key]).encode() for key in ("commits", "runs", "jobs")}
        except (ValueError, LookupError, TypeError, RecursionError):
            parts = {}

        def answer(path: str) -> bytes:
            body = next((part for key, part in parts.items() if f"/{key}?" in path), data)
            return (
                b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
                + body
            )

        server.answer = answer
        return Builds("owner/competition", api=server.url).workflow_run(1)

    return parse


def _github_seeds() -> list[Seed]:
    from simulators.examples import COMMIT, MINERS

    name = "Bake and push images to Google Cloud"
    jobs = [
        {
            "id": number,
            "name": f"{name} ({hotkey})",
            "status": "completed",
            "conclusion": "success",
            "run_attempt": 1,
        }
        for number, hotkey in enumerate(MINERS[:3])
    ]
    run = {"id": 7, "head_sha": COMMIT, "status": "completed", "conclusion": None, "run_attempt": 1}
    document = {
        "commits": [
            {"sha": COMMIT, "commit": {"message": "Seed, prompts and submissions for round 1"}}
        ],
        "runs": {"total_count": 1, "workflow_runs": [run | {"created_at": "2026-01-05T00:00:00Z"}]},
        "jobs": {"total_count": 3, "jobs": jobs},
    }
    return named([json.dumps(document).encode()])


@dataclass
class _Server:
    """A web server on loopback that answers every request with the bytes that `answer` gives for
    its path."""

    answer: Callable[[str], bytes] = lambda _: b""
    url: str = field(init=False)

    def __post_init__(self) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        threading.Thread(target=self._serve, args=(listener,), daemon=True).start()

    def _serve(self, listener: socket.socket) -> None:
        while True:
            threading.Thread(target=self._one, args=(listener.accept()[0],), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        with suppress(OSError, IndexError), connection:
            connection.settimeout(5)
            path = connection.recv(65536).split()[1].decode(errors="replace")
            connection.sendall(self.answer(path))
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass


_URLS = text_seeds(
    "https://cdn.example/a/chair.glb",
    "http://[2606:4700::1]:8080/x?y=1#z",
    "https://xn--nxasmq6b.example./",
)

PARSERS = {
    "cdn-url": Parser(_urls, _URLS, mutations.lines_of, ("MinerFault",)),
    "cdn-answer": Parser(_downloads, _http_seeds, mutations.lines_of, ("MinerFault",)),
    "container-answer": Parser(_containers, _http_seeds, mutations.lines_of, ("MinerFault",)),
    "github": Parser(_github, _github_seeds, mutations.json_of, ("InfrastructureFault",)),
}
