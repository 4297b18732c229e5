"""Hunts for inputs that a parser of foreign bytes answers with anything but a value or its declared
refusal.

`python -m bench.hostile [--seconds N] [--seed S] [--only NAME] [--into FOLDER]`, and to try one
input again `python -m bench.hostile --only NAME --input FILE`. Each parser (`bench/parsers`)
runs in a process of its own whose memory is bounded; an input that kills it, or keeps it too
long, is found as well. The seed decides which inputs are tried, the time how many. Exit code 0:
nothing was found; 1: findings, each printed with its exception and the file that holds its
input.
"""

import argparse
import importlib
import json
import os
import resource
import secrets
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from bench.parsers.parser import Parser, Seed

_STUCK_CPU = 30.0  # seconds of CPU of one input, after which its process is ended
_STUCK_SECONDS = 600.0  # by the clock, of which a busy machine may take most
_LONGEST = 16 * 2**20  # bytes of an input: copies of longer ones would not fit beside it
_FEW = 12  # findings of a parser, after which it isn't hunted any further


@dataclass(frozen=True)
class Hunt:
    """What to hunt: parsers of `table` (a module with `PARSERS`), `seconds` each, and where
    findings are saved."""

    table: str
    seconds: float
    seed: int
    into: Path


@dataclass
class Hunted:
    """What came of it: how many inputs were tried, values and refusals among them, and the
    findings, one a line."""

    tried: int = 0
    values: int = 0
    findings: list[str] = field(default_factory=list)


def main(arguments: Sequence[str] | None = None) -> int:
    """Hunt, and print what was found."""
    parser = argparse.ArgumentParser(prog="bench.hostile", description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="of CPU, for all parsers together"
    )
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32))
    parser.add_argument("--only", help="this parser alone")
    parser.add_argument("--into", type=Path, default=Path(tempfile.gettempdir()) / "gen404-hostile")
    parser.add_argument(
        "--input", type=Path, help="try this input alone, of the parser given by --only"
    )
    parser.add_argument("--table", default="bench.parsers", help=argparse.SUPPRESS)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    parsers = importlib.import_module(options.table).PARSERS
    if (options.only is not None and options.only not in parsers) or (
        options.input and not options.only
    ):
        parser.error(f"--only must name one of {', '.join(parsers)}")
    names = [options.only] if options.only else list(parsers)
    hunt = Hunt(options.table, options.seconds / len(names), options.seed, options.into)
    if options.worker:
        _Worker(options.only, parsers[options.only], hunt).run()
        return 0
    if options.input:
        return _try_again(parsers[options.only], options.input)
    return _report(hunt, names)


def _report(hunt: Hunt, names: Sequence[str]) -> int:
    print(
        f"seed {hunt.seed}, {hunt.seconds:.1f} s a parser, findings go to {hunt.into}", flush=True
    )
    with ThreadPoolExecutor(os.cpu_count() or 1) as threads:
        results = dict(zip(names, threads.map(lambda name: hunted(hunt, name), names), strict=True))
    for name, result in results.items():
        refused = result.tried - result.values
        print(
            f"{name:18}{result.tried:>9,} tried{result.values:>9,} values{refused:>9,} refused or "
            "found"
        )
        for finding in result.findings:
            print(f"  FOUND {finding}")
    total = sum(len(result.findings) for result in results.values())
    print(f"{total} findings" if total else "nothing was found")
    return 1 if total else 0


def hunted(hunt: Hunt, name: str) -> Hunted:
    """One parser hunted for its time, in as many processes as its inputs kill."""
    result, left, start = Hunted(), hunt.seconds, 0
    while left > 0 and len(result.findings) < _FEW:
        with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
            outcome = _one_process(replace(hunt, seconds=left), name, start, Path(folder))
        result.tried += outcome["tried"]
        result.values += outcome["values"]
        result.findings += outcome["findings"]
        left -= outcome["seconds"]
        start += 1
    return result


def _one_process(hunt: Hunt, name: str, start: int, folder: Path) -> dict[str, Any]:
    """What a worker process reports, or what is known of one that died.

    `start` counts this parser's processes, so that each begins with other inputs.
    """
    seconds = hunt.seconds
    command = [
        sys.executable,
        "-m",
        "bench.hostile",
        "--worker",
        "--only",
        name,
        "--table",
        hunt.table,
    ]
    command += [
        "--seconds",
        str(seconds),
        "--seed",
        str(hunt.seed + start),
        "--into",
        str(hunt.into),
    ]
    environment = os.environ | {"HOSTILE_FOLDER": str(folder), "PYTHONFAULTHANDLER": "1"}
    with (folder / "errors").open("wb") as errors:
        process = subprocess.Popen(command, env=environment, stdout=errors, stderr=errors)
        stuck = _watch(process, folder)
    report = folder / "told.json"
    if process.returncode == 0 and report.exists():
        outcome: dict[str, Any] = json.loads(report.read_text())
        return outcome
    why = "takes too long" if stuck else f"the process ends with {process.returncode}"
    outcome = (
        json.loads(report.read_text())
        if report.exists()
        else {"tried": 1, "values": 0, "findings": [], "seconds": 1.0}
    )
    current = folder / "current"
    if not current.exists():
        why = f"{name}: the parser can't be loaded: {(folder / 'errors').read_text()[-2000:]}"
        return outcome | {"findings": [why], "seconds": seconds}
    size = int.from_bytes(current.read_bytes()[:8], "big")
    saved = _save(hunt.into, name, current.read_bytes()[8 : 8 + size], why)
    output = (folder / "errors").read_text(errors="replace").strip().splitlines()
    outcome["findings"].append(
        " | ".join([f"{name}: {why}: {saved}", *output[:6], *output[6:][-4:]])
    )
    return outcome


