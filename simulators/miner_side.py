"""What a miner has at hand before a round: a CDN, a container, and a render service to draw with.

CDN and container speak what `docs/specification/interfaces.md` says of them; the render service is
that page's, and what it draws of a file is a picture of its first bytes.
"""

import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from http.server import ThreadingHTTPServer

from PIL import Image

from gpu.remarks import with_remarks
from simulators.serving import QuietHandler, serving

GRID = 1041


def preview(content: bytes) -> bytes:
    """A grid whose squares differ for other content."""
    digest = hashlib.sha256(content).digest()
    small = Image.frombytes("RGB", (3, 3), digest[:27])
    buffer = io.BytesIO()
    small.resize((GRID, GRID), Image.Resampling.NEAREST).save(buffer, "PNG")
    return buffer.getvalue()


def parts(headers: Message, body: bytes) -> dict[str, bytes]:
    """The fields of a multipart request."""
    head = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
    message = message_from_bytes(head + body)
    return {
        str(part.get_param("name", header="content-disposition")): bytes(
            part.get_payload(decode=True)
        )
        for part in message.walk()
        if not part.is_multipart()
    }


@contextmanager
def render_service() -> Iterator[str]:
    """A file that begins with `bad` is refused with what follows; one that begins with `odd` is
    drawn, and what follows was tolerated.
    """

    class Handler(QuietHandler):
        def do_POST(self) -> None:  # noqa: N802 -- as the base class calls it
            body = self.rfile.read(int(self.headers["Content-Length"]))
            content = parts(self.headers, body)["file"]
            if content.startswith(b"bad "):
                detail = json.dumps({"detail": content[4:].decode()}).encode()
                self.send(400, detail, "application/json")
            else:
                remarks = [content[4:].decode()] if content.startswith(b"odd ") else []
                self.send(200, with_remarks(preview(content), remarks), "image/png")

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as url:
        yield url


@contextmanager
def cdn(files: Mapping[str, bytes | int]) -> Iterator[str]:
    """A CDN that serves `files` by path, or answers with a status; anything else is a 404."""

    class Handler(QuietHandler):
        def do_GET(self) -> None:  # noqa: N802 -- as the base class calls it
            answer = files.get(self.path, 404)
            if isinstance(answer, int):
                self.send(answer, b"")
            else:
                self.send(200, answer)

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as url:
        yield url


@dataclass
class ContainerBehaviour:
    """How a container behaves. `unready`: looks at its health that fail first. `random`: whether it
    ignores the seed. `status`: of its answers to prompts. `encoding`: a Content-Encoding it names.
    """

    unready: int = 0
    random: bool = False
    status: int = 200
    encoding: str | None = None
    content_type: str = "application/octet-stream"
    asked: list[tuple[bytes, int]] = field(default_factory=list)
    """Picture and seed of each request."""


@contextmanager
def container(behaviour: ContainerBehaviour) -> Iterator[str]:
    """A miner's container."""

    class Handler(QuietHandler):
        def do_GET(self) -> None:  # noqa: N802 -- as the base class calls it
            behaviour.unready -= 1
            self.send(200 if behaviour.unready < 0 else 503, b"")

        def do_POST(self) -> None:  # noqa: N802 -- as the base class calls it
            fields = parts(self.headers, self.rfile.read(int(self.headers["Content-Length"])))
            seed = int(fields["seed"])
            behaviour.asked.append((fields["prompt_image_file"], seed))
            made = f"{len(behaviour.asked) if behaviour.random else 0} {seed}".encode()
            self.send_response(behaviour.status)
            self.send_header("Content-Type", behaviour.content_type)
            if behaviour.encoding:
                self.send_header("Content-Encoding", behaviour.encoding)
            self.send_header("Content-Length", str(len(made)))
            self.end_headers()
            self.wfile.write(made)

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as url:
        yield url
