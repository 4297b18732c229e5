"""What judge, renderer, distance model, miners and the prompts' host answer: always the same to the
same question.
"""

import hashlib
import io
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from PIL import Image

from gen404_assets.competition.judgement import PROMPT_VERSION, Digests, answer_key, asked
from simulators.examples import MINERS
from simulators.torture.front import Request, Response

MODEL = "torture-judge"
FOUNDER = MINERS[-1]
CHEAT, FINE = MINERS[:2]
PENALTIES = {CHEAT: 0, FINE: 3, "leader": 7}
"""The judge's mean penalty for what each submits, or, for the leader, makes."""

UNSHOWABLE = "b"
"""The prompt of which FINE submits a file that can't be shown."""

_LATER_ATTEMPT = re.compile(r"(/generated/[a-z]+)-\d+(\.(?:glb|png))")

_LOOPS_IN = 16
"""The judge gives no usable answer to one question in so many."""


class Judge:
    """An OpenAI-compatible judge that records what it is asked; `kept` has an object of the store,
    past every disturbance.

    `asked` counts questions by the key of their answer; `asked_again` has those that were asked
    although the store had their answer.
    """

    def __init__(self, kept: Callable[[str], bytes | None]) -> None:
        self.asked: Counter[str] = Counter()
        self.asked_again: list[str] = []
        self._kept = kept
        self._digests: dict[str, str] = {}
        self._lock = threading.Lock()

    def reset(self) -> None:
        """Forget what was asked."""
        self.asked.clear()
        self.asked_again.clear()
        self._digests.clear()

    def answer(self, request: Request) -> Response:
        body = request.json
        parts = [part for message in body["messages"] for part in _parts(message)]
        prompt, first, second = (
            part["image_url"]["url"] for part in parts if part["type"] == "image_url"
        )
        paths = [first_name(urlsplit(url).path) for url in (prompt, first, second)]
        seed, temperature = body.get("seed"), body.get("temperature")
        number = _number(*paths, seed, temperature)
        if "/canaries/" in first:
            penalties = [10 if "/noise-" in url else 0 for url in (first, second)]
            return _completion(penalties)
        self._note([urlsplit(url).path for url in (prompt, first, second)], seed, temperature)
        if number % _LOOPS_IN == 0:
            return _completion([], ended="length")
        return _completion([_penalty(path) for path in paths[1:]])

    def _note(self, paths: list[str], seed: int, temperature: float | None) -> None:
        """Record a question, and whether its answer is in the store already."""
        attempt = round(10 * (temperature or 0))
        prompt, first, second = map(self._digest, paths)
        key = answer_key(
            asked(MODEL, PROMPT_VERSION, seed - attempt, Digests(prompt, first, second), attempt)
        )
        with self._lock:
            self.asked[key] += 1
        if self._kept(key) is not None:
            self.asked_again.append(key)

    def _digest(self, path: str) -> str:
        if path not in self._digests:
            content = self._kept(path.removeprefix("/404-gen/")) or b""
            self._digests[path] = hashlib.sha256(content).hexdigest()
        return self._digests[path]


class Renderer:
    """The render service: a picture of one colour, which the file decides."""

    def __init__(self) -> None:
        self._pictures: dict[bytes, bytes] = {}
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Response:
        content = first_file(request.body)
        if content.startswith(b"unshowable"):
            return Response.in_json({"detail": "no mesh in it"}, 400)
        with self._lock:
            if content not in self._pictures:
                self._pictures[content] = _grid(content)
        return Response(200, self._pictures[content], [("Content-Type", "image/png")])


def first_name(text: str) -> str:
    """A text in which the results of all attempts of a pod at a prompt have the name of the first:
    `generated/{stem}.png` for `generated/{stem}-2.png`. An attempt that was cut off has a number.
    """
    return _LATER_ATTEMPT.sub(r"\1\2", text)


def measured(request: Request) -> Response:
    if request.method == "GET":
        return Response.in_json({"status": "ok", "model": "torture-distance"})
    honest = f"/{CHEAT}/" not in request.json["url_b"]
    return Response.in_json({"distance": 0.01 if honest else 0.6, "error": None})


def served(request: Request) -> Response:
    """A miner's CDN: `/{hotkey}/{stem}.glb`."""
    _, hotkey, name = urlsplit(request.path).path.split("/")
    bad = hotkey == FINE and name == f"{UNSHOWABLE}.glb"
    word = "unshowable" if bad else "model"
    return Response(200, f"{word} by {hotkey} of {name}".encode())


def prompt_picture(request: Request) -> Response:
    picture = io.BytesIO()
    colour = f"#{_number(request.path) % 0xFFFFFF:06x}"
    Image.new("RGB", (64, 64), colour).save(picture, "PNG")
    return Response(200, picture.getvalue(), [("Content-Type", "image/png")])


def _parts(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    content = message["content"]
    return [] if isinstance(content, str) else content


def _number(*parts: Any) -> int:
    text = "|".join(map(str, parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def _penalty(path: str) -> int:
    owner = path.split("/")[4]
    return min(10, max(0, PENALTIES[owner] + _number(path) % 3 - 1))


def _completion(penalties: list[int], ended: str = "stop") -> Response:
    judged = {f"penalty_{number}": each for number, each in enumerate(penalties, 1)}
    text = json.dumps(judged | {"issues": "colours"}) if penalties else "{" + " " * 400
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": ended}
    content = {"id": "1", "object": "chat.completion", "created": 0, "model": MODEL}
    return Response.in_json(content | {"choices": [choice]})


def first_file(body: bytes) -> bytes:
    """The first file of a multipart request."""
    return body.partition(b"\r\n\r\n")[2].partition(b"\r\n--")[0]


def _grid(content: bytes) -> bytes:
    picture = io.BytesIO()
    colour = f"#{hashlib.sha256(content).hexdigest()[:6]}"
    Image.new("RGB", (1041, 1041), colour).save(picture, "PNG", compress_level=1)
    return picture.getvalue()
