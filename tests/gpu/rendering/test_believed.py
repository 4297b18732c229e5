"""What a worker says is a stranger's word: a file that has taken it over gets out nothing but a
picture, and blames nobody but itself.
"""

import io
import os
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gpu.faults import Refused, RendererDown
from gpu.picture_size import GRID
from gpu.remarks import remarks_of
from gpu.workers import memory
from gpu.workers import pool as pools
from gpu.workers import supply as supplies
from gpu.workers.memory import free_memory
from gpu.workers.pool import Pool
from gpu.workers.process import worker_environment
from gpu.workers.supply import Terms
from simulators.hostile_workers import HostileWorkers, hostile_workers

GIB = 2**30


@pytest.fixture(scope="module")
def workers() -> Iterator[HostileWorkers]:
    with hostile_workers("cpu") as workers:
        yield workers


@pytest.fixture(scope="module")
def on_a_gpu() -> Iterator[HostileWorkers]:
    with hostile_workers("gpu") as workers:
        yield workers


def chunks(picture: bytes) -> list[tuple[bytes, bytes]]:
    """Each chunk's kind and content; with nothing before, between or after them."""
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    at, found = 8, []
    while at < len(picture):
        length = int.from_bytes(picture[at : at + 4], "big")
        kind, content = picture[at + 4 : at + 8], picture[at + 8 : at + 8 + length]
        check = int.from_bytes(picture[at + 8 + length : at + 12 + length], "big")
        assert check == zlib.crc32(kind + content)
        found.append((kind, content))
        at += length + 12
    return found


def test_g21_a_picture_is_drawn_anew_from_pixels(workers: HostileWorkers) -> None:
    picture = workers.run("picture = bytes([200, 100, 50]) * (1041 * 1041)")
    assert [kind for kind, _ in chunks(picture)] == [b"IHDR", b"IDAT", b"IEND"]
    shown = np.asarray(Image.open(io.BytesIO(picture)))
    assert shown.shape == (GRID, GRID, 3)
    assert (shown == [200, 100, 50]).all()


@pytest.mark.parametrize(
    "code",
    [
        "picture = b'a secret'",
        "picture = dark[:-1]",
        "picture = bytes(20_000_000)",
        "remarks = 'x' * 100_000",
        "picture = open('/proc/self/maps').read().encode()",
        "raise Refused('x' * 15_000_000)",
        "raise Refused('')",
        "os.write(3, b'P' + bytes(4))",
        "os.write(3, b'R' + struct.pack('<I', 2**31) + bytes(2**20))",
        "os.write(3, b'X' + struct.pack('<I', 4) + b'what')",
        "os.write(3, b'R')",
        "raise TypeError('object of type NoneType has no len()')",
        "raise KeyboardInterrupt",
        "os._exit(0)",
        "os.abort()",
        "ctypes.string_at(0)",
    ],
)
def test_g21_nonsense_is_no_picture_and_the_files_fault(workers: HostileWorkers, code: str) -> None:
    try:
        answer = workers.run(code)
    except Refused as refusal:
        assert 1 <= len(str(refusal)) <= 300
    else:
        assert len(chunks(answer)) <= 4


def test_a_reason_is_one_short_printable_line(workers: HostileWorkers) -> None:
    said = workers.answer(r"raise Refused('a\nreason\x00 \x1b[31m' + '\u202e' + 'x' * 900)")
    assert said == "a reason [31m" + "x" * 287


def test_remarks_are_one_short_printable_line(workers: HostileWorkers) -> None:
    picture = workers.run(r"remarks = 'a\nremark\x00' + 'x' * 600")
    assert remarks_of(picture) == "a remark " + "x" * 600


def test_g12_a_worker_that_ignores_its_limit_on_time_ends_and_the_file_is_at_fault(
    workers: HostileWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "WALL_SECONDS", 600.0)  # other processes may take most of it
    with pytest.raises(Refused, match="more than 5 s"):
        workers.run("signal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass")


def test_g21_memory_is_bounded(workers: HostileWorkers) -> None:
    assert "3,072 MiB" in workers.answer("bytearray(4 * 2**30)")


SHARED = """
each, page = 2**26, bytes(2**26)
held = mmap.mmap(-1, 6 * 2**30)
for at in range(0, len(held), each):
    held[at:at + each] = page
    time.sleep(0.01)
raise Refused("it has all of it")
"""


