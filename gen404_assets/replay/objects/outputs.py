"""An output in the store: its file's size, its preview drawn again, its distance measured again."""

import contextlib
from hashlib import sha256
from pathlib import Path
from typing import Any

from gen404_assets.competition.faults import InfrastructureFault, MinerFault
from gen404_assets.replay.objects.means import Check, Distance, Fault, Means, Renderer
from gen404_assets.replay.objects.named import EditionOutput, NamedOutput
from gen404_assets.replay.objects.pictures import apart, read_picture
from gen404_assets.replay.objects.store import Gone, Unknown
from gpu.unpacking import NoPicture

DISTANCE_WITHIN = 0.01
"""How far a distance may be from the one that is measured again: see
`docs/decisions/0105-objects-are-checked.md`.
"""


def check_output(named: NamedOutput, means: Means) -> list[Fault]:
    """What is wrong with an output's file, preview and distance."""
    check = Check(named.path, named.stem, means)
    output = named.output
    # A file's name begins with a word for its miner: no two miners' files share a worker.
    miner = sha256(named.path.split("/")[-2].encode(errors="replace")).hexdigest()[:16]
    model = means.here.path(f"{miner}.{named.format}")
    try:
        size = check.had("file", output.model, lambda url: means.store.save(url, model))
        if size is not None:
            means.count("files")
        if size is not None and output.size is not None and size != output.size:
            check.differs("size", f"{output.size} bytes", f"{size} bytes", output.model or "")
        preview = check.had("png", output.png, means.store.picture)
        if preview is not None:
            means.count("previews")
        if isinstance(output, EditionOutput):
            _look_at(check, output, preview)
            return check.faults
        renderer = means.here.renderer
        if size is not None and renderer is not None:
            _draw_again(check, named, model, preview, renderer)
    finally:
        with contextlib.suppress(OSError):  # the folder goes at the end
            model.unlink(missing_ok=True)
    evidence = (output.model_extra or {}).get("evidence")
    evidence = evidence if isinstance(evidence, dict) else {}
    _compare_digests(check, named, evidence)
    distance = means.here.distance
    if distance is not None:
        _measure_again(check, named, evidence, distance)
    return check.faults


def _look_at(check: Check, output: EditionOutput, preview: bytes | None) -> None:
    """Whether a preview that can't be drawn again is a picture at all."""
    try:
        if preview is not None:
            read_picture(preview)
    except NoPicture as reason:
        check.differs("png", "a preview", f"none: {reason}", output.png or "")


def _draw_again(
    check: Check, named: NamedOutput, model: Path, preview: bytes | None, renderer: Renderer
) -> None:
    """Compare the preview with the file drawn here."""
    url = named.output.png
    if url is not None and preview is None:
        return
    try:
        again = renderer.render(model, named.format)
    except MinerFault as fault:
        if url is not None:
            check.differs("png", "a preview", f"none: the file can't be drawn: {fault}", url)
        check.means.count("drawn")
        return
    except InfrastructureFault as fault:
        check.means.here.tell(f"previews are not drawn again: {fault}")
        check.means.here.renderer = None
        return
    check.means.count("drawn")
    if preview is None:
        reason = (named.output.model_extra or {}).get("reason") or "no reason"
        check.differs("png", f"no preview ({reason})", "one: the file can be drawn")
    elif preview != again:
        _compare(check, str(url), preview, again)


def _compare(check: Check, url: str, preview: bytes, again: bytes) -> None:
    try:
        how_far = apart(preview, again)
    except NoPicture as reason:
        check.differs("png", "a preview", f"none: {reason}", url)
        return
    if not how_far.alike:
        check.differs("png", "the file's picture", f"another: {how_far} apart", url)


def _compare_digests(check: Check, named: NamedOutput, evidence: dict[str, Any]) -> None:
    """Hold the pictures that a distance was measured of against their digests."""
    pictures = {"submitted_sha256": named.submitted, "generated_sha256": named.output.png}
    for key, url in pictures.items():
        recorded = evidence.get(key)
        if not isinstance(recorded, str) or url is None or not check.means.store.holds(url):
            continue
        with contextlib.suppress(Gone, Unknown):  # told with the picture's own entry
            digest = check.means.store.digest(url)
            check.means.count("digests")
            if digest != recorded:
                check.differs(f"evidence.{key}", recorded, digest, url)


def _measure_again(
    check: Check, named: NamedOutput, evidence: dict[str, Any], distance: Distance
) -> None:
    recorded, pictures = named.output.distance, (named.submitted, named.output.png)
    store = check.means.store
    if recorded is None or not all(url is not None and store.holds(url) for url in pictures):
        return
    if "submitted_sha256" not in evidence and recorded == 0:
        return  # 0 until measured
    try:
        by, here = evidence.get("embedder"), distance.model
        if by is not None and by != here:
            check.means.here.tell(
                f"distances by {by} are not measured again: the model here is {here}"
            )
            return
        measured = distance.measure(*map(str, pictures))
    except InfrastructureFault as fault:
        check.means.here.tell(f"distances are not measured again: {fault}")
        check.means.here.distance = None
        return
    except (Gone, Unknown):  # told with the picture's own entry
        return
    check.means.count("measured")
    if abs(measured - recorded) > DISTANCE_WITHIN:
        check.differs("distance", recorded, f"{measured:.4f}", str(named.output.png))
