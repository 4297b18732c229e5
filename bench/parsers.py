"""Every parser of foreign bytes: by which function it is called, with what, and what it may answer.

A parser's right outcome is a value or one of its declared refusals; `bench.hostile` looks for
any other. One more is a line in `PARSERS`, and a renamed one a line where it is imported. Seeds
are made here, and taken from `../shared` where that is there.
"""

import asyncio
import json
import os
import socket
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from bench import mutations
from bench.mutations import Mutate

SHARED = Path(__file__).resolve().parents[2] / "shared"

Seed = tuple[str, bytes]
"""The kind of an input, where a parser takes several (a state file's class), and the input."""


@dataclass(frozen=True)
class Parser:
    """`load` imports it and returns the function from (kind, input) to a value; `memory` (MiB)
    and `seconds` (of CPU time) are what one input may take. Seeds are small; `refusals` names
    the exceptions of a refusal."""

    load: Callable[[], Callable[[str, bytes], object]]
    seeds: Callable[[], Sequence[Seed]]
    mutate: Mutate
    refusals: Sequence[str] = ()
    memory: int = 256
    seconds: float = 5.0


def _named(inputs: Sequence[bytes]) -> list[Seed]:
    return [("", data) for data in inputs]


def _shared(pattern: str, most: int = 200_000) -> list[bytes]:
    files = sorted(SHARED.glob(pattern))
    return [file.read_bytes() for file in files if file.stat().st_size <= most]


def _scratch() -> Path:
    """A folder for what parsers write, in memory where there is such a place."""
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="hostile-", dir=memory if memory.is_dir() else None))


@cache
def _cases() -> Path:
    """The folder of `../shared/cases` inputs, made; empty where they aren't there."""
    folder = Path(tempfile.mkdtemp(prefix="hostile-cases-"))
    script = SHARED / "cases" / "make_cases.py"
    if script.exists():
        names: dict[str, Any] = {"__name__": "make_cases"}
        exec(compile(script.read_text(), str(script), "exec"), names)
        names["main"](folder)
    return folder


def _case_files(pattern: str) -> list[bytes]:
    return [
        file.read_bytes()
        for file in sorted(_cases().glob(pattern))
        if file.stat().st_size <= 200_000
    ]


def _commitments() -> Callable[[str, bytes], object]:
    from gen404_assets.competition.commitments import read_submissions
    from gen404_assets.competition.schedule import Schedule
    from gen404_assets.competition.submissions import Submissions
    from resources.chain.subtensor import revealed_text
    from simulators.examples import MINER

    schedule = Schedule(
        earliest_reveal_block=0, latest_reveal_block=10, generation_deadline_block=20
    )

    def parse(_: str, data: bytes) -> object:
        text = revealed_text(data)
        submissions = read_submissions(
            {MINER: [(1, text)], text[:60]: [(2, text)]}, schedule, "mesh-1"
        ).submissions
        assert Submissions.parse(submissions.to_bytes(), "written") == submissions
        return submissions

    return parse


def _commitment_seeds() -> list[Seed]:
    miner = {
        "repo": "owner/model",
        "commit": "0123456789abcdef" * 2 + "01234567",
        "cdn_url": "https://cdn.example/a",
    }
    return _named([json.dumps(miner).encode(), str(miner).encode(), *_case_files("commitments/*")])


def _answers() -> Callable[[str, bytes], object]:
    from resources.completion import reply_of

    def parse(_: str, data: bytes) -> object:
        answer = reply_of(data.decode(errors="replace")).answer()
        assert 0 <= answer.penalty_1 <= 10
        assert 0 <= answer.penalty_2 <= 10
        answer.issues.encode()
        return answer

    return parse


def _answer_seeds() -> list[Seed]:
    verdict = json.dumps({"penalty_1": 3, "penalty_2": 5, "issues": "the legs are missing"})
    texts = [
        verdict,
        f"<think>hm {{</think>\n```json\n{verdict}\n```",
        f"<|begin_of_box|>{verdict}<|end_of_box|>",
    ]
    bodies = [
        {
            "id": "1",
            "model": "m",
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"content": text}}],
        }
        for text in texts
    ]
    return _named([json.dumps(body).encode() for body in bodies])


def _meshes() -> Callable[[str, bytes], object]:
    from gpu.meshes.mesh import read_mesh

    return lambda _, data: read_mesh(memoryview(data))


def _mesh_seeds() -> list[Seed]:
    from gpu.workers.warmup import textured
    from simulators.files_3d import mesh, picture, png_of
    from simulators.hostile_files.pictures import compression

    made = [
        mesh(),
        mesh(node={"scale": [0.5, 1, 1]}),
        textured(png_of(8, 8)),
        textured(picture(16, 16)),
    ]
    made += [content for _, (_, content, _) in compression()]
    return _named([*made, *_case_files("glb/*"), *_shared("models/*.glb", 60_000)])


def _splats() -> Callable[[str, bytes], object]:
    from gpu.splats.ply import read_splats

    return lambda _, data: read_splats(memoryview(data))


def _splat_seeds() -> list[Seed]:
    from gpu.workers.warmup import ply
    from simulators.files_3d import gaussians

    return _named([ply(gaussians(8)), ply(gaussians(40)), *_case_files("ply/*")])


