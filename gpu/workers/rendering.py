"""A file's bytes in, its picture's PNG out: what each worker process runs."""

import os
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from gpu.faults import RendererDown
from gpu.meshes.drawing import MeshDrawing
from gpu.meshes.mesh import read_mesh
from gpu.remarks import with_remarks
from gpu.splats.cpu import draw_splats
from gpu.splats.ply import Splats, read_splats
from gpu.views import Picture, grid, png
from gpu.workers import warmup

if TYPE_CHECKING:
    from gpu.splats.cuda import CudaSplats

Kind = Literal["glb", "ply", "glb-draft"]
KINDS: tuple[Kind, ...] = ("glb", "ply", "glb-draft")


class Rendering:
    """What draws, kept from one file to the next. Threads must not share it.

    `cuda` is the name of the GPU that draws splats, None where the CPU does, and `splats_fault`
    says why nothing can draw them: a fault of a GPU, or of what uses it. Meshes are drawn then,
    too.
    """

    def __init__(self) -> None:
        from gpu.splats import cuda as splats_cuda  # noqa: PLC0415 - torch's import takes seconds

        self.cuda: str | None = None
        self.splats_fault: str | None = None
        self._cuda_splats: CudaSplats | None = None
        try:
            self.cuda = splats_cuda.device()
            if self.cuda is not None:
                self._cuda_splats = splats_cuda.CudaSplats(os.environ)
        except RendererDown as down:
            self.splats_fault = str(down)

    def render(self, kind: Kind, data: memoryview) -> bytes:
        """The PNG of a file's grid (1041, 1041), with remarks on what was tolerated in the file.

        Raises Refused for a file that can't be shown, and RendererDown where no splats can be
        drawn.
        """
        remarks: list[str] = []
        if kind == "ply":
            splats = read_splats(data)
            remarks += splats.notes
            views = self.draw_splats(splats)
        else:
            views = self.meshes.draw(read_mesh(data, remarks.append), draft=kind == "glb-draft")
        return with_remarks(png(grid(views)), remarks)

    def warm_up(self) -> None:
        """Draw files of every kind, so that everything is loaded and compiled before a miner's file
        is opened in the sandbox.
        """
        for kind, data in warmup.files():
            if kind == "ply":
                self._try_splats(read_splats(memoryview(data)))
            else:
                self.render(kind, memoryview(data))

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
