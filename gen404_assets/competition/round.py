"""A round as its files tell it: where each file stands in the repository, and a typed, lazy view of
all of them.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Protocol, TypeVar, cast

from gen404_assets.competition.again import AgainFile
from gen404_assets.competition.audits import (
    AuditRequests,
    GenerationAudits,
    SourceAudits,
    critical_prompts,
)
from gen404_assets.competition.builds import Builds
from gen404_assets.competition.catalogue import Asset
from gen404_assets.competition.config import Config
from gen404_assets.competition.duels import MatchReport, report_name
from gen404_assets.competition.files import MalformedFile, StateFile
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.leader import Leader, Transition
from gen404_assets.competition.matches import Matrix, Pair
from gen404_assets.competition.outputs import Outputs
from gen404_assets.competition.prompts import parse_prompts, stem
from gen404_assets.competition.schedule import Schedule
from gen404_assets.competition.seed import Seed
from gen404_assets.competition.settings import Rules
from gen404_assets.competition.state import Stage, State
from gen404_assets.competition.submissions import Submissions
from gen404_assets.competition.timeline import Timeline
from gen404_assets.competition.winner import Winner

STATE, LEADERS = Asset.STATE.entry.file, Asset.LEADER.entry.file
CONFIG, POOL = "config.json", "prompts.txt"
AGAIN = "again.json"
"""Of a round, what people have made again."""

F = TypeVar("F", bound=StateFile)
T = TypeVar("T")
_FILE_FORMATS = "docs/specification/state-files.md"
_PLAYED = {Stage.MINER_GENERATION, Stage.DOWNLOADING, Stage.DUELS}
_IN_ROUND = re.compile(r"rounds/(0|[1-9][0-9]*)/(.+)")  # no leading zeros: a round has one name


SHARED = (STATE, CONFIG, LEADERS, POOL)
"""The files that all rounds share."""

Parsed = dict[tuple[object, str, bytes], object]
"""(what it was parsed as, path, content) -> what it says. Nobody changes that."""


class Files(Protocol):
    """Files at one commit of the competition's repository."""

    def read(self, path: str) -> bytes | None:
        """The file's content, or None where there is none."""


class Overlay(Files):
    """Files with some of them written anew (None: deleted)."""

    def __init__(self, files: Files, written: Mapping[str, bytes | None]) -> None:
        self._files, self._written = files, written

    def read(self, path: str) -> bytes | None:
        return self._written[path] if path in self._written else self._files.read(path)


@lru_cache(maxsize=65536)  # of so many paths, each is asked for again and again
def round_of(path: str) -> int | None:
    """The round that a path belongs to."""
    match = _IN_ROUND.fullmatch(path)
    return int(match[1]) if match else None


def round_path(number: int, name: str) -> str:
    """A round's file."""
    return f"rounds/{number}/{name}"


def miner_path(number: int, hotkey: str, name: str) -> str:
    """A file of one miner (or `leader`) in a round."""
    return f"rounds/{number}/{hotkey}/{name}"


def outputs_path(number: int, hotkey: str) -> str:
    """What a hotkey plays with: the leader with what was regenerated, everyone else with what was
    submitted.
    """
    return (Asset.BASELINE if hotkey == LEADER else Asset.RENDERS).path(number, hotkey)


def report_path(number: int, pair: Pair) -> str:
    """A match's report: in the challenger's folder, named after the defender."""
    return miner_path(number, pair[1], report_name(pair[0]))


def read_file(files: Files, path: str, kind: type[F]) -> F | None:
    """A typed state file, or None where there is none. Raises MalformedFile."""
    raw = files.read(path)
    return None if raw is None else kind.parse(raw, path)


def required(path: str, content: T | None) -> T:
    """What a file holds that nothing can be decided without. Raises MalformedFile if it is None."""
    if content is None:
        reason = f"the file is missing; restore it, or write it as {_FILE_FORMATS} describes it"
        raise MalformedFile(path, 1, reason)
    return content


