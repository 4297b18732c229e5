"""`submitted.json`, `generated.json`, `pod_stats.json`: a miner's 3D files and previews, prompt by
prompt.
"""

from collections.abc import Mapping, Set
from functools import cached_property
from itertools import chain
from operator import attrgetter

from pydantic import Field

from gen404_assets.competition.files import MapFile, Record
from gen404_assets.competition.output_formats import OUTPUT_FORMATS

Urls = tuple[str | None, str | None]
"""Those of a 3D file and of its preview."""
NO_URLS: Urls = (None, None)

_FILES = attrgetter(*OUTPUT_FORMATS)
_KEYS, _UNKNOWN = attrgetter("model_fields_set"), attrgetter("model_extra")


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
        return next(filter(None, _FILES(self)), None)

    @property
    def urls(self) -> Urls:
        return self.model, self.png

    @property
    def complete(self) -> bool:
        """Both the 3D file and its preview are there."""
        return bool(self.model and self.png)


class Outputs(MapFile[Output]):
    """prompt stem -> output."""

    def _is_plainly(self, raw: bytes) -> bool:
        """See StateFile. By counting strings, which is faster: most of what is read is outputs.

        Without backslashes, each quotation mark begins or ends a string. Where there are no more
        than those of the stems, keys and URLs that were read, no key occurs twice. None of the keys
        that the format knows takes an infinite number; an unknown one may hold anything.
        """
        outputs = self.root.values()
        if b"\\" in raw or any(map(_UNKNOWN, outputs)):
            return super()._is_plainly(raw)
        urls = [*chain.from_iterable(self.urls.values())]
        strings = len(self.root) + sum(map(len, map(_KEYS, outputs))) + len(urls) - urls.count(None)
        return raw.count(b'"') == 2 * strings or super()._is_plainly(raw)

    @cached_property
    def urls(self) -> Mapping[str, Urls]:
        """Prompt stem -> the URLs of its output."""
        return {stem: output.urls for stem, output in self.root.items()}

    @cached_property
    def shown(self) -> Set[str]:
        """The stems that have a preview."""
        return {stem for stem, output in self.root.items() if output.png}

    @cached_property
    def has_any(self) -> bool:
        """Whether any output has a 3D file or a preview."""
        return any(file or png for file, png in self.urls.values())

    @cached_property
    def slowest(self) -> float:
        """The longest generation time, in seconds; 0 where there is no output."""
        return max((output.generation_time for output in self.root.values()), default=0)

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
