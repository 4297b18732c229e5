"""What a hostile file is, and what should come of it."""

Case = tuple[str, bytes, str | None]
"""The kind of file (glb or ply), its content, and a part of the reason why it is refused, or None
where it is drawn.
"""
