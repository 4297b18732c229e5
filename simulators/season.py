"""A season: months of rounds, one after another, played by the platform's own work on a simulated
chain and clock, in memory.

Miners come with new code now and then, and few of them are better than the leader. The season goes
over a year's end and a leap day; some finalisations are late by days; the competition ends, and a
person extends it. What the platform keeps on disk it keeps in `home`: its journals and leases are
the real ones.
"""

import json
import threading
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import zip_longest
from pathlib import Path
from typing import Any

from gen404_assets.commands.operating import begin
from gen404_assets.competition.builds import BuildRun
from gen404_assets.competition.due import due
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.leader import Leader
from gen404_assets.competition.pods import pod_prefix
from gen404_assets.competition.state import Stage
from gen404_assets.live.fleet import lease
from gen404_assets.live.journal import Journal
from gen404_assets.live.leftovers import forget_round
from gen404_assets.live.regenerating import Progress, Regenerated
from gen404_assets.live.results import Subject
from gen404_assets.live.shared import shared_on_disk
from resources.chain.subtensor import Block
from resources.kept_answers import KeptAnswers
from simulators.hotkeys import to_hotkey
from simulators.memory_repository import MemoryRepository
from simulators.outside import (
    SimulatedChain,
    SimulatedDownloads,
    SimulatedJudge,
    SimulatedOutside,
    SimulatedStore,
    digest,
)
from simulators.reckoning import Ended, reckon
from simulators.rounds import FOUNDER, POOL, now
from simulators.whole_rounds import step

GENESIS = datetime(2027, 12, 1, 0, 0, 7, tzinfo=UTC)
"""Blocks do not fall on whole minutes, so that starts have to be rounded."""
FIRST_DAY = date(2027, 12, 3)
CONFIG: dict[str, Any] = {
    "name": "season",
    "round_start_time": "07:30:00",
    "generation_stage_minutes": 120,
    "finalization_buffer_hours": 1.5,
    "round_duration_days": 1,
    "win_margin": 0.05,
    "weight_decay": 0.15,
    "weight_floor": 0.2,
    "prompts_per_round": 4,
    "carryover_prompts": 2,
}
_DAY = 7200
_KEPT_REVEALS = 10
"""The chain keeps the last ten commitments that a hotkey has revealed
(`RevealedCommitments` of subtensor's pallet `commitments`)."""


