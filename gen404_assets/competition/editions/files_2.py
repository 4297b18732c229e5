"""Competition 2's files, stages and lineage, as data, and what the files tell of a round; its
formats and rules stand in `competition_2`.
"""

import re
from collections.abc import Iterator, Mapping

from gen404_assets.competition.audits import SourceAudits
from gen404_assets.competition.builds import Builds
from gen404_assets.competition.editions.competition_2 import (
    Audits,
    Config2,
    GenerationReports,
    Outputs2,
    PodStats2,
    Report2,
    Requests,
    Verdict2,
    Winner2,
)
from gen404_assets.competition.editions.facts import (
    DuelFacts,
    MatchFacts,
    Participant,
    RoundFacts,
    RoundFiles,
    Row,
)
from gen404_assets.competition.editions.rules import EditionFile, EditionRules
from gen404_assets.competition.hotkeys import LEADER, PATTERN, short
from gen404_assets.competition.leader import Leader
from gen404_assets.competition.matches import Match, Matrix, Pair
from gen404_assets.competition.round import CONFIG, required, round_path
from gen404_assets.competition.schedule import Schedule
from gen404_assets.competition.seed import Seed
from gen404_assets.competition.state import State
from gen404_assets.competition.submissions import Submissions


def facts(files: RoundFiles) -> RoundFacts:
    """A round as its files tell it."""
    config = required(CONFIG, files.at(CONFIG, Config2))
    matrix = _matrix(files)
    winner, seed = files.file("winner.json", Winner2), files.file("seed.json", Seed)
    audits = files.file("generation_audits.json", Audits) or Audits({})
    return RoundFacts(
        win_margin=config.win_margin,
        blocks=files.blocks(Schedule),
        seed=seed.seed if seed else None,
        prompts=files.prompts,
        participants=list(_participants(files, matrix.margins, audits, config.win_margin)),
        matches=[_match_facts(files, match) for match in matrix.matches],
        winner=winner.winner_hotkey if winner else None,
        code=(winner.repo, winner.commit) if winner else None,
        audits=list(_audit_rows(files, audits)),
    )


def _matrix(files: RoundFiles) -> Matrix:
    path = round_path(files.number, "matches_matrix.csv")
    raw = files.read(path)
    return Matrix() if raw is None else Matrix.parse(raw, path)


def _participants(
    files: RoundFiles, margins: Mapping[Pair, float], audits: Audits, win_margin: float
) -> Iterator[Participant]:
    submissions = files.file("submissions.json", Submissions)
    builds = files.file("builds.json", Builds) or Builds({})
    for hotkey, entry in submissions.items() if submissions is not None else ():
        margin, audit = margins.get((LEADER, hotkey)), audits.get(hotkey)
        build = builds.get(hotkey)
        yield Participant(
            hotkey,
            entry.repo,
            entry.commit,
            entry.revealed_at_block,
            cdn_url=entry.cdn_url,
            build=str(build.status) if build else None,
            margin=margin,
            qualified=None if margin is None else margin >= win_margin,
            rejected=audit is not None and audit.verdict is Verdict2.FAILED,
        )


def _match_facts(files: RoundFiles, match: Match) -> MatchFacts:
    report = files.file(f"{match.right}/duels_{short(match.left)}.json", Report2)
    duels = [DuelFacts(duel.name, duel.winner.value) for duel in report.duels] if report else None
    return MatchFacts(match.left, match.right, match.margin, duels)


def _audit_rows(files: RoundFiles, audits: Audits) -> Iterator[Row]:
    """Who had to be audited, in the order asked for."""
    requests = files.file("require_audit.json", Requests)
    sources = files.file("source_audit.json", SourceAudits)
    signed = {each.hotkey: each for each in sources.root} if sources is not None else {}
    reports = files.file("generation_reports.json", GenerationReports)
    for request in requests.root if requests is not None else ():
        audit, source = audits.get(request.hotkey), signed.get(request.hotkey)
        report = reports.get(request.hotkey) if reports is not None else None
        times = [repeat.generation_time for repeat in report.repeats] if report else []
        yield {
            "hotkey": request.hotkey,
            "outcome": audit.verdict.value if audit else None,
            "generation_time": max(times, default=None),
            "reason": audit.reason if audit else None,
            "source_verdict": str(source.verdict) if source else None,
            "source_reason": source.reason if source else None,
        }


