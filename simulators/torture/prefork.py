"""Runs of the platform's lanes as processes of their own that start in milliseconds: one process
imports everything, has no thread, and forks.

`python -m simulators.torture.prefork` reads requests, a JSON object a line, and tells what became
of each: `{"do": ..., "environment": ..., "log": ...}` is answered by `{"pid": ...}`, and each end
by `{"ended": pid, "status": ...}`. A run's exit code: 0 done, 3 an InfrastructureFault, 4 anything
else.
"""

import importlib
import json
import os
import select
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from gen404_assets.assets.resource import hold
from gen404_assets.commands.status import status, status_json
from gen404_assets.competition.catalogue import Lane
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.live.auditing import audit_candidates, make_baseline
from gen404_assets.live.building import track_builds
from gen404_assets.live.collecting import collect
from gen404_assets.live.finalizing import finalize
from gen404_assets.live.fleet import reap
from gen404_assets.live.judging import crown_winner, judge_matches
from gen404_assets.live.lane_run import run_lane
from gen404_assets.live.opening import open_round
from gen404_assets.live.outside import Outside
from gen404_assets.live.shared import open_shared
from gen404_assets.live.work import Work

FAULT, BUG = 3, 4

_USED_LATER = (
    *("aiohttp", "bittensor", "dagster_aws.s3", "openai", "PIL.Image", "PIL.PngImagePlugin"),
    *("targon.client.client", "targon.client.serverless", "verda"),
    *("resources.builds", "resources.distance", "resources.downloads", "resources.renderer"),
    *("resources.providers.targon", "resources.chain.opening", "gen404_assets.live.regenerating"),
)

LANES: Mapping[str, tuple[Lane, Callable[[Work], object]]] = {
    "open": (Lane.COLLECTION, open_round),
    "collect": (Lane.COLLECTION, collect),
    "builds": (Lane.BUILDS, track_builds),
    "baseline": (Lane.BASELINE, make_baseline),
    "judge": (Lane.JUDGING, judge_matches),
    "crown": (Lane.JUDGING, crown_winner),
    "audits": (Lane.AUDITS, audit_candidates),
    "finalize": (Lane.FINALIZING, finalize),
}
"""A lane's run by what it does."""


def main() -> None:
    """Fork until the input ends."""
    _import_all()
    print(json.dumps({"ready": os.getpid()}), flush=True)
    while True:
        while _tell_ended():
            pass
        if not select.select([sys.stdin.buffer], [], [], 0.02)[0]:
            continue
        line = sys.stdin.buffer.readline()
        if not line:
            return
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            os._exit(_child(request))
        print(json.dumps({"pid": pid}), flush=True)


def _import_all() -> None:
    """Import what the adapters import when they are first used."""
    os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"
    for name in _USED_LATER:
        importlib.import_module(name)


def _tell_ended() -> bool:
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    if pid:
        code = os.waitstatus_to_exitcode(status)
        print(json.dumps({"ended": pid, "status": code}), flush=True)
    return bool(pid)


def _child(request: Mapping[str, Any]) -> int:
    os.setsid()
    null = os.open(os.devnull, os.O_RDONLY)
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for target, source in ((0, null), (1, log), (2, log)):
        os.dup2(source, target)
    os.environ.update(request["environment"])
    try:
        _DO[request["do"]](request)
    except InfrastructureFault as fault:
        print(f"fault: {fault}", flush=True)
        return FAULT
    except BaseException:  # noqa: BLE001 -- a bug of the platform: the record shows it
        traceback.print_exc()
        sys.stderr.flush()
        return BUG
    sys.stdout.flush()
    return 0


def _lane(request: Mapping[str, Any]) -> None:
    lane, live = LANES[request["run"]]
    say = lambda line: print(line, flush=True)  # noqa: E731
    with hold(lane) as held:
        if held:
            run_lane(Work(Outside(os.environ), int(request["round"]), say, say), lane, live)


def _status(request: Mapping[str, Any]) -> None:
    try:
        output: Any = status_json(status(Outside(os.environ)))
    except InfrastructureFault as fault:
        output = {"fault": str(fault)}
    with open(request["into"], "w") as file:  # noqa: PTH123
        json.dump(output, file, default=str)


def _reap(_: Mapping[str, Any]) -> None:
    reap(Outside(os.environ).providers, open_shared())


_DO: Mapping[str, Callable[[Mapping[str, Any]], None]] = {
    "lane": _lane,
    "status": _status,
    "reap": _reap,
}

if __name__ == "__main__":
    main()
