"""What an audit looked at, as markdown: the submitted and regenerated previews that are farthest
apart.
"""

import base64
import io
from collections.abc import Callable, Iterator

from gen404_assets.assets.shown import code, link
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.round import Round

_PAIRS = 3  # of each audit
_SIDE = 300  # pixels of a picture; it lies in Dagster's log, as text
_MAX_PIXELS = 1 << 24  # unpacked 50 MB; a preview has a million
Read = Callable[[str], bytes]


def farthest_pairs(current: Round, read: Read | None = None) -> str:
    """For each audit its farthest pairs: as small pictures, where `read` gives the bytes behind a
    URL, or as links.
    """
    return (
        "\n\n".join(
            part for hotkey in current.audits.names for part in _pairs(current, hotkey, read)
        )
        or "none"
    )


def _pairs(current: Round, hotkey: str, read: Read | None) -> Iterator[str]:
    submitted, generated = current.submitted(hotkey), current.generated(hotkey)
    if submitted is None or generated is None:
        return
    measured = [
        (output.distance or 0.0, name) for name, output in generated.items() if output.complete
    ]
    farthest = sorted(measured, reverse=True)[:_PAIRS]
    if farthest:
        yield f"**{code(hotkey)}**"
    for distance, name in farthest:
        ours, theirs = generated[name].png, submitted[name].png if name in submitted else None
        if ours and theirs:
            links = f"{link('submitted', theirs)} and {link('regenerated', ours)}"
            links = f"{code(name)}: distance {distance:.3f} between {links}"
            picture = _side_by_side(theirs, ours, read) if read else ""
            yield f"{links}\n\n{picture}" if picture else links


def _side_by_side(left: str, right: str, read: Read) -> str:
    """Both pictures in one, small; nothing if they can't be had or read now."""
    from PIL import Image  # noqa: PLC0415 -- only a run that has just audited shows pictures

    from gpu.unpacking import NoPicture, unpacked  # noqa: PLC0415

    both = Image.new("RGB", (2 * _SIDE + 10, _SIDE), "white")
    try:
        for number, url in enumerate((left, right)):
            picture = unpacked(read(url), _MAX_PIXELS).resize((_SIDE, _SIDE))
            both.paste(picture, (number * (_SIDE + 10), 0))
    except (InfrastructureFault, NoPicture):
        return ""
    content = io.BytesIO()
    both.save(content, "JPEG", quality=80)
    encoded = base64.b64encode(content.getvalue()).decode()
    return f"![submitted, regenerated](data:image/jpeg;base64,{encoded})"
