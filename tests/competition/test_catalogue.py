"""The catalogue of a round's assets is the one table of them."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from gen404_assets.competition.catalogue import CATALOGUE, OF_EACH_MINER, Asset
from gen404_assets.competition.round import miner_path, outputs_path, round_of

ROOT = Path(__file__).parents[2] / "gen404_assets"
NAMES = {name for asset in Asset for name in asset.entry.names if "." in name}
OTHERS = ("competition/catalogue.py", "competition/editions/", "replay/editions/")
"""Other editions have catalogues of their own, and files of these names."""
ALLOWED = {
    "competition/round.py": ["prompts.txt"],  # the pool, which is at the root
    "competition/builds.py": ["builds.json"],  # the catalogue imports it
}


def typed_again(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Constant) and node.value in NAMES:
            yield str(node.value)


@pytest.mark.parametrize("module", sorted(ROOT.rglob("*.py")), ids=lambda path: path.stem)
def test_no_module_types_a_files_name_again(module: Path) -> None:
    path = str(module.relative_to(ROOT))
    if not path.startswith(OTHERS):
        assert list(typed_again(module)) == ALLOWED.get(path, [])


def test_every_asset_has_its_entry_and_a_file_of_a_round_or_of_all() -> None:
    assert set(CATALOGUE) == set(Asset)
    for asset in Asset:
        path = asset.path(7, "5Miner")
        assert round_of(path) == (None if asset.entry.shared else 7)
        assert ("5Miner" in path) == (asset in OF_EACH_MINER)
        assert path.rpartition("/")[2].startswith(asset.entry.name)


def test_what_a_miner_plays_with_is_an_asset() -> None:
    assert outputs_path(3, "leader") == Asset.BASELINE.path(3)
    assert outputs_path(3, "5Miner") == Asset.RENDERS.path(3, "5Miner")
    assert miner_path(3, "5Miner", "generated.json") == Asset.REGENERATED.path(3, "5Miner")
