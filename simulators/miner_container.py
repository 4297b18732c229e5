"""A miner's container for tests, light to start: what it does is told as JSON in its first
argument.

`warm`, `slow`, `body`: seconds before it is healthy, before it answers, and between the answer's
headers and its body. `spoils`: prompts that fail. `dies`: a prompt at which it ends. `health`: the
status of its health, in place of 200. `refuses`: the status of each answer to a prompt, in place
of 200. `authorized`: a file that gets the header Authorization of each request. A picture is the
prompt's stem; the file made of it is `{stem} {seed} {made}`, where `made` is a word of its own.
`log`: a file that gets a line for each prompt asked for: stem, port, and the seconds since its
start.
"""

import http.server
import json
import os
import re
import sys
import threading
import time
from email.message import Message

BEHAVIOUR = json.loads(sys.argv[1])
PORT = int(sys.argv[sys.argv.index("--port") + 1])
BORN = time.monotonic()
WORKING = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.note_authorization()
        warm = time.monotonic() - BORN >= BEHAVIOUR.get("warm", 0)
        self.answer(BEHAVIOUR.get("health", 200) if warm else 503, b"")

    def do_POST(self) -> None:
        self.note_authorization()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if "refuses" in BEHAVIOUR:
            self.answer(BEHAVIOUR["refuses"], b"")
            return
        stem, seed = fields(self.headers, body)
        if "log" in BEHAVIOUR:
            with open(BEHAVIOUR["log"], "a") as log:  # noqa: PTH123 -- light to start
                log.write(f"{stem} {PORT} {time.monotonic() - BORN}\n")
        with WORKING:
            time.sleep(BEHAVIOUR.get("slow", 0))
            if stem == BEHAVIOUR.get("dies"):
                os._exit(1)
            spoilt = stem in BEHAVIOUR.get("spoils", ())
            body = b"" if spoilt else f"{stem} {seed} {BEHAVIOUR.get('made', 'well')}".encode()
            self.send_response(500 if spoilt else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
        time.sleep(BEHAVIOUR.get("body", 0))
        self.wfile.write(body)

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def note_authorization(self) -> None:
        if "authorized" in BEHAVIOUR:
            with open(BEHAVIOUR["authorized"], "a") as log:  # noqa: PTH123 -- light to start
                log.write(f"{self.headers['Authorization']}\n")

    def log_message(self, *_: object) -> None:
        pass


def fields(headers: Message, body: bytes) -> tuple[str, str]:
    """The picture and the seed of a multipart request."""
    values: dict[str, str] = {}
    boundary = re.search("boundary=(.+)", headers["Content-Type"])
    assert boundary
    for part in body.split(b"--" + boundary[1].encode())[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        name = re.search(rb' name="([^"]+)"', head)
        assert name
        values[name[1].decode()] = content.removesuffix(b"\r\n").decode()
    return values["prompt_image_file"], values["seed"]


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
