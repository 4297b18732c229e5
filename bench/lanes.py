"""How lanes fare between machines: ten workers, each a process with a connection of its own to a
real PostgreSQL, are killed at random for as long as is wished. Never may two be in the lane at
once; printed is how long a dead one's lane stayed empty. The baseline is that of a lock on a file.

    python -m bench.lanes --kills 300
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from resources.claims import Claims, FileClaims
from resources.database import Database, DatabaseClaims
from simulators.lane_workers import LaneWorkers
from simulators.postgresql import PostgreSQL, missing


def measured(name: str, claims: Callable[[Path], Claims], kills: int, workers: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lane = LaneWorkers(Path(folder), lambda: claims(Path(folder)), workers)
        delays = sorted(lane.run(kills, between=0.5))
        assert not lane.two_at_once(), lane.two_at_once()
    median, worst = delays[len(delays) // 2], delays[-1]
    print(
        f"{name}: {kills} kills, never two at once; empty for {median:.2f} s, {worst:.2f} s at most"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--workers", type=int, default=10)
    options = parser.parse_args()
    if reason := missing():
        raise SystemExit(reason)
    measured("a file", FileClaims, options.kills, options.workers)
    server = PostgreSQL()
    try:
        url = server.new_database("lanes")
        measured(
            "a database",
            lambda _: DatabaseClaims(Database(url, settled=0)),
            options.kills,
            options.workers,
        )
    finally:
        server.close()


if __name__ == "__main__":
    main()