class Round:
    """Round `number` at one commit; each file is read when asked for, once.

    A file may be missing: its property is None then, or an empty list or map. What can't be done
    without one asks for the property `required_…`, which raises MalformedFile where it is missing.
    Every property raises MalformedFile for a file that breaks its format.
    """

    def __init__(self, files: Files, number: int, parsed: Parsed | None = None) -> None:
        """`parsed`: what other rounds, or this one at other commits, have parsed of the same
        content; what this one parses is added.
        """
        self.files, self.number = files, number
        self._parsed: Parsed = {} if parsed is None else parsed
        self._own: dict[tuple[object, str], object] = {}

    def path(self, name: str) -> str:
        return round_path(self.number, name)

    @cached_property
    def config(self) -> Config:
        return required(CONFIG, self._read(CONFIG, Config))

    @cached_property
    def leaders(self) -> Leader:
        return required(LEADERS, self._read(LEADERS, Leader))

    @cached_property
    def state(self) -> State | None:
        return self._read(STATE, State)

    @property
    def required_state(self) -> State:
        return required(STATE, self.state)

    @cached_property
    def schedule(self) -> Schedule | None:
        return self._read(Asset.SCHEDULE.path(self.number), Schedule)

    @property
    def required_schedule(self) -> Schedule:
        return required(Asset.SCHEDULE.path(self.number), self.schedule)

    @cached_property
    def defending(self) -> Transition | None:
        """The leader that defends in this round: the one in effect at the block the round
        starts.
        """
        return self.leaders.at(self.schedule.latest_reveal_block) if self.schedule else None

    @property
    def required_defending(self) -> Transition:
        """As `defending`. Raises MalformedFile where no leader is in effect."""
        start = self.required_schedule.latest_reveal_block
        if self.defending is None:
            reason = f"no entry is in effect at block {start}, at which round {self.number} starts"
            raise MalformedFile(LEADERS, 1, f"{reason}; add one with an earlier effective_block")
        return self.defending

    @cached_property
    def seed(self) -> Seed | None:
        return self._read(Asset.SEED.path(self.number), Seed)

    @property
    def required_seed(self) -> Seed:
        return required(Asset.SEED.path(self.number), self.seed)

    @cached_property
    def prompts(self) -> Sequence[str] | None:
        return self._as(Asset.PROMPTS.path(self.number), parse_prompts)

    @property
    def required_prompts(self) -> Sequence[str]:
        return required(Asset.PROMPTS.path(self.number), self.prompts)

    @cached_property
    def stems(self) -> list[str]:
        return self._as(Asset.PROMPTS.path(self.number), _stems) or []

    @cached_property
    def prompt_of(self) -> Mapping[str, str]:
        """Prompt stem -> the prompt's URL."""
        return self._as(Asset.PROMPTS.path(self.number), _by_stem) or {}

    @cached_property
    def missing(self) -> frozenset[str]:
        """The stems of the prompts whose picture could not be had when the round opened."""
        return frozenset(self.seed.missing_prompts or ()) if self.seed is not None else frozenset()

    @cached_property
    def prompts_with_picture(self) -> list[str]:
        """The prompts' URLs without the missing ones: what is judged and regenerated."""
        return [url for url in self.prompts or () if stem(url) not in self.missing]

    @cached_property
    def submissions(self) -> Submissions | None:
        return self._read(Asset.SUBMISSIONS.path(self.number), Submissions)

    @property
    def required_submissions(self) -> Submissions:
        return required(Asset.SUBMISSIONS.path(self.number), self.submissions)

    @cached_property
    def builds(self) -> Builds | None:
        return self._read(Asset.BUILDS.path(self.number), Builds)

    @cached_property
    def baseline(self) -> Outputs | None:
        return self.generated(LEADER)

    def baseline_is_closed(self, attempts: int) -> bool:
        """Whether the leader's regeneration is over, or there is nothing to be regenerated, since
        every prompt's picture is missing."""
        if self.stems and not self.prompts_with_picture:
            return True
        return is_closed(self.baseline, [stem(url) for url in self.prompts_with_picture], attempts)

    @cached_property
    def matrix(self) -> Matrix:
        return self._as(Asset.MATCHES_MATRIX.path(self.number), Matrix.parse) or Matrix()

    @cached_property
    def requests(self) -> AuditRequests:
        return self._read(Asset.AUDIT_REQUESTS.path(self.number), AuditRequests) or AuditRequests(
            []
        )

    @cached_property
    def audits(self) -> GenerationAudits:
        return self._read(Asset.AUDITS.path(self.number), GenerationAudits) or GenerationAudits({})

    @cached_property
    def source_audits(self) -> SourceAudits:
        return self._read(Asset.SOURCE_AUDITS.path(self.number), SourceAudits) or SourceAudits([])

    @cached_property
    def again(self) -> AgainFile:
        return self._read(self.path(AGAIN), AgainFile) or AgainFile([])

    @cached_property
    def winner(self) -> Winner | None:
        return self._read(Asset.WINNER.path(self.number), Winner)

    @property
    def required_winner(self) -> Winner:
        return required(Asset.WINNER.path(self.number), self.winner)

    @cached_property
    def timeline(self) -> Timeline:
        order = self.submissions.names if self.submissions is not None else []
        return Timeline(order, self.config.win_margin)

    def submitted(self, hotkey: str) -> Outputs | None:
        """What was downloaded from a miner, or None."""
        return self._read(Asset.RENDERS.path(self.number, hotkey), Outputs)

    def generated(self, hotkey: str) -> Outputs | None:
        """What was regenerated with a miner's (or the leader's) image, or None."""
        return self._read(Asset.REGENERATED.path(self.number, hotkey), Outputs)

    def played(self, hotkey: str) -> Outputs | None:
        """What a hotkey plays with (`outputs_path`)."""
        return self._read(outputs_path(self.number, hotkey), Outputs)

    def report(self, pair: Pair) -> MatchReport | None:
        return self._read(report_path(self.number, pair), MatchReport)

    def critical_prompts(self, pair: Pair, rules: Rules) -> list[str] | None:
        """The stems that an audit which this match leads to checks most strictly; None where the
        match or the seed isn't there.
        """
        margin = self.matrix.margins.get(pair)
        if margin is None or self.seed is None:
            return None
        report = self.report(pair)
        if report is None or (report.left, report.right) != pair:
            report = MatchReport(left=pair[0], right=pair[1], score=0, margin=margin, duels=[])
        return critical_prompts(report, self.seed.seed, self.config.win_margin, rules)

    def typed(self, path: str, kind: type[F]) -> F | None:
        """A file of the round that has no property; None where there is none."""
        return self._read(path, kind)

    def _read(self, path: str, kind: type[F]) -> F | None:
        return self._as(path, kind.parse)

    def _as(self, path: str, parse: Callable[[bytes, str], T]) -> T | None:
        """What `parse` makes of a file, which is read once; None where there is none."""
        if (parse, path) not in self._own:
            raw = self.files.read(path)
            key = (parse, path, raw or b"")
            if raw is not None and key not in self._parsed:
                self._parsed[key] = parse(raw, path)
            self._own[parse, path] = None if raw is None else self._parsed[key]
        return cast("T | None", self._own[parse, path])


