"""A file's bytes in, its picture's PNG out: what each worker process runs."""

import os
from functools import cached_property
from typing import TYPE_CHECKING

from gpu.faults import RendererDown
from gpu.formats import FORMATS, format_of
from gpu.meshes.drawing import MeshDrawing
from gpu.remarks import text_of, with_remarks
from gpu.splats.cpu import draw_splats
from gpu.splats.ply import Splats
from gpu.views import Picture, grid, png
from gpu.workers import warmup

if TYPE_CHECKING:
    from gpu.splats.cuda import CudaSplats


class Rendering:
    """What draws, kept from one file to the next. Threads must not share it.

    `cuda` is the name of the GPU that draws splats, None where the CPU does, and `splats_fault`
    says why nothing can draw them: a fault of a GPU, or of what uses it. Meshes are drawn then,
    too.
    """

    def __init__(self) -> None:
        from gpu.splats import cuda as splats_cuda  # noqa: PLC0415 - torch's import takes seconds

        self._readers = {name: each.load() for name, each in FORMATS.items()}
        self.cuda: str | None = None
        self.splats_fault: str | None = None
        self._cuda_splats: CudaSplats | None = None
        try:
            self.cuda = splats_cuda.device()
            if self.cuda is not None:
                self._cuda_splats = splats_cuda.CudaSplats(os.environ)
        except RendererDown as down:
            self.splats_fault = str(down)

    def render(self, kind: str, data: memoryview) -> bytes:
        """The PNG of a file's grid (1041, 1041), with remarks on what was tolerated in the file.

        Raises Refused for a file that can't be shown, and RendererDown where no splats can be
        drawn.
        """
        picture, remarks = self._shown(kind, data)
        return with_remarks(png(picture), remarks)

    def draw(self, kind: str, data: memoryview) -> tuple[bytes, str]:
        """The pixels of a file's grid (1041, 1041, 3), and the remarks. Raises as `render`."""
        picture, remarks = self._shown(kind, data)
        return picture.tobytes(), text_of(remarks)

    def _shown(self, kind: str, data: memoryview) -> tuple[Picture, list[str]]:
        remarks: list[str] = []
        name, draft = format_of(kind)
        shown = self._readers[name](data, remarks.append)
        if isinstance(shown, Splats):
            views = self.draw_splats(shown)
        else:
            views = self.meshes.draw(shown, draft=draft)
        return grid(views), remarks

    @property
    def hardware(self) -> bool:
        """Whether a GPU's driver is in this process, which may open files whenever it likes."""
        gpu = self.cuda is not None or self.splats_fault is not None
        return gpu or "llvmpipe" not in self.meshes.device

    def report(self) -> dict[str, str | None]:
        """What draws meshes and splats, and why none of the latter can be drawn."""
        return {
            "gl": self.meshes.device,
            "cuda": self.cuda,
            "splats_fault": self.splats_fault,
        }

    def warm_up(self) -> None:
        """Draw files of every kind, so that everything is loaded and compiled before a miner's file
        is opened in the sandbox.
        """
        for name, data in warmup.files():
            shown = self._readers[name](memoryview(data), lambda _: None)
            if isinstance(shown, Splats):
                self._try_splats(shown)
            else:
                self.render(name, memoryview(data))

    @cached_property
    def meshes(self) -> MeshDrawing:
        return MeshDrawing()

    def draw_splats(self, splats: Splats) -> list[Picture]:
        """The four views, each (518, 518, 3). Raises RendererDown where none can be drawn."""
        if self.splats_fault is not None:
            raise RendererDown(f"splats can't be drawn: {self.splats_fault}")
        return draw_splats(splats) if self._cuda_splats is None else self._cuda_splats.draw(splats)

    def _try_splats(self, splats: Splats) -> None:
        try:
            if self._cuda_splats is not None:
                self._cuda_splats.try_out(splats)
            elif self.splats_fault is None:
                draw_splats(splats)
        except RendererDown as down:
            self.splats_fault, self._cuda_splats = str(down), None
