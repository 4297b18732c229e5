"""The assets of a round, each with its file and format, its stage, who makes it, and how a replay
takes it.

Every other table of assets is made from this one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from gen404_assets.competition.audits import AuditRequests, GenerationAudits, SourceAudits
from gen404_assets.competition.builds import Builds
from gen404_assets.competition.duels import Duel
from gen404_assets.competition.leader import Leader
from gen404_assets.competition.matches import Match
from gen404_assets.competition.outputs import Outputs
from gen404_assets.competition.prompts import Prompt
from gen404_assets.competition.schedule import Schedule
from gen404_assets.competition.seed import Seed
from gen404_assets.competition.state import Stage, State
from gen404_assets.competition.submissions import Submissions
from gen404_assets.competition.winner import Winner

POD_STATS = "pod_stats.json"
"""Of a miner, beside what was regenerated."""


class Lane(StrEnum):
    """Work of one lane is done by one run at a time; different lanes run beside each other."""

    COLLECTION = "collection"
    BUILDS = "builds"
    BASELINE = "baseline"
    AUDITS = "audits"
    JUDGING = "judging"
    FINALIZING = "finalizing"


class Asset(StrEnum):
    """The assets of a round, in the order of the competition."""

    DEFENDING_LEADER = "defending_leader"
    SCHEDULE = "schedule"
    SUBMISSIONS = "submissions"
    SEED = "seed"
    PROMPTS = "prompts"
    BUILDS = "builds"
    BASELINE = "baseline"
    RENDERS = "renders"
    DUELS = "duels"
    MATCHES_MATRIX = "matches_matrix"
    AUDIT_REQUESTS = "audit_requests"
    REGENERATED = "regenerated"
    AUDITS = "audits"
    SOURCE_AUDITS = "source_audits"
    WINNER = "winner"
    LEADER = "leader"
    STATE = "state"

    @property
    def entry(self) -> "Entry":
        """What the catalogue says of it."""
        return CATALOGUE[self]

    def path(self, number: int, hotkey: str = "") -> str:
        """Where its file stands in the repository, of a round and, where each miner has one, of a
        miner.
        """
        entry = CATALOGUE[self]
        if entry.shared:
            return entry.file
        return f"rounds/{number}/{entry.file}".replace("{hotkey}", hotkey)


@dataclass(frozen=True, slots=True)
class Entry:
    """One asset. `file` is below `rounds/{n}/`, or at the root where all rounds share it
    (`shared`); `format`: the class of it, or of the rows that it has.

    `stage`: the stage whose work it is, and its group in the UI. `lane`: the lane whose runs make
    it; None where it comes with other files, or from a person. `per_miner`: the names of its files
    where it has one for each miner. `evidence`: why a replay takes it as recorded; None where it is
    derived. `rule`: the rule whose versions a replay tries on it.
    """

    file: str
    format: type
    stage: Stage
    lane: Lane | None = None
    shared: bool = False
    per_miner: tuple[str, ...] = ()
    evidence: str | None = None
    rule: str | None = None

    @property
    def name(self) -> str:
        """The file's name without its folder; of several, how each begins."""
        return self.file.rpartition("/")[2].partition("*")[0]

    @property
    def names(self) -> tuple[str, ...]:
        """As `name`, of each file that it has (of a miner)."""
        return self.per_miner or (self.name,)


CATALOGUE: Mapping[Asset, Entry] = {
    Asset.DEFENDING_LEADER: Entry("leader.json", Leader, Stage.MINER_GENERATION, shared=True),
    Asset.SCHEDULE: Entry("schedule.json", Schedule, Stage.OPEN),
    Asset.SUBMISSIONS: Entry("submissions.json", Submissions, Stage.OPEN, Lane.COLLECTION),
    Asset.SEED: Entry("seed.json", Seed, Stage.OPEN, Lane.COLLECTION),
    Asset.PROMPTS: Entry("prompts.txt", Prompt, Stage.OPEN, Lane.COLLECTION, rule="prompts"),
    Asset.BUILDS: Entry("builds.json", Builds, Stage.MINER_GENERATION, Lane.BUILDS),
    Asset.BASELINE: Entry(
        "leader/generated.json",
        Outputs,
        Stage.MINER_GENERATION,
        Lane.BASELINE,
        evidence="what the leader's image made on rented GPUs is evidence",
    ),
    Asset.RENDERS: Entry(
        "{hotkey}/submitted.json",
        Outputs,
        Stage.DOWNLOADING,
        Lane.COLLECTION,
        per_miner=("submitted.json",),
        evidence="what was downloaded from the miners is evidence",
    ),
    Asset.DUELS: Entry("{hotkey}/duels_*.json", Duel, Stage.DUELS, Lane.JUDGING, rule="overtime"),
    Asset.MATCHES_MATRIX: Entry("matches_matrix.csv", Match, Stage.DUELS, Lane.JUDGING),
    Asset.AUDIT_REQUESTS: Entry("require_audit.json", AuditRequests, Stage.DUELS, Lane.JUDGING),
    Asset.REGENERATED: Entry(
        "{hotkey}/generated.json",
        Outputs,
        Stage.DUELS,
        Lane.AUDITS,
        per_miner=("generated.json", POD_STATS),
        evidence="what the image made on rented GPUs is evidence",
    ),
    Asset.AUDITS: Entry("generation_audits.json", GenerationAudits, Stage.DUELS, Lane.AUDITS),
    Asset.SOURCE_AUDITS: Entry(
        "source_audit.json", SourceAudits, Stage.DUELS, evidence="it is a person's verdict"
    ),
    Asset.WINNER: Entry("winner.json", Winner, Stage.DUELS, Lane.JUDGING),
    Asset.LEADER: Entry(
        "leader.json", Leader, Stage.FINALIZING, Lane.FINALIZING, shared=True, rule="weights"
    ),
    Asset.STATE: Entry("state.json", State, Stage.FINALIZING, shared=True),
}
"""Asset -> its entry, each after those it depends on."""

REPLAYED = tuple(asset for asset in Asset if asset is not Asset.DEFENDING_LEADER)
"""What a replay looks at. `defending_leader` is the file that `leader` of an earlier round left."""


def made_in(lane: Lane) -> tuple[Asset, ...]:
    """The assets that a lane's runs materialise; `state` and the next round's `schedule` come with
    them.
    """
    return tuple(asset for asset, entry in CATALOGUE.items() if entry.lane is lane)


OF_EACH_MINER = tuple(asset for asset, entry in CATALOGUE.items() if "{hotkey}" in entry.file)
"""The assets of which each miner has files."""
