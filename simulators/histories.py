"""A made-up competition: a git repository whose history reads as if platform, operator and miners
had made it.

Rounds go stage by stage, in the order of `docs/specification/state-files.md`. Chance decides what
comes from outside (`history_world`), and the project's own rules decide everything else, so that a
replay finds no difference. As a command: `python -m simulators.histories PATH --rounds 10
--miners 40 --prompts 128`.
"""

import argparse
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import IO

from gen404_assets.competition import audits
from gen404_assets.competition.builds import BuildRun, Builds, observe_builds, pending_builds
from gen404_assets.competition.commitments import read_submissions
from gen404_assets.competition.config import Config
from gen404_assets.competition.hotkeys import LEADER, short
from gen404_assets.competition.leader import FULL_WEIGHT, Leader, Transition
from gen404_assets.competition.outputs import Outputs
from gen404_assets.competition.prompts import prompts_bytes, select_prompts, stem
from gen404_assets.competition.round import (
    CONFIG,
    LEADERS,
    POOL,
    outputs_path,
)
from gen404_assets.competition.schedule import next_start, schedule_at, start_block
from gen404_assets.competition.seed import draw_seed
from gen404_assets.competition.settings import Rules
from gen404_assets.competition.state import Stage
from gen404_assets.competition.submissions import Submissions
from gen404_assets.competition.succession import continue_leader
from gen404_assets.competition.winner import crown
from simulators.history_commits import FIRST_BLOCK, FIRST_START, PERSON, Files, block_at
from simulators.history_duels import DuelsStage
from simulators.history_repository import fast_import
from simulators.history_world import BASE_SKILL, World

REGISTRY = "registry.invalid/made-up/{hotkey10}:{tag}"


@dataclass(frozen=True)
class Competition:
    """What to make up: `rounds` that are played, and after them one that is open.

    In every fourth round, the third first, nobody submits; in every sixth, the sixth first, the
    leader's image is gone; in every third, the second first, some prompts have no picture.
    """

    rounds: int = 3
    miners: int = 6
    prompts: int = 16
    seed: int = 0
    output_format: str = "glb"
    rules: Rules = field(default_factory=lambda: Rules(docker_image_format=REGISTRY))

    def make(self, path: Path, history: "type[MadeUpHistory] | None" = None) -> Path:
        """Make the bare repository, branch main, at `path`, which must not exist yet. `history`: a
        subclass in which people step in.
        """
        with fast_import(path) as stream:
            (history or MadeUpHistory)(self, stream).commit_all()
        return path


def make_competition(
    path: Path,
    *,
    rounds: int = 3,
    miners: int = 6,
    prompts: int = 16,
    seed: int = 0,
    output_format: str = "glb",
) -> Path:
    """Make up a competition by today's rules; `Competition` says what the numbers mean, and takes
    other rules.
    """
    return Competition(rounds, miners, prompts, seed, output_format).make(path)


