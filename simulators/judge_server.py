"""An OpenAI-compatible server on loopback that answers as it is told to, rightly or wrongly.

How others than OpenAI answer is taken from reports on them: vLLM loops into white space until
`length` with a JSON schema (its issues 8350, 13260, 38696), ends with `abort` and status 200 when
its engine stops (57082), and moves an answer that a schema enforced to `reasoning_content` (15618),
as LM Studio does (its issues 1698, 1773); text-generation-inference ends with `eos_token` (its
2344), Together with `eos`; Azure's OpenAI service answers 400 with the code `content_filter` where
it does not like what it was shown.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "zai-org/GLM-4.1V-9B-Thinking"

Reply = Callable[[BaseHTTPRequestHandler, dict[str, Any]], None]


def verdict(first: int, second: int, issues: str = "none") -> str:
    return json.dumps({"penalty_1": first, "penalty_2": second, "issues": issues})


def completion(content: Any, finish: str | None = "stop", **message: Any) -> dict[str, Any]:
    choice = {
        "index": 0,
        "finish_reason": finish,
        "message": {"role": "assistant", "content": content, **message},
    }
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": MODEL,
        "choices": [choice],
    }


def says(content: Any, finish: str | None = "stop", **message: Any) -> Reply:
    return sends(json.dumps(completion(content, finish, **message)))


def sends(body: str, status: int = 200, **headers: str) -> Reply:
    def reply(handler: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
        handler.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body.encode())))
        handler.end_headers()
        handler.wfile.write(body.encode())

    return reply


def loops() -> Reply:
    """White space until the limit of tokens."""
    return says('{"penalty_1": 3,' + " " * 3000, "length")


def filters() -> Reply:
    """What was shown is against the policy of the server."""
    inner = {
        "code": "ResponsibleAIPolicyViolation",
        "content_filter_result": {"violence": {"filtered": True}},
    }
    error = {
        "code": "content_filter",
        "message": "The response was filtered",
        "status": 400,
        "innererror": inner,
    }
    return sends(json.dumps({"error": error}), 400)


def fails(status: int) -> Reply:
    return sends(json.dumps({"error": {"message": "out of order"}}), status, retry_after_ms="1")


def hangs_up(handler: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
    handler.close_connection = True


def drips(handler: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
    """A byte now and then, each in time, and no end."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    for _byte in range(200):
        handler.wfile.write(b" ")
        time.sleep(0.05)


class JudgeServer:
    """Gives the replies in turn, the last one again and again; keeps the requests it got."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.url = ""
        self._lock = threading.Lock()

    def reply(self, handler: BaseHTTPRequestHandler) -> None:
        request = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        with self._lock:
            self.requests.append(request)
            self.keys.append(handler.headers["Authorization"])
            reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        reply(handler, request)


@contextmanager
def judge_server(*replies: Reply) -> Iterator[JudgeServer]:
    server = JudgeServer(*replies)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            try:
                server.reply(self)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Nothing on standard error."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        listening.daemon_threads = True
        listening.block_on_close = False
        server.url = f"http://127.0.0.1:{listening.server_port}/v1"
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        listening.shutdown()
        thread.join()