def _files() -> Iterator[EditionFile]:
    made = "what an image made on rented GPUs is evidence"
    yield EditionFile("schedule", "schedule.json", r"schedule\.json", Schedule, "open")
    yield EditionFile("submissions", "submissions.json", r"submissions\.json", Submissions, "open")
    yield EditionFile("seed", "seed.json", r"seed\.json", Seed, "open", "it was drawn at random")
    yield EditionFile("prompts", "prompts.txt", r"prompts\.txt", None, "open")
    yield EditionFile("builds", "builds.json", r"builds\.json", Builds, "miner_generation")
    yield EditionFile(
        "renders",
        "{hotkey}/submitted.json",
        rf"({PATTERN}|{LEADER})/submitted\.json",
        Outputs2,
        "downloading",
        "what was downloaded from the miners is evidence",
    )
    yield EditionFile(
        "generated",
        "{hotkey}/generated_*.json",
        rf"({PATTERN}|{LEADER})/generated(_[0-9]+)?\.json",
        Outputs2,
        "duels",
        made,
    )
    yield EditionFile(
        "pod_stats",
        "{hotkey}/pod_stats*.json",
        rf"({PATTERN}|{LEADER})/pod_stats\w*\.json",
        PodStats2,
        "duels",
        made,
    )
    duels, audits = rf"{PATTERN}/duels_\w+\.json", rf"{PATTERN}/audit_\w+\.json"
    yield EditionFile("duels", "{hotkey}/duels_*.json", duels, Report2, "duels")
    yield EditionFile("matches_matrix", "matches_matrix.csv", r"matches_matrix\.csv", None, "duels")
    yield EditionFile(
        "audit_requests", "require_audit.json", r"require_audit\.json", Requests, "duels"
    )
    yield EditionFile(
        "generation_reports",
        "generation_reports.json",
        r"generation_reports\.json",
        GenerationReports,
        "duels",
    )
    yield EditionFile("audit_duels", "{hotkey}/audit_*.json", audits, Report2, "duels")
    yield EditionFile("audit_matrix", "audit_matrix.csv", r"audit_matrix\.csv", None, "duels")
    yield EditionFile(
        "source_audits",
        "source_audit.json",
        r"source_audit\.json",
        SourceAudits,
        "duels",
        "it is a person's verdict",
    )
    yield EditionFile(
        "audits", "generation_audits.json", r"generation_audits\.json", Audits, "duels"
    )
    yield EditionFile("winner", "winner.json", r"winner\.json", Winner2, "duels")
    yield EditionFile("leader", "leader.json", "leader.json", Leader, "finalizing", shared=True)
    yield EditionFile("state", "state.json", "state.json", State, "finalizing", shared=True)


COMPETITION_2 = EditionRules(
    name="competition-2",
    title="competition 2: three.js, audits by repeated matches",
    files=tuple(_files()),
    marks=re.compile(
        r"audit_matrix\.csv|generation_reports\.json|[^/]+/(generated_[0-9]+|audit_\w+)\.json"
    ),
    platform=re.compile(
        r"Update .+ for round \d+(, miner \S+)?"
        r"|(Match|Audit) report: \S+ vs \S+"
        r"|Round \d+(: \w+| winner: \S+)?"
        r"|Seed, prompts and submissions for round \d+"
    ),
    by_hand=("/source_audit.json",),
    stages=("open", "miner_generation", "downloading", "duels", "finalizing"),
    facts=facts,
    deps={
        "schedule": ["config"],
        "submissions": ["schedule"],
        "seed": ["schedule"],
        "prompts": ["seed", "prompt_pool", "config"],
        "builds": ["submissions"],
        "renders": ["submissions", "prompts"],
        "generated": ["audit_requests", "builds", "prompts", "seed"],
        "pod_stats": ["audit_requests", "builds"],
        "duels": ["renders", "prompts"],
        "matches_matrix": ["duels", "submissions", "config"],
        "audit_requests": ["matches_matrix"],
        "generation_reports": ["audit_requests", "generated"],
        "audit_duels": ["generated", "renders"],
        "audit_matrix": ["audit_duels"],
        "source_audits": ["audit_requests"],
        "audits": ["audit_matrix", "generation_reports", "source_audits"],
        "winner": ["matches_matrix", "audits", "builds"],
        "leader": ["winner", "config"],
        "state": ["schedule", "prompts", "renders", "winner", "leader"],
    },
)
