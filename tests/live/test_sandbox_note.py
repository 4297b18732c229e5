"""What a machine lacks of the sandbox of the platform's own workers: said, and refused."""

import os
from functools import partial
from pathlib import Path

import dagster as dg
import pytest

from gen404_assets.commands.health import health
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.live.sandbox_note import note_sandbox
from resources.notes import FileNotes, Notes
from resources.renderer import DrawnHere
from simulators.hostile_workers import hostile_workers


def drawn(form: str, folder: Path, notes: Notes, *, weak: bool = False) -> bytes:
    file = folder / "model"
    file.write_bytes(b"glTF")
    with hostile_workers(form):
        renderer = DrawnHere(os.environ, weak=weak, tell=partial(note_sandbox, notes))
        try:
            return renderer.render(file, "glb")
        finally:
            renderer.close()


def test_g21_what_the_platform_s_own_sandbox_lacks_is_in_its_health(tmp_path: Path) -> None:
    notes = FileNotes(tmp_path / "notes")
    with dg.instance_for_test() as instance:
        assert "sandbox" not in health(instance, [], notes)
        assert drawn("cpu,together", tmp_path, notes).startswith(b"\x89PNG")
        lacking = health(instance, [], notes)["sandbox"]["lacking"]
    assert "namespaces" in lacking


def test_g21_the_platform_s_own_workers_draw_without_landlock_only_where_it_is_allowed(
    tmp_path: Path,
) -> None:
    notes = FileNotes(tmp_path / "notes")
    with pytest.raises(InfrastructureFault, match="ALLOW_WEAK_SANDBOX"):
        drawn("cpu,unlocked", tmp_path, notes)
    assert drawn("cpu,unlocked", tmp_path, notes, weak=True)
