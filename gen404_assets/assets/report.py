"""The asset `report`: a round's pages, published beside its objects. It is no state file: no lane
makes it, no replay looks at it, and nothing depends on it.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg

from gen404_assets.assets.partitions import ROUNDS
from gen404_assets.assets.resource import CompetitionResource
from gen404_assets.assets.specs import PLATFORM, code_references
from gen404_assets.assets.tags import NO_REPLAY, REPLAY_TAG
from gen404_assets.competition.catalogue import Asset
from gen404_assets.competition.history import History
from gen404_assets.report.addresses import Objects, round_page
from gen404_assets.report.book import Book
from gen404_assets.report.publishing import prefix_of, publish
from gen404_assets.report.writing import write_round, write_season
from gen404_assets.settings import home


@dg.asset(
    name="report",
    partitions_def=ROUNDS,
    group_name="finalizing",
    kinds={"html"},
    owners=[PLATFORM],
    tags={REPLAY_TAG: NO_REPLAY},
    metadata=code_references({"made by": write_round}),
    deps=[Asset.WINNER.value, Asset.LEADER.value, Asset.STATE.value],
    # Dagster's own automation sensor follows this, and is off until a person turns it on.
    automation_condition=dg.AutomationCondition.eager(),
    description="The round as pages for miners, auditors and whoever watches: ranking, margins, "
    "timeline, every duel with its evidence, audits, what the replay says. Published into the "
    "store where this platform operates, else written to a folder of GEN404_HOME.\n\n"
    "`reports/{n}/{commit}/index.html` of the store",
)
def report(
    context: dg.AssetExecutionContext, competition: CompetitionResource
) -> dg.MaterializeResult[None]:
    """Write a round's pages as the head has it, and publish them."""
    history = competition.history(context.run.run_id)
    number = int(context.partition_key)
    if number not in history.round_numbers:
        raise dg.Failure(f"there is no round {number}", allow_retries=False)
    prefix = prefix_of(number, history.commits[-1].sha)
    if not competition.operates:
        folder = home() / prefix
        _write(history, number, Book(folder, history.commits[-1].sha, Objects()))
        page = folder / round_page(number)
        return _result(prefix, {"page": dg.MetadataValue.path(page)})
    store = competition.outside().store
    with TemporaryDirectory(prefix="report-") as name:
        folder = Path(name)
        _write(history, number, Book(folder, history.commits[-1].sha, Objects(store.base)))
        season = publish(folder, prefix, store)
    page_url = store.url(f"{prefix}/{round_page(number)}")
    return _result(
        prefix,
        {"page": dg.MetadataValue.url(page_url), "season": dg.MetadataValue.url(season)},
    )


def _write(history: History, number: int, book: Book) -> None:
    write_round(book, history, number, CompetitionResource.rules())
    write_season(book, history, [number])


def _result(
    version: str, metadata: dict[str, dg.UrlMetadataValue | dg.PathMetadataValue]
) -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(metadata=dict(metadata), data_version=dg.DataVersion(version))


ASSETS = [report]
