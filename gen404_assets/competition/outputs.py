"""`submitted.json`, `generated.json`, `pod_stats.json`: a miner's 3D files and previews, prompt by
prompt.
"""

from collections.abc import Set

from pydantic import Field

from gen404_assets.competition.files import MapFile, Record
from gen404_assets.competition.output_formats import OUTPUT_FORMATS


class Output(Record):
    """One prompt's result: public URLs or null; `generation_time` in seconds (0 for submitted),
    `size` in bytes.

    The 3D file stands under the competition's output format. `distance` is that of the previews, 0
    until measured.
    """

    glb: str | None = None
    ply: str | None = None
    png: str | None
    generation_time: float = Field(allow_inf_nan=False)
    size: int
    attempts: int
    distance: float | None = Field(allow_inf_nan=False)

    @property
    def model(self) -> str | None:
        """The 3D file's URL."""
        for name in OUTPUT_FORMATS:
            if url := getattr(self, name):
                return str(url)
        return None

    @property
    def complete(self) -> bool:
        """Both the 3D file and its preview are there."""
        return bool(self.model and self.png)


class Outputs(MapFile[Output]):
    """prompt stem -> output."""

    def complete(self) -> list[str]:
        """The stems that have both file and preview, in the file's order."""
        return [stem for stem, output in self.items() if output.complete]

    def without(self, stems: Set[str]) -> "Outputs":
        """These outputs without those for the prompts with these stems."""
        if stems.isdisjoint(self.root):
            return self
        return Outputs({stem: output for stem, output in self.items() if stem not in stems})


class PodStats(Record):
    """What one pod did, as it was when the pod ended; times in seconds."""

    pod_id: str
    processed: int
    successful: int
    hard_failed: int
    hard_overtime: int
    time_min: float | None
    time_max: float | None
    time_avg: float | None
    time_median: float | None
    marked_bad: bool
    retry_cumulative_delta: float
    retry_delta_count: int
    termination_reason: str | None


class PodStatsFile(MapFile[PodStats]):
    """pod id -> what it did."""
