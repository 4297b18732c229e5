"""A made-up competition: a git repository whose history reads as if platform, operator and miners had made it.

It tells how a round goes, stage by stage, in the order of `spec/state-files.md`. Chance decides what comes from
outside (miners, judge, pods, people), everything else the project's own rules, so that a replay finds nothing.
As a command: `python -m tests.made_up PATH --rounds 10 --miners 40 --prompts 128`.
"""

import argparse
import json
import os
import random
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import IO, Protocol

from gen404_assets.competition import audits, duels
from gen404_assets.competition.builds import BuildRun, Builds, observe_builds, pending_builds
from gen404_assets.competition.commitments import read_submissions
from gen404_assets.competition.config import Config
from gen404_assets.competition.hotkeys import LEADER, short, to_hotkey
from gen404_assets.competition.leader import FULL_WEIGHT, Leader, Transition, continue_leader
from gen404_assets.competition.matches import Match, Matrix, Pair
from gen404_assets.competition.outputs import Output, Outputs
from gen404_assets.competition.prompts import prompts_bytes, select_prompts, stem
from gen404_assets.competition.round import (
    CONFIG,
    LEADERS,
    POOL,
    STATE,
    miner_path,
    outputs_path,
    report_path,
    round_path,
)
from gen404_assets.competition.schedule import next_start, schedule_at, start_block
from gen404_assets.competition.seed import draw_seed
from gen404_assets.competition.settings import BLOCK_SECONDS, Rules
from gen404_assets.competition.state import Stage, State
from gen404_assets.competition.submissions import Submissions
from gen404_assets.competition.timeline import Timeline
from gen404_assets.competition.winner import crown

PLATFORM = "404-gen <platform@404-gen.invalid>"
PERSON = "operator <operator@404-gen.invalid>"
REGISTRY = "registry.invalid/made-up/{hotkey10}:{tag}"

_FIRST_START = datetime(2026, 2, 2, 8, tzinfo=UTC)
_FIRST_BLOCK = 7_454_966
_BASE_SKILL = 4.5
_ISSUES = ("The first has simpler details.", "The second has the wrong colours.", "Both lack the texture.")


class _Content(Protocol):
    def to_bytes(self) -> bytes: ...


@dataclass(frozen=True)
class Competition:
    """What to make up: `rounds` that are played, and after them one that is open.

    Every fourth round nobody submits; in every sixth the leader's image is gone.
    """

    rounds: int = 3
    miners: int = 6
    prompts: int = 16
    seed: int = 0
    output_format: str = "glb"
    rules: Rules = field(default_factory=lambda: Rules(docker_image_format=REGISTRY))

    def make(self, path: Path) -> Path:
        """Make the bare repository at `path`, which must not exist yet."""
        with _fast_import(path) as stream:
            _Story(self, stream).tell()
        return path


def make_competition(
    path: Path, *, rounds: int = 3, miners: int = 6, prompts: int = 16, seed: int = 0, output_format: str = "glb"
) -> Path:
    """Make up a competition (see `Competition`) in a bare repository at `path`, branch main."""
    return Competition(rounds, miners, prompts, seed, output_format).make(path)


@dataclass(slots=True)
class _Miner:
    """`skill` is the mean penalty of its pictures, `pace` its seconds a prompt; a cheat's image makes others."""

    hotkey: str
    repo: str
    commit: str
    skill: float
    pace: float
    cheats: bool
    builds: bool


