"""The sensor that keeps the asset `standing` up to date: what is due, and what it waits for."""

import dagster as dg

from gen404_assets.assets.resource import NO_REPOSITORY, CompetitionResource, watched_competition
from gen404_assets.assets.shown import DIGITS
from gen404_assets.assets.sight import Sight, in_seconds
from gen404_assets.assets.standing import STANDING, Standing, published_reports
from gen404_assets.competition.catalogue import Lane
from gen404_assets.competition.due import due
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.hotkeys import short
from gen404_assets.competition.round import Round
from gen404_assets.live.background import NotSeen
from gen404_assets.live.other_platform import other_platform
from gen404_assets.live.sightings import FILES, OTHER
from gen404_assets.live.words_measured import WordsMeasured
from gen404_assets.live.work import see
from gen404_assets.settings import platform_settings
from resources.chain.subtensor import Block


@dg.sensor(
    minimum_interval_seconds=platform_settings().sensor_seconds,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Logs where the competition stands, what is due and what it waits for, when one of "
    "these changes.",
)
def standing(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Log where the competition stands, when that has changed."""
    competition = watched_competition()
    if not competition.is_named():
        return dg.SkipReason(NO_REPOSITORY)
    return in_seconds("standing", context, lambda: _look(context, competition))


def _look(
    context: dg.SensorEvaluationContext, competition: CompetitionResource
) -> dg.SensorResult | dg.SkipReason:
    sight = competition.sight()
    head, (block, unseen) = sight.head(), _block(sight, competition)
    try:
        standing = sight.read(lambda: _standing(competition, head, block, unseen))
    except MalformedFile as fault:
        sight.note(FILES, str(fault))
        raise
    sight.note(FILES, "")
    if block is not None:  # else nobody looked for another platform
        sight.note(OTHER, standing.other)
    mark = standing.mark()
    if mark == context.cursor:
        return dg.SkipReason(
            f"round {standing.due.round} {standing.due.stage}: nothing has changed"
        )
    metadata = standing.metadata() | {"reports": published_reports(context.instance)}
    event = dg.AssetMaterialization(STANDING, metadata=metadata)
    return dg.SensorResult(asset_events=[event], cursor=mark)


def _block(sight: Sight, competition: CompetitionResource) -> tuple[Block | None, str]:
    """The finalised block, or why it isn't seen. Whoever only looks asks no chain."""
    if not competition.operates:
        return None, ""
    try:
        return sight.block(), ""
    except (NotSeen, InfrastructureFault):
        return None, "the chain: what only a block makes due is left out"


def _standing(
    competition: CompetitionResource, head: str, block: Block | None, unseen: str
) -> Standing:
    snapshot = competition.repository().mirrored(head)
    current = see(snapshot)
    due_now = due(current.files, block.number if block else 0)
    waiting = competition.outside().waiting
    lanes = [
        (lane, wait)
        for lane in Lane
        if due_now.assets(lane) and (wait := waiting.for_lane(lane)) is not None
    ]
    other = ""
    if block is not None:
        other = other_platform(snapshot, competition.outside().installation(), block.time)
    words = WordsMeasured(competition.outside().shared.notes).in_round(current.number)
    commit, leader = snapshot.commit.short, _leader(current)
    return Standing(due_now, block, unseen, lanes, commit, leader, other, words)


def _leader(current: Round) -> str:
    last = current.leaders.root[-1] if current.leaders.root else None
    if last is None:
        return "nobody"
    weight = round(last.weight, DIGITS)
    return f"{short(last.hotkey)}, weight {weight:g} from block {last.effective_block}"
