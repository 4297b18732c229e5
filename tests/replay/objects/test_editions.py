"""The objects of competitions 0 and 2, over real HTTP: what their files carry is checked, and what
they don't is said.
"""

import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from PIL import Image

from gen404_assets.replay.objects.checking import (
    LACKING,
    ObjectsReport,
    Sample,
    Tools,
    check_objects,
)
from gen404_assets.replay.result import RoundReplay
from resources.store_downloads import StoreDownloads
from simulators.edition_histories import hotkeys
from simulators.memory_repository import MemoryRepository
from simulators.public_store import PublicStore, public_store

[MINER] = hotkeys(1)
FOLDER = f"rounds/0/{MINER}"


def _picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, "PNG")
    return file.getvalue()


def _of_0(url: str) -> Mapping[str, Any]:
    """A miner's outputs: two that are there, and one that failed."""
    outputs: dict[str, Any] = {
        stem: {
            "ply": f"{url}/{FOLDER}/{stem}.ply",
            "png": f"{url}/{FOLDER}/{stem}.png",
            "generation_time": 3.0,
            "size": 7,
        }
        for stem in ("one", "two")
    }
    outputs["none"] = {"ply": None, "png": None, "generation_time": 0.0, "size": 0}
    return {f"{FOLDER}/generations.json": outputs}


def _of_2(url: str) -> Mapping[str, Any]:
    return {
        f"{FOLDER}/{name}.json": {
            stem: {
                "js": f"{url}/{FOLDER}/{name}/{stem}.js",
                "png": f"{url}/{FOLDER}/{name}/{stem}.png",
                "size": 7,
            }
            for stem in ("one", "two")
        }
        for name in ("submitted", "generated_1")
    }


FILES = {"competition-0": _of_0, "competition-2": _of_2}


class Stored:
    """A competition of an edition, whose files name the objects of a store."""

    def __init__(self, edition: str, store: PublicStore) -> None:
        self.edition, self.store = edition, store
        self.files = FILES[edition](store.url)
        urls = [
            url
            for outputs in self.files.values()
            for output in outputs.values()
            for url in output.values()
            if isinstance(url, str)
        ]
        for url in urls:
            content = _picture() if url.endswith(".png") else b"7 bytes"
            store.objects[url.removeprefix(f"{store.url}/")] = content

    def check(self) -> tuple[ObjectsReport, list[str]]:
        """What came of it, and the differences that were found."""
        repository = MemoryRepository()
        contents = {path: json.dumps(each).encode() for path, each in self.files.items()}
        repository.commit(contents, "All files")
        replayed = RoundReplay(0, edition=self.edition)
        tools = Tools(
            lambda base, limit: StoreDownloads(base, limit=limit, timeout=30, private=True),
            wait=lambda _: None,
        )
        report = check_objects(repository.history(), [replayed], Sample(1), tools)
        return report, [str(each) for file in replayed.files for each in file.differences]


@contextmanager
def stored(edition: str) -> Iterator[Stored]:
    with public_store({}) as store:
        yield Stored(edition, store)


@pytest.mark.parametrize("edition", FILES)
def test_an_honest_store_of_another_edition_has_no_finding(edition: str) -> None:
    with stored(edition) as competition:
        report, differences = competition.check()
    assert differences == []
    assert report.unchecked == []
    assert list(report.limits) == [LACKING[edition]]
    [each] = report.rounds
    assert each.store == competition.store.url
    wanted = len(competition.store.objects) // 2
    assert each.counts == {"files": wanted, "previews": wanted}


@pytest.mark.parametrize("edition", FILES)
@pytest.mark.parametrize(
    ("extension", "content", "found"),
    [
        ("model", b"more than 7 bytes", "one.size: recorded 7 bytes, derived 17 bytes"),
        ("png", b"no picture", "one.png: recorded a preview, derived none: no PNG"),
        ("png", None, "one.png: recorded an object, derived none"),
        ("model", None, "one.file: recorded an object, derived none"),
    ],
)
def test_what_a_store_of_another_edition_holds_otherwise_is_found(
    edition: str, extension: str, content: bytes | None, found: str
) -> None:
    with stored(edition) as competition:
        objects = competition.store.objects
        ending = "png" if extension == "png" else {"competition-0": "ply"}.get(edition, "js")
        key = next(key for key in objects if key.endswith(f"/one.{ending}"))
        if content is None:
            del objects[key]
        else:
            objects[key] = content
        _, differences = competition.check()
    [difference] = differences
    assert difference.startswith(found)
