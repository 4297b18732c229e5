"""A competition in memory whose round 0 is played stage by stage by the platform's own work."""

import json
from collections.abc import Callable, Mapping, Sequence

from gen404_assets.commands.operating import begin
from gen404_assets.competition.builds import BuildRun
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.outputs import Output, Outputs
from gen404_assets.competition.round import Round, miner_path
from gen404_assets.competition.state import Stage
from gen404_assets.live.building import track_builds
from gen404_assets.live.collecting import collect
from gen404_assets.live.opening import open_round
from gen404_assets.live.work import Work, see
from simulators.examples import COMMIT, MINERS
from simulators.outside import SimulatedDownloads, SimulatedJudge, SimulatedOutside, digest

POOL = "\n".join(f"https://pool.example/{name}.png" for name in "abcdefghijkl")
CONFIG = {
    "name": "mesh",
    "first_evaluation_date": "2026-01-05",
    "last_competition_date": "2026-01-06",
    "round_start_time": "02:00:00",
    "generation_stage_minutes": 60,
    "win_margin": 0.05,
    "weight_decay": 0.1,
    "weight_floor": 0.2,
    "prompts_per_round": 4,
    "carryover_prompts": 2,
}
FOUNDER = {
    "repo": "founder/model",
    "commit": "f" * 40,
    "docker": "image:first",
    "weight": 0.5,
    "effective_block": 0,
}


def opened(**config: object) -> SimulatedOutside:
    """Round 0 is open until block 600; nobody has revealed anything."""
    outside = SimulatedOutside(SimulatedDownloads(_model), SimulatedJudge(_penalty))
    files = {
        "config.json": json.dumps(CONFIG | config, indent=2).encode(),
        "prompts.txt": POOL.encode(),
        "leader.json": json.dumps([{"hotkey": MINERS[-1]} | FOUNDER], indent=2).encode(),
    }
    begin(outside.repository, files, outside.chain.finalized())  # type: ignore[arg-type]
    return outside


def reveal(outside: SimulatedOutside, hotkeys: Sequence[str]) -> None:
    """Miners reveal one after another, from block 10 on."""
    for number, hotkey in enumerate(hotkeys):
        commitment = {
            "repo": "owner/model",
            "commit": COMMIT,
            "cdn_url": f"https://cdn{number}.example/",
        }
        outside.chain.revealed[hotkey] = [(10 + number, json.dumps(commitment))]


def work(outside: SimulatedOutside, number: int = 0, messages: list[str] | None = None) -> Work:
    """What a run of the platform holds."""
    say: Callable[[str], None] = messages.append if messages is not None else (lambda _: None)
    return Work(outside, number, say)  # type: ignore[arg-type]


def now(outside: SimulatedOutside) -> Round:
    """The round under way."""
    return see(outside.repository.snapshot())  # type: ignore[arg-type]


def stage(outside: SimulatedOutside) -> Stage | None:
    state = now(outside).state
    return state.stage if state else None


def baseline(outside: SimulatedOutside, *, complete: bool = True) -> None:
    """The leader's image has made everything, or nothing in three attempts."""
    current = now(outside)
    outputs = {
        stem: _output(outside, LEADER, stem) if complete else _nothing() for stem in current.stems
    }
    content = Outputs(outputs).to_bytes()
    path = miner_path(current.number, LEADER, "generated.json")
    outside.repository.commit(
        {path: content}, f"Update generated for round {current.number}, miner leader"
    )


def _output(outside: SimulatedOutside, hotkey: str, stem: str) -> Output:
    key = f"rounds/0/{hotkey}/generated/{stem}"
    url = outside.store.put(f"{key}.glb", b"leader " + stem.encode(), "")
    png = outside.store.put(f"{key}.png", b"picture", "")
    return Output.model_validate(
        {
            "glb": url,
            "png": png,
            "generation_time": 20.0,
            "size": 10,
            "attempts": 1,
            "distance": 0.0,
        }
    )


def _nothing() -> Output:
    return Output.model_validate(
        {
            "glb": None,
            "png": None,
            "generation_time": 0.0,
            "size": 0,
            "attempts": 3,
            "distance": 0.0,
        }
    )


def _model(url: str) -> bytes | str:
    return b"model at " + url.encode()


def _penalty(url: str) -> int:
    return digest(url) % 10


def generating(miners: Sequence[str], **config: object) -> SimulatedOutside:
    """Round 0 with these miners, whose files are due at block 900."""
    outside = opened(**config)
    reveal(outside, miners)
    outside.chain.number = 600
    open_round(work(outside))
    outside.chain.number = 900
    return outside


def dueling(miners: Sequence[str], **config: object) -> SimulatedOutside:
    """Round 0 with everything built and downloaded, and the baseline complete."""
    return dueling_with(dict.fromkeys(miners, "success"), **config)


def dueling_with(builds: Mapping[str, str], **config: object) -> SimulatedOutside:
    """The same with what became of each miner's build: hotkey -> its job's conclusion."""
    outside = generating([*builds], **config)
    outside.builds.run = BuildRun(ended=True, jobs=builds)
    track_builds(work(outside))
    baseline(outside)
    collect(work(outside))
    return outside
