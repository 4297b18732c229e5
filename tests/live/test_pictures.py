"""Copies of the prompts' pictures: what is a picture, from hosts that speak real HTTP, kept once
and for good.
"""

import io
import socket
import struct
import threading
import time
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.prompts import picture_key
from gen404_assets.live import copying, pictures
from gen404_assets.live.copying import copy_pictures
from gen404_assets.live.pictures import PromptPictures, picture_type
from gpu.unpacking import NoPicture
from resources.downloads import Downloads
from simulators.outside import SimulatedDownloads, SimulatedOutside, SimulatedStore, picture_of
from simulators.rounds import opened, work
from simulators.strangers import Stranger, ok, stranger

PAGE = b"<!DOCTYPE html><html><body>404 Not Found</body></html>"


def written(kind: str, mode: str = "RGB", **options: object) -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").resize((40, 30)).convert(mode).save(file, kind, **options)
    return file.getvalue()


# --- what is a picture


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (written("PNG"), "image/png"),
        (written("PNG", "RGBA"), "image/png"),
        (written("PNG", "L"), "image/png"),
        (written("PNG", "I;16"), "image/png"),
        (written("JPEG"), "image/jpeg"),
        (written("JPEG", "CMYK"), "image/jpeg"),
        (written("JPEG", progressive=True), "image/jpeg"),
        (written("MPO", save_all=True, append_images=[Image.new("RGB", (40, 30))]), "image/jpeg"),
        (written("WEBP"), "image/webp"),
        (written("GIF"), "image/gif"),
    ],
    ids=["png", "alpha", "grey", "16 bit", "jpeg", "cmyk", "progressive", "mpo", "webp", "gif"],
)
def test_pictures_that_judge_and_miners_can_read(content: bytes, content_type: str) -> None:
    assert picture_type(content) == content_type


def test_a_picture_that_carries_a_workflow_in_its_text_is_one() -> None:
    text_chunk = PngInfo()
    text_chunk.add_text("workflow", "x" * 2_000_000)
    assert picture_type(written("PNG", pnginfo=text_chunk)) == "image/png"


def png_of(width: int, height: int) -> bytes:
    """A PNG that says it is this large, and holds nearly nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        PAGE,
        b'{"error": "not found"}',
        written("PNG")[:-40],
        written("JPEG")[:400],
        written("WEBP")[:60],
        written("BMP"),
        written("TIFF"),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        png_of(9_000, 9_000),
        png_of(20_000, 20_000),
        png_of(2**31 - 1, 2**31 - 1),
        png_of(0, 0),
    ],
    ids=[
        *("empty", "page", "json", "torn png", "torn jpeg", "torn webp", "bmp", "tiff", "svg"),
        *("large", "larger", "bomb", "no pixels"),
    ],
)
def test_what_can_not_be_judged_is_no_picture(content: bytes) -> None:
    with pytest.raises(NoPicture):
        picture_type(content)


def test_a_picture_has_a_limit_of_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MAX_PICTURE_BYTES", len(written("PNG")))
    assert picture_type(written("PNG"))
    with pytest.raises(NoPicture, match="larger than"):
        picture_type(written("PNG") + b" ")


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([written(kind) for kind in ("PNG", "JPEG", "WEBP", "GIF")]),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=12),
)
def test_g10_whatever_bytes_a_host_serves_they_are_a_picture_or_none(
    content: bytes, changes: list[tuple[int, int]]
) -> None:
    changed = bytearray(content)
    for at, value in changes:
        changed[at % len(changed)] = value
    try:
        assert picture_type(bytes(changed)).startswith("image/")
    except NoPicture as reason:
        assert str(reason)


# --- hosts


def answers(path: str) -> Iterable[bytes]:
    """A host of prompts: one good picture, and what goes wrong elsewhere."""
    name = Path(path).stem
    if name == "good":
        yield ok(written("JPEG"))
    elif name == "page":
        yield ok(PAGE, "Content-Type: image/png")
    elif name == "drips":
        yield ok(b"", length=1000)
        time.sleep(5)
    else:
        yield b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
def host() -> Iterator[Stranger]:
    with stranger(answers) as server:
        yield server


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def test_a_picture_is_kept_under_the_rounds_key_with_the_type_that_it_has(host: Stranger) -> None:
    types = dict[str, str]()

    class Store(SimulatedStore):
        def put(self, key: str, source: Path | bytes, content_type: str) -> str:
            types[key] = content_type
            return super().put(key, source, content_type)

    store = Store()
    copy = PromptPictures(store, Downloads(private=True)).copy(4, f"{host.url}/good.png")
    assert copy == "https://store.example/rounds/4/prompts/good.png"
    assert store.read(copy) == written("JPEG")
    assert types == {"rounds/4/prompts/good.png": "image/jpeg"}


@pytest.mark.parametrize(
    ("name", "reason"),
    [("page", "no PNG, JPEG"), ("absent", "404"), ("drips", "no end after 0.3 s"), (".x", "plain")],
)
def test_what_a_host_serves_instead_of_a_picture_is_said(
    host: Stranger, name: str, reason: str
) -> None:
    with pytest.raises(NoPicture, match=reason):
        PromptPictures(SimulatedStore(), Downloads(private=True)).copy(
            # Only the one that drips has to run into its deadline.
            0,
            f"{host.url}/{name}.png",
            seconds=0.3 if name == "drips" else 60,
        )


def test_a_host_that_is_gone_gives_no_picture_while_our_own_cdn_is_reached(host: Stranger) -> None:
    dead = f"http://127.0.0.1:{closed_port()}/good.png"
    reached = Downloads(private=True, reachability_probe=("127.0.0.1", host.port))
    with pytest.raises(NoPicture):
        PromptPictures(SimulatedStore(), reached).copy(0, dead)


def test_g01_it_is_a_fault_of_ours_while_our_own_cdn_is_not_reached_either() -> None:
    dead = f"http://127.0.0.1:{closed_port()}/good.png"
    cut_off = Downloads(private=True, reachability_probe=("127.0.0.1", closed_port()))
    with pytest.raises(InfrastructureFault):
        PromptPictures(SimulatedStore(), cut_off).copy(0, dead)


def test_a_prompt_on_our_own_cdn_is_copied_from_the_store() -> None:
    store = SimulatedStore()
    own = store.put("prompts/chair.png", written("PNG"), "image/png")
    pictures = PromptPictures(store, SimulatedDownloads(lambda _: "unreachable"))
    assert store.read(pictures.copy(0, own)) == written("PNG")
    with pytest.raises(NoPicture, match="no such object"):
        pictures.copy(0, store.url("prompts/lamp.png"))


def test_g18_a_copy_that_is_there_stands_and_is_not_fetched_again() -> None:
    store = SimulatedStore()
    prompt = "https://pool.example/chair.png"
    first = SimulatedDownloads(lambda _: "", prompt=picture_of)
    PromptPictures(store, first).copy(0, prompt)
    later = PromptPictures(store, SimulatedDownloads(lambda _: "", prompt=lambda _: "gone"))
    assert store.read(later.copy(0, prompt)) == picture_of(prompt)
    with pytest.raises(NoPicture):
        later.copy(1, prompt)  # another round shows what the miners get then


def test_g18_of_two_that_copy_at_once_the_first_one_stands() -> None:
    store = SimulatedStore()
    prompt = "https://pool.example/chair.png"

    def meanwhile(_: str) -> bytes:
        store.put(picture_key(0, prompt), b"of the other", "")
        return picture_of(prompt)

    copy = PromptPictures(store, SimulatedDownloads(lambda _: "", prompt=meanwhile)).copy(0, prompt)
    assert store.read(copy) == b"of the other"


# --- all of a round


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited, without waiting."""
    delays: list[float] = []

    class Clock:
        monotonic = staticmethod(lambda: sum(delays))
        sleep = staticmethod(delays.append)

    monkeypatch.setattr(copying, "time", Clock)
    return delays


