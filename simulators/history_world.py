"""The world around a made-up competition: what miners, their CDNs, the judge and the pods do, all
of it by chance.
"""

import json
import random
from dataclasses import dataclass

from gen404_assets.competition.duels import Outcome, judged_outcome
from gen404_assets.competition.hotkeys import LEADER, short, to_hotkey
from gen404_assets.competition.judgement import Answer
from gen404_assets.competition.outputs import Output, Outputs
from gen404_assets.competition.round import miner_path
from gen404_assets.competition.schedule import Schedule

BASE_SKILL = 4.5
_ISSUES = (
    "The first has simpler details.",
    "The second has the wrong colours.",
    "Both lack the texture.",
)


@dataclass(slots=True)
class Miner:
    """`skill` is the mean penalty of its pictures, `pace` its seconds a prompt; a cheat's image
    makes others.
    """

    hotkey: str
    repo: str
    commit: str
    skill: float
    pace: float
    cheats: bool
    builds: bool


class World:
    """Everything that the rules don't decide. One generator, so that the same seed gives the same
    world.
    """

    def __init__(self, miners: int, seed: int, output_format: str) -> None:
        self.rng = random.Random(f"made up {seed}")
        self.output_format = output_format
        self.miners = {miner.hotkey: miner for miner in map(self._miner, range(miners))}
        self.skills: dict[str, float] = {}

    def _miner(self, number: int) -> Miner:
        return Miner(
            hotkey=self.hotkey(),
            repo=f"miner-{number}/three-d",
            commit=self.hex(20),
            skill=BASE_SKILL + self.rng.uniform(-1, 2),
            pace=self.rng.uniform(35, 95),
            cheats=self.rng.random() < 0.25,
            builds=self.rng.random() < 0.9,
        )

    def hotkey(self) -> str:
        """A new hotkey."""
        return to_hotkey(self.rng.randbytes(32))

    def hex(self, size: int) -> str:
        """Random hex digits of `size` bytes."""
        return self.rng.randbytes(size).hex()

    def commitments(self, number: int, schedule: Schedule) -> dict[str, list[tuple[int, str]]]:
        """What the miners revealed: as JSON, as Python writes it, piece by piece; and what is no
        submission.
        """
        latest = schedule.latest_reveal_block
        earliest = max(schedule.earliest_reveal_block, latest - 14_000)
        block = latest
        revealed = {self.hotkey(): [(latest, "{'repo': 'no slash', 'commit': 'main'}")]}
        for miner in self.miners.values():
            if number and self.rng.random() < 0.6:  # new code, as a rule a bit better
                miner.commit, miner.skill = (
                    self.hex(20),
                    max(0.5, miner.skill - self.rng.gauss(0.1, 0.4)),
                )
            self.skills[miner.commit] = miner.skill
            block = (
                block if self.rng.random() < 0.1 else self.rng.randint(earliest, latest)
            )  # some share a block
            code = {"repo": miner.repo, "commit": miner.commit}
            place = {"cdn_url": f"https://{short(miner.hotkey).lower()}.invalid/round-{number}/"}
            ways = (
                [(block, json.dumps(code | place))],
                [(block, str(code | place)), (latest + 1, '{"commit": "too late"}')],
                [(earliest, json.dumps(place)), (block, json.dumps(code))],
            )
            revealed[miner.hotkey] = self.rng.choice(ways)
        return revealed

    def conclusion(self, hotkey: str) -> str:
        """How the build of a miner's image ends."""
        return "success" if self.miners[hotkey].builds else "failure"

    def baseline(self, number: int, stems: list[str]) -> Outputs:
        """What the leader's image made: some too slowly, one not at all, or, its image gone,
        nothing.
        """
        slow = self.rng.sample(stems, len(stems) // 10 + 1)
        failed = stems if number % 6 == 5 else [self.rng.choice(stems)]
        made = {}
        for name in stems:
            time = self.rng.uniform(185, 260) if name in slow else self.rng.gauss(60, 9)
            made[name] = self._output(
                miner_path(number, LEADER, f"generated/{name}"), name not in failed, time
            )
        return Outputs(made)

    def submitted(self, number: int, hotkey: str, stems: list[str]) -> Outputs:
        """What a miner's CDN gave: nearly everything, or nothing."""
        lost = 1.0 if self.rng.random() < 0.05 else 0.02
        return Outputs(
            {
                name: self._output(
                    miner_path(number, hotkey, f"submitted/{name}"), self.rng.random() >= lost, 0.0
                )
                for name in sorted(stems)
            }
        )

    def regenerated(self, number: int, hotkey: str, submitted: Outputs) -> Outputs:
        """What a miner's own image makes of the prompts it submitted; a cheat's looks different."""
        miner, chance = self.miners[hotkey], self.rng.random
        made = {}
        for name in submitted.complete():
            time = max(5.0, self.rng.gauss(miner.pace, 8))
            far = chance() < (0.8 if miner.cheats else 0.01)
            distance = 0.15 + chance() if far else chance() / 11
            made[name] = self._output(
                miner_path(number, hotkey, f"generated/{name}"), chance() >= 0.01, time, distance
            )
        return Outputs(made)

    def _output(self, key: str, there: bool, time: float, distance: float = 0.0) -> Output:
        """One prompt's file and preview; where it is `there`, the preview still fails now and
        then.
        """
        url = f"https://objects.invalid/{key}"
        shown = there and self.rng.random() >= 0.01
        content = {
            self.output_format: f"{url}.{self.output_format}" if there else None,
            "png": f"{url}.png" if shown else None,
            "generation_time": time,
            "size": self.rng.randint(2**20, 2**25) if there else 0,
            "attempts": 1 if shown else 3,
            "distance": distance,
        }
        return Output.model_validate(content)

    def judge(self, left: str, right: str) -> tuple[Outcome, str]:
        """Two answers of a judge who is nearly sure, the second with the sides swapped, about two
        commits' pictures.
        """
        seen = [
            min(9, max(1, round(self.rng.gauss(self.skills[commit], 2))))
            for commit in (left, right)
        ]
        issues, doubt = self.rng.choice(_ISSUES), self.rng.choice((0, 0, 0, 1, -1))
        first = Answer(seen[0], seen[1], issues, model="made up", raw="")
        swapped = Answer(seen[1], seen[0] + doubt, issues, model="made up", raw="")
        return judged_outcome(first, swapped), issues

    def review(self) -> str:
        """Why a person finds a miner's source code wanting; nothing where it is fine."""
        return "" if self.rng.random() < 0.9 else "A copy of another's"
