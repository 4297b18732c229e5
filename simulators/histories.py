"""A made-up competition: a git repository whose history reads as if platform, operator and miners
had made it.

It tells how a round goes, stage by stage, in the order of `spec/state-files.md`. Chance decides
what comes from outside (`made_up_world`), everything else the project's own rules, so that a replay
finds nothing. As a command: `python -m simulators.histories PATH --rounds 10 --miners 40 --prompts
128`.
"""

import argparse
from collections.abc import Mapping, Sequence
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
from gen404_assets.competition.hotkeys import LEADER, short
from gen404_assets.competition.leader import FULL_WEIGHT, Leader, Transition
from gen404_assets.competition.matches import Match, Matrix, Pair
from gen404_assets.competition.outputs import Outputs
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
from gen404_assets.competition.succession import continue_leader
from gen404_assets.competition.timeline import Timeline, Verdicts
from gen404_assets.competition.winner import crown
from simulators.history_repository import fast_import
from simulators.history_world import BASE_SKILL, World

PLATFORM = "404-gen <platform@404-gen.invalid>"
PERSON = "operator <operator@404-gen.invalid>"
REGISTRY = "registry.invalid/made-up/{hotkey10}:{tag}"

_FIRST_START = datetime(2026, 2, 2, 8, tzinfo=UTC)
_FIRST_BLOCK = 7_454_966
_MATCHES_AT_ONCE = 2


class _Content(Protocol):
    def to_bytes(self) -> bytes: ...


_Files = Mapping[str, _Content | bytes | None]


@dataclass(frozen=True)
class Competition:
    """What to make up: `rounds` that are played, and after them one that is open.

    In every fourth round, the third first, nobody submits; in every sixth, the sixth first, the
    leader's image is gone; in every third, the second first, some prompts have no picture.
    """

    rounds: int = 3
    miners: int = 6
    prompts: int = 16
    seed: int = 0
    output_format: str = "glb"
    rules: Rules = field(default_factory=lambda: Rules(docker_image_format=REGISTRY))

    def make(self, path: Path, story: "type[Story] | None" = None) -> Path:
        """Make the bare repository, branch main, at `path`, which must not exist yet; `story` may
        go another way.
        """
        with fast_import(path) as stream:
            (story or Story)(self, stream).tell()
        return path


def make_competition(
    path: Path,
    *,
    rounds: int = 3,
    miners: int = 6,
    prompts: int = 16,
    seed: int = 0,
    output_format: str = "glb",
) -> Path:
    """Make up a competition by today's rules; `Competition` says what the numbers mean, and takes
    other rules.
    """
    return Competition(rounds, miners, prompts, seed, output_format).make(path)