def outside_with(prompt: object, patience: int = 180) -> SimulatedOutside:
    outside = opened()
    outside.downloads.prompt = prompt  # type: ignore[assignment]
    outside.environment = {**outside.environment, "PROMPT_PATIENCE_SECONDS": f"{patience}"}
    return outside


PROMPTS = [f"https://pool.example/{name}.png" for name in "abcdefgh"]


def test_what_fails_is_tried_again_with_longer_pauses_for_as_long_as_the_patience_lasts(
    slept: list[float],
) -> None:
    asked: list[str] = []

    def prompt(url: str) -> bytes | str:
        asked.append(url)
        return "HTTP status 503" if "/c.png" in url else picture_of(url)

    assert copy_pictures(work(outside_with(prompt)), PROMPTS) == {PROMPTS[2]: "HTTP status 503"}
    assert slept == [1, 2, 4, 8, 16, 30, 30, 30, 30]
    assert len(asked) == len(PROMPTS) + len(slept), "the others were fetched once"


def test_a_host_that_comes_back_in_time_is_not_missed(slept: list[float]) -> None:
    def prompt(url: str) -> bytes | str:
        return picture_of(url) if sum(slept) > 20 else "the connection failed"

    assert copy_pictures(work(outside_with(prompt)), PROMPTS) == {}
    assert slept == [1, 2, 4, 8, 16]


def test_the_prompts_are_fetched_beside_each_other() -> None:
    together = threading.Barrier(8, timeout=60)

    def prompt(url: str) -> bytes:
        together.wait()
        return picture_of(url)

    assert copy_pictures(work(outside_with(prompt)), PROMPTS) == {}


@pytest.mark.usefixtures("slept")
def test_g01_a_store_that_is_away_names_nobodys_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    outside = outside_with(
        lambda url: "the host isn't found" if "/a.png" in url else picture_of(url)
    )
    put = outside.store.put

    def refusing(key: str, source: Path | bytes, content_type: str) -> str:
        if "/h." in key:
            raise InfrastructureFault("object store: no answer")
        return put(key, source, content_type)

    monkeypatch.setattr(outside.store, "put", refusing)
    with pytest.raises(
        InfrastructureFault, match=r"/h.png can't be copied: object store: no answer"
    ):
        copy_pictures(work(outside), PROMPTS)
    assert len(outside.store.objects) == 6, "what was copied stays"
