"""`gen404 render FILE -o OUT.png`, for a person."""

import os
import sys
from pathlib import Path

from gpu.faults import Refused, RendererDown
from gpu.pool import Pool


def render(file: Path, output: Path, *, draft: bool = False) -> int:
    """Write the picture of a `.glb` or `.ply` file. The exit code: 0; 1 for a file that can't be shown; 2 if the
    renderer can't work. The reason goes to standard error."""
    kind = file.suffix.lower().removeprefix(".")
    if kind not in ("glb", "ply"):
        print(f"{file}: it must be a .glb or a .ply", file=sys.stderr)
        return 1
    pool = Pool(1, os.environ)
    try:
        picture = pool.render(file, "glb-draft" if draft and kind == "glb" else kind)
        output.write_bytes(picture)
    except Refused as refusal:
        print(f"{file}: {refusal}", file=sys.stderr)
        return 1
    except (RendererDown, OSError) as error:
        print(f"no picture: {error}", file=sys.stderr)
        return 2
    finally:
        pool.close()
    return 0
