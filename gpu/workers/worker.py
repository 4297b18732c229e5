"""A worker: it draws the files whose descriptors come over its socket, one at a time, until the
socket ends.

To a file's kind and descriptor it answers a letter, a length, and that many bytes
(`gpu.workers.answers`). Anything that goes wrong and isn't foreseen is told as a bug.
"""

import os
import socket
import traceback
from pathlib import Path
from typing import Protocol

from gpu.faults import Refused, RendererDown
from gpu.formats import FILE_BYTES, KINDS
from gpu.workers import answers

_PART = 2**24  # bytes that are read at a time


class Draws(Protocol):
    """What draws: `gpu.workers.rendering.Rendering`."""

    def draw(self, kind: str, data: memoryview) -> tuple[bytes, str]:
        """The pixels of a file's grid, and remarks. Raises Refused and RendererDown."""


def serve(channel: socket.socket, drawing: Draws) -> None:
    """Draw what comes. This process is in its sandbox."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
        if not message:
            return
        letter, content = _drawn(drawing, KINDS[message[0]], descriptors[0])
        channel.sendall(answers.HEAD.pack(letter, len(content)) + content)


def _drawn(drawing: Draws, kind: str, descriptor: int) -> tuple[bytes, bytes]:
    try:
        pixels, remarks = drawing.draw(kind, memoryview(_content(descriptor)))
        return answers.PICTURE, pixels + remarks.encode()
    except Refused as refusal:
        return answers.REFUSED, _text(refusal)
    except RendererDown as down:
        return answers.DOWN, _text(down)
    except MemoryError:
        return answers.MEMORY, b""
    except Exception as bug:  # noqa: BLE001 - told to the pool, which logs it, with its place
        return answers.BUG, _place(bug)
    finally:
        os.close(descriptor)


def _text(error: Exception) -> bytes:
    return str(error).encode(errors="replace")[:1024]


def _place(bug: Exception) -> bytes:
    """The exception and where it was raised, the innermost lines first."""
    frames = [
        f"{Path(frame.f_code.co_filename).name}:{line}"
        for frame, line in traceback.walk_tb(bug.__traceback__)
    ]
    return f"{type(bug).__name__} at {' < '.join(frames[:-6:-1])}: {bug}".encode()[:1024]


def _content(descriptor: int) -> bytes:
    parts = []
    left = FILE_BYTES + 1
    while left and (part := os.read(descriptor, min(left, _PART))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
