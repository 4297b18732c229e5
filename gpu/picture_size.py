"""How large the picture that every model gets is (interfaces.md, "Render service"), in pixels.

Apart from the drawing, so that whoever only checks a picture imports no numpy.
"""

SIDE = 518
"""Of each of the four views."""
GAP = 5
"""Between the views."""
GRID = 2 * SIDE + GAP
"""Of the whole picture."""
