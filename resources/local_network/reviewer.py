"""The person of the local network who reads candidates' source code: whoever is to be audited gets
a verdict.

`python -m resources.local_network.reviewer --repository PATH --seconds N [--fail OWNER/NAME ...]`:
each request of the round under way is answered after some seconds with `gen404 source-audit`, as an
operator would.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

_POLL = 1.0  # seconds between two looks at the requests


def main(arguments: Sequence[str] | None = None) -> None:
    """Review until ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repository", required=True)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--fail", action="append", default=[], metavar="OWNER/NAME")
    options = parser.parse_args(arguments)
    while True:
        for hotkey, repo in _waiting(options.repository):
            time.sleep(options.seconds)
            bad = repo in options.fail
            verdict = (
                ("failed", "The code is another's.")
                if bad
                else ("passed", "The code is the miner's own.")
            )
            command = ["source-audit", hotkey, verdict[0], "--reason", verdict[1]]
            subprocess.run(  # noqa: S603
                [sys.executable, "-m", "gen404_assets.commands.cli", *command], check=False
            )
        time.sleep(_POLL)


def _waiting(repository: str) -> list[tuple[str, str]]:
    """(hotkey, repo) of the audit requests that have no source audit yet."""
    state = _read(repository, "state.json")
    if not state or state["stage"] != "duels":
        return []
    folder = f"rounds/{state['current_round']}"
    judged = {audit["hotkey"] for audit in _read(repository, f"{folder}/source_audit.json") or []}
    requests = _read(repository, f"{folder}/require_audit.json") or []
    submissions = _read(repository, f"{folder}/submissions.json") or {}
    return [
        (request["hotkey"], submissions[request["hotkey"]]["repo"])
        for request in requests
        if request["hotkey"] not in judged and request["hotkey"] in submissions
    ]


def _read(repository: str, path: str) -> Any:
    command = ["git", "-C", repository, "show", f"main:{path}"]
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603
    return json.loads(done.stdout) if done.returncode == 0 else None


if __name__ == "__main__":
    main()