def _watch(process: "subprocess.Popen[bytes]", folder: Path) -> bool:
    """Wait for its end; whether it had to be killed, since one input took it too long.

    What comes before the first input, imports and what numba compiles, takes its time.
    """
    current, since, used_before = folder / "current", time.monotonic(), 0.0
    input_before: int | None = None
    while True:
        try:
            process.wait(0.2)
        except subprocess.TimeoutExpired:
            now, used = time.monotonic(), _cpu_seconds(process.pid)
            input_now = current.stat().st_mtime_ns if current.exists() else None
            if input_now is None or input_now != input_before:
                input_before, since, used_before = input_now, now, used
            elif used - used_before > _STUCK_CPU or now - since > _STUCK_SECONDS:
                process.kill()
                process.wait()
                return True
        else:
            return False


def _cpu_seconds(process: int) -> float:
    """What a process that wasn't waited for has used, as the kernel counts it (proc(5), stat)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _save(into: Path, name: str, content: bytes, why: str) -> Path:
    into.mkdir(parents=True, exist_ok=True)
    path = into / f"{name}-{abs(hash((content, why))):016x}"
    path.write_bytes(content)
    return path


class _Worker:
    """Inputs tried one after another in this process, each in a file while it is: size, kind, a
    line end and itself."""

    def __init__(self, name: str, parser: Parser, hunt: Hunt) -> None:
        self.name, self.parser, self.hunt = name, parser, hunt
        self.folder = Path(os.environ["HOSTILE_FOLDER"])
        self.outcome: dict[str, Any] = {"tried": 0, "values": 0, "findings": [], "seconds": 0.0}
        self.known: set[str] = set()
        self.parse = parser.load()
        self.current = (self.folder / "current").open(
            "wb", buffering=0
        )  # once: opening takes longer than parsing

    def run(self) -> None:
        """Every seed first, then spoilt ones until the time is over."""
        seeds = list(self.parser.seeds())
        for seed in seeds:
            self._try(seed)
        _bound_memory(self.parser.memory)
        # Its own time, not the clock's: a busy machine hunts as long.
        began, reported_at = time.process_time(), 0.0
        random = Random(f"{self.name} {self.hunt.seed}")
        kinds = {kind: [data for other, data in seeds if other == kind] for kind, _ in seeds}
        while (took := time.process_time() - began) < self.hunt.seconds and len(self.known) < _FEW:
            kind, data = random.choice(seeds)
            try:
                for _ in range(random.choice([1, 1, 2])):
                    data = self.parser.mutate(random, data, kinds[kind])
            except MemoryError:  # a line of half a megabyte, a thousand times
                continue
            if len(data) > _LONGEST:
                continue
            self._try((kind, data))
            self.outcome["seconds"] = took
            if took - reported_at > 0.5:
                reported_at = took
                self._tell()
        self.outcome["seconds"] = self.hunt.seconds
        self._tell()

    def _try(self, seed: Seed) -> None:
        kind, data = seed
        content = kind.encode() + b"\n" + data
        os.pwrite(self.current.fileno(), len(content).to_bytes(8, "big") + content, 0)
        self.outcome["tried"] += 1
        used = time.process_time()
        problem = _problem(self.parser, self.parse, seed)
        used = time.process_time() - used
        if problem is None:
            self.outcome["values"] += 1
        elif problem:
            self._report_finding(problem, seed)
        if used > self.parser.seconds:
            self._report_finding(f"takes {used:.1f} s of CPU time", seed)

    def _report_finding(self, problem: str, seed: Seed) -> None:
        first = problem.partition("\n")[0].partition(":")[0] + problem.rpartition(" at ")[2]
        if first not in self.known:
            self.known.add(first)
            saved = _save(self.hunt.into, self.name, seed[0].encode() + b"\n" + seed[1], problem)
            self.outcome["findings"].append(f"{self.name}: {problem}: {saved}")
            self._tell()

    def _tell(self) -> None:
        draft = self.folder / "told.draft"
        draft.write_text(json.dumps(self.outcome))
        draft.replace(self.folder / "told.json")


def _problem(parser: Parser, parse: Any, seed: Seed) -> str | None:
    """What is wrong with the outcome for an input: "" for a refusal, None for a value."""
    try:
        parse(*seed)
    except Exception as error:  # noqa: BLE001 - any that isn't declared is what is hunted
        if {kind.__name__ for kind in type(error).__mro__} & set(parser.refusals):
            return ""
        places = [
            f"{Path(frame.filename).name}:{frame.lineno}"
            for frame in traceback.extract_tb(error.__traceback__)
        ]
        return f"{type(error).__name__}: {str(error)[:200]!a} at {' > '.join(places[-4:])}"
    return None


def _bound_memory(mebibytes: int) -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + mebibytes * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _try_again(parser: Parser, file: Path) -> int:
    kind, _, data = file.read_bytes().partition(b"\n")
    problem = _problem(parser, parser.load(), (kind.decode(), data))
    print({None: "a value", "": "refused"}.get(problem, problem))
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main())
