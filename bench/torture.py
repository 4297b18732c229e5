"""A round under torture: `python -m bench.torture --minutes 60 --seed 1`.

Each point is a whole round with real HTTP around it, disturbed, and compared with the same round
undisturbed (`docs/torture.md`). `--sweep kill` takes every effect of a round in turn, before and
after it, `--faults` of them a point; `--sweep hang` has every adapter hang; without, disturbances
are drawn at random from the seed.
Each point is a line of JSON in `--record`; what they come to is printed. Exit code 1: a point fell.
"""

import argparse
import random
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from simulators.torture.faults import KINDS, Fault, Kind, drawn, each_effect
from simulators.torture.platform import ROLES
from simulators.torture.points import Bench, Summary, now, read, record


def main(arguments: Sequence[str] | None = None) -> int:
    """Run points until their number, or the time, is reached."""
    options = _options().parse_args(arguments)
    if options.summary:
        print(
            Summary.from_entries([each for path in options.summary for each in read(path)]).text()
        )
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # with all that was started
    until = now() + 60 * options.minutes
    if options.record.exists():
        options.record.unlink()
    with (
        tempfile.TemporaryDirectory(prefix="torture-", ignore_cleanup_errors=True) as folder,
        Bench.opened(Path(folder), platform=options.platform) as bench,
    ):
        print(f"an undisturbed round takes {bench.whole.seconds:.0f} s", flush=True)
        for point, plan in enumerate(_plans(bench, options)):
            if point < options.skip:
                continue
            if now() > until or point >= options.skip + options.points:
                break
            entry = {"seed": options.seed, "point": point, **bench.run(plan)}
            record(options.record, entry)
            met = ", ".join(f"{each['kind']} of {each['adapter']}" for each in entry["met"])
            print(f"{point}: {met}: {'; '.join(entry['fell'])[:200] or 'held'}", flush=True)
    summary = Summary.from_entries(read(options.record))
    print(summary.text())
    return 1 if summary.fallen else 0


def _plans(bench: Bench, options: argparse.Namespace) -> Iterator[list[Fault]]:
    if options.again:
        yield from (
            [Fault.from_record(each) for each in entry["plan"]] for entry in read(options.again)
        )
        return
    rng = random.Random(options.seed)
    counts = bench.whole.counts
    kills = _rounds_of(each_effect(counts), rng, options.faults)
    while options.sweep == "kill":
        yield next(kills)
    while options.sweep == "hang":
        yield _hangs(rng, counts, options)
    while options.sweep == "both":
        yield [*next(kills), *_hangs(rng, counts, options)]
    while options.sweep == "processes":
        for role in ROLES:
            at = rng.randint(1, counts["git", False])
            yield [Fault("git", Kind.KILL_ROLE, at, role=role)]
    while True:
        yield drawn(rng, rng.randint(1, options.faults), counts, options.longest)


def _rounds_of(faults: list[Fault], rng: random.Random, count: int) -> Iterator[list[Fault]]:
    """So many of the disturbances a point, all in turn, in a random order so that a part of them is
    of all kinds."""
    rng.shuffle(faults)
    while True:
        for first in range(0, len(faults), count):
            yield faults[first : first + count]


def _hangs(
    rng: random.Random, counts: "Counter[tuple[str, bool]]", options: argparse.Namespace
) -> list[Fault]:
    """`--hangs` hangs of each adapter, at random requests."""
    hangs = []
    for adapter in sorted(KINDS):
        requests = range(1, counts[adapter, False] + 1)
        for at in sorted(rng.sample(requests, min(options.hangs, len(requests)))):
            seconds = round(rng.uniform(0.2, options.longest), 1)
            hangs.append(Fault(adapter, Kind.HANG, at, after=rng.random() < 0.5, seconds=seconds))
    return hangs


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.torture", description=__doc__.split("\n\n", maxsplit=1)[0]
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="begin no point after that")
    parser.add_argument("--points", type=int, default=10**9, help="so many points, at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--skip", type=int, default=0, help="begin with the point of this number")
    parser.add_argument("--again", type=Path, help="repeat the points of this record")
    parser.add_argument(
        "--platform", action="store_true", help="by `gen404 up`, with all of Dagster's processes"
    )
    parser.add_argument("--sweep", choices=["kill", "hang", "both", "processes"])
    parser.add_argument("--faults", type=int, default=4, help="disturbances of a point, at most")
    parser.add_argument("--hangs", type=int, default=2, help="hangs of each adapter of a point")
    parser.add_argument("--longest", type=float, default=8.0, help="seconds that one may last")
    parser.add_argument("--record", type=Path, default=Path("torture.jsonl"))
    parser.add_argument(
        "--summary", type=Path, nargs="+", help="only print what these records come to"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
