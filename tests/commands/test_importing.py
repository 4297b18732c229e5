"""What a repository holds is imported beside the platform: the progress is told, the sensor waits
for it, and an end in between leaves the rest to the sensor.
"""

import threading
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from gen404_assets.assets.mirroring import mirrored_as
from gen404_assets.assets.partitions import ROUNDS
from gen404_assets.commands.importing import import_beside, import_history, shown_edition
from gen404_assets.commands.refused import Refused
from gen404_assets.competition.history import History
from gen404_assets.competition_repository import history_of, newest_history, open_repository
from gen404_assets.live.importing import importing, under_way
from gen404_assets.live.shared import Shared, shared_on_disk
from sensors.mirror import mirror
from simulators.edition_histories import make_competition_0


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shared:
    monkeypatch.setenv("GEN404_HOME", str(tmp_path / "home"))
    return shared_on_disk(tmp_path / "home")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_competition_0(tmp_path / "made.git")


@pytest.fixture
def history(shared: Shared, repository: Path) -> History:
    assert under_way(shared) is None
    return newest_history(str(repository), "main")


def test_an_import_tells_how_far_it_is_and_its_rounds_are_there_at_once(
    instance: dg.DagsterInstance, history: History
) -> None:
    told: list[str] = []

    def progress(text: str) -> bool:
        assert instance.get_dynamic_partitions(str(ROUNDS.name)) == ["0", "1", "2"]
        told.append(text)
        return True

    done = import_history(instance, history, mirrored_as("competition-0", instance), progress)
    assert len(told) == done > 20
    assert told[0] == "importing round 0 of 3: 0 files' states so far"
    assert told[-1] == f"importing round 3 of 3: {done - 1} files' states so far"


def test_the_sensor_waits_for_an_import_and_says_how_far_it_is(
    instance: dg.DagsterInstance,
    shared: Shared,
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COMPETITION_REPO", str(repository))
    monkeypatch.setenv("COMPETITION_EDITION", "competition-0")
    with dg.build_sensor_context(instance) as context:
        with importing(shared) as show:
            assert show is not None
            show("importing round 1 of 3: 20 files' states so far")
            waiting = mirror(context)
            assert isinstance(waiting, dg.SkipReason)
            assert waiting.skip_message == "importing round 1 of 3: 20 files' states so far"
            with importing(shared) as second:
                assert second is None, "one imports at a time"
        after = mirror(context)
    # A busy machine may take longer than a tick waits to see the repository.
    assert not isinstance(after, dg.SkipReason) or "waits for" in str(after.skip_message)


def test_an_import_runs_beside_what_is_served_and_ends_with_it(
    instance: dg.DagsterInstance, history: History, shared: Shared
) -> None:
    lines: list[str] = []
    done = threading.Event()

    def tell(line: str) -> None:
        lines.append(line)
        if line.startswith("imported "):
            done.set()

    mirrored = mirrored_as("competition-0", instance)
    with import_beside(instance, history, mirrored, shared, tell):
        assert done.wait(300)
    assert under_way(shared) is None
    assert lines[-1].startswith("imported ")
    assert import_history(instance, history, mirrored) == 0


def test_a_repository_that_can_t_be_read_ends_an_import_with_a_sentence(
    instance: dg.DagsterInstance, shared: Shared, repository: Path
) -> None:
    """As a clone without the content of its files: the sensor says it again, at each tick."""
    lines: list[str] = []
    heard = threading.Event()

    def tell(line: str) -> None:
        lines.append(line)
        heard.set()

    ours = open_repository(str(repository), "main")
    history = history_of(ours.snapshot(ours.refresh()))
    for content in (repository / "objects").glob("*/*"):
        content.unlink()
    mirrored = mirrored_as("competition-0", instance)
    with import_beside(instance, history, mirrored, shared, tell):
        assert heard.wait(300)
    assert len(lines) == 1
    assert lines[0].startswith("the import stops, and the sensor mirror goes on with it: ")
    assert str(repository) in lines[0]
    assert under_way(shared) is None


def test_a_platform_that_ends_during_an_import_leaves_the_rest_for_the_next(
    instance: dg.DagsterInstance, history: History
) -> None:
    mirrored = mirrored_as("competition-0", instance)
    few = import_history(instance, history, mirrored, lambda text: ": 5 files'" not in text)
    assert few == 5
    assert import_history(instance, history, mirrored) > 0
    assert import_history(instance, history, mirrored) == 0


def test_a_competition_of_another_edition_is_looked_at_and_not_operated(history: History) -> None:
    looked_at = {"COMPETITION_REPO": "made.git", "GEN404_OPERATE": "false"}
    assert shown_edition(looked_at, history) == "competition-0"
    assert shown_edition({**looked_at, "COMPETITION_EDITION": "competition-2"}, history) == (
        "competition-2"
    )
    with pytest.raises(Refused, match=r"competition 0: .* `gen404 browse` looks at it"):
        shown_edition({**looked_at, "GEN404_OPERATE": "true"}, history)
