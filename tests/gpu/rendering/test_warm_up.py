"""`gen404 warm-up`: what is compiled, and what is said where something can't be."""

import sys
from pathlib import Path
from typing import Any

import pytest

from gen404_assets.commands.cli import main
from gpu import command
from gpu.faults import RendererDown
from gpu.splats.kernels import KernelsMissing

READY = {"gl": "llvmpipe", "cuda": None, "splats_fault": None}


class Workers:
    """In place of a pool: what its worker says when it is ready."""

    def __init__(self, ready: dict[str, Any] | RendererDown) -> None:
        self._ready = ready
        self.closed = False

    def __call__(self, *_: object) -> "Workers":
        return self

    def health(self) -> dict[str, Any]:
        if isinstance(self._ready, RendererDown):
            raise self._ready
        return self._ready

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "_compile", lambda _: None)


@pytest.mark.usefixtures("no_gpu")
def test_what_draws_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    workers = Workers(READY)
    monkeypatch.setattr(command, "Pool", workers)
    assert main(["warm-up"]) == 0
    assert capsys.readouterr().out == "meshes are drawn by llvmpipe, splats by the CPU\n"
    assert workers.closed


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize(
    "ready",
    [READY | {"splats_fault": "no kernel image"}, RendererDown("no kernel image")],
    ids=["splats", "all"],
)
def test_what_cannot_be_drawn_is_said(
    ready: dict[str, Any] | RendererDown,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(command, "Pool", Workers(ready))
    assert command.warm_up({}) == 2
    assert "no kernel image" in capsys.readouterr().err


def test_kernels_are_compiled_for_the_gpus_that_are_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a torch that sees a GPU, and a gsplat that isn't compiled."""
    for name, content in {
        "torch/__init__.py": "class cuda:\n    device_count = staticmethod(lambda: 1)\n"
        "    get_device_capability = staticmethod(lambda number: (9, 0))\n",
        "gsplat/__init__.py": "",
    }.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(content)
    for name in [name for name in sys.modules if name.split(".")[0] in ("torch", "gsplat")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(tmp_path))
    asked: list[str] = []

    def compile_kernels(_: object, architectures: str) -> Path:
        asked.append(architectures)
        raise KernelsMissing("there is no compiler")

    monkeypatch.setattr(command, "compile_kernels", compile_kernels)
    assert command.warm_up({"TORCH_CUDA_ARCH_LIST": "8.0"}) == 2
    assert asked == ["8.0;9.0"]
    assert "no compiler" in capsys.readouterr().err
