"""The files that the platform keeps for itself: whatever befalls one, the work goes on with what
can be read of it, and a full disk is said to be full.
"""

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gen404_assets.competition.catalogue import Lane
from gen404_assets.competition.outputs import Output
from gen404_assets.live.journal import Journal
from gen404_assets.live.waiting import Waiting
from resources.notes import FileNotes
from simulators.outside import GENESIS

IDENTITY = {"image": "image:first", "seed": 1}


def output(number: int) -> Output:
    return Output(
        glb=f"https://store.example/{number}.glb",
        png=None,
        generation_time=1.5,
        size=number,
        attempts=1,
        distance=None,
    )


def opened(path: Path) -> Journal:
    return Journal(FileNotes(path.parent), path.name, IDENTITY, None)


def filled(path: Path, results: int = 5) -> Journal:
    journal = opened(path)
    for number in range(results):
        journal.add(f"stem-{number}", output(number))
    return journal


def test_a_journal_cut_in_the_middle_is_set_aside_named_and_what_it_lacks_is_made_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk leaves half a line, and what is written once there is room follows it."""
    path = tmp_path / "journals" / "audit.jsonl"
    filled(path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], lines[2][:20], *lines[3:]]))
    with caplog.at_level(logging.ERROR):
        journal = opened(path)
    kept = {stem for stem, _ in journal.results.values()}
    assert kept == {"stem-0", "stem-3", "stem-4"}, "two lines ran into one"
    (aside,) = path.parent.glob("*.unreadable-*")
    assert aside.name in caplog.text
    assert "line 3" in caplog.text
    journal.add("stem-1", output(1))
    again = opened(path)
    assert {stem for stem, _ in again.results.values()} == {*kept, "stem-1"}
    assert len(list(path.parent.glob("*.unreadable-*"))) == 1, "it is in order now"


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_whatever_befalls_a_journal_it_opens_and_is_in_order_then(
    tmp_path: Path, data: st.DataObject
) -> None:
    path = tmp_path / "audit.jsonl"
    path.unlink(missing_ok=True)
    before = filled(path).results
    raw = path.read_bytes()
    start = data.draw(st.integers(0, len(raw)))
    end = data.draw(st.integers(start, len(raw)))
    path.write_bytes(raw[:start] + data.draw(st.binary(max_size=20)) + raw[end:])
    results = opened(path).results
    assert len(results) <= len(before)
    assert opened(path).results == results


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"for": 1}', b"\xff\xfe", b"7"])
def test_a_wait_that_can_t_be_read_is_set_aside_and_begins_anew(
    tmp_path: Path, content: bytes
) -> None:
    waiting = Waiting(FileNotes(tmp_path))
    assert waiting.begin(Lane.JUDGING, "the judge", GENESIS)
    path = tmp_path / "waiting" / f"{Lane.JUDGING}.json"
    path.write_bytes(content)
    assert waiting.for_lane(Lane.JUDGING) is None
    assert waiting.begin(Lane.JUDGING, "the judge", GENESIS)
    assert not waiting.begin(Lane.JUDGING, "the judge", GENESIS)
    assert next(path.parent.glob("*.unreadable-*")).read_bytes() == content


FULL = """
import sys
from pathlib import Path
from gen404_assets.competition.faults import InfrastructureFault
from tests.live.test_own_files import opened, output

folder = Path(sys.argv[1])
journal = opened(folder / "audit.jsonl")
fill = (folder / "fill").open("wb", 0)
try:
    while True:
        fill.write(bytes(4096))
except OSError:
    pass
kept = 0
try:
    while True:
        journal.add(f"stem-{kept}", output(kept))
        kept += 1
except InfrastructureFault as fault:
    print(fault)
fill.truncate(0)
journal.add("after", output(kept))
found = [stem for stem, _ in opened(folder / "audit.jsonl").results.values()]
assert found == [*(f"stem-{number}" for number in range(kept)), "after"], found
assert kept, "some had room"
assert not list(folder.glob("*.unreadable-*"))
"""
READ_ONLY = """
import sys
from pathlib import Path
from gen404_assets.competition.faults import InfrastructureFault
from tests.live.test_own_files import opened, output

try:
    opened(Path(sys.argv[1]) / "audit.jsonl").add("a", output(1))
except InfrastructureFault as fault:
    print(fault)
"""


def on_a_disk_of_its_own(script: str, options: str, folder: Path) -> str:
    """What a script prints that has a real file system of 64 KiB for itself."""
    run = f"exec {sys.executable} -c '{script}' {folder}"
    mounted = f"mount -t tmpfs -o {options} tmpfs {folder} && {run}"
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", mounted], capture_output=True, text=True, check=False
    )
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("no namespaces here")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_full_disk_is_said_in_a_sentence_and_leaves_no_half_line(tmp_path: Path) -> None:
    printed = on_a_disk_of_its_own(FULL.replace("'", '"'), "size=64k", tmp_path)
    assert "No space left on device" in printed
    assert "free some space" in printed
    assert printed.count("\n") == 1


def test_a_read_only_disk_is_said_in_a_sentence(tmp_path: Path) -> None:
    printed = on_a_disk_of_its_own(READ_ONLY.replace("'", '"'), "size=64k,ro", tmp_path)
    assert "Read-only file system" in printed
    assert printed.count("\n") == 1


def test_a_journal_s_lines_are_json(tmp_path: Path) -> None:
    filled(tmp_path / "audit.jsonl", 2)
    lines = (tmp_path / "audit.jsonl").read_text().splitlines()
    assert [next(iter(json.loads(line))) for line in lines] == ["identity", "result", "result"]