class _Story:
    """The competition as it is told: `now` is the time, `number` the round; what is said is committed."""

    def __init__(self, plan: Competition, stream: IO[bytes]) -> None:
        self.plan, self.rules, self._stream = plan, plan.rules, stream
        self.rng = random.Random(f"made up {plan.seed}")
        self.number = 0
        self.now = _FIRST_START - timedelta(days=2)
        self.config = Config.model_validate(
            {
                "name": "made-up",
                "description": "A made-up competition",
                "first_evaluation_date": _FIRST_START.date(),
                "last_competition_date": date(2028, 12, 31),
                "generation_stage_minutes": 120,
                "win_margin": 0.05,
                "weight_decay": 0.2,
                "weight_floor": 0.2,
                "prompts_per_round": plan.prompts,
                "carryover_prompts": plan.prompts // 4,
                "round_duration_days": 2,
                "output_format": plan.output_format,
            }
        )
        self.pool = [f"https://prompts.invalid/{self._hex(32)}.png" for _ in range(20 * plan.prompts)]
        self.miners = [self._miner(number) for number in range(plan.miners)]
        base = {"hotkey": to_hotkey(self.rng.randbytes(32)), "repo": "404-gen/base-miner", "commit": self._hex(20)}
        docker = REGISTRY.format(hotkey10="base", tag="miner")
        self.leaders = Leader([Transition(**base, docker=docker, weight=FULL_WEIGHT, effective_block=0)])
        self.skills = {base["commit"]: _BASE_SKILL}
        self.prompts: list[str] = []

    def tell(self) -> None:
        """The whole story: a person prepares, round after round is played, and the next one is open."""
        self._prepare()
        for _ in range(self.plan.rounds):
            self._open()
            if len(self.submissions):
                self._generate()
                self._download()
                self._duels()
            self._finalize()

    # --- before the competition

    def _prepare(self) -> None:
        self.schedule = schedule_at(self.config, None, _FIRST_BLOCK)
        files = {CONFIG: self.config, self._path("schedule.json"): self.schedule, **self._state(Stage.OPEN)}
        self._commit(["Preparing for the round start: config, schedule"], files, PERSON)
        self._commit(["Added prompts"], {POOL: prompts_bytes(self.pool)}, PERSON)
        self._commit(["Preparing leader.json for the competition start"], {LEADERS: self.leaders}, PERSON)

    def _miner(self, number: int) -> _Miner:
        chance = self.rng.random
        return _Miner(
            hotkey=to_hotkey(self.rng.randbytes(32)),
            repo=f"miner-{number}/three-d",
            commit=self._hex(20),
            skill=_BASE_SKILL + self.rng.uniform(-1, 2),
            pace=self.rng.uniform(35, 95),
            cheats=chance() < 0.25,
            builds=chance() < 0.9,
        )

    # --- open: the reveals are over

    def _open(self) -> None:
        latest = self.schedule.latest_reveal_block
        self._until_block(latest)
        name = self.config.round_name(self.number)
        self.submissions: Submissions = read_submissions(self._commitments(), self.schedule, name).submissions
        self.seed = draw_seed(latest, f"0x{sha256(f'{self.plan.seed} {latest}'.encode()).hexdigest()}", name)
        previous = self.prompts if self.number else None
        self.prompts = select_prompts(self.seed.seed, self.pool, previous, self.config, self.rules)
        self.stems = [stem(url) for url in self.prompts]
        self.source_audits = audits.SourceAudits([])
        self.made: dict[str, Outputs] = {}
        messages = [f"Seed, prompts and submissions for round {self.number}"]
        files: dict[str, _Content | bytes] = {
            self._path("submissions.json"): self.submissions,
            self._path("seed.json"): self.seed,
            self._path("prompts.txt"): prompts_bytes(self.prompts),
        }
        if len(self.submissions):
            eta = self.schedule.generation_deadline_block
            self._commit(messages, files | self._state(Stage.MINER_GENERATION, eta))
        else:
            messages.append(f"Round {self.number} winner: {LEADER}")
            files[self._path("winner.json")] = self.winner = crown(LEADER, None, self._defending)
            self._commit(messages, files | self._state(Stage.FINALIZING))

    def _commitments(self) -> dict[str, list[tuple[int, str]]]:
        """What the miners revealed: as JSON, as Python writes it, piece by piece; and what is no submission."""
        if self.number % 4 == 2:
            return {}
        latest = self.schedule.latest_reveal_block
        earliest = max(self.schedule.earliest_reveal_block, latest - 14_000)
        block = latest
        found = {to_hotkey(self.rng.randbytes(32)): [(latest, "{'repo': 'no slash', 'commit': 'main'}")]}
        for miner in self.miners:
            if self.number and self.rng.random() < 0.6:  # new code, as a rule a bit better
                miner.commit, miner.skill = self._hex(20), max(0.5, miner.skill - self.rng.gauss(0.1, 0.4))
            self.skills[miner.commit] = miner.skill
            block = block if self.rng.random() < 0.1 else self.rng.randint(earliest, latest)  # some at the same
            code = {"repo": miner.repo, "commit": miner.commit}
            place = {"cdn_url": f"https://{short(miner.hotkey).lower()}.invalid/round-{self.number}/"}
            found[miner.hotkey] = self.rng.choice(
                (
                    [(block, json.dumps(code | place))],
                    [(block, str(code | place)), (latest + 1, '{"commit": "too late"}')],
                    [(earliest, json.dumps(place)), (block, json.dumps(code))],
                )
            )
        return found

    # --- miner_generation: the miners generate, the leader's image too, and the images are built

    def _generate(self) -> None:
        names = self.submissions.names
        self.outputs = {LEADER: self._baseline()}
        builds = pending_builds(self.submissions)
        conclusions = {miner.hotkey: "success" if miner.builds else "failure" for miner in self.miners}
        for quarter in range(1, 5):
            self._wait(15)
            ended = len(names) * quarter // 4
            jobs = {name: conclusions[name] if at < ended else "in_progress" for at, name in enumerate(names)}
            builds = observe_builds(builds, BuildRun(quarter == 4, jobs), quarter * 900, self.rules)
            made = dict(self.outputs[LEADER].items()[: len(self.stems) * quarter // 4])
            self._commit(
                [f"Update build statuses for round {self.number}", self._generated(LEADER)],
                {self._path("builds.json"): builds, outputs_path(self.number, LEADER): Outputs(made)},
            )
        self.builds: Builds | None = builds
        if len(names) > 3 and self.rng.random() < 0.5:
            gone = self._source(self.rng.choice(names), "Repository not found")
            self._commit(["Source audit: missing repositories found"], gone, PERSON)
        self._until_block(self.schedule.generation_deadline_block)
        self._commit([f"Round {self.number}: downloading"], self._state(Stage.DOWNLOADING))

    def _baseline(self) -> Outputs:
        """What the leader's image made: some too slowly, one not at all, or, its image gone, nothing."""
        slow = self.rng.sample(self.stems, len(self.stems) // 10 + 1)
        failed = self.stems if self.number % 6 == 5 else [self.rng.choice(self.stems)]
        times = {name: self.rng.uniform(185, 260) if name in slow else self.rng.gauss(60, 9) for name in self.stems}
        return Outputs(
            {name: self._output((LEADER, "generated", name), name not in failed, times[name]) for name in self.stems}
        )

    # --- downloading: what the miners made

    def _download(self) -> None:
        for hotkey in self.submissions.names:
            self._wait(1)
            self.outputs[hotkey] = self._submitted(hotkey)
            message = f"Update submitted for round {self.number}, miner {short(hotkey)}"
            self._commit([message], {outputs_path(self.number, hotkey): self.outputs[hotkey]})
        self._commit([f"Round {self.number}: duels"], self._state(Stage.DUELS))

    def _submitted(self, hotkey: str) -> Outputs:
        """What a miner's CDN gave: nearly everything, or nothing."""
        lost = 1.0 if self.rng.random() < 0.05 else 0.02
        return Outputs(
            {
                name: self._output((hotkey, "submitted", name), self.rng.random() >= lost, 0.0)
                for name in sorted(self.stems)
            }
        )

    def _output(self, of: tuple[str, str, str], there: bool, time: float, distance: float = 0.0) -> Output:
        """One prompt's file and preview; where it is `there`, the preview still fails now and then."""
        hotkey, folder, name = of
        url = f"https://objects.invalid/{miner_path(self.number, hotkey, folder)}/{name}"
        shown = there and self.rng.random() >= 0.01
        content = {
            self.config.output_format: f"{url}.{self.config.output_format}" if there else None,
            "png": f"{url}.png" if shown else None,
            "generation_time": time,
            "size": self.rng.randint(2**20, 2**25) if there else 0,
            "attempts": 1 if shown else 3,
            "distance": distance,
        }
        return Output.model_validate(content)

    # --- duels: matches are played, and whoever takes the lead is audited meanwhile

    def _duels(self) -> None:
        self.timeline = Timeline(self.submissions.names, self.config.win_margin)
        self.matrix, self.requests, self.audits = Matrix(), audits.AuditRequests([]), audits.GenerationAudits({})
        self.reports: dict[Pair, duels.MatchReport] = {}
        self.arriving: list[tuple[datetime, str, str]] = []
        while (winner := self._winner()) is None:
            given = audits.verdicts(self.audits, self.source_audits)
            pairs = list(islice(self.timeline.matches_due(self.matrix.margins, given), 2))
            then = self.now + timedelta(minutes=14) if pairs else min(self.arriving)[0]
            while self.arriving and min(self.arriving)[0] <= then:
                self._arrive(*self.arriving.pop(self.arriving.index(min(self.arriving))))
            self.now = max(self.now, then)
            self._play(pairs)
        self.winner = crown(winner, self.builds, self._defending)
        self._commit([f"Round {self.number} winner: {short(winner)}"], {self._path("winner.json"): self.winner})
        self._commit([f"Update state (finalizing) for round {self.number}"], self._state(Stage.FINALIZING))

    def _winner(self) -> str | None:
        return self.timeline.winner(self.matrix.margins, audits.verdicts(self.audits, self.source_audits))

    def _play(self, pairs: Sequence[Pair]) -> None:
        """Play matches and ask for the audits they call for."""
        played = {pair: self._match(pair) for pair in pairs}
        reports = {pair: report for pair, report in played.items() if isinstance(report, duels.MatchReport)}
        self.reports |= reports
        for pair, result in played.items():
            margin = result.margin if isinstance(result, duels.MatchReport) else result
            self.matrix = self.matrix.plus(Match(*pair, margin))
        messages = [f"Match report: {short(left)} vs {short(right)}" for left, right in reports]
        files: dict[str, _Content | bytes] = {report_path(self.number, pair): reports[pair] for pair in reports}
        due = self.timeline.audits_due(self.matrix.margins, audits.verdicts(self.audits, self.source_audits))
        wanted = [(hotkey, pair) for hotkey, pair in due if self.requests.of(hotkey) is None]
        if wanted:
            self.requests = audits.AuditRequests(
                [*self.requests.root, *(self._request(*request) for request in wanted)]
            )
            files[self._path("require_audit.json")] = self.requests
            messages.append(f"Update audit requests for round {self.number}")
        if pairs:
            files[self._path("matches_matrix.csv")] = self.matrix
            messages.append(f"Update matches matrix for round {self.number}")
        if files:
            self._commit(messages, files)

    def _match(self, pair: Pair) -> duels.MatchReport | float:
        """A match's report, or its margin where a side has nothing to play with."""
        left, right = (self.outputs[hotkey] for hotkey in pair)
        empty = duels.margin_without_report(*(any(o.model or o.png for _, o in side.items()) for side in (left, right)))
        if empty is not None:
            return empty
        skills = [self._skill(hotkey) for hotkey in pair]
        late = (duels.overtime(left, self.prompts, self.rules), duels.overtime(right, self.prompts, self.rules))
        duels = []
        for prompt, name in zip(self.prompts, self.stems, strict=True):
            sides = left.get(name), right.get(name)
            decided = duels.forced_outcome(name, *sides, late) or self._judge(*skills)
            entry = duels.duel_entry(prompt, *sides, decided, self.config.output_format)
            duels.append(duels.Duel.model_validate(entry))
        return duels.make_report(*pair, duels, len(self.prompts))

    def _skill(self, hotkey: str) -> float:
        return self.skills[self._defending.commit if hotkey == LEADER else self.submissions[hotkey].commit]

    def _judge(self, left: float, right: float) -> tuple[duels.Outcome, str]:
        """Two answers of a judge who is nearly sure, the second with the sides swapped."""
        seen = [min(9, max(1, round(self.rng.gauss(skill, 2)))) for skill in (left, right)]
        issues = self.rng.choice(_ISSUES)
        unsure = self.rng.choice((0, 0, 0, 1, -1))
        first = duels.Answer(penalty_1=seen[0], penalty_2=seen[1], issues=issues)
        swapped = duels.Answer(penalty_1=seen[1], penalty_2=seen[0] + unsure, issues=issues)
        return duels.judged_outcome(first, swapped), issues

    def _request(self, hotkey: str, pair: Pair) -> audits.AuditRequest:
        """Ask for an audit: what its pods make comes in two parts, and a person looks at the source."""
        self.made[hotkey] = self._regenerate(hotkey)
        built = self.builds is not None and self.builds[hotkey].docker_image is not None
        waits = {"half": 40, "all": 80, "source": self.rng.randint(60, 240)} if built else {"no image": 2}
        self.arriving += [(self.now + timedelta(minutes=wait), what, hotkey) for what, wait in waits.items()]
        report = self.reports.get(pair)
        critical = audits.critical_prompts(report, self.seed.seed, self.config.win_margin, self.rules) if report else []
        return audits.AuditRequest(hotkey=hotkey, critical_prompts=critical)

    def _regenerate(self, hotkey: str) -> Outputs:
        """What a miner's own image makes of the prompts it submitted; a cheat's looks different."""
        miner = next(miner for miner in self.miners if miner.hotkey == hotkey)
        chance = self.rng.random
        made = {}
        for name in self.outputs[hotkey].complete():
            there, time = chance() >= 0.01, max(5.0, self.rng.gauss(miner.pace, 8))
            far = chance() < (0.8 if miner.cheats else 0.01)
            made[name] = self._output(
                (hotkey, "generated", name), there, time, 0.15 + chance() if far else chance() / 11
            )
        return Outputs(made)

    def _arrive(self, when: datetime, what: str, hotkey: str) -> None:
        """Something an audit waits for: a part of what the image made, all of it and the verdict, or a person's."""
        self.now = max(self.now, when)
        audit = self.audits.get(hotkey)
        if what == "source":
            if audit is None or audit.outcome is audits.AuditOutcome.PASSED:
                reason = "" if self.rng.random() < 0.9 else "A copy of another's"
                self._commit(["Source audit results"], self._source(hotkey, reason), PERSON)
            return
        made = self.made[hotkey]
        if what == "half":
            made = Outputs(dict(made.items()[::2]))
        elif what == "all":
            critical = next(asked.critical_prompts for asked in self.requests.root if asked.hotkey == hotkey)
            audit = audits.judge_audit(hotkey, self.outputs[hotkey], made, critical, self.rules)
        else:
            audit = audits.reject_unmeasured(hotkey, audits.NO_IMAGE)
        messages, files = [], dict[str, _Content | bytes]()
        if what != "no image":
            messages.append(self._generated(hotkey))
            files[miner_path(self.number, hotkey, "generated.json")] = made
        if audit is not None:
            self.audits = audits.GenerationAudits({**self.audits.root, hotkey: audit})
            messages.append(f"Update generation audits for round {self.number}")
            files[self._path("generation_audits.json")] = self.audits
        self._commit(messages, files)

    def _source(self, hotkey: str, reason: str) -> dict[str, _Content | bytes]:
        """A person's verdict on a miner's source code: failed where there is a reason."""
        verdict = audits.SourceVerdict.FAILED if reason else audits.SourceVerdict.PASSED
        audit = audits.SourceAudit(hotkey=hotkey, verdict=verdict, reason=reason)
        self.source_audits = audits.SourceAudits([*self.source_audits.root, audit])
        return {self._path("source_audit.json"): self.source_audits}

    # --- finalizing: who leads from when on, and when the next round starts

    def _finalize(self) -> None:
        self._wait(5)
        start = next_start(self.config, self.schedule, self.now, self._block)
        block = start_block(start, self.now, self._block)
        self.leaders = continue_leader(self.leaders, self.winner, block, self.config, self.rules)
        self.schedule = schedule_at(self.config, self.schedule, block)
        self.number += 1
        files = {self._path("schedule.json"): self.schedule, LEADERS: self.leaders, **self._state(Stage.OPEN, block)}
        self._commit([f"Update state (open), schedule, leader for round {self.number}"], files)

    # --- telling

    @property
    def _defending(self) -> Transition:
        return self.leaders.root[-1]

    def _path(self, name: str) -> str:
        return round_path(self.number, name)

    def _hex(self, size: int) -> str:
        return self.rng.randbytes(size).hex()

    def _generated(self, hotkey: str) -> str:
        return f"Update generated for round {self.number}, miner {short(hotkey)}"

    def _state(self, stage: Stage, until: int | None = None) -> dict[str, _Content | bytes]:
        eta = None if until is None else f"{_time_of(until):%Y-%m-%dT%H:%M:%SZ}"
        return {STATE: State(current_round=self.number, stage=stage, next_stage_eta=eta)}

    @property
    def _block(self) -> int:
        return _FIRST_BLOCK + int((self.now - _FIRST_START).total_seconds()) // BLOCK_SECONDS

    def _until_block(self, block: int) -> None:
        """Let time pass until the chain has finalised `block`, which is soon noticed."""
        self.now = max(self.now, _time_of(block)) + timedelta(seconds=self.rng.randint(40, 400))

    def _wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes, seconds=self.rng.randint(0, 50))

    def _commit(self, messages: Sequence[str], files: Mapping[str, _Content | bytes], author: str = PLATFORM) -> None:
        message = "\n".join(messages).encode()
        head = f"commit refs/heads/main\ncommitter {author} {int(self.now.timestamp())} +0000\ndata {len(message)}\n"
        self._stream.write(head.encode() + message + b"\n")
        for path, content in files.items():
            data = content if isinstance(content, bytes) else content.to_bytes()
            self._stream.write(b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data))


def _time_of(block: int) -> datetime:
    return _FIRST_START + timedelta(seconds=(block - _FIRST_BLOCK) * BLOCK_SECONDS)


@contextmanager
def _fast_import(path: Path) -> Iterator[IO[bytes]]:
    """A new bare repository's `git fast-import`, whatever git's configuration on this machine."""
    path.mkdir(parents=True)
    nobodys = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | nobodys
    git = ["git", "-C", str(path), "-c", "core.compression=1", "-c", "fastimport.unpackLimit=0"]
    subprocess.run([*git, "init", "--quiet", "--bare", "--initial-branch=main"], check=True, env=environment)
    command = [*git, "fast-import", "--quiet", "--depth=0", "--done"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=environment) as process:
        assert process.stdin is not None
        yield process.stdin
        process.stdin.write(b"done\n")
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.made_up", description="Make up a competition's repository.")
    parser.add_argument("path", type=Path, help="the bare git repository to make; must not exist yet")
    defaults = Competition()
    for name in ("rounds", "miners", "prompts", "seed"):
        parser.add_argument(f"--{name}", type=int, default=getattr(defaults, name))
    parser.add_argument("--output-format", choices=("glb", "ply"), default=defaults.output_format)
    print(make_competition(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
