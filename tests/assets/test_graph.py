"""The asset graph says what each asset is, who answers for it, and how the competition works."""

import json
from pathlib import Path
from typing import Any

import dagster as dg

from gen404_assets.assets.tags import LANE_TAG, REPLAY_TAG
from gen404_assets.competition.catalogue import Asset
from tests.assets.mirrored import GRAPH, git


def test_every_asset_says_what_it_is() -> None:
    for key in GRAPH.get_all_asset_keys():
        node = GRAPH.get(key)
        assert node.description, key
        assert node.group_name != "default", key
        assert node.kinds, key


def test_every_asset_says_who_answers_for_it_and_one_that_is_made_links_to_its_code() -> None:
    for key in GRAPH.get_all_asset_keys():
        node = GRAPH.get(key)
        assert set(node.owners) <= {"team:platform", "team:operators", "team:miners"}, key
        assert len(node.owners) == 1, key
    for name, function in (("submissions", "open_round"), ("audits", "audit_candidates")):
        links = GRAPH.get(dg.AssetKey(name)).metadata["dagster/code_references"]
        assert isinstance(links, dg.CodeReferencesMetadataValue)
        first, file_format = links.code_references
        assert isinstance(first, dg.LocalFileCodeReference)
        assert isinstance(file_format, dg.LocalFileCodeReference)
        assert first.label == f"made by {function}"
        lines = Path(first.file_path).read_text().splitlines()
        assert lines[int(first.line_number or 0) - 1].startswith(f"def {function}(")
        assert Path(file_format.file_path).is_relative_to(Path(__file__).parents[2])


def test_an_assets_tags_say_which_lane_makes_it_and_how_it_is_replayed() -> None:
    tags = {asset: GRAPH.get(dg.AssetKey(asset)).tags for asset in Asset}
    for asset, shown in tags.items():
        assert shown.get(LANE_TAG) == asset.entry.lane
        assert (shown.get(REPLAY_TAG) == "evidence") == (asset.entry.evidence is not None)
    assert tags[Asset.RENDERS][REPLAY_TAG] == "evidence"
    assert tags[Asset.WINNER][REPLAY_TAG] == "derived"


def test_an_assets_columns_are_those_of_its_files(competition: Path) -> None:
    def columns(asset: Asset) -> dict[str, str]:
        schema = GRAPH.get(dg.AssetKey(asset)).metadata["dagster/column_schema"]
        assert isinstance(schema, dg.TableSchema)
        return {column.name: column.type for column in schema.columns}

    def file(path: str) -> Any:
        return json.loads(git(competition, "show", f"main:{path}"))

    submissions = file("rounds/0/submissions.json")
    for entry in submissions.values():
        assert columns(Asset.SUBMISSIONS).keys() == {"hotkey", *entry}
    for entry in file("rounds/0/generation_audits.json").values():
        assert columns(Asset.AUDITS).keys() == entry.keys()
    for entry in file("leader.json"):
        assert columns(Asset.LEADER).keys() == entry.keys()
    for entry in file(f"rounds/0/{next(iter(submissions))}/submitted.json").values():
        assert columns(Asset.RENDERS).keys() >= {"stem", *entry}
    header = git(competition, "show", "main:rounds/0/matches_matrix.csv").splitlines()[0]
    assert [*columns(Asset.MATCHES_MATRIX)] == header.split(",")
    assert columns(Asset.MATCHES_MATRIX)["margin"] == "number"
    assert columns(Asset.SUBMISSIONS)["revealed_at_block"] == "integer"


def test_the_lineage_reads_as_the_competition_works() -> None:
    def upstream(name: str) -> set[str]:
        return {key.to_user_string() for key in GRAPH.get(dg.AssetKey(name)).parent_keys}

    assert upstream("submissions") == {"schedule", "commitments"}
    assert upstream("prompts") == {"seed", "prompt_pool", "config"}
    assert upstream("duels") == {"baseline", "renders", "prompts"}
    assert {"matches_matrix", "audits", "source_audits"} <= upstream("winner")
    assert "winner" in upstream("leader")


def test_what_belongs_to_a_round_is_partitioned_by_it() -> None:
    shared = {"config", "prompt_pool", "commitments", "standing"}
    for key in GRAPH.get_all_asset_keys():
        partitioned = GRAPH.get(key).partitions_def is not None
        assert partitioned == (key.to_user_string() not in shared), key
