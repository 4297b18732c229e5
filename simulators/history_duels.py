"""The stage DUELS of a made-up competition: matches are played, and candidates are audited."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import IO

from gen404_assets.competition import audits
from gen404_assets.competition.builds import Builds
from gen404_assets.competition.config import Config
from gen404_assets.competition.duels import MatchReport, Play, report_of
from gen404_assets.competition.hotkeys import LEADER, short
from gen404_assets.competition.leader import Leader, Transition
from gen404_assets.competition.match_under_play import MatchUnderPlay, Sides
from gen404_assets.competition.matches import Match, Matrix, Pair
from gen404_assets.competition.outputs import Outputs
from gen404_assets.competition.prompts import prompts_bytes, stem
from gen404_assets.competition.round import CONFIG, Round, miner_path, report_path
from gen404_assets.competition.seed import Seed
from gen404_assets.competition.settings import Rules
from gen404_assets.competition.state import Stage
from gen404_assets.competition.submissions import Submissions
from gen404_assets.competition.timeline import Timeline, Verdicts
from gen404_assets.competition.winner import Winner, crown
from resources.git_history import NO_COMMIT
from simulators.history_commits import PERSON, CommitWriter, Content, Files
from simulators.history_world import World
from simulators.memory_repository import MemorySnapshot

_MATCHES_AT_ONCE = 2


class DuelsStage(CommitWriter):
    """A round's matches and audits, and its winner. The attributes hold the round as it stands."""

    config: Config
    leaders: Leader
    submissions: Submissions
    builds: Builds
    seed: Seed
    prompts: list[str]
    missing: frozenset[str]
    outputs: dict[str, Outputs]
    source_audits: audits.SourceAudits
    winner: Winner

    def __init__(self, stream: IO[bytes], world: World, rules: Rules) -> None:
        super().__init__(stream, world)
        self.rules = rules

    @property
    def defending(self) -> Transition:
        """The leader that defends in the round."""
        return self.leaders.root[-1]

    def play_matches(self) -> None:
        """Play and audit until the winner is known, and commit it."""
        self.played_round = self._round()
        self.timeline = Timeline(self.submissions.names, self.config.win_margin)
        self.matrix, self.requests = Matrix(), audits.AuditRequests([])
        self.audits = audits.GenerationAudits({})
        self.reports: dict[Pair, MatchReport] = {}
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
        self.winner = crown(winner, self.builds, self.defending)
        self.commit(
            [f"Round {self.number} winner: {short(winner)}"],
            {self.path("winner.json"): self.winner},
        )
        self.commit([self.about("state (finalizing)")], self.state(Stage.FINALIZING))

    def _round(self) -> Round:
        """The round with the files that matches are played by."""
        files = {
            CONFIG: self.config.to_bytes(),
            self.path("seed.json"): self.seed.to_bytes(),
            self.path("prompts.txt"): prompts_bytes(self.prompts),
        }
        return Round(MemorySnapshot(NO_COMMIT, files), self.number)

    @property
    def _verdicts(self) -> Verdicts:
        return audits.verdicts(self.audits, self.source_audits)

    def play(self, pairs: Sequence[Pair]) -> None:
        """Play matches, and ask for the audits that are called for now."""
        messages: list[str] = []
        files: dict[str, Content | bytes] = {}
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
            messages.append(self.about("audit requests"))
        if pairs:
            files[self.path("matches_matrix.csv")] = self.matrix
            messages.append(self.about("matches matrix"))
        if messages:
            self.commit(messages, files)

    def _match(self, pair: Pair) -> tuple[float, MatchReport | None]:
        """A match's margin and report; no report where a side has nothing to play with."""
        sides = Sides(*(self.outputs[hotkey] for hotkey in pair))
        match = MatchUnderPlay(pair, self.played_round, sides, self.rules)
        if match.margin_without_report is not None:
            return match.margin_without_report, None
        commits = [
            (self.defending if hotkey == LEADER else self.submissions[hotkey]).commit
            for hotkey in pair
        ]
        duels = []
        for prompt in match.prompts:
            decided = match.forced[stem(prompt)] or self.world.judge(*commits)
            duels.append(match.duel(prompt, decided))
        report = report_of(*pair, [Play.model_validate(match.play(duels, stopped=False))])
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
        files: dict[str, Content | bytes] = {}
        if made is not None:
            messages.append(f"{self.about('generated')}, miner {short(hotkey)}")
            files[miner_path(self.number, hotkey, "generated.json")] = made
        if verdict is not None:
            messages.append(self.about("generation audits"))
            self.audits = audits.GenerationAudits({**self.audits.root, hotkey: verdict})
            files[self.path("generation_audits.json")] = self.audits
        self.commit(messages, files)

    def _source(self, hotkey: str, fault: str) -> Files:
        """A person's verdict on a miner's source code."""
        verdict = audits.SourceVerdict.FAILED if fault else audits.SourceVerdict.PASSED
        audit = audits.SourceAudit(hotkey=hotkey, verdict=verdict, reason=fault)
        self.source_audits = audits.SourceAudits([*self.source_audits.root, audit])
        return {self.path("source_audit.json"): self.source_audits}
