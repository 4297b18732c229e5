"""The output formats: what miners of a competition may be asked to make."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator

OUTPUT_FORMATS: Mapping[str, str] = {
    "glb": "model/gltf-binary",
    "ply": "application/octet-stream",
}
"""Format -> the media type under which its files are stored, the default format first. A format's
name is the extension of its files and their key in `submitted.json`, `generated.json` and the
duels' reports. How a format is read, checked and drawn stands in `gpu/formats.py`."""

DEFAULT_FORMAT = next(iter(OUTPUT_FORMATS))


def _known(name: str) -> str:
    if name not in OUTPUT_FORMATS:
        raise ValueError(f"must be one of {', '.join(OUTPUT_FORMATS)}")
    return name


OutputFormat = Annotated[str, AfterValidator(_known)]
"""The name of an output format, as a field of a settings class or a state file."""