def _stems(raw: bytes, path: str) -> list[str]:
    return [stem(url) for url in parse_prompts(raw, path)]


def _by_stem(raw: bytes, path: str) -> dict[str, str]:
    return {stem(url): url for url in parse_prompts(raw, path)}


def is_in(outputs: Outputs | None, stems: Sequence[str]) -> bool:
    """Whether every prompt has its entry, complete or not."""
    return outputs is not None and all(name in outputs for name in stems)


def is_closed(outputs: Outputs | None, stems: Sequence[str], attempts: int) -> bool:
    """Whether a regeneration is over: every prompt complete, or given up after its last attempt."""
    if outputs is None:
        return False
    closed: Mapping[str, bool] = {
        name: output.complete or output.attempts >= attempts for name, output in outputs.items()
    }
    return all(closed.get(name, False) for name in stems)


def require_files(current: Round, stage: Stage) -> None:
    """Raises MalformedFile where a file is missing that a stage rests on and earlier ones have
    written. Without one, nobody would take part, or there would be nothing to judge.
    """
    if stage not in _PLAYED:
        return
    # Each raises where its file is missing.
    _ = current.required_schedule, current.required_seed, current.required_prompts
    names = current.required_submissions.names
    for hotkey in names if stage is Stage.DUELS else ():
        path = Asset.RENDERS.path(current.number, hotkey)
        required(path, current.files.read(path))
