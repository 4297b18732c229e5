"""How fast a round's matches are judged, and how full the judge is kept, beside a plain runner;
what clinching saves.

`python -m bench.judge [REPO] [--round 1] [--miners 4] [--latency 0.2] [--cap 16]`

The judge is an OpenAI-compatible server on loopback that takes a fixed time for an answer and works
on `cap` at once; it answers as the round was recorded, and as chance has it where nothing is
recorded. The plain runner plays the same matches one after another, two duels at a time, each with
one question after the other. Without REPO, a made-up round.
"""

import argparse
import json
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from gen404_assets.competition.audits import critical_prompts
from gen404_assets.competition.duels import (
    Duel,
    MatchReport,
    Outcome,
    match_score,
    report_of,
)
from gen404_assets.competition.history import History
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.judgement import Reply
from gen404_assets.competition.margins import clinched_score
from gen404_assets.competition.match_under_play import MatchUnderPlay, PlayUnderWay, Sides
from gen404_assets.competition.matches import Pair
from gen404_assets.competition.prompts import stem
from gen404_assets.competition.round import CONFIG, LEADERS, STATE, Round, outputs_path, round_path
from gen404_assets.competition.settings import Rules
from gen404_assets.competition_repository import history_of, open_repository
from gen404_assets.live.judging import judge_matches
from gen404_assets.live.pictures import PromptPictures
from gen404_assets.live.playing import JudgedPlay
from gen404_assets.live.work import Work, see
from gen404_assets.replay.reporting import reports
from resources.judge import ServedJudge
from simulators.histories import make_competition
from simulators.judge_server import MODEL, judge_server, says, verdict
from simulators.outside import (
    SimulatedDownloads,
    SimulatedOutside,
    SimulatedStore,
    digest,
    picture_of,
)
from simulators.plays import make_play

AT_ONCE = 8
_BEFORE = 16


@dataclass
class Server:
    """The judge: `latency` seconds an answer, `cap` at once, outcomes by (prompt, left, right) as
    recorded.
    """

    latency: float
    cap: int
    outcomes: dict[tuple[str, str, str], Outcome]
    asked: int = 0
    cached: int = 0
    """Of the questions, how many shared prompt and first output with one of the sixteen before."""
    begun: float = float("inf")
    ended: float = 0.0
    before: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=_BEFORE))

    def __post_init__(self) -> None:
        self.free, self.lock = threading.Semaphore(self.cap), threading.Lock()

    def __call__(self, handler: BaseHTTPRequestHandler, request: dict[str, Any]) -> None:
        parts = request["messages"][-1]["content"]
        prompt, first, second = (
            part["image_url"]["url"] for part in parts if part["type"] == "image_url"
        )
        with self.free:
            with self.lock:
                self.asked += 1
                self.cached += (prompt, first) in self.before
                self.before.append((prompt, first))
                self.begun = min(self.begun, time.monotonic())
            time.sleep(self.latency)
            with self.lock:
                self.ended = time.monotonic()
        says(verdict(*self.penalties(prompt, first, second)))(handler, request)

    def penalties(self, prompt: str, first: str, second: str) -> tuple[int, int]:
        if "/canaries/" in first:
            return (10 if "/noise-" in first else 0), (10 if "/noise-" in second else 0)
        for left, right, sign in ((first, second, 1), (second, first, -1)):
            outcome = self.outcomes.get((prompt, left, right))
            if outcome is not None:
                lead = sign * ((outcome is Outcome.RIGHT) - (outcome is Outcome.LEFT))
                return 5 + 2 * lead, 5 - 2 * lead
        return digest(prompt, first) % 10, digest(prompt, second) % 10

    @property
    def seconds(self) -> float:
        return self.ended - self.begun


class RecordedStore(SimulatedStore):
    """Pictures that a history names are not to be had: each is its URL."""

    def read(self, url: str) -> bytes:
        key = url.removeprefix("https://store.example/")
        if key in self.objects:
            return self.objects[key]
        return url.encode()


