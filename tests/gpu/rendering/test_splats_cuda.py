"""How gsplat is called and found: what can be told without a GPU, and what a worker does without
it.
"""

import importlib
import importlib.machinery
import importlib.util
import inspect
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from gpu.faults import Refused, RendererDown
from gpu.picture_size import SIDE
from gpu.splats import cuda as splats_cuda
from gpu.splats import kernels
from gpu.splats.cpu import DISTANCE
from gpu.splats.cuda import CudaSplats, gaussians, painting, view
from gpu.splats.kernels import KernelsMissing, compile_kernels, library
from gpu.splats.ply import Splats, read_splats
from gpu.views import AZIMUTHS, eye
from gpu.workers.warmup import ply
from simulators import gsplat as gsplat_stand_in
from simulators.files_3d import gaussians as some_gaussians

INSTALLED = all(map(importlib.util.find_spec, ("gsplat", "torch")))
with_gsplat = pytest.mark.skipif(not INSTALLED, reason="gsplat and torch aren't installed")


@pytest.fixture(scope="module")
def splats() -> Splats:
    return read_splats(memoryview(ply(some_gaussians(50))))


def test_cuda_has_the_same_cameras() -> None:
    poses, intrinsics = splats_cuda.cameras()
    for pose, intrinsic, azimuth in zip(poses, intrinsics, AZIMUTHS, strict=True):
        at = eye(azimuth, DISTANCE)
        assert np.allclose(pose @ [*at, 1], [0, 0, 0, 1], atol=1e-9)
        middle = intrinsic @ (pose @ [0, 0, 0, 1])[:3]
        assert np.allclose(middle, [SIDE / 2 * DISTANCE, SIDE / 2 * DISTANCE, DISTANCE])
        above = intrinsic @ (pose @ [0, 0.5, 0, 1])[:3]
        assert above[1] / above[2] < SIDE / 2


def test_gsplat_takes_what_we_give(splats: Splats) -> None:
    for number in range(4):
        colors, _, _ = gsplat_stand_in.rasterization(
            **gaussians(splats), colors=splats.colors, **painting(number)
        )
        assert colors.shape == (1, SIDE, SIDE, 3)
    radii, *_ = gsplat_stand_in.fully_fused_projection(
        covars=None, **gaussians(splats), **view(slice(None))
    )
    assert radii.shape == (4, 50, 2)


def test_the_stand_in_refuses_what_gsplat_refused(splats: Splats) -> None:
    """A background for packed Gaussians ended every PLY on a GPU in an AssertionError."""
    with pytest.raises(AssertionError):
        gsplat_stand_in.rasterization(
            **gaussians(splats), colors=splats.colors, **(painting(0) | {"packed": True})
        )


def test_what_is_given_are_arrays_of_32_bits(splats: Splats) -> None:
    arguments = gaussians(splats) | {"colors": splats.colors} | painting(1)
    arrays = [value for value in arguments.values() if isinstance(value, np.ndarray)]
    assert len(arrays) == 8
    assert all(array.dtype == np.float32 and array.flags.c_contiguous for array in arrays)


@with_gsplat
@pytest.mark.parametrize("name", ["rasterization", "fully_fused_projection"])
def test_the_stand_in_has_gsplats_signature(name: str) -> None:
    def signature_of(function: Callable[..., Any]) -> list[tuple[str, object]]:
        parameters = inspect.signature(function).parameters.values()
        return [(each.name, str(each.default)) for each in parameters]

    theirs = getattr(importlib.import_module("gsplat"), name)
    assert signature_of(getattr(gsplat_stand_in, name)) == signature_of(theirs)


# gsplat's own Python, over kernels that are none


