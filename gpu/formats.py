"""The file formats that the renderer draws: how a file is read and checked, and what it shows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gpu.meshes.mesh import Model
    from gpu.meshes.tolerance import Note
    from gpu.splats.ply import Splats

FILE_BYTES = 200 * 2**20
"""Most bytes of a file."""

Reader = Callable[[memoryview, "Note"], "Model | Splats"]
"""A file's content, and whom to tell of what is tolerated in it -> what it shows: a mesh or splats,
and so what draws it. Raises Refused with the reason for a file that can't be shown.
"""


@dataclass(frozen=True, slots=True)
class Format:
    """How files of a format are drawn.

    `load` imports the reader, which is heavy: a worker does that before it opens a stranger's file.
    `drafts`: whether there is a faster, less exact picture too (kind `{name}-draft`).
    """

    load: Callable[[], Reader]
    drafts: bool = False


def _glb() -> Reader:
    from gpu.meshes.mesh import read_mesh  # noqa: PLC0415

    return read_mesh


def _ply() -> Reader:
    from gpu.splats.ply import read_splats  # noqa: PLC0415

    def read(data: memoryview, note: "Note") -> "Splats":
        splats = read_splats(data)
        for remark in splats.notes:
            note(remark)
        return splats

    return read


FORMATS: Mapping[str, Format] = {
    "glb": Format(_glb, drafts=True),
    "ply": Format(_ply),
}
"""Extension -> format."""

_DRAFT = "-draft"
KINDS = (*FORMATS, *(f"{name}{_DRAFT}" for name, each in FORMATS.items() if each.drafts))
"""What a worker can be asked for: a picture of a file in a format, or a draft of it."""


def kind_of(name: str, *, draft: bool = False) -> str:
    """The kind of picture of a file in a format: a draft where one is wanted and there is one."""
    return f"{name}{_DRAFT}" if draft and FORMATS[name].drafts else name


def format_of(kind: str) -> tuple[str, bool]:
    """The format's name, and whether a draft is meant."""
    return kind.removesuffix(_DRAFT), kind.endswith(_DRAFT)