class RecordedPictures(PromptPictures):
    """The prompts' pictures stand under their own URLs."""

    def url(self, number: int, prompt: str) -> str:  # noqa: ARG002
        return prompt


class RecordedOutside(SimulatedOutside):
    """A round as it stood when its duels began."""

    @property
    def pictures(self) -> PromptPictures:
        return RecordedPictures(self.store, self.downloads)

    def read(self, url: str) -> bytes:
        return picture_of(url)


def outside_of(
    history: History, number: int, miners: Sequence[str], judge: ServedJudge
) -> RecordedOutside:
    """The round's files without what its duels led to, for the first miners alone."""
    outside = RecordedOutside(SimulatedDownloads(lambda _: ""), judge, store=RecordedStore())  # type: ignore[arg-type]
    names = ["schedule.json", "seed.json", "prompts.txt", "submissions.json", "builds.json"]
    paths = [
        round_path(number, name) for name in [*names, "generation_audits.json", "source_audit.json"]
    ]
    paths += [CONFIG, LEADERS, *(outputs_path(number, hotkey) for hotkey in (LEADER, *miners))]
    files = {path: raw for path in paths if (raw := history.read(path)) is not None}
    submissions = json.loads(files[round_path(number, "submissions.json")])
    kept = {hotkey: submissions[hotkey] for hotkey in miners}
    files[round_path(number, "submissions.json")] = json.dumps(kept).encode()
    files[STATE] = json.dumps(
        {"current_round": number, "stage": "duels", "next_stage_eta": None}
    ).encode()
    outside.repository.commit(files, "As recorded")
    outside.environment = {**outside.environment, "MAX_CONCURRENT_DUELS": f"{AT_ONCE}"}
    return outside


def played_plainly(
    current: Round, pairs: Sequence[Pair], outside: RecordedOutside
) -> dict[Pair, float]:
    """The matches' margins: one match after another, two duels at a time, one question after the
    other.
    """
    judge, seed = outside.judge.judge, current.required_seed.seed
    margins = {}
    for pair in pairs:
        match = MatchUnderPlay(pair, current, Sides.of_round(current, pair), Rules())
        play = PlayUnderWay(match, seed)
        judged = JudgedPlay(play, outside.judge, str)

        def duel(prompt: str, judged: JudgedPlay = judged) -> list[tuple[str, bool, Any]]:
            answers = [
                (swapped, judge.ask(judged.question(prompt, swapped=swapped)))
                for swapped in (False, True)
            ]
            return [
                (prompt, swapped, Reply(answer.model, answer.raw)) for swapped, answer in answers
            ]

        with ThreadPoolExecutor(2) as pool:
            for answers in pool.map(duel, list(play.open)):
                for prompt, swapped, reply in answers:
                    judged.take(prompt, [reply], swapped=swapped)
        margins[pair] = play.result().margin
    return margins


