"""The local network of `gen404 up`: a chain, a repository, a store, a judge, GitHub, miners and a
reviewer, all on this machine.

It is made in the folder `network` of the platform's home when first started; a later start goes on
with it.
"""

import json
import math
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gen404_assets.commands.local_settings import folder
from gen404_assets.commands.operating import begin
from gen404_assets.commands.settings import secret_names
from gen404_assets.competition.round import CONFIG, LEADERS, POOL
from gen404_assets.competition.settings import BLOCK_SECONDS
from gen404_assets.competition_repository import create_repository, open_repository
from gen404_assets.settings import LocalSettings
from resources.chain.local import create_local_chain, keep_ticking
from resources.chain.opening import open_chain
from resources.local_network import process
from resources.local_network.cast import CAST, FIRST_LEADER
from resources.local_network.miner import hotkey, publish_code, ready_mark
from resources.local_network.objects import make_prompts
from resources.local_network.store import LocalStore
from resources.object_store import open_object_store
from resources.ports import free_ports
from resources.renderer import open_renderer
from resources.settings import read_settings, without_blanks
from resources.whole_file import write_whole

_IMAGE_FORMAT = "local/{hotkey10}:{tag}"
_FIRST_IMAGE = "local/founder:first"
_DAY_START_BLOCKS = 1000
"""Where in a day of the local chain, 7,200 blocks, its rounds start."""
_MINERS_START_SECONDS = 120.0
"""After which the chain starts without the miners that aren't ready."""
_GENERATION_SECONDS = 24.0
"""Of this machine, for which miners may generate at least."""


