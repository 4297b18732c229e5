"""A picture reduced to half its size with Lanczos, as PIL does it."""

import numpy as np
from PIL import Image

from gpu.views import Picture


def halve(pixels: Picture) -> Picture:
    """From (2h, 2w, 4), rows from the bottom, to (h, w, 3), rows from the top."""
    image = Image.fromarray(np.ascontiguousarray(pixels[::-1, :, :3]))
    return np.asarray(image.resize((pixels.shape[1] // 2, pixels.shape[0] // 2), Image.Resampling.LANCZOS))