class Story:
    """The competition as it is told: `now` is the time, `number` the round; what is told is
    committed.
    """

    def __init__(self, plan: Competition, stream: IO[bytes]) -> None:
        self.plan, self.rules, self._stream = plan, plan.rules, stream
        self.world = World(plan.miners, plan.seed, plan.output_format)
        self.number = 0
        self.now = _FIRST_START - timedelta(days=2)
        self.config = Config(
            name="made-up",
            description="A made-up competition",
            first_evaluation_date=_FIRST_START.date(),
            last_competition_date=date(2030, 12, 31),
            generation_stage_minutes=120,
            win_margin=0.05,
            weight_decay=0.2,
            weight_floor=0.2,
            prompts_per_round=plan.prompts,
            carryover_prompts=plan.prompts // 4,
            round_duration_days=2,
            output_format="ply" if plan.output_format == "ply" else "glb",
        )
        self.schedule = schedule_at(self.config, None, _FIRST_BLOCK)
        self.pool = [
            f"https://prompts.invalid/{self.world.hex(32)}.png" for _ in range(20 * plan.prompts)
        ]
        self.prompts: list[str] = []
        self.leaders = Leader([self._base_miner()])

    def tell(self) -> None:
        """The whole story: a person prepares, round after round is played, and the next one is
        open.
        """
        self._prepare()
        for _ in range(self.plan.rounds):
            self._open()
            if len(self.submissions):
                self._generate()
                self._download()
                self._duel()
            self.finalize()

    # --- before the competition: a person prepares it

    def _base_miner(self) -> Transition:
        commit = self.world.hex(20)
        self.world.skills[commit] = BASE_SKILL
        return Transition(
            hotkey=self.world.hotkey(),
            repo="404-gen/base-miner",
            commit=commit,
            docker=REGISTRY.format(hotkey10="base", tag="miner"),
            weight=FULL_WEIGHT,
            effective_block=0,
        )

    def _prepare(self) -> None:
        files = {
            CONFIG: self.config,
            self.path("schedule.json"): self.schedule,
            **self.state(Stage.OPEN),
        }
        self.commit(["Preparing for the round start: config, schedule"], files, PERSON)
        self.wait(60)
        self.commit(["Added prompts"], {POOL: prompts_bytes(self.pool)}, PERSON)
        self.wait(60)
        self.commit(
            ["Preparing leader.json for the competition start"], {LEADERS: self.leaders}, PERSON
        )

    # --- open: the last block for reveals is final

    def _open(self) -> None:
        latest, name = self.schedule.latest_reveal_block, self.config.round_name(self.number)
        self._until(latest)
        revealed = (
            self.world.commitments(self.number, self.schedule) if self.number % 4 != 2 else {}
        )
        self.submissions: Submissions = read_submissions(revealed, self.schedule, name).submissions
        self.seed = draw_seed(
            latest, f"0x{sha256(f'{self.plan.seed} {latest}'.encode()).hexdigest()}", name
        )
        previous = self.prompts if self.number else None
        self.prompts = select_prompts(self.seed.seed, self.pool, previous, self.config, self.rules)
        self.stems = [stem(url) for url in self.prompts]
        self.missing = frozenset(self.stems[1::9] if self.number % 3 == 1 else ())
        self.seed = self.seed.naming([name for name in self.stems if name in self.missing])
        self.source_audits = audits.SourceAudits([])
        messages = [f"Seed, prompts and submissions for round {self.number}"]
        files: _Files = {
            self.path("submissions.json"): self.submissions,
            self.path("seed.json"): self.seed,
            self.path("prompts.txt"): prompts_bytes(self.prompts),
        }
        if len(self.submissions):
            until = self.schedule.generation_deadline_block
            self.commit(messages, {**files, **self.state(Stage.MINER_GENERATION, until)})
        else:
            self.winner = crown(LEADER, None, self._defending)
            files = {**files, self.path("winner.json"): self.winner, **self.state(Stage.FINALIZING)}
            self.commit([*messages, f"Round {self.number} winner: {LEADER}"], files)

    # --- miner_generation: the miners generate, the leader's image does too, and the miners' images
    # are built

    def _generate(self) -> None:
        names = self.submissions.names
        shown = [name for name in self.stems if name not in self.missing]
        self.outputs = {LEADER: self.world.baseline(self.number, shown)}
        self.builds: Builds = pending_builds(self.submissions)
        for quarter in range(1, 5):
            self.wait(15)
            ended = names[: len(names) * quarter // 4]
            jobs = {
                name: self.world.conclusion(name) if name in ended else "in_progress"
                for name in names
            }
            self.builds = observe_builds(
                self.builds, BuildRun(quarter == 4, jobs), quarter * 900, self.rules
            )
            made = Outputs(dict(self.outputs[LEADER].items()[: len(shown) * quarter // 4]))
            self.commit(
                [self._about("build statuses"), f"{self._about('generated')}, miner {LEADER}"],
                {self.path("builds.json"): self.builds, outputs_path(self.number, LEADER): made},
            )
        if self.world.rng.random() < 0.3:
            gone = self._source(self.world.rng.choice(names), "Repository not found")
            self.commit(["Source audit: missing repositories found"], gone, PERSON)
        self._until(self.schedule.generation_deadline_block)
        self.commit([f"Round {self.number}: downloading"], self.state(Stage.DOWNLOADING))

    # --- downloading: what the miners made

    def _download(self) -> None:
        for hotkey in self.submissions.names:
            self.wait(1)
            self.outputs[hotkey] = self.world.submitted(self.number, hotkey, self.stems)
            files = {outputs_path(self.number, hotkey): self.outputs[hotkey]}
            self.commit([f"{self._about('submitted')}, miner {short(hotkey)}"], files)
        self.wait(1)
        self.commit([f"Round {self.number}: duels"], self.state(Stage.DUELS))

    # --- duels: matches are played, and who takes the lead is audited meanwhile

    def _duel(self) -> None:
        self.timeline = Timeline(self.submissions.names, self.config.win_margin)
        self.matrix, self.requests = Matrix(), audits.AuditRequests([])
        self.audits = audits.GenerationAudits({})
        self.reports: dict[Pair, duels.MatchReport] = {}
        self.made: dict[str, Outputs] = {}
        self.arriving: list[tuple[datetime, str, str]] = []
        while (winner := self.timeline.winner(self.matrix.margins, self._verdicts)) is None:
            pairs = list(
                islice(
                    self.timeline.matches_due(self.matrix.margins, self._verdicts), _MATCHES_AT_ONCE
                )
            )
            then = self.now + timedelta(minutes=14) if pairs else min(self.arriving)[0]
            while self.arriving and min(self.arriving)[0] <= then:
                first = min(self.arriving)
                self.arriving.remove(first)
                self._arrive(*first)
            self.now = then
            self.play(pairs)
        self.wait(1)
        self.winner = crown(winner, self.builds, self._defending)
        self.commit(
            [f"Round {self.number} winner: {short(winner)}"],
            {self.path("winner.json"): self.winner},
        )
        self.commit([self._about("state (finalizing)")], self.state(Stage.FINALIZING))

    @property
    def _verdicts(self) -> Verdicts:
        return audits.verdicts(self.audits, self.source_audits)

    def play(self, pairs: Sequence[Pair]) -> None:
        """Play matches, and ask for the audits that are called for now."""
        messages: list[str] = []
        files: dict[str, _Content | bytes] = {}
        for left, right in pairs:
            margin, report = self._match((left, right))
            self.matrix = self.matrix.plus(Match(left, right, margin))
            if report:
                files[report_path(self.number, (left, right))] = self.reports[left, right] = report
                messages.append(f"Match report: {short(left)} vs {short(right)}")
        due = self.timeline.audits_due(self.matrix.margins, self._verdicts)
        asked = [
            self._ask(hotkey, pair) for hotkey, pair in due if self.requests.of(hotkey) is None
        ]
        if asked:
            self.requests = audits.AuditRequests([*self.requests.root, *asked])
            files[self.path("require_audit.json")] = self.requests
            messages.append(self._about("audit requests"))
        if pairs:
            files[self.path("matches_matrix.csv")] = self.matrix
            messages.append(self._about("matches matrix"))
        if messages:
            self.commit(messages, files)

    def _match(self, pair: Pair) -> tuple[float, duels.MatchReport | None]:
        """A match's margin and report; no report where a side has nothing to play with."""
        left, right = (self.outputs[hotkey] for hotkey in pair)
        margin = duels.margin_without_report(
            duels.has_output(left, self.missing), duels.has_output(right, self.missing)
        )
        if margin is not None:
            return margin, None
        codes = [
            (self._defending if hotkey == LEADER else self.submissions[hotkey]).commit
            for hotkey in pair
        ]
        forced = duels.without_judge(self.prompts, left, right, self.missing, self.rules)
        played = []
        for prompt, name in zip(self.prompts, self.stems, strict=True):
            sides = left.get(name), right.get(name)
            decided = forced[name] or self.world.judge(*codes)
            entry = duels.duel_entry(prompt, *sides, decided, self.config.output_format)
            played.append(duels.Duel.model_validate(entry))
        report = duels.make_report(*pair, played, len(self.prompts))
        return report.margin, report

    def _ask(self, hotkey: str, pair: Pair) -> audits.AuditRequest:
        """Ask for an audit. What its pods make will come in two parts, and a person looks at the
        source.
        """
        self.made[hotkey] = self.world.regenerated(
            self.number, hotkey, self.outputs[hotkey].without(self.missing)
        )
        built = self.builds[hotkey].docker_image is not None
        waits = (
            {"half": 40, "all": 80, "source": self.world.rng.randint(60, 240)}
            if built
            else {"no image": 2}
        )
        self.arriving += [
            (self.now + timedelta(minutes=wait), what, hotkey) for what, wait in waits.items()
        ]
        report = self.reports.get(pair)
        critical = (
            audits.critical_prompts(report, self.seed.seed, self.config.win_margin, self.rules)
            if report
            else []
        )
        return audits.AuditRequest(hotkey=hotkey, critical_prompts=critical)

    def _arrive(self, when: datetime, what: str, hotkey: str) -> None:
        """What an audit waits for: half of what the image made, all of it with the verdict, or a
        person's verdict.
        """
        self.now = when
        made, audit = self.made[hotkey], self.audits.get(hotkey)
        if what == "source":
            if audit is None or audit.outcome is audits.AuditOutcome.PASSED:
                self.commit(
                    ["Source audit results"], self._source(hotkey, self.world.review()), PERSON
                )
        elif what == "half":
            self._regenerated(hotkey, Outputs(dict(made.items()[::2])), None)
        elif what == "all":
            critical = next(
                request.critical_prompts
                for request in self.requests.root
                if request.hotkey == hotkey
            )
            wanted = self.outputs[hotkey].without(self.missing)
            verdict = audits.judge_audit(hotkey, wanted, made, critical, self.rules)
            self._regenerated(hotkey, made, verdict)
        else:
            self._regenerated(hotkey, None, audits.reject_unmeasured(hotkey, audits.NO_IMAGE))

    def _regenerated(
        self, hotkey: str, made: Outputs | None, verdict: audits.GenerationAudit | None
    ) -> None:
        messages: list[str] = []
        files: dict[str, _Content | bytes] = {}
        if made is not None:
            messages.append(f"{self._about('generated')}, miner {short(hotkey)}")
            files[miner_path(self.number, hotkey, "generated.json")] = made
        if verdict is not None:
            messages.append(self._about("generation audits"))
            self.audits = audits.GenerationAudits({**self.audits.root, hotkey: verdict})
            files[self.path("generation_audits.json")] = self.audits
        self.commit(messages, files)

    def _source(self, hotkey: str, fault: str) -> _Files:
        """A person's verdict on a miner's source code."""
        verdict = audits.SourceVerdict.FAILED if fault else audits.SourceVerdict.PASSED
        audit = audits.SourceAudit(hotkey=hotkey, verdict=verdict, reason=fault)
        self.source_audits = audits.SourceAudits([*self.source_audits.root, audit])
        return {self.path("source_audit.json"): self.source_audits}

    # --- finalizing: who leads from when on, and when the next round starts

    def finalize(self) -> None:
        self.wait(5)
        now_block = _FIRST_BLOCK + int((self.now - _FIRST_START).total_seconds()) // BLOCK_SECONDS
        start = start_block(
            next_start(self.config, self.schedule, self.now, now_block), self.now, now_block
        )
        self.leaders = continue_leader(self.leaders, self.winner, start, self.config, self.rules)
        self.schedule = schedule_at(self.config, self.schedule, start)
        self.number += 1
        files = {
            self.path("schedule.json"): self.schedule,
            LEADERS: self.leaders,
            **self.state(Stage.OPEN, start),
        }
        self.commit([self._about("state (open), schedule, leader")], files)

    # --- how it is told

    @property
    def _defending(self) -> Transition:
        return self.leaders.root[-1]

    def path(self, name: str) -> str:
        return round_path(self.number, name)

    def _about(self, what: str) -> str:
        return f"Update {what} for round {self.number}"

    def state(self, stage: Stage, until: int | None = None) -> _Files:
        eta = None if until is None else f"{_time_of(until):%Y-%m-%dT%H:%M:%SZ}"
        return {STATE: State(current_round=self.number, stage=stage, next_stage_eta=eta)}

    def _until(self, block: int) -> None:
        """Let time pass until the chain has finalised `block`, which is soon noticed."""
        self.now = max(self.now, _time_of(block)) + timedelta(
            seconds=self.world.rng.randint(40, 400)
        )

    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes, seconds=self.world.rng.randint(0, 50))

    def commit(self, messages: Sequence[str], files: _Files, author: str = PLATFORM) -> None:
        message = "\n".join(messages).encode()
        when = f"{int(self.now.timestamp())} +0000"
        head = f"commit refs/heads/main\ncommitter {author} {when}\ndata {len(message)}\n"
        self._stream.write(head.encode() + message + b"\n")
        for path, content in files.items():
            if content is None:
                self._stream.write(b"D %s\n" % path.encode())
                continue
            data = content if isinstance(content, bytes) else content.to_bytes()
            self._stream.write(
                b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data)
            )


def _time_of(block: int) -> datetime:
    return _FIRST_START + timedelta(seconds=(block - _FIRST_BLOCK) * BLOCK_SECONDS)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m simulators.histories", description="Make up a competition's repository."
    )
    parser.add_argument(
        "path", type=Path, help="the bare git repository to make; must not exist yet"
    )
    standard = Competition()
    for name in ("rounds", "miners", "prompts", "seed"):
        parser.add_argument(f"--{name}", type=int, default=getattr(standard, name))
    parser.add_argument("--output-format", choices=("glb", "ply"), default=standard.output_format)
    print(make_competition(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
