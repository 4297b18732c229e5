"""The pages of a report, written to a folder: templates are filled, and charts put beside them."""

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gen404_assets.competition.hotkeys import LEADER, short
from gen404_assets.replay.derivable import derivable_with
from gen404_assets.report import addresses
from gen404_assets.report.addresses import Objects, up_from

if TYPE_CHECKING:
    from jinja2 import Environment

_NOTHING = "\u2013"
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]"
)
"""What a page shows as U+FFFD: control characters, and those that are not seen or turn a line."""


@dataclass(frozen=True)
class Book:
    """A report's folder, and how its pages are filled. `head`: the commit that it shows; `planned`:
    the pages of miners and audits that there are, to which others may link.
    """

    folder: Path
    head: str
    objects: Objects
    planned: set[str] = field(default_factory=set)

    def write(self, path: str, template: str, **shown: object) -> None:
        """Write one page."""
        context = {
            "up": up_from(path),
            "page": path,
            "head": self.head,
            "planned": self.planned,
            **shown,
        }
        text = self._environment.get_template(template).render(context)
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        # What is half of a character, as JSON may hold it, can't be in a file.
        target.write_bytes(text.encode("utf-8", "replace"))

    def draw(self, path: str, svg: bytes) -> str:
        """Write a chart; its path."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(svg)
        return path

    def copy_static(self) -> None:
        """Copy what pages share: the style, the scripts and the 3D viewers with their licences."""
        with as_file(files("gen404_assets.report") / "static") as static:
            shutil.copytree(static, self.folder / "static", dirs_exist_ok=True)

    @cached_property
    def _environment(self) -> "Environment":
        # Dagster brings jinja2, which many keep; imported where used, as few commands write pages.
        from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415

        environment = Environment(
            loader=PackageLoader("gen404_assets.report"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=_seen,
        )
        environment.globals.update(_GLOBALS)
        environment.filters.update(_FILTERS)
        return environment


def _seen(value: object) -> object:
    """A value as a page shows it: nothing for None, no character that is not seen."""
    if value is None:
        return ""
    return _UNSEEN.sub("\ufffd", value) if type(value) is str else value


def _name(hotkey: str, leader: str = "leader") -> str:
    return leader if hotkey == LEADER else short(hotkey)


def _signed(number: float | None, digits: int = 4) -> str:
    return _NOTHING if number is None else f"{number:+.{digits}f}"


def _fixed(number: float | None, digits: int = 1) -> str:
    return _NOTHING if number is None else f"{number:.{digits}f}"


def _duration(hours: float | None) -> str:
    if hours is None:
        return _NOTHING
    minutes = round(hours * 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"


def _pretty(text: str) -> str:
    """A judge's answer as it is easiest to read."""
    try:
        return json.dumps(json.loads(text), indent=1, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


_FILTERS: Mapping[str, Callable[..., str]] = {
    "name": _name,
    "signed": _signed,
    "fixed": _fixed,
    "duration": _duration,
    "pretty": _pretty,
}
_GLOBALS: Mapping[str, Any] = {
    "web": addresses.web_address,
    "code": addresses.code_address,
    "round_page": addresses.round_page,
    "match_page": addresses.match_page,
    "miner_page": addresses.miner_page,
    "audit_page": addresses.audit_page,
    "derivable_with": derivable_with,
    "LEADER": LEADER,
}


def pages_of(folder: Path) -> Iterator[Path]:
    """All files of a report, in order of path."""
    yield from sorted(path for path in folder.rglob("*") if path.is_file())