@dataclass(frozen=True)
class Plan:
    """Of a season with `rounds` rounds: every `late_every`-th round is finalised `late_days` late,
    and the competition's last day comes when `ends_after` rounds are over, until a person extends
    it.
    """

    rounds: int = 100
    miners: int = 64
    late_every: int = 23
    late_days: int = 3
    days: int = 1
    """From one start to the next."""

    @property
    def ends_after(self) -> int:
        return max(1, self.rounds // 2)


class ObjectsOnDisk(MutableMapping[str, bytes]):
    """Contents by key, in one file: what the outside keeps is none of the platform's memory."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w+b")
        self._places: dict[str, tuple[int, int]] = {}
        self._lock = threading.RLock()

    def __getitem__(self, key: str) -> bytes:
        with self._lock:
            at, size = self._places[key]
            self._file.seek(at)
            return self._file.read(size)

    def __setitem__(self, key: str, content: bytes) -> None:
        with self._lock:
            at = self._file.seek(0, 2)
            self._file.write(content)
            self._places[key] = at, len(content)

    def setdefault(self, key: str, default: bytes = b"") -> bytes:
        with self._lock:
            if key not in self._places:
                self[key] = default
            return self[key]

    def __delitem__(self, key: str) -> None:
        del self._places[key]

    def __iter__(self) -> Iterator[str]:
        return iter([*self._places])

    def __len__(self) -> int:
        return len(self._places)

    def close(self) -> None:
        self._file.close()


class SeasonChain(SimulatedChain):
    """Blocks of 12 s from this season's GENESIS on."""

    def block(self, number: int) -> Block:
        known = super().block(number)
        time = GENESIS + timedelta(seconds=12 * number)
        return Block(known.number, known.hash, time)


@dataclass
class SeasonOutside(SimulatedOutside):
    """The outside, and what a regeneration keeps in `home`: a lease and a journal an image."""

    home: Path = field(default_factory=Path)

    def regenerate(
        self,
        subject: Subject,
        say: Callable[[str], None],
        progress: Progress,  # noqa: ARG002
        cancelled: Callable[[], bool],
    ) -> Regenerated:
        prefix = pod_prefix(subject.round, subject.hotkey)
        with lease(shared_on_disk(self.home), prefix):
            identity = {"image": subject.image, "seed": subject.seed}
            name = f"journals/{prefix.rstrip('-')}.jsonl"
            notes = shared_on_disk(self.home).notes
            journal = Journal(notes, name, identity, subject.generated)
            # What is made at once is published once, at the end.
            regenerated = super().regenerate(subject, say, lambda *_: True, cancelled)
            for stem, output in regenerated.outputs.items():
                journal.add(stem, output)
            return regenerated

    def forget_round(self, number: int) -> None:
        forget_round(shared_on_disk(self.home), number)


class Season:
    """The season under way: `play` plays it, round by round."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self.hotkeys = [to_hotkey(bytes([number] * 32)) for number in range(1, 1 + plan.miners)]
        self._files = [ObjectsOnDisk(folder / name) for name in ("repository", "store")]
        self.outside = SeasonOutside(
            SimulatedDownloads(lambda url: b"model " + url.encode()),
            SimulatedJudge(self._penalty),
            repository=MemoryRepository(self._files[0]),
            chain=SeasonChain(_DAY // 3),
            store=SimulatedStore(self._files[1]),
            home=folder / "home",
        )
        self.outside.environment = {
            **self.outside.environment,
            "PUBLISH_INTERVAL_SECONDS": "60",
        }
        self.outside.builds.run = BuildRun(ended=True, jobs=dict.fromkeys(self.hotkeys, "success"))
        self.config: dict[str, Any] = CONFIG | {
            "round_duration_days": plan.days,
            "first_evaluation_date": str(FIRST_DAY),
            "last_competition_date": str(FIRST_DAY + timedelta(days=10_000)),
        }
        self.began = self.outside.now()
        self.ends: list[Ended] = []
        """How the rounds ended, as this simulation has seen it."""
        self._begin()

    def close(self) -> None:
        """Close what is on disk."""
        for file in self._files:
            file.close()

    # --- the world

    def _begin(self) -> None:
        founder = {"hotkey": to_hotkey(bytes([99] * 32))} | FOUNDER
        files = {
            "config.json": json.dumps(self.config, indent=2).encode(),
            "prompts.txt": POOL.encode(),
            "leader.json": json.dumps([founder], indent=2).encode(),
        }
        begin(self.outside.repository, files, self.outside.chain.finalized())  # type: ignore[arg-type]

    def _penalty(self, url: str) -> int:
        """Of a picture: in every ninth round one miner beats the leader; in between, the leader's
        weight decays to the floor."""
        number, owner = int(url.split("/")[4]), url.split("/")[5]
        if owner == LEADER:
            return 5
        best = self.hotkeys[digest("best", number) % len(self.hotkeys)]
        if number % 9 == 0 and owner == best:
            return 2
        return 6 + digest(owner, number) % 4

    def _reveal(self, number: int, latest: int) -> None:
        """Every miner comes with new code shortly before the window closes."""
        for at, hotkey in enumerate(self.hotkeys):
            commitment = {
                "repo": "owner/model",
                "commit": f"{digest(hotkey, number):040x}",
                "cdn_url": f"https://cdn{at}.example/{number}",
            }
            entries = self.outside.chain.revealed.setdefault(hotkey, [])
            entries.append((latest - len(self.hotkeys) + at, json.dumps(commitment)))
            del entries[:-_KEPT_REVEALS]

    # --- time

    def play(self) -> Iterator[int]:
        """Play to the end; the number of each round when it is over."""
        revealed = -1
        while True:
            current = now(self.outside)
            number, stage = current.number, current.required_state.stage
            if stage is Stage.OPEN and revealed < number:
                revealed = number
                self._reveal(number, current.required_schedule.latest_reveal_block)
            if stage is Stage.FINALIZING and len(self.ends) == number:
                self._finalise_late(number)
            self._next()
            if now(self.outside).required_state.stage is Stage.FINISHED:
                self._ended(number)
                if number == self.plan.rounds - 1:
                    yield number
                    return
                self._extend(number)
            elif now(self.outside).number > number:
                self._ended(number)
                self._forget_outside(number)
                yield number

    def _next(self) -> None:
        """Do what is due, or let time pass until something is."""
        outside = self.outside
        head = outside.repository.head
        work_due = due(now(outside).files, outside.chain.number)
        step(outside, work_due)
        if outside.repository.head is head:
            until = [wait.until for wait in work_due.waits if wait.until is not None]
            outside.chain.number = min(until, default=outside.chain.number + 25)

    def _finalise_late(self, number: int) -> None:
        """A day's work passes, and in some rounds several days, before the round is finalised."""
        self.outside.chain.number += 150
        if number % self.plan.late_every == self.plan.late_every - 1:
            self.outside.chain.number += self.plan.late_days * _DAY
        last = {self.plan.ends_after - 1, self.plan.rounds - 1}
        if number in last:
            today = self.outside.now().date()
            self._configure(last_competition_date=str(today))

    def _ended(self, number: int) -> None:
        at = self.outside.now()
        if len(self.ends) > number:
            self.ends[number] = replace(self.ends[number], again=at)
            return
        winner = self.outside.repository.head.read(f"rounds/{number}/winner.json")
        content = json.loads(winner or b"")
        code = (content["repo"], content["commit"])
        hotkey = content["winner_hotkey"]
        self.ends.append(Ended(at) if hotkey == LEADER else Ended(at, code, hotkey))

    def _extend(self, number: int) -> None:
        """Days after the end a person extends the competition, and has it finalised again."""
        self.outside.chain.number += 5 * _DAY
        self._configure(last_competition_date=str(FIRST_DAY + timedelta(days=10_000)))
        state = {"current_round": number, "stage": "finalizing", "next_stage_eta": None}
        self._by_hand({"state.json": state}, "Go on")

    def _configure(self, **changes: object) -> None:
        self.config |= changes
        self._by_hand({"config.json": self.config}, "Set the last day")

    def _by_hand(self, files: dict[str, Any], message: str) -> None:
        written = {path: json.dumps(content, indent=2).encode() for path, content in files.items()}
        self.outside.repository.commit(written, message, self.outside.now())

    def _forget_outside(self, number: int) -> None:
        """What miners and judge were asked is none of the platform's memory, and the process that
        has judged a round has ended with what it knew of the answers.
        """
        self.outside.downloads.asked.clear()
        self.outside.judging.asked.clear()
        self.outside.judge = KeptAnswers(self.outside.judging, self.outside.store)
        for key in self.outside.store.objects:
            if not key.startswith((f"rounds/{number}/", "canaries/")):
                del self.outside.store.objects[key]

    # --- what came of it

    @property
    def starts(self) -> list[int]:
        """The start blocks of the rounds, as the platform has scheduled them."""
        history = self.outside.repository.history()
        schedules = (history.round(number).schedule for number in history.round_numbers)
        return [schedule.latest_reveal_block for schedule in schedules if schedule]

    @property
    def leaders(self) -> Leader:
        """The entries of `leader.json`."""
        return now(self.outside).leaders


def unlike_the_reckoning(season: Season) -> list[str]:
    """What of schedule and weights the platform has otherwise than they are reckoned by hand."""
    founder = {
        "hotkey": to_hotkey(bytes([99] * 32)),
        "code": (FOUNDER["repo"], FOUNDER["commit"]),
        "founder_weight": FOUNDER["weight"],
    }
    reckoned = reckon(season.config | founder, GENESIS, season.began, season.ends)
    entries = [
        (entry.hotkey, Decimal(str(round(entry.weight, 9))), entry.effective_block)
        for entry in season.leaders.root
    ]
    wrong = [
        f"round {number} starts at block {is_now}, not {wanted}"
        for number, (is_now, wanted) in enumerate(zip(season.starts, reckoned.starts, strict=False))
        if is_now != wanted
    ]
    if len(season.starts) != season.plan.rounds:
        wrong.append(f"{len(season.starts)} rounds, not {season.plan.rounds}")
    pairs = zip_longest(entries, reckoned.entries)
    return wrong + [
        f"leader {is_now}, not {wanted}" for is_now, wanted in pairs if is_now != wanted
    ]