@contextmanager
def local_network(environment: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    """Start the network, made first if there is none; the settings by which the platform works on
    it.
    """
    settings = read_settings(LocalSettings, environment)
    folder().mkdir(parents=True, exist_ok=True)
    ports = _ports()
    ticking = threading.Event()
    with LocalStore(folder() / "store") as store:
        own = without_blanks(environment)
        variables = {**_settings(ports), **store.environment, **own}
        if not (folder() / "made").exists():
            print(
                f"making a local network in {folder()}: prompts, chain, first leader, repository",
                flush=True,
            )
            _make(variables, settings)
        _write_private(
            folder() / "environment.json",
            {key: variables[key] for key in variables.keys() - own.keys()},
        )
        ticker = threading.Thread(
            target=keep_ticking, args=(folder() / "chain", ticking), daemon=True
        )
        environment = _without_secrets({**os.environ, **variables})
        for member in CAST:
            ready_mark(folder(), member.name).unlink(missing_ok=True)
        children: list[process.Child] = []
        try:
            for name, command in _commands(ports).items():
                log = folder() / "logs" / f"{name}.log"
                children.append(process.start(command, log, environment))
            _await_miners()
            ticker.start()
            yield variables
        finally:
            ticking.set()
            if ticker.is_alive():
                ticker.join()
            process.stop(children)


def _await_miners() -> None:
    """Wait until the miners have imported what they work with: before that no block comes, however
    slow this machine is.
    """
    until = time.monotonic() + _MINERS_START_SECONDS
    while waiting := [each.name for each in CAST if not ready_mark(folder(), each.name).exists()]:
        if time.monotonic() > until:
            logs = folder() / "logs"
            print(f"the chain starts without the miners {', '.join(waiting)}: see {logs}")
            return
        time.sleep(0.1)


def _without_secrets(environment: Mapping[str, str]) -> Mapping[str, str]:
    """What miners and the other strangers of the local network are told: no key of the operator's
    (guarantee 23).
    """
    secret = secret_names()
    return {name: value for name, value in environment.items() if name not in secret}


def _ports() -> Mapping[str, int]:
    """The ports of the judge and of GitHub, the same at every start."""
    path = folder() / "ports.json"
    known: dict[str, int] = json.loads(path.read_bytes()) if path.exists() else {}
    if not known:
        known = dict(zip(("judge", "github"), free_ports(2), strict=True))
        _write_private(path, known)
    return known


def _settings(ports: Mapping[str, int]) -> dict[str, str]:
    return {
        "GEN404_OPERATE": "true",
        "COMPETITION_REPO": str(folder() / "repository.git"),
        "SUBTENSOR_NETWORK": (folder() / "chain").as_uri(),
        "OPENAI_BASE_URL": f"http://127.0.0.1:{ports['judge']}/v1",
        "OPENAI_API_KEY": "no-key-is-asked-for",
        "JUDGE_MODEL": "local-likeness",
        "EMBEDDER": "pictures",
        "GPU_PROVIDERS": "local",
        "LOCAL_NETWORK": str(folder()),
        "GITHUB_API_URL": f"http://127.0.0.1:{ports['github']}",
        "GITHUB_REPO": "local/competition",
        "DOCKER_IMAGE_FORMAT": _IMAGE_FORMAT,
        "ALLOW_PRIVATE_CDN": "true",
        # The chain's day passes in minutes here, a build's three hours would in seconds.
        "BUILD_TIMEOUT": str(7 * 86400),
        "BUILD_POLL_SECONDS": "2",
        "POD_START_INTERVAL": "1",
        "DOWNLOAD_JITTER_SECONDS": "1",
        "CDN_PATIENCE_SECONDS": "6",  # one of the miners' CDNs always fails
        "PROMPT_PATIENCE_SECONDS": "2",
        "PUBLISH_INTERVAL_SECONDS": "5",
        "SENSOR_SECONDS": "4",
    }


def _commands(ports: Mapping[str, int]) -> Mapping[str, list[str]]:
    """The processes beside the store and the chain."""
    python = [sys.executable, "-m"]
    repository = str(folder() / "repository.git")
    base = "resources.local_network"
    pictures = (folder() / "cdn_url").read_text()
    commands = {
        "judge": [
            *python,
            f"{base}.judge",
            "--port",
            str(ports["judge"]),
            "--pictures-base",
            pictures,
        ],
        "github": [
            *(*python, f"{base}.forge", "--port", str(ports["github"]), "--folder", str(folder())),
            *("--repository", repository, "--image-format", _IMAGE_FORMAT),
        ],
        "reviewer": [*python, f"{base}.reviewer", "--repository", repository],
    }
    for member in CAST:
        miner = [
            *python,
            f"{base}.miner",
            member.name,
            "--network",
            str(folder()),
            "--repository",
            repository,
        ]
        commands[f"miner-{member.name}"] = miner
    return commands


def _generation_minutes(block_seconds: float) -> int:
    """How long miners may generate, of the chain's time: at least four hours, and more where these
    pass so fast that a miner has not made its files yet.
    """
    return max(240, math.ceil(_GENERATION_SECONDS / block_seconds * BLOCK_SECONDS / 60))


def _make(environment: Mapping[str, str], settings: LocalSettings) -> None:
    """Make prompts, chain, first leader and repository; called again if it was interrupted."""
    genesis = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    create_local_chain(
        folder() / "chain", block_time=settings.local_block_seconds, genesis_time=genesis
    )
    (folder() / "cdn_url").write_text(environment["CDN_URL"])
    prompts = "\n".join(_prompts(environment, settings.local_pool))
    commit = publish_code(folder(), FIRST_LEADER, 0, settings.local_output_format)
    leader = {
        "hotkey": hotkey(FIRST_LEADER),
        "repo": FIRST_LEADER.repo,
        "commit": commit,
        "docker": _FIRST_IMAGE,
        "weight": 0.0,
        "effective_block": 0,
    }
    command = json.loads((folder() / "code.json").read_bytes())[f"{FIRST_LEADER.repo}@{commit}"]
    _write_private(folder() / "images.json", {_FIRST_IMAGE: command})
    config = {
        "name": "local",
        "description": "A competition that runs itself on one machine.",
        "first_evaluation_date": genesis.date().isoformat(),
        # On the first of a month, since another year may have no 29th of February.
        "last_competition_date": genesis.date().replace(year=genesis.year + 5, day=1).isoformat(),
        # 300 blocks of 12 s are an hour, 5 a minute.
        "round_start_time": f"{_DAY_START_BLOCKS // 300:02}:{_DAY_START_BLOCKS % 300 // 5:02}:00",
        "generation_stage_minutes": _generation_minutes(settings.local_block_seconds),
        "finalization_buffer_hours": 1,
        "win_margin": 0.05,
        "weight_decay": 0.2,
        "weight_floor": 0.2,
        "prompts_per_round": settings.local_prompts,
        "carryover_prompts": settings.local_prompts // 4,
        "output_format": settings.local_output_format,
    }
    files = {CONFIG: _json(config), POOL: prompts.encode(), LEADERS: _json([leader])}
    create_repository(folder() / "repository.git")
    chain = open_chain(environment)
    begin(open_repository(environment["COMPETITION_REPO"], "main"), files, chain.finalized())
    chain.close()
    (folder() / "made").touch()


def _prompts(environment: Mapping[str, str], count: int) -> list[str]:
    """The URLs of the prompts' pictures, drawn and put into the store."""
    renderer, store = open_renderer(environment), open_object_store(environment)
    try:
        pictures = make_prompts(folder() / "prompts", count, renderer)
    finally:
        renderer.close()
    return [store.put(f"prompts/{picture.name}", picture, "image/png") for picture in pictures]


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=2).encode()


def _write_private(path: Path, value: Any) -> None:
    write_whole(path, _json(value), private=True)