def test_g21_memory_that_counts_for_no_limit_on_a_gpu_is_watched(
    on_a_gpu: HostileWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A machine that first has to find the pages takes seconds of CPU for them.
    monkeypatch.setattr("gpu.workers.watch.CPU_SECONDS", 600)
    assert "3,072 MiB" in on_a_gpu.answer(SHARED, "one that shares")


def test_g21_on_a_gpu_a_file_has_its_own_seconds_and_no_other_file_s(
    on_a_gpu: HostileWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "WALL_SECONDS", 600.0)
    with pytest.raises(Refused, match="more than 5 s"):
        on_a_gpu.run("while True: pass", "one that takes its time")


@pytest.mark.parametrize(("form", "raised"), [("gpu", Refused), ("gpu,slow", RendererDown)])
def test_g01_on_a_gpu_that_is_overloaded_no_file_is_late(
    form: str, raised: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "WALL_SECONDS", 4.0)
    with hostile_workers(form) as workers, pytest.raises(raised, match=r"no picture within 4 s"):
        workers.run("time.sleep(60)")


def test_g21_on_a_gpu_a_worker_ends_after_its_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it goes on with after its answer, and though no other batch wants its place."""
    monkeypatch.setattr(supplies, "IDLE_SECONDS", 0.3)
    go_on = """
        def on():
            while True:
                pass
        threading.Thread(target=on, daemon=True).start()
        raise Refused("it goes on")
    """
    with hostile_workers("gpu") as workers:
        assert workers.answer(go_on, "a miner") == "it goes on"
        supply = workers.pool._supply
        (worker,) = [worker for _, worker in supply._waiting]
        assert worker._template is not None
        process = Path("/proc", str(worker._template.becomes))
        assert process.exists()
        until = time.monotonic() + 20
        while process.exists() and time.monotonic() < until:
            time.sleep(0.05)
        assert not process.exists()
        assert not supply._waiting
        assert workers.answer("raise Refused(f'file {seen}')", "a miner") == "file 1"


def test_a_file_at_which_workers_sleep_is_at_fault(
    workers: HostileWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "WALL_SECONDS", 1.5)
    monkeypatch.setattr(pools, "CPU_SECONDS", 1e-4)  # any pace of the machine is good enough
    sleep = "os.read(3, 1)"
    with pytest.raises(Refused, match=r"no picture within 1\.5 s"):
        workers.run(sleep)


def test_g01_a_machine_that_is_overloaded_is_no_verdict(
    workers: HostileWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The picture of our own takes so long that any file's would have been late."""
    monkeypatch.setattr(pools, "WALL_SECONDS", 0.2)
    monkeypatch.setattr(pools, "CPU_SECONDS", 1e6)
    with pytest.raises(RendererDown, match=r"overloaded|file of our own"):
        workers.run("os.read(3, 1)")


def test_a_file_that_says_that_the_machine_is_broken_is_at_fault(workers: HostileWorkers) -> None:
    assert workers.answer("raise RendererDown('no GPU here')") == "no GPU here"


def test_g01_a_machine_that_is_broken_is_no_verdict() -> None:
    with hostile_workers("cpu,broken") as workers, pytest.raises(RendererDown, match="no GPU"):
        workers.run("raise RendererDown('no GPU here')")


@pytest.mark.parametrize("batch", [None, "a miner"])
def test_g21_a_worker_that_was_taken_over_does_not_stay(
    workers: HostileWorkers, batch: str | None
) -> None:
    """On the CPU, not even for the same miner's next file."""
    stay = "Rendering.draw = lambda *_: (bytes([255]) * len(dark), '')"
    workers.run(stay, batch)
    assert workers.answer("raise Refused(f'file {seen}')", batch) == "file 1"


CHANGE = """
import mmap
seen_files = 0
for number in range(256):
    for change in (
        lambda: os.pwrite(number, b"x", 0),
        lambda: os.ftruncate(number, 0),
        lambda: mmap.mmap(number, 1, mmap.MAP_SHARED, mmap.PROT_WRITE),
    ):
        try:
            if os.lseek(number, 0, os.SEEK_END):  # a file with a content, and no device
                seen_files += 1
                change()
                raise Refused(f"{number} was changed")
        except (OSError, ValueError):
            pass
raise Refused("nothing was changed" if seen_files else "no file was seen")
"""


@pytest.mark.parametrize("form", ["workers", "on_a_gpu"])
def test_g21_a_worker_cannot_change_the_file_that_it_shows(
    form: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """The service hands over an upload, which it may write. The second try sees the same file."""
    workers: HostileWorkers = request.getfixturevalue(form)
    upload = tmp_path / "upload"
    upload.write_text(CHANGE)
    with upload.open("r+b") as file:
        file.seek(7)
        with pytest.raises(Refused, match="nothing was changed"):
            workers.pool.render(file.fileno(), "glb")
        assert file.tell() == 7
    assert upload.read_text() == CHANGE


def test_g21_on_a_gpu_a_worker_is_one_miners(on_a_gpu: HostileWorkers) -> None:
    tell = "raise Refused(f'file {seen}')"
    assert on_a_gpu.answer(tell, "a miner") == "file 1"
    assert on_a_gpu.answer(tell, "a miner") == "file 2"
    assert on_a_gpu.answer(tell, "another") == "file 1"
    assert on_a_gpu.answer(tell) == "file 1"
    assert on_a_gpu.answer(tell) == "file 1"


def test_g21_a_worker_sees_no_secret(workers: HostileWorkers) -> None:
    everything = {
        "PATH": "/bin",
        "HOME": "/root",
        "R2_SECRET_ACCESS_KEY": "s",
        "OPENAI_API_KEY": "s",
        "CUDA_HOME": "/c",
    }
    seen = worker_environment(everything)
    assert not {name for name, value in seen.items() if value == "s"}
    assert seen["CUDA_HOME"] == "/c"
    assert Path(seen["PYTHONPATH"], "gpu").is_dir()
    names = workers.answer("raise Refused(' '.join(sorted(os.environ)))").split()
    allowed = {*worker_environment(os.environ), "PWD", "OLDPWD", "SHLVL", "_"}  # a shell's
    assert set(names) <= allowed


@pytest.mark.skipif(os.getuid() != 0, reason="takes root's rights")
def test_g21_each_worker_is_a_user_of_its_own_and_without_rights(on_a_gpu: HostileWorkers) -> None:
    tell = """
        lines = dict(line.strip().split(":", 1) for line in open("/proc/self/status"))
        rights = [lines[name] for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")]
        raise Refused(f"{lines['Uid']} {lines['Groups']} {set(int(each, 16) for each in rights)}")
    """
    one, other = on_a_gpu.answer(tell), on_a_gpu.answer(tell)
    assert one != other
    for said in (one, other):
        assert said.split()[-1] == "{0}"
        assert len(said.split()) == 5  # four user ids, and no group beside its own
        assert "0" not in said.split()[:4]


@pytest.mark.parametrize("form", ["cpu", "gpu"])
def test_g21_without_landlock_nothing_is_drawn_unless_it_is_allowed(form: str) -> None:
    """Also by workers of the platform's own."""
    terms = Terms(gpu=form == "gpu")
    with (
        hostile_workers(f"{form},unlocked", terms) as workers,
        pytest.raises(RendererDown, match=r"no Landlock.*ALLOW_WEAK_SANDBOX"),
    ):
        workers.run("")
    with hostile_workers(f"{form},unlocked", Terms(weak=True)) as workers:
        assert workers.run("")


def test_health_says_what_the_machine_lacks() -> None:
    with hostile_workers(
        "cpu,together,unlocked,user" if os.getuid() == 0 else "cpu,together,unlocked",
        Terms(weak=True),
    ) as workers:
        lacking = workers.pool.health()["lacking"]
        assert lacking == ["namespaces", "a user of its own", "Landlock"]
        assert workers.run("")  # no file can be opened, whatever else is missing


def test_g21_the_platform_draws_on_no_gpu() -> None:
    terms = Terms(gpu=False)
    with hostile_workers("gpu", terms) as workers, pytest.raises(RendererDown, match="RENDER_URL"):
        workers.run("")


def test_workers_fit_into_the_memory_that_they_may_take_together() -> None:
    sizes = [Pool(8, memory=size).size for size in (1, 3 * GIB, 7 * GIB, 100 * GIB)]
    assert sizes == [1, 1, 2, 8]


def test_the_memory_of_a_control_group_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = free_memory()
    limit, used = tmp_path / "max", tmp_path / "current"
    monkeypatch.setattr(memory, "_LIMITS", ((limit, used),))
    limit.write_text("max\n")
    used.write_text("1000\n")
    assert free_memory() > everything / 2
    limit.write_text(f"{2**20}\n")
    assert free_memory() == 2**20 - 1000
