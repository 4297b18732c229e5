"""Every adapter ends too large an answer within its bound, as the infrastructure's fault."""

import ast
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.judgement import Question
from resources.builds import Builds
from resources.distance import DistanceService
from resources.judge import ServedJudge
from resources.object_store import Credentials, ObjectStore
from resources.providers.targon import Targon
from resources.providers.verda import Verda
from resources.renderer import RenderService
from simulators.strangers import ok, redirect, stranger

ROOT = Path(__file__).resolve().parents[2]
MEBIBYTE = b" " * 2**20
ENDLESS = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nETag: "x"\r\n\r\n'


def judged(url: str) -> None:
    with closing(ServedJudge(url, "key", "model", retries=0)) as judge:
        judge.ask(Question("p", "a", "b", 0))


def measured(url: str) -> None:
    with closing(DistanceService(url)) as distance:
        distance.measure("a", "b")


def drawn(url: str) -> None:
    with closing(RenderService(url)) as renderer:
        renderer.render(Path(__file__), "glb")


def stored(url: str) -> None:
    store = ObjectStore(url, "bucket", "http://cdn.invalid", credentials=Credentials("i", "s"))
    store.get("a/b.png")


ADAPTERS: dict[str, Callable[[str], object]] = {
    "judge": judged,
    "distance": measured,
    "renderer": drawn,
    "GitHub": lambda url: Builds("owner/name", api=url).workflow_run(0),
    "Targon": lambda url: Targon("key", url).pods(),
    "Verda": lambda url: Verda("id", "secret", "token", url).pods(),
    "store, an object": stored,
    "store, an error": stored,
}
MOST = 64 * 2**20
"""Of what any of them reads: an object of the store's."""


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_g12_an_answer_without_end_is_left_at_its_bound(adapter: str) -> None:
    sent = 0

    def behaviour(_path: str) -> Iterator[bytes]:
        nonlocal sent
        yield ENDLESS.replace(b"200", b"403") if "error" in adapter else ENDLESS
        for _piece in range(1024):
            sent += len(MEBIBYTE)
            yield MEBIBYTE

    with stranger(behaviour) as server, pytest.raises(InfrastructureFault):
        ADAPTERS[adapter](server.url)
    assert 0 < sent < MOST + 2**25


@pytest.mark.parametrize("adapter", [name for name in ADAPTERS if not name.startswith("store")])
def test_g26_no_redirect_of_a_service_is_followed(adapter: str) -> None:
    with (
        stranger(lambda _: [ok(b"{}")]) as inside,
        stranger(lambda _: [redirect(inside.url)]) as server,
        pytest.raises(InfrastructureFault),
    ):
        ADAPTERS[adapter](server.url)
    assert server.requests
    assert not inside.requests


def test_no_other_module_makes_an_http_client_of_its_own() -> None:
    """Whoever adds one has it bounded, or says here what bounds it."""
    bounded_otherwise = {
        "gpu/bounded_http.py": "the bounds themselves",
        "resources/container.py": "tests/resources/regeneration/test_container.py",
        "resources/providers/sdk_answers.py": "above",
    }
    makers = {"Client", "AsyncClient", "get", "post", "request", "stream", "urlopen", "Session"}
    found = {
        str(path.relative_to(ROOT))
        for room in ("gen404_assets", "gpu", "resources", "sensors")
        for path in (ROOT / room).rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        and isinstance(node := call.func, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in {"httpx2", "requests", "aiohttp", "httpcore2"}
        and node.attr in makers | {"ClientSession", "ConnectionPool"}
    }
    downloads = {"resources/downloads.py"}  # tests/resources/storage/test_downloads.py
    assert found <= bounded_otherwise.keys() | downloads
