"""What regenerating a round's images costs, in simulated time with recorded generation times.

`python -m bench.regenerate [--history BUNDLE] [--miners N] [--warm-up SECONDS] [--price USD]`

Each miner's image makes what one of the recorded audits made: its times, failures and distances.
Without --history, these are those of the real rounds where they lie beside the repository, else
those of the recorded rounds in it. Beside the plan stands the plain hand-out of the rules: no early
end, and every pod kept until its image is done.
"""

import argparse
import heapq
import random
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gen404_assets.competition.audits import judge_audit
from gen404_assets.competition.outputs import Output, Outputs
from gen404_assets.competition.pods import PodRules
from gen404_assets.competition.regeneration import Prompts, Regeneration
from gen404_assets.competition.settings import Rules
from resources.repository import Repository
from simulators.recording import history_bundle
from simulators.regeneration import Image, Made, Simulation

AT_ONCE = 4
NOISE = 0.1
"""How much a pod's time for a prompt differs from the recorded one, as a normal deviation."""


class Plain(Regeneration):
    """The rules' hand-out alone: pods are started up to the target and ended only when bad or never
    healthy.
    """

    def start_due(self, now: float) -> bool:
        last = max((pod.started for pod in self.pods.values()), default=-1e9)
        return (
            now >= last + self.pod_rules.pod_start_interval
            and self._may_start()
            and bool(self.prompts.open())
        )

    def to_end(self, now: float) -> list[tuple[str, str, bool]]:
        return [
            (name, reason, replaced) for name, reason, replaced in super().to_end(now) if replaced
        ]


@dataclass(frozen=True)
class Cost:
    """Of one image: hours until its verdict, pod-minutes, and the verdict."""

    hours: float
    pod_minutes: float
    outcome: str


def main() -> None:
    """Print a row each for the plain hand-out and the plan."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--history", type=Path, default=history_bundle())
    parser.add_argument("--miners", type=int, default=45)
    parser.add_argument(
        "--warm-up", type=float, default=600.0, help="seconds until a pod is healthy, on average"
    )
    parser.add_argument("--price", type=float, default=3.0, help="USD an hour and pod")
    options = parser.parse_args()
    recorded = _recorded(options.history)
    plain, planned = (
        [
            _cost(recorded[miner % len(recorded)], miner, options.warm_up, kind)
            for miner in range(options.miners)
        ]
        for kind in (Plain, Regeneration)
    )
    print(f"{options.miners} miners, {AT_ONCE} at a time, after {len(recorded)} recorded audits")
    print(
        f"{'':<14}{'wall, h':>10}{'an image, h':>14}{'pod-minutes':>14}{'USD':>10}{'rejected':>10}"
    )
    for name, costs in (("plain", plain), ("plan", planned)):
        minutes = sum(cost.pod_minutes for cost in costs)
        cells = (
            *(f"{_wall(costs):>10.2f}", f"{sum(cost.hours for cost in costs) / len(costs):>14.2f}"),
            *(f"{minutes:>14.0f}", f"{minutes / 60 * options.price:>10.2f}"),
            f"{sum(cost.outcome == 'rejected' for cost in costs):>10}",
        )
        print(f"{name:<14}" + "".join(cells))
    same = sum(one.outcome == other.outcome for one, other in zip(plain, planned, strict=True))
    print(f"the same verdict: {same} of {len(plain)}")


def _recorded(history: Path) -> list[Mapping[str, Output]]:
    """What the audits of the history made, prompt by prompt."""
    with tempfile.TemporaryDirectory() as folder:
        snapshot = Repository(str(history), mirror=Path(folder)).snapshot()
        paths = [
            path
            for path in snapshot.blobs
            if path.endswith("/generated.json") and "/leader/" not in path
        ]
        files = snapshot.read_many(paths)
    return [Outputs.parse(files[path], path).root for path in sorted(files)]


def _cost(made: Mapping[str, Output], miner: int, warm_up: float, kind: type[Regeneration]) -> Cost:
    def make(pod: int, stem: str) -> Made:
        output = made[stem]
        noise = max(0.5, random.Random(f"{miner} {pod} {stem}").gauss(1, NOISE))
        if not output.complete:
            return Made(60.0 * noise, distance=None)
        return Made(output.generation_time * noise, after=15.0, distance=output.distance)

    rules = Rules() if kind is Regeneration else Rules(max_mismatched_prompts=10**6)
    prompts = Prompts(list(made), rules, audited=True)
    image = Image(lambda pod: random.Random(f"{miner} {pod}").uniform(0.5, 1.5) * warm_up, make)
    trace = Simulation(prompts, PodRules(), image, kind).run()
    submitted = Outputs({stem: prompts.output("s.glb", "s.png") for stem in made})
    audit = judge_audit("miner", submitted, prompts.outputs(), [], Rules())
    assert audit is not None
    return Cost(trace.end / 3600, trace.pod_seconds / 60, audit.outcome)


def _wall(costs: Sequence[Cost]) -> float:
    """Hours until the last of them is done, so many at a time, each begun as soon as there is
    room.
    """
    lanes = [0.0] * AT_ONCE
    for cost in costs:
        heapq.heappush(lanes, heapq.heappop(lanes) + cost.hours)
    return max(lanes)


if __name__ == "__main__":
    main()
