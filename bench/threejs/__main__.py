"""Our picture beside three.js's, feature by feature of glTF: the decibels between them.

`python -m bench.threejs [FILE ...] [--as-is] [--golden]`

Without FILEs: a made-up GLB for each feature (`simulators/features.py`). three.js draws with the
present renderer's equations of light, so that what is left is what each makes of the file;
`--as-is` adds a column for three.js left as it is. `--golden` keeps three.js's pictures, reduced,
for the tests. It takes Chromium (apt-get) and npm.
"""

import argparse
import io
from pathlib import Path

import numpy as np
from PIL import Image

from bench.render import decibels
from bench.threejs.browser import install, missing, pictures
from gpu.views import Picture, png
from gpu.workers.rendering import Rendering
from simulators.features import Feature, all_features, golden, reduced


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--as-is", action="store_true", help="three.js's own light, too")
    parser.add_argument(
        "--golden", action="store_true", help="keep three.js's pictures for the tests"
    )
    options = parser.parse_args()
    install()
    if lacking := missing():
        parser.error(lacking)
    features = {
        path.name: Feature(path.read_bytes(), path.read_bytes()) for path in options.files
    } or all_features()
    references = [feature.reference for feature in features.values()]
    drawn = list(pictures(references, present_light=True))
    as_is = list(pictures(references, present_light=False)) if options.as_is else []
    rendering = Rendering()
    print(f"{'feature':44}{'dB to three.js':>14}{'as it is' if as_is else '':>10}")
    for number, (name, feature) in enumerate(features.items()):
        ours = rendering.render("glb", memoryview(feature.file))
        columns = [
            decibels(ours, png(drawn_views[number]))
            for drawn_views in (drawn, as_is)
            if drawn_views
        ]
        row = "".join(
            f"{column:{width}.1f}" for column, width in zip(columns, (14, 10), strict=False)
        )
        print(f"{name:44}{row}  {feature.departure or ''}", flush=True)
        if options.golden and not feature.departure:
            keep(golden(name), drawn[number])


def keep(path: Path, picture: Picture) -> None:
    """Write a picture, reduced, as a PNG as small as it gets."""
    path.parent.mkdir(exist_ok=True)
    held = io.BytesIO()
    Image.fromarray(reduced(np.ascontiguousarray(picture))).save(held, "PNG", optimize=True)
    path.write_bytes(held.getvalue())


if __name__ == "__main__":
    main()