def _textures() -> Callable[[str, bytes], object]:
    from gpu.meshes.textures import decode, pixels

    def parse(_: str, data: bytes) -> object:
        size = pixels(memoryview(data))
        if size > 4_000_000:
            return None  # as many as that are decoded in the tests; here they would only take time
        return decode(memoryview(data))

    return parse


def _texture_seeds() -> list[Seed]:
    import io

    import numpy as np
    from PIL import Image

    noise = np.random.default_rng(0).integers(0, 255, (9, 7, 4), np.uint8)
    files = []
    kinds = [(mode, "PNG") for mode in ("RGBA", "RGB", "L", "P", "1", "LA", "I;16")]
    kinds += [("RGB", "JPEG"), ("L", "JPEG"), ("RGB", "WEBP"), ("RGBA", "WEBP")]
    for mode, form in kinds:
        file = io.BytesIO()
        picture = Image.fromarray(noise)
        sixteen = mode == "I;16"
        picture = (
            Image.fromarray(noise[..., 0].astype(np.uint16) * 250)
            if sixteen
            else picture.convert(mode)
        )
        picture.save(file, form)
        files.append(file.getvalue())
    return _named(files)


def _state_files() -> Callable[[str, bytes], object]:
    from simulators.examples import FILES

    kinds = {kind.__name__: kind for kind, _ in FILES}

    def parse(name: str, data: bytes) -> object:
        kind = kinds[name]
        state_file = kind.parse(data, "a file")
        assert kind.parse(state_file.to_bytes(), "written").says_the_same(state_file)
        state_file.to_bytes(replacing=data)
        return state_file

    return parse


def _state_seeds() -> list[Seed]:
    from simulators.examples import FILES

    return [(kind.__name__, raw) for kind, raw in FILES]


def _matrices() -> Callable[[str, bytes], object]:
    from gen404_assets.competition.matches import Matrix

    def parse(_: str, data: bytes) -> object:
        matrix = Matrix.parse(data, "matches_matrix.csv")
        assert Matrix.parse(matrix.to_bytes(), "written").matches == matrix.matches
        return matrix

    return parse


def _prompts() -> Callable[[str, bytes], object]:
    from gen404_assets.competition.prompts import parse_prompts, prompts_bytes, usable

    def parse(_: str, data: bytes) -> object:
        kept, skipped = usable(parse_prompts(data, "prompts.txt"))
        assert parse_prompts(prompts_bytes(kept), "written") == kept
        return kept, skipped

    return parse


def _urls() -> Callable[[str, bytes], object]:
    from gen404_assets.competition.commitments import is_cdn_url
    from resources.downloads import Downloads

    def nobody(_: str) -> list[str]:
        raise OSError("no such host")

    downloads, to = Downloads(resolve=nobody), _scratch() / "file"

    def parse(_: str, data: bytes) -> object:
        url = data.decode(errors="surrogateescape")
        is_cdn_url(url)
        return downloads.download(url, to)

    return parse


def _downloads() -> Callable[[str, bytes], object]:
    from resources.downloads import Downloads

    server, to = _Server(), _scratch() / "file"
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

    server, to, runner = _Server(), _scratch() / "file", asyncio.Runner()
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
    return _named([*answers, chunked, zipped])


def _github() -> Callable[[str, bytes], object]:
    import certifi

    from resources.builds import Builds

    server, roots = _Server(), _scratch() / "roots.pem"
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
    return _named([json.dumps(document).encode()])


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


def _text_seeds(*texts: str) -> Callable[[], list[Seed]]:
    return lambda: _named([text.encode() for text in texts])


_URLS = _text_seeds(
    "https://cdn.example/a/chair.glb",
    "http://[2606:4700::1]:8080/x?y=1#z",
    "https://xn--nxasmq6b.example./",
)
_MATRIX = _text_seeds(
    "left,right,margin\nleader,5abc,0.25\n5abc,5def,-1.0\n",
    "left,right,margin\r\nleader,5abc,1e-05",
)
_POOL = _text_seeds(
    "https://pool.example/a.png\nhttps://pool.example/b.c.png\n\nhttps://pool.example/a.png\n# no\n"
)
_FILE = ("Refused", "MemoryError")  # what a worker answers with a reason

PARSERS = {
    "commitment": Parser(_commitments, _commitment_seeds, mutations.json_of),
    "answer": Parser(_answers, _answer_seeds, mutations.answer_of, ("NotJudged",)),
    "glb": Parser(_meshes, _mesh_seeds, mutations.glb_of, _FILE, memory=3072),
    "ply": Parser(_splats, _splat_seeds, mutations.lines_of, _FILE, memory=3072),
    "texture": Parser(_textures, _texture_seeds, mutations.png_of, _FILE, memory=3072),
    "state-file": Parser(_state_files, _state_seeds, mutations.json_of, ("MalformedFile",)),
    "matrix": Parser(_matrices, _MATRIX, mutations.lines_of, ("MalformedFile",)),
    "prompts": Parser(_prompts, _POOL, mutations.lines_of, ("MalformedFile",)),
    "cdn-url": Parser(_urls, _URLS, mutations.lines_of, ("MinerFault",)),
    "cdn-answer": Parser(_downloads, _http_seeds, mutations.lines_of, ("MinerFault",)),
    "container-answer": Parser(_containers, _http_seeds, mutations.lines_of, ("MinerFault",)),
    "github": Parser(_github, _github_seeds, mutations.json_of, ("InfrastructureFault",)),
}
