"""A worker process: it draws the files whose descriptors come over its socket, one at a time, until
the socket ends.

To a file's kind and descriptor it answers one letter and a length, and that many bytes: `P`, a PNG;
`R`, the reason why there is none; `D`, why this machine can't draw such files now. Anything else
that goes wrong ends the process.
"""

import gc
import json
import os
import socket
import struct
import sys

from gpu.workers import sandbox

FILE_BYTES = 200 * 2**20
HEAD = struct.Struct("<cI")


def main() -> None:
    """Get ready, enter the sandbox, report that it is ready, and draw."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    namespace = sandbox.leave_network()

    from gpu.faults import Refused, RendererDown  # noqa: PLC0415 - a process that has threads can't leave
    from gpu.formats import KINDS  # noqa: PLC0415
    from gpu.workers.rendering import Rendering  # noqa: PLC0415

    rendering = Rendering()
    rendering.warm_up()
    cuda, gl = rendering.cuda, rendering.meshes.device
    gpu = cuda is not None or rendering.splats_fault is not None
    hardware = gpu or "llvmpipe" not in gl  # its driver may open device files whenever it likes
    with open(os.devnull, "wb") as nothing:  # noqa: PTH123
        os.dup2(nothing.fileno(), 2)
    gc.collect()
    sandbox.limit(hardware=hardware)
    sandbox.refuse_calls(opening=hardware)
    ready = {
        "gl": gl,
        "cuda": cuda,
        "splats_fault": rendering.splats_fault,
        "network_namespace": namespace,
        "files_closed": not hardware,
    }
    _answer(channel, b"P", json.dumps(ready).encode())
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
        if not message:
            return
        sandbox.limit_time()
        try:
            answer = b"P", rendering.render(KINDS[message[0]], memoryview(_content(descriptors[0])))
        except Refused as refusal:
            answer = b"R", str(refusal).encode()
        except RendererDown as down:
            answer = b"D", str(down).encode()
        except MemoryError:
            answer = (
                b"R",
                f"it takes more than {sandbox.MEMORY // 2**20:,} MiB of memory to show the "
                "file".encode(),
            )
        _answer(channel, *answer)


def _content(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb") as file:
        return file.read(FILE_BYTES + 1)


def _answer(channel: socket.socket, letter: bytes, content: bytes) -> None:
    with os.fdopen(channel.fileno(), "wb", closefd=False) as stream:
        stream.write(HEAD.pack(letter, len(content)) + content)


if __name__ == "__main__":
    main()
