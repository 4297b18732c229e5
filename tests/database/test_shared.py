"""Claims and notes, on the disk of one machine and in a PostgreSQL that several machines share: the
same promises for both.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gen404_assets.competition.catalogue import Lane
from gen404_assets.competition.outputs import Output
from gen404_assets.live.fleet import is_held, lease, owner, reap
from gen404_assets.live.journal import Journal
from gen404_assets.live.leftovers import forget_round
from gen404_assets.live.shared import Shared, open_shared, shared_on_disk
from gen404_assets.live.sightings import CHAIN, OTHER, REPOSITORY, Sightings
from gen404_assets.live.waiting import Waiting
from resources.database import (
    BEAT_SECONDS,
    LOST_AFTER,
    Database,
    DatabaseClaims,
    DatabaseNotes,
    DatabaseTotals,
)
from resources.figures import Figures
from resources.providers.local import LocalProvider
from resources.settings import BadSetting
from simulators.lane_workers import LaneWorkers
from simulators.outside import GENESIS
from simulators.postgresql import PostgreSQL

HOLD = """
import sys
from contextlib import ExitStack
from gen404_assets.live.shared import open_shared
with ExitStack() as stack:
    for name in sys.argv[1:]:
        assert stack.enter_context(open_shared().claims.hold(name, seconds=20))
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(params=["disk", "database"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Shared:
    if request.param == "disk":
        return shared_on_disk(tmp_path)
    database = Database(request.getfixturevalue("url"), settled=0)
    return Shared(DatabaseClaims(database), DatabaseNotes(database), DatabaseTotals(database))


@pytest.fixture
def others_environment(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """The settings of another process: of another machine, where there is a database."""
    if "disk" in request.node.name:
        return {"GEN404_HOME": str(tmp_path)}
    return {"GEN404_HOME": str(tmp_path / "other"), "DATABASE_URL": request.getfixturevalue("url")}


@pytest.fixture
def other(others_environment: dict[str, str]) -> Iterator["subprocess.Popen[str]"]:
    """A process that holds the lane judging, and the pods of a miner."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, "lanes/judging", "leases/miner-01-5aaaaaaaaa"],
        env={**os.environ, **others_environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_one_holds_a_claim_at_a_time_also_of_two_in_one_process(shared: Shared) -> None:
    assert not shared.claims.is_held("lanes/audits")
    with shared.claims.hold("lanes/audits") as first:
        assert first
        assert shared.claims.is_held("lanes/audits")
        with shared.claims.hold("lanes/audits", seconds=0.3) as second:
            assert not second
        with shared.claims.hold("lanes/judging") as another:
            assert another
    assert not shared.claims.is_held("lanes/audits")


def test_g25_a_claim_is_free_once_its_process_is_killed_and_not_while_it_hangs(
    shared: Shared, other: "subprocess.Popen[str]"
) -> None:
    other.send_signal(signal.SIGSTOP)
    assert shared.claims.is_held("lanes/judging")
    with shared.claims.hold("lanes/judging") as held:
        assert not held
    other.kill()
    with shared.claims.hold("lanes/judging", seconds=30) as held:
        assert held


def test_what_is_seen_of_the_outside_is_known_wherever_somebody_looks(shared: Shared) -> None:
    seen, read = Sightings(shared.notes), Sightings(shared.notes)
    seen.saw(REPOSITORY, "abc")
    seen.saw(CHAIN, "7")
    for _ in range(3):
        seen.failed(CHAIN, "no answer yet")
    seen.failed(OTHER, "3fa9c21b publishes, too")
    assert [wait.partition(",")[0] for wait in read.waits()] == [
        "chain: no answer yet",
        "another platform: 3fa9c21b publishes",
    ]
    assert [*read.failing()] == ["chain"]
    assert {name: sight["seen"] for name, sight in read.latest().items()} == {
        "repository": "abc",
        "chain": "7",
    }
    assert 0 <= read.latest()["chain"]["age"] < 60
    seen.saw(CHAIN, "7")
    seen.ended(OTHER)
    assert read.waits() == []
    seen.failed(OTHER, "it publishes again")
    assert len(read.waits()) == 1
    seen.clear()
    assert read.latest() == {}


def test_what_several_have_counted_at_once_is_added_up(shared: Shared) -> None:
    def count() -> None:
        figures = Figures()
        figures.keep_in(lambda: shared.totals)
        for _ in range(20):
            figures.add("files", outcome="drawn")
            figures.add("seconds", 0.5)
            figures.flush()

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shared.totals.read() == {("files", (("outcome", "drawn"),)): 80, ("seconds", ()): 40}


def test_workers_that_are_killed_at_random_are_never_two_in_a_lane(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("url")
    workers = LaneWorkers(tmp_path, lambda: DatabaseClaims(Database(url, settled=0)), count=4)
    delays = workers.run(kills=10, between=0.2)
    assert not workers.two_at_once()
    assert max(delays) < 120, "a dead worker's lane is taken up"


def test_a_machine_without_power_frees_its_lanes_within_half_a_minute(url: str) -> None:
    """The server asks a silent end whether it is there, and drops it."""
    with Database(url).connect("lanes/judging") as session:
        kept = {
            name: int(str(session.exec_driver_sql(f"SHOW tcp_keepalives_{name}").scalar()))
            for name in ("idle", "interval", "count")
        }
    assert kept["idle"] + kept["interval"] * kept["count"] == 30
    assert LOST_AFTER + BEAT_SECONDS < 30, "who is cut off ends before others may begin"


def test_g25_pods_are_held_by_a_run_wherever_it_runs(shared: Shared) -> None:
    name = f"miner-01-5aaaaaaaaa-{owner(shared)}-3"
    assert not is_held(shared, name)
    with lease(shared, "miner-01-5aaaaaaaaa-"):
        assert is_held(shared, name)
    assert not is_held(shared, name)


def test_g25_the_reaper_leaves_the_pods_of_a_run_on_another_machine(
    shared: Shared, other: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    (tmp_path / "images.json").write_text("{}")
    provider = LocalProvider(tmp_path)
    used, left_over = (f"miner-01-{key}-{owner(shared)}-0" for key in ("5aaaaaaaaa", "5bbbbbbbbb"))
    for name in (used, left_over):
        provider.start(name, "an image", None)
    assert reap([provider], shared) == [left_over]
    other.kill()
    with shared.claims.hold("leases/miner-01-5aaaaaaaaa", seconds=30) as held:
        assert held
    assert reap([provider], shared) == [used]


def test_an_installation_has_one_name_for_all_who_ask_first(shared: Shared) -> None:
    names: list[str] = []
    threads = [threading.Thread(target=lambda: names.append(owner(shared))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names) == 8
    assert len(set(names)) == 1


def test_notes_are_written_whole_appended_listed_and_removed(shared: Shared) -> None:
    notes = shared.notes
    assert notes.read("journals/a") is None
    assert notes.names("journals") == []
    notes.append("journals/a", b"one\n")
    notes.append("journals/a", b"two\n")
    notes.write("journals/b", b"\x00\xff")
    notes.write("journals_/c", b"")
    assert notes.read("journals/a") == b"one\ntwo\n"
    assert notes.read("journals/b") == b"\x00\xff"
    assert notes.read("journals_/c") == b""
    assert sorted(notes.names("journals")) == ["journals/a", "journals/b"]
    notes.write("journals/a", b"three")
    assert notes.read("journals/a") == b"three"
    assert notes.create("journals/a", b"four") == b"three"
    assert notes.remove("journals/a")
    assert not notes.remove("journals/a")
    assert notes.read("journals/a") is None


def test_a_mark_has_an_age(shared: Shared) -> None:
    age = shared.notes.age(shared.notes.mark())
    assert age is not None
    assert 0 <= age < 60
    assert shared.notes.age("no mark") is None


def test_a_journal_goes_on_where_another_process_left_it(shared: Shared) -> None:
    output = Output(
        glb="https://store.example/1.glb",
        png=None,
        generation_time=1.5,
        size=1,
        attempts=1,
        distance=None,
    )
    name = "journals/miner-01-x.jsonl"
    Journal(shared.notes, name, {"image": "a"}, None).add("stem", output)
    assert Journal(shared.notes, name, {"image": "a"}, None).results == {0: ("stem", output)}
    shared.notes.append(name, b'{"cut of')
    assert Journal(shared.notes, name, {"image": "a"}, None).results == {0: ("stem", output)}
    assert Journal(shared.notes, name, {"image": "another"}, None).results == {}


def test_a_round_that_is_past_leaves_no_journal_that_nobody_holds(shared: Shared) -> None:
    for name in ("miner-01-a", "miner-01-held", "miner-02-a"):
        shared.notes.write(f"journals/{name}.jsonl", b"")
    with lease(shared, "miner-01-held-"):
        forget_round(shared, 1)
    left = {"journals/miner-01-held.jsonl", "journals/miner-02-a.jsonl"}
    assert set(shared.notes.names("journals")) == left


def test_a_wait_is_seen_by_all_and_one_that_can_t_be_read_begins_anew(shared: Shared) -> None:
    assert Waiting(shared.notes).begin(Lane.JUDGING, "the judge: 503", GENESIS)
    elsewhere = Waiting(shared.notes)
    assert "503" in str(elsewhere.for_lane(Lane.JUDGING))
    assert not elsewhere.begin(Lane.JUDGING, "the judge: 502", GENESIS)
    shared.notes.write(f"waiting/{Lane.JUDGING}.json", b"{")
    assert elsewhere.for_lane(Lane.JUDGING) is None
    assert any(".unreadable-" in name for name in shared.notes.names("waiting"))
    assert elsewhere.begin(Lane.JUDGING, "the judge: 503", GENESIS)
    assert elsewhere.end(Lane.JUDGING)


def test_after_a_restart_of_the_database_only_its_holder_may_take_a_claim(
    server: PostgreSQL, url: str
) -> None:
    patient, hasty = (DatabaseClaims(Database(url, settled)) for settled in (3600.0, 0.0))
    lost = threading.Event()
    with hasty.hold("lanes/audits", lost=lost.set) as held:
        assert held
        server.stop()
        server.start()
        with patient.hold("lanes/audits") as stolen:
            assert not stolen, "the database has just started"
        wait_until_held(hasty, "lanes/audits")
        assert not lost.is_set()
        with hasty.hold("lanes/audits") as second:
            assert not second


def wait_until_held(claims: DatabaseClaims, name: str) -> None:
    for _ in range(600):
        if claims.is_held(name):
            return
        threading.Event().wait(0.1)
    raise AssertionError(f"{name} was not taken again")


def test_who_finds_the_claim_with_another_is_told_that_it_is_lost(
    server: PostgreSQL, url: str
) -> None:
    claims, lost = DatabaseClaims(Database(url, settled=0)), threading.Event()
    with claims.hold("lanes/audits", lost=lost.set):
        server.stop()
        server.start()
        with claims.hold("lanes/audits") as taken:
            if not taken:
                pytest.skip("the holder was faster")
            assert lost.wait(60)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_each_spelling_of_a_database_s_url_is_the_same_database(
    server: PostgreSQL, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setattr("resources.database.SETTLED_AFTER", 0.0)
    shared = open_shared({"DATABASE_URL": server.url(scheme)})
    assert shared is open_shared({"DATABASE_URL": server.url()})
    shared.notes.write("waiting/x", b"1")
    assert shared.notes.read("waiting/x") == b"1"


@pytest.mark.parametrize("url", ["mysql://a/b", "postgresql", "sqlite:///x", "postgresql://"])
def test_another_database_is_refused_by_name_and_its_url_isn_t_shown(url: str) -> None:
    with pytest.raises(BadSetting, match="DATABASE_URL must be a URL such as postgresql://") as bad:
        open_shared({"DATABASE_URL": url})
    assert url not in str(bad.value).replace("postgresql://user", "")
