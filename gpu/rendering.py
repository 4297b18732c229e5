"""A file's bytes in, its picture's PNG out: what each worker process runs."""

from functools import cached_property
from typing import Literal

from gpu import warmup
from gpu.drawing import MeshDrawing
from gpu.mesh import read_mesh
from gpu.ply import Splats, read_splats
from gpu.remarks import with_remarks
from gpu.splats import draw_splats
from gpu.views import Picture, grid, png

Kind = Literal["glb", "ply", "glb-draft"]
KINDS: tuple[Kind, ...] = ("glb", "ply", "glb-draft")


class Rendering:
    """The means to draw, kept from one file to the next. One thread's alone."""

    def render(self, kind: Kind, data: memoryview) -> bytes:
        """The PNG of a file's grid (1041, 1041), with remarks on what was tolerated in the file.

        Raises Refused for a file that can't be shown.
        """
        remarks: list[str] = []
        if kind == "ply":
            views = self._splats(read_splats(data))
        else:
            views = self.meshes.draw(read_mesh(data, remarks.append), draft=kind == "glb-draft")
        return with_remarks(png(grid(views)), remarks)

    def warm_up(self) -> None:
        """Draw something of every kind, so that all is loaded and compiled before a stranger's file is opened."""
        for kind, data in warmup.files():
            self.render(kind, memoryview(data))

    @cached_property
    def meshes(self) -> MeshDrawing:
        return MeshDrawing()

    @cached_property
    def cuda(self) -> str | None:
        """The name of the CUDA device that draws splats; None where the CPU does."""
        from gpu import splats_cuda  # noqa: PLC0415 - torch's import takes seconds

        return splats_cuda.device()

    def _splats(self, splats: Splats) -> list[Picture]:
        if self.cuda is None:
            return draw_splats(splats)
        from gpu import splats_cuda  # noqa: PLC0415

        return splats_cuda.draw_splats(splats)
