"""What a hostile file is, and what should come of it."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Case:
    """A file by name, of a kind (glb or ply), and a part of the reason why it is refused, or None
    where it is drawn.
    """

    name: str
    kind: str
    content: bytes = field(repr=False)
    reason: str | None
