"""Whole rounds played by the platform's own work, with a world outside that is described in a few
words: what each miner, the judge, the pods and the people do.
"""

from dataclasses import dataclass

from gen404_assets.commands.operating import audit_source
from gen404_assets.competition.audits import SourceVerdict
from gen404_assets.competition.builds import BuildRun
from gen404_assets.competition.catalogue import Lane
from gen404_assets.competition.due import Due, due
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.prompts import stem
from gen404_assets.competition.state import Stage
from gen404_assets.live.auditing import audit_candidates, make_baseline
from gen404_assets.live.building import track_builds
from gen404_assets.live.collecting import collect
from gen404_assets.live.finalizing import finalize
from gen404_assets.live.judging import crown_winner, judge_matches
from gen404_assets.live.opening import open_round
from simulators.examples import MINERS
from simulators.outside import SimulatedDownloads, SimulatedOutside, digest, picture_of
from simulators.rounds import now, opened, reveal, stage, work


@dataclass(frozen=True)
class MinerDoes:
    """What becomes of one miner: its build, its CDN, its pictures, and whether its code makes what
    it submitted.
    """

    build: str | None
    serves: bool
    penalty: int
    honest: bool
    deploys: bool
    reviewed: SourceVerdict


@dataclass(frozen=True)
class World:
    """What happens outside in all rounds; `loops`: at how many questions of ten the judge loops."""

    miners: tuple[MinerDoes, ...]
    leader_works: bool
    leader_penalty: int
    loops: int = 0
    gone: frozenset[str] = frozenset()
    """The stems of prompts whose host is gone."""


def simulate(world: World, **config: object) -> SimulatedOutside:
    """The outside as the world has it."""
    outside = opened(**{"last_competition_date": "2026-01-07"} | config)
    hotkeys = MINERS[: len(world.miners)]
    does = dict(zip(hotkeys, world.miners, strict=True))
    cdns = {f"cdn{number}.example": each for number, each in enumerate(world.miners)}
    reveal(outside, hotkeys)
    outside.builds.run = BuildRun(
        ended=True,
        jobs={hotkey: each.build for hotkey, each in does.items() if each.build is not None},
    )
    outside.downloads = SimulatedDownloads(
        lambda url: b"model " + url.encode() if cdns[url.split("/")[2]].serves else "unreachable",
        prompt=lambda url: "the host isn't found" if stem(url) in world.gone else picture_of(url),
    )

    def penalty(url: str) -> int:
        owner = url.split("/")[5]
        mean = world.leader_penalty if owner == LEADER else does[owner].penalty
        return min(10, max(0, mean + digest(url) % 3 - 1))

    outside.judging.penalty = penalty
    outside.judging.unusable = lambda question: digest(question) % 10 < world.loops
    outside.makes = lambda hotkey: world.leader_works if hotkey == LEADER else does[hotkey].deploys
    outside.honest = lambda hotkey: hotkey == LEADER or does[hotkey].honest
    outside.verdict = lambda hotkey: does[hotkey].reviewed
    return outside


def step(outside: SimulatedOutside, work_due: Due) -> None:
    """What the lanes' runs, and a person, do about what is due."""
    doing = {
        Lane.COLLECTION: open_round if work_due.stage is Stage.OPEN else collect,
        Lane.BUILDS: track_builds,
        Lane.BASELINE: make_baseline,
        Lane.JUDGING: crown_winner if "winner" in work_due.assets(Lane.JUDGING) else judge_matches,
        Lane.AUDITS: audit_candidates,
        Lane.FINALIZING: finalize,
    }
    for lane, live in doing.items():
        if work_due.assets(lane) and now(outside).number == work_due.round:
            live(work(outside, work_due.round))
    current = now(outside)
    for request in current.requests.root:
        if request.hotkey not in current.source_audits.verdicts() and stage(outside) is Stage.DUELS:
            audit_source(outside, request.hotkey, outside.verdict(request.hotkey), "")  # type: ignore[arg-type]


def play(outside: SimulatedOutside, blocks: int) -> list[tuple[int, Stage]]:
    """Play until the competition is over, `blocks` passing whenever all wait; round and stage, in
    order.
    """
    stages: list[tuple[int, Stage]] = []
    for _ in range(200):
        work_due = due(now(outside).files, outside.chain.number)
        if not stages or stages[-1] != (work_due.round, work_due.stage):
            stages.append((work_due.round, work_due.stage))
        if work_due.stage is Stage.FINISHED:
            return stages
        head = outside.repository.head
        waits = bool(work_due.waits)
        try:
            step(outside, work_due)
        except InfrastructureFault as fault:  # most of the round's pictures can't be had
            waits = work_due.stage is Stage.OPEN and "The opening waits for them" in str(fault)
        if outside.repository.head is head:
            assert waits, (
                f"{work_due.stage} of round {work_due.round} waits for nothing, and nothing is done"
            )
            outside.chain.number += blocks
    raise AssertionError(f"stuck after {stages}")
