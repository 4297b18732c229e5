"""`gen404 check FILE…`: files as a collection would take them."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from gen404_assets.commands.checking import Finding, look_at, ready_renderer, size_note
from gpu.formats import FORMATS
from resources.disk import disk_faults
from resources.downloads import DownloadSettings
from resources.renderer import Renderer
from resources.settings import read_settings


def check_files(
    files: Sequence[Path], previews: Path, environment: Mapping[str, str]
) -> Iterator[Finding]:
    """What a collection would record of each file; previews go to the folder `previews`.

    Raises InfrastructureFault where this machine can't draw, or can't write there.
    """
    limit = read_settings(DownloadSettings, environment).max_file_bytes
    with ready_renderer(environment, workers=1) as renderer:
        for file in files:
            yield _check(file, previews, renderer, limit)


def _check(file: Path, previews: Path, renderer: Renderer, limit: int) -> Finding:
    output_format = file.suffix.removeprefix(".")
    if output_format not in FORMATS:
        names = " or ".join(f".{name}" for name in FORMATS)
        return Finding(str(file), f"its name must end with {names}, in lower case")
    size = file.stat().st_size
    notes = [size_note(size, limit)]
    if size > limit:
        return Finding(str(file), f"larger than {limit} bytes", notes=notes)
    look = look_at(renderer, file, output_format)
    notes.append(look.note())
    if look.preview is None:
        return Finding(str(file), look.reason, notes=notes)
    written = write_preview(previews, file.name, look.preview)
    return Finding(str(file), "", look.tolerated, [*notes, f"preview: {written}"])


def write_preview(folder: Path, name: str, preview: bytes) -> Path:
    """Keep a preview under its file's name. Raises InfrastructureFault of the disk."""
    path = folder / f"{name}.png"
    with disk_faults(f"the preview {path} can't be written"):
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(preview)
    return path
