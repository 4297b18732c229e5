"""Regenerating goes on where it was when it was killed, and takes nothing back that it has told."""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.outputs import Output, Outputs
from gen404_assets.competition.pods import PodRules
from gen404_assets.live.fleet import reap
from gen404_assets.live.results import Results, prompts_of
from gen404_assets.live.shared import shared_on_disk
from simulators.regeneration_world import PODS, RULES, Meddled, World, subject, until
from tests.sampling import THOROUGH

ONE_POD = PodRules(
    initial_pod_count=1, pods_per_miner=1, max_pod_attempts=1, pod_start_interval=0.1
)

EFFECTS = {"start": 2, "pods": 2, "delete": 2, "render": 2, "put": 3, "measure": 2, "record": 1}
"""What a regeneration does outside, and at which of each the suite kills it."""
SLOWLY = {"slow": 0.15}
"""So that one pod has not made all before a second one is started."""


def _killed_at(world: World, name: str, nth: int, *, after: bool) -> bool:
    """Regenerate in a process that is killed at the n-th effect of a name, before or after it;
    whether it came so far.
    """
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1] != 0
    counts = Counter[str]()

    def deadly(call: Callable[..., Any]) -> Callable[..., Any]:
        def effect(*arguments: Any) -> Any:
            counts[call.__name__] += 1
            fatal = call.__name__ == name and counts[name] == nth
            if fatal and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = call(*arguments)
            if fatal:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return effect

    status = 1
    try:
        methods = {
            name: deadly(getattr(world.provider, name)) for name in ("start", "pods", "delete")
        }
        means = {name: deadly(getattr(world, name)) for name in ("render", "put", "measure")}
        world.regenerate(
            subject(3),
            providers=[Meddled(world.provider, **methods)],
            progress=deadly(world.record),
            **means,
        )
        status = 0
    finally:
        os._exit(status)


def untimed(outputs: Outputs) -> dict[str, Output]:
    return {
        stem: output.model_copy(update={"generation_time": 0.0}) for stem, output in outputs.items()
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Output]:
    return untimed(
        World(tmp_path_factory.mktemp("undisturbed"), SLOWLY).regenerate(subject(3)).outputs
    )


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("name", EFFECTS)
def test_g15_killed_at_any_effect_it_goes_on_where_it_was_and_no_pod_is_left(
    undisturbed: dict[str, Output], tmp_path: Path, name: str, after: bool
) -> None:
    """At one of each name, or with `THOROUGH` at each; of looks at the pods at three."""
    killed = most = 0
    for nth in range(1, 4 if name == "pods" else 100) if THOROUGH else [EFFECTS[name]]:
        world = World(tmp_path / str(nth), SLOWLY)
        if not _killed_at(world, name, nth, after=after):
            break
        killed += 1
        reap([world.provider], shared_on_disk(world.folder / "home"))
        assert world.pods_left() == [], nth
        kept = [line for line in _journal(world) if '"glb": "http' in line]
        most = max(most, len(kept))
        before = world.asked()
        regenerated = world.regenerate(subject(3, generated=world.recorded()))
        assert untimed(regenerated.outputs) == undisturbed, nth
        again = world.asked() - before
        assert not {stem for stem in again if any(f'"{stem}"' in line for line in kept)}, nth
    assert 0 < killed < 99
    if name in {"measure", "record", "delete"} or (THOROUGH and name == "put"):
        assert most >= 2, "what has been made is kept at once"


def _journal(world: World) -> list[str]:
    journals = list((world.folder / "home/journals").glob("*.jsonl"))
    return journals[0].read_text().splitlines() if journals else []


def test_g15_nothing_is_told_while_a_new_run_measures_what_the_one_before_made(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, {})
    with pytest.raises(InfrastructureFault):
        world.regenerate(measure=lambda *_: _fail(), patience=0.1)
    reported: list[list[str]] = []

    def progress(outputs: Outputs, _: object) -> bool:
        reported.append(outputs.names)
        return False

    def slowly(submitted: str, generated: str) -> float:
        time.sleep(0.2)  # many times the pause between two reports
        return world.measure(submitted, generated)

    kept = [line for line in _journal(world) if '"glb": "http' in line]
    made = {stem for stem in world.asked() if any(f'"{stem}"' in line for line in kept)}
    assert made
    world.regenerate(measure=slowly, progress=progress)
    assert all(made <= set(names) for names in reported)


def test_g15_an_attempt_that_expired_is_kept(tmp_path: Path) -> None:
    """Its pod never answered; the run after a crash knows of the attempt."""
    world = World(tmp_path, {"slow": 60})
    impatient = PODS.model_copy(update={"prompt_lock_timeout": 0.5})
    progress: list[Outputs] = []

    def killed(outputs: Outputs, _: object) -> bool:
        progress.append(outputs)
        raise InfrastructureFault("killed")

    with pytest.raises(InfrastructureFault):
        world.regenerate(subject(1), pods=impatient, progress=killed)
    expired = progress[0]["p00"]
    assert (expired.attempts, expired.model_dump()["reason"]) == (1, "no file within 0.5 s")
    prompts = prompts_of(subject(1), RULES)
    results = Results(subject(1), world.means(), prompts, tmp_path)
    asyncio.run(results.recall())
    assert prompts.outputs() == progress[0]


def test_g15_a_file_that_came_late_is_one_attempt_after_a_crash_too(tmp_path: Path) -> None:
    world = World(tmp_path, {"slow": 2})
    impatient = ONE_POD.model_copy(update={"prompt_lock_timeout": 0.5})
    regenerated = world.regenerate(subject(2), pods=impatient)
    late = regenerated.outputs["p00"]
    assert (late.complete, late.attempts) == (True, 1)
    prompts = prompts_of(subject(2), RULES)
    results = Results(subject(2), world.means(), prompts, tmp_path)
    asyncio.run(results.recall())
    assert prompts.outputs() == regenerated.outputs


def test_g15_what_a_person_takes_back_is_generated_again(tmp_path: Path) -> None:
    world = World(tmp_path, {})
    published: list[Outputs] = []

    def progress(outputs: Outputs, _: object) -> bool:
        published.append(outputs)
        return True

    with pytest.raises(InfrastructureFault):
        world.regenerate(
            measure=lambda a, b: world.measure(a, b) if "p05" not in b else _fail(),
            progress=progress,
            patience=0.5,
        )
    until(lambda: published)
    before = world.asked()
    world.regenerate(subject(generated=published[-1]))
    assert world.asked() == before  # all had been kept
    world.regenerate(subject(generated=None))
    assert world.asked() == before + before


def _fail() -> float:
    raise InfrastructureFault("out of order")