def main() -> None:
    """Print a row a runner, then what clinching saves over all recorded matches."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repository", nargs="?")
    parser.add_argument("--round", type=int, default=1)
    parser.add_argument("--miners", type=int, default=4)
    parser.add_argument("--latency", type=float, default=0.2)
    parser.add_argument("--cap", type=int, default=16)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.repository or make_competition(
            Path(folder) / "made-up.git", rounds=2, miners=12, prompts=128
        )
        repository = open_repository(str(path), "main")
        history = history_of(repository.snapshot(repository.refresh()))
        race(history, options.round, options)
        print(
            f"\n{'clinching':<18}{'matches':>8}{'clinched':>9}{'calls':>8}"
            f"{'saved':>7}{'other verdicts':>15}"
        )
        for number in range(options.round + 1):
            savings = saved(history, number)
            share = savings.spared / max(1, savings.calls)
            counts = f"{savings.matches:>8}{savings.clinched:>9}{savings.calls:>8}"
            counts += f"{share:>7.0%}{savings.other:>15}"
            print(f"{f'round {number}':<18}{counts}")


def race(history: History, number: int, options: argparse.Namespace) -> None:
    """The plain runner, the platform's, and the platform's with clinching, on the same matches."""
    current = history.round(number)
    having = [
        hotkey for hotkey in current.timeline.order if history.read(outputs_path(number, hotkey))
    ]
    miners = having[: options.miners]
    outcomes = dict(recorded_outcomes(history, number))
    pairs: list[Pair] = []
    servers: dict[str, Server] = {}
    for name in ("ours", "ours, clinching", "plain"):
        server = Server(options.latency, options.cap, outcomes)
        with (
            judge_server(server) as served,
            closing(ServedJudge(served.url, "key", MODEL)) as judge,
        ):
            outside = outside_of(history, number, miners, judge)
            outside.rules = Rules(clinch_matches=name == "ours, clinching")
            if name == "plain":
                played_plainly(see(outside.repository.snapshot()), pairs, outside)  # type: ignore[arg-type]
            else:
                judge_matches(Work(outside, number, lambda _: None))  # type: ignore[arg-type]
                matches = see(outside.repository.snapshot()).matrix.matches  # type: ignore[arg-type]
                pairs = pairs or [match.pair for match in matches]
        servers[name] = server
    print(
        f"{'runner':<18}{'matches':>8}{'calls':>8}{'seconds':>9}{'times':>7}{'capacity':>10}{'prefix':>8}"
    )
    for name, server in servers.items():
        capacity = server.asked * options.latency / (options.cap * server.seconds)
        times, cached = servers["plain"].seconds / server.seconds, server.cached / server.asked
        counts = f"{len(pairs):>8}{server.asked:>8}{server.seconds:>9.1f}"
        print(f"{name:<18}{counts}{times:>7.1f}{capacity:>10.0%}{cached:>8.0%}")


def recorded_outcomes(
    history: History, number: int
) -> Iterator[tuple[tuple[str, str, str], Outcome]]:
    """What the judge decided in the round, by the pictures' URLs."""
    for report in recorded_reports(history, number):
        for duel in report.duels:
            if duel.left_png and duel.right_png:
                yield (duel.prompt, duel.left_png, duel.right_png), duel.winner


def recorded_reports(history: History, number: int) -> Iterator[MatchReport]:
    current = history.round(number)
    duel_reports = (current.report(pair) for pair in reports(history, number))
    yield from (report for report in duel_reports if report is not None)


@dataclass
class Saved:
    """What clinching saves of a round's calls; `other`: how many matches would then have ended
    otherwise.
    """

    matches: int = 0
    clinched: int = 0
    calls: int = 0
    spared: int = 0
    other: int = 0


def saved(history: History, number: int) -> Saved:
    """Stop each recorded match where it might have stopped, and compare what it decides."""
    current, rules, savings = history.round(number), Rules(), Saved()
    seed, win_margin = current.required_seed.seed, current.config.win_margin
    for report in recorded_reports(history, number):
        order = {stem(prompt): place for place, prompt in enumerate(current.prompts or [])}
        duels = sorted(report.duels, key=lambda duel: (is_judged(duel), order.get(duel.name, 0)))
        judged = sum(map(is_judged, duels))
        savings.matches, savings.calls = savings.matches + 1, savings.calls + 2 * judged
        for played in range(len(duels) - judged, len(duels)):
            score, left_open = (
                match_score([duel.winner for duel in duels[:played]]),
                len(duels) - played,
            )
            stopped = clinched_score(
                score, left_open, judged, len(duels), win_margin, rules.max_mismatched_margin
            )
            if stopped is not None:
                shown = report_of(
                    report.left, report.right, [make_play(duels[:played], len(duels), stopped)]
                )
                savings.clinched, savings.spared = (
                    savings.clinched + 1,
                    savings.spared + 2 * left_open,
                )
                won = [each.margin >= win_margin for each in (shown, report)]
                critical = [
                    critical_prompts(each, seed, win_margin, rules) for each in (shown, report)
                ]
                savings.other += won[0] is not won[1] or (won[1] and critical[0] != critical[1])
                break
    return savings


def is_judged(duel: Duel) -> bool:
    """Whether the judge was asked."""
    return bool(duel.left_png and duel.right_png) and "took too long" not in duel.issues


if __name__ == "__main__":
    main()