class MadeUpHistory(DuelsStage):
    """The competition, round after round: each step commits what happens in it. Subclasses let
    people step in.
    """

    def __init__(self, plan: Competition, stream: IO[bytes]) -> None:
        super().__init__(stream, World(plan.miners, plan.seed, plan.output_format), plan.rules)
        self.plan = plan
        self.config = Config(
            name="made-up",
            description="A made-up competition",
            first_evaluation_date=FIRST_START.date(),
            last_competition_date=date(2030, 12, 31),
            generation_stage_minutes=120,
            win_margin=0.05,
            weight_decay=0.2,
            weight_floor=0.2,
            prompts_per_round=plan.prompts,
            carryover_prompts=plan.prompts // 4,
            round_duration_days=2,
            output_format=plan.output_format,
        )
        self.schedule = schedule_at(self.config, None, FIRST_BLOCK)
        self.pool = [
            f"https://prompts.invalid/{self.world.hex(32)}.png" for _ in range(20 * plan.prompts)
        ]
        self.prompts: list[str] = []
        self.leaders = Leader([self._base_miner()])

    def commit_all(self) -> None:
        """Commit everything: a person's preparations, round after round, and the opening of the
        next one.
        """
        self._prepare()
        for _ in range(self.plan.rounds):
            self._open()
            if len(self.submissions):
                self._generate()
                self._download()
                self.play_matches()
            self.finalize()

    # --- before the competition: a person prepares it

    def _base_miner(self) -> Transition:
        commit = self.world.hex(20)
        self.world.skills[commit] = BASE_SKILL
        return Transition(
            hotkey=self.world.hotkey(),
            repo="404-gen/base-miner",
            commit=commit,
            docker=REGISTRY.format(hotkey10="base", tag="miner"),
            weight=FULL_WEIGHT,
            effective_block=0,
        )

    def _prepare(self) -> None:
        files = {
            CONFIG: self.config,
            self.path("schedule.json"): self.schedule,
            **self.state(Stage.OPEN),
        }
        self.commit(["Preparing for the round start: config, schedule"], files, PERSON)
        self.wait(60)
        self.commit(["Added prompts"], {POOL: prompts_bytes(self.pool)}, PERSON)
        self.wait(60)
        self.commit(
            ["Preparing leader.json for the competition start"], {LEADERS: self.leaders}, PERSON
        )

    # --- open: the last block for reveals is final

    def _open(self) -> None:
        latest, name = self.schedule.latest_reveal_block, self.config.round_name(self.number)
        self.wait_until(latest)
        revealed = (
            self.world.commitments(self.number, self.schedule) if self.number % 4 != 2 else {}
        )
        self.submissions: Submissions = read_submissions(revealed, self.schedule, name).submissions
        self.seed = draw_seed(
            latest, f"0x{sha256(f'{self.plan.seed} {latest}'.encode()).hexdigest()}", name
        )
        previous = self.prompts if self.number else None
        self.prompts = select_prompts(self.seed.seed, self.pool, previous, self.config, self.rules)
        self.stems = [stem(url) for url in self.prompts]
        self.missing = frozenset(self.stems[1::9] if self.number % 3 == 1 else ())
        self.seed = self.seed.naming([name for name in self.stems if name in self.missing])
        self.source_audits = audits.SourceAudits([])
        messages = [f"Seed, prompts and submissions for round {self.number}"]
        files: Files = {
            self.path("submissions.json"): self.submissions,
            self.path("seed.json"): self.seed,
            self.path("prompts.txt"): prompts_bytes(self.prompts),
        }
        if len(self.submissions):
            until = self.schedule.generation_deadline_block
            self.commit(messages, {**files, **self.state(Stage.MINER_GENERATION, until)})
        else:
            self.winner = crown(LEADER, None, self.defending)
            files = {**files, self.path("winner.json"): self.winner, **self.state(Stage.FINALIZING)}
            self.commit([*messages, f"Round {self.number} winner: {LEADER}"], files)

    # --- miner_generation: the miners generate, the leader's image does too, and the miners' images
    # are built

    def _generate(self) -> None:
        names = self.submissions.names
        shown = [name for name in self.stems if name not in self.missing]
        self.outputs = {LEADER: self.world.baseline(self.number, shown)}
        self.builds: Builds = pending_builds(self.submissions)
        for quarter in range(1, 5):
            self.wait(15)
            ended = names[: len(names) * quarter // 4]
            jobs = {
                name: self.world.conclusion(name) if name in ended else "in_progress"
                for name in names
            }
            self.builds = observe_builds(
                self.builds, BuildRun(quarter == 4, jobs), quarter * 900, self.rules
            )
            made = Outputs(dict(self.outputs[LEADER].items()[: len(shown) * quarter // 4]))
            self.commit(
                [self.about("build statuses"), f"{self.about('generated')}, miner {LEADER}"],
                {self.path("builds.json"): self.builds, outputs_path(self.number, LEADER): made},
            )
        if self.world.rng.random() < 0.3:
            gone = self._source(self.world.rng.choice(names), "Repository not found")
            self.commit(["Source audit: missing repositories found"], gone, PERSON)
        self.wait_until(self.schedule.generation_deadline_block)
        self.commit([f"Round {self.number}: downloading"], self.state(Stage.DOWNLOADING))

    # --- downloading: what the miners made

    def _download(self) -> None:
        for hotkey in self.submissions.names:
            self.wait(1)
            self.outputs[hotkey] = self.world.submitted(self.number, hotkey, self.stems)
            files = {outputs_path(self.number, hotkey): self.outputs[hotkey]}
            self.commit([f"{self.about('submitted')}, miner {short(hotkey)}"], files)
        self.wait(1)
        self.commit([f"Round {self.number}: duels"], self.state(Stage.DUELS))

    # --- finalizing: who leads from when on, and when the next round starts

    def finalize(self) -> None:
        self.wait(5)
        now_block = block_at(self.now)
        start = start_block(
            next_start(self.config, self.schedule, self.now, now_block), self.now, now_block
        )
        self.leaders = continue_leader(self.leaders, self.winner, start, self.config, self.rules)
        self.schedule = schedule_at(self.config, self.schedule, start)
        self.number += 1
        files = {
            self.path("schedule.json"): self.schedule,
            LEADERS: self.leaders,
            **self.state(Stage.OPEN, start),
        }
        self.commit([self.about("state (open), schedule, leader")], files)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m simulators.histories", description="Make up a competition's repository."
    )
    parser.add_argument(
        "path", type=Path, help="the bare git repository to make; must not exist yet"
    )
    standard = Competition()
    for name in ("rounds", "miners", "prompts", "seed"):
        parser.add_argument(f"--{name}", type=int, default=getattr(standard, name))
    parser.add_argument("--output-format", choices=("glb", "ply"), default=standard.output_format)
    print(make_competition(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
