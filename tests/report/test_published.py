"""The asset `report`: published beside the round's objects, no part of what the platform runs."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from gen404_assets.assets.report import report
from gen404_assets.competition.catalogue import CATALOGUE, REPLAYED, Lane, made_in
from gen404_assets.report.publishing import prefix_of, publish
from resources.object_store import ObjectConflict
from tests.report.pages import broken


class Bucket:
    """A store that takes an object once, as the real one does."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, str]] = {}

    def put(self, key: str, source: Path | bytes, content_type: str) -> str:
        content = source if isinstance(source, bytes) else source.read_bytes()
        if self.objects.setdefault(key, (content, content_type))[0] != content:
            raise ObjectConflict(key)
        return f"https://cdn.invalid/{key}"

    def save(self, folder: Path) -> Iterator[Path]:
        for key, (content, _) in self.objects.items():
            path = folder / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            yield path


def test_all_of_a_report_is_published_and_can_be_published_again(
    written: Path, tmp_path: Path
) -> None:
    bucket = Bucket()
    prefix = prefix_of(1, "0" * 40)
    url = publish(written, prefix, bucket)
    assert url == f"https://cdn.invalid/{prefix}/index.html"
    assert publish(written, prefix, bucket) == url
    assert len(list(bucket.save(tmp_path))) == sum(path.is_file() for path in written.rglob("*"))
    assert broken(tmp_path) == []
    kinds = {Path(key).suffix: kind for key, (_, kind) in bucket.objects.items()}
    assert kinds[".html"].startswith("text/html")
    assert kinds[".svg"] == "image/svg+xml"


def test_the_first_page_is_published_last(written: Path) -> None:
    bucket = Bucket()
    publish(written, "reports/1/x", bucket)
    assert list(bucket.objects)[-1] == "reports/1/x/index.html"


def test_another_commit_has_another_place() -> None:
    assert prefix_of(1, "a" * 40) != prefix_of(1, "b" * 40)
    assert prefix_of(1, "a" * 40) != prefix_of(2, "a" * 40)


def test_the_report_is_no_state_file_and_nothing_depends_on_it() -> None:
    from gen404_assets.definitions import defs  # noqa: PLC0415 -- loads the whole graph

    assert "report" not in {asset.value for asset in (*CATALOGUE, *REPLAYED)}
    key = dg.AssetKey("report")
    node = defs.resolve_asset_graph().get(key)
    assert node.group_name == "finalizing"
    assert node.partitions_def is not None
    assert not node.child_keys
    assert not any("report" in made_in(lane) for lane in Lane)


def test_whoever_only_looks_finds_the_pages_in_a_folder(
    honest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEN404_HOME", str(tmp_path))
    monkeypatch.setenv("COMPETITION_REPO", str(honest))
    from gen404_assets.assets.resource import competition_resources  # noqa: PLC0415

    environment = {"COMPETITION_REPO": str(honest)}
    resources = competition_resources(environment, operates=False)
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("rounds", ["0", "1", "2", "3"])
        result = dg.materialize([report], resources=resources, partition_key="1", instance=instance)
    assert result.success
    (event,) = result.get_asset_materialization_events()
    page = Path(str(event.materialization.metadata["page"].value))
    assert page.is_file()
    assert tmp_path in page.parents
