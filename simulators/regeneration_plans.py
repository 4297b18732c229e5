"""Plans as they stand after some results, for the tests of the plan."""

from gen404_assets.competition.outputs import Output
from gen404_assets.competition.pods import PodRules
from gen404_assets.competition.regeneration import Prompts, Regeneration
from gen404_assets.competition.settings import Rules
from simulators.examples import RULES

PODS = PodRules()
FEW = Rules(generation_median_trim_count=0)
FAILED = Prompts([], RULES, audited=True).output()


def made(seconds: float, distance: float | None = 0.01) -> Output:
    return Output(
        glb="u.glb", png="u.png", generation_time=seconds, size=1, attempts=1, distance=distance
    )


def plan(
    *results: Output | None,
    pods: int = 1,
    rules: Rules = FEW,
    audited: bool = True,
    healthy: bool = True,
) -> Regeneration:
    """A plan of prompts a, b, c, ... with what was made of each so far, and (healthy) pods 0,
    1, ...
    """
    stems = [chr(ord("a") + number) for number in range(len(results))]
    prompts = Prompts(stems, rules, audited=audited)
    for stem, result in zip(stems, results, strict=True):
        if result is not None:
            prompts.recall(stem, result)
    regeneration = Regeneration(prompts, PODS)
    for number in range(pods):
        regeneration.started(str(number), number * 30.0)
        if healthy:
            regeneration.healthy(str(number))
    return regeneration


def handed(regeneration: Regeneration, pod: str = "0") -> str:
    """Every prompt that the pod is given, one after the other, while none comes back."""
    return "".join(iter(lambda: regeneration.hand_out(pod, 0.0) or "", ""))