@pytest.fixture
def no_kernels(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In place of gsplat's compiled part, functions that return tensors of the right shapes: the
    projection is gsplat's plain one, and pictures are black."""
    torch, plain, gsplat = map(
        importlib.import_module, ("torch", "gsplat.cuda._torch_impl", "gsplat")
    )

    def project(means: Any, _: Any, quats: Any, scales: Any, *rest: Any) -> Any:
        covariances, _ = plain._quat_scale_to_covar_preci(quats, scales, True, False)
        _, viewmats, focal, width, height, blur = rest[:6]
        radii, *others = plain._fully_fused_projection(
            means, covariances, viewmats, focal, width, height, blur
        )
        return radii.int(), *others

    def intersect(middles: Any, *_: Any) -> Any:
        return torch.zeros(middles.shape[:-1]), torch.zeros(0), torch.zeros(0)

    def offsets(_: Any, images: int, width: int, height: int) -> Any:
        return torch.zeros((images, height, width))

    def rasterize(middles: Any, *_: Any) -> Any:
        shape = (*middles.shape[:-2], SIDE, SIDE)
        return torch.zeros((*shape, 3)), torch.zeros((*shape, 1)), torch.zeros(shape)

    fake = ModuleType("gsplat.csrc")
    fake.__spec__ = importlib.machinery.ModuleSpec("gsplat.csrc", None)
    fake.__dict__.update(
        CameraModelType=None,
        PINHOLE=None,
        projection_ewa_3dgs_fused_fwd=project,
        intersect_tile=intersect,
        intersect_offset=offsets,
        rasterize_to_pixels_3dgs_fwd=rasterize,
    )
    monkeypatch.setitem(sys.modules, "gsplat.csrc", fake)
    monkeypatch.setattr(gsplat, "csrc", fake, raising=False)
    monkeypatch.delitem(sys.modules, "gsplat.cuda._backend", raising=False)
    yield
    sys.modules.pop("gsplat.cuda._backend", None)


@with_gsplat
@pytest.mark.filterwarnings("default")  # theirs
@pytest.mark.usefixtures("no_kernels")
def test_gsplat_itself_takes_the_whole_drawing(splats: Splats) -> None:
    pictures = CudaSplats({}, "cpu").draw(splats)
    assert [picture.shape for picture in pictures] == [(SIDE, SIDE, 3)] * 4
    assert pictures[0].dtype == np.uint8


@with_gsplat
@pytest.mark.filterwarnings("default")
@pytest.mark.usefixtures("no_kernels")
def test_what_is_too_much_for_a_cpu_is_too_much_for_a_gpu(
    splats: Splats, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawing = CudaSplats({}, "cpu")
    large = Splats(
        splats.means, splats.scales * 1000, splats.turns, splats.colors, splats.opacities
    )
    drawing.draw(large)
    monkeypatch.setattr(
        splats_cuda, "PAIRS", 50 * 17 * 17 - 1
    )  # each of the 50 is before each tile
    with pytest.raises(Refused, match="can't be drawn"):
        drawing.draw(large)
    drawing.draw(splats)


@with_gsplat
@pytest.mark.filterwarnings("default")
@pytest.mark.usefixtures("no_kernels")
def test_g01_a_gpu_without_memory_is_no_verdict_on_a_file(
    splats: Splats, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch, gsplat = importlib.import_module("torch"), importlib.import_module("gsplat")

    def full(**_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 GiB")

    monkeypatch.setattr(gsplat, "rasterization", full)
    with pytest.raises(RendererDown, match="no memory left"):
        CudaSplats({}, "cpu").draw(splats)


# A machine that has a GPU, as far as torch and gsplat of our own can tell

TORCH = """
class version: cuda = "13.0"
class cuda:
    is_available = staticmethod(lambda: True)
    get_device_name = staticmethod(lambda: "NVIDIA H200")
    device_count = staticmethod(lambda: 1)
    get_device_capability = staticmethod(lambda number: (9, 0))
"""
# as gsplat/cuda/_backend.py and torch.utils.cpp_extension: a lock in the folder is waited for, what
# is built stays
BACKEND = """
import os, pathlib, time
folder = pathlib.Path(os.environ["TORCH_EXTENSIONS_DIR"], "gsplat_cuda")
while (folder / "lock").exists():
    time.sleep(0.1)
folder.mkdir(parents=True, exist_ok=True)
if not (folder / "gsplat_cuda.so").exists():
    (folder / "gsplat_cuda.so").write_text(os.environ["TORCH_CUDA_ARCH_LIST"])
_C = None if os.environ.get("NO_TOOLKIT") else object()
"""


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a `torch` that sees a GPU and a `gsplat` that isn't compiled."""
    folder = tmp_path / "packages"
    for name, content in {
        "torch/__init__.py": TORCH,
        "gsplat/__init__.py": "",
        "gsplat/cuda/__init__.py": "",
        "gsplat/cuda/_backend.py": BACKEND,
        "torch-2.13.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: torch\nVersion: 2.13.0\n",
        "gsplat-1.5.3.dist-info/METADATA": "Metadata-Version: 2.1\nName: gsplat\nVersion: 1.5.3\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    monkeypatch.syspath_prepend(str(folder))
    return folder


@pytest.fixture
def environment(packages: Path, tmp_path: Path) -> dict[str, str]:
    caches = {"XDG_CACHE_HOME": str(tmp_path / "caches"), "PYTHONPATH": str(packages)}
    return {"PATH": os.environ["PATH"], **caches}


def test_kernels_are_kept_by_what_they_were_made_for(environment: dict[str, str]) -> None:
    file = library(environment)
    assert file.name == "gsplat_cuda.so"
    assert file.parent.name.startswith("gsplat-1.5.3-torch-2.13.0-cpython")
    assert file.is_relative_to(environment["XDG_CACHE_HOME"])
    assert library({"TORCH_EXTENSIONS_DIR": "/opt/kernels"}).is_relative_to("/opt/kernels")


def test_kernels_are_compiled_once_and_published_whole(environment: dict[str, str]) -> None:
    file = compile_kernels(environment, "9.0")
    assert file == library(environment)
    assert file.read_text() == "9.0"
    first = file.stat().st_ino
    compile_kernels(environment, "9.0")
    assert file.read_text() == "9.0"
    assert file.stat().st_ino != first  # never written into: a worker may be running from it


def test_a_compilation_that_was_killed_is_not_waited_for(environment: dict[str, str]) -> None:
    lock = library(environment).parent / "build/gsplat_cuda/lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    assert compile_kernels(environment, "9.0").is_file()


def test_what_compiling_takes_is_said(
    environment: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(KernelsMissing, match=r"CUDA's toolkit.*nvcc"):
        compile_kernels(environment | {"NO_TOOLKIT": "1"}, "9.0")
    assert "torch is made for CUDA 13.0" in capfd.readouterr().err
    assert not library(environment).exists()


def test_architectures_are_those_asked_for_and_those_here(packages: Path) -> None:
    code = "import sys; from gpu.splats.cuda import architectures; "
    code += "print(architectures({'TORCH_CUDA_ARCH_LIST': sys.argv[1]}))"

    def chosen(asked: str) -> str:
        path = {"PYTHONPATH": f"{packages}{os.pathsep}{Path(kernels.__file__).parents[1]}"}
        return subprocess.run(
            [sys.executable, "-c", code, asked],
            env=path,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    assert chosen("") == "9.0"
    assert chosen("8.0;9.0+PTX") == "8.0;9.0+PTX"
    assert chosen("8.0 8.6") == "8.0;8.6;9.0"


def test_what_to_run_is_said_where_there_is_nothing_to_load(environment: dict[str, str]) -> None:
    done = loading(environment)
    assert "gen404 warm-up" in done
    file = library(environment)
    file.parent.mkdir(parents=True)
    file.write_bytes(b"\x7fELF, and cut short")
    assert "gen404 warm-up" in loading(environment)


def test_a_library_is_loaded_in_place_of_gsplats_own(
    environment: dict[str, str], tmp_path: Path
) -> None:
    source = tmp_path / "kernels.c"
    source.write_text(
        "#include <Python.h>\n"
        'static struct PyModuleDef kernels = {PyModuleDef_HEAD_INIT, "gsplat_cuda", NULL, -1};\n'
        "PyMODINIT_FUNC PyInit_gsplat_cuda(void) {\n"
        "    PyObject *made = PyModule_Create(&kernels); "
        'PyModule_AddIntConstant(made, "loaded", 1); return made; }\n'
    )
    file = library(environment)
    file.parent.mkdir(parents=True)
    include = sysconfig.get_path("include")
    try:
        command = ["cc", "-shared", "-fPIC", f"-I{include}", str(source), "-o", str(file)]
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no C compiler, or no headers of Python's")
    assert loading(environment) == "1"


def loading(environment: dict[str, str]) -> str:
    """What comes of loading the kernels in a process of its own."""
    code = """
import os
from gpu.splats.kernels import KernelsMissing, load_kernels
try:
    load_kernels(os.environ)
    load_kernels(os.environ)
    from gsplat import csrc
    print(csrc.loaded)
except KernelsMissing as missing:
    print(missing)
"""
    path = f"{environment['PYTHONPATH']}{os.pathsep}{Path(kernels.__file__).parents[1]}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()
