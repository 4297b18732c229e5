"""The architecture page shows the rooms as the code has them."""

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_picture_of_the_rooms_is_made_from_the_code() -> None:
    picture = runpy.run_path(str(ROOT / "bin/architecture.py"))["picture"]()
    page = (ROOT / "docs/architecture.md").read_text()
    assert f"```mermaid\n{picture}\n```" in page


def test_every_room_has_its_line() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    rooms = [path.parent for path in (ROOT / "gen404_assets").glob("*/__init__.py")]
    for room in rooms:
        assert f"`gen404_assets/{room.name}/`" in page
