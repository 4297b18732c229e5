"""The asset `standing`: what is due now and why it waits, on the page of Dagster's UI that opens
first. It is no file: nothing makes it, and its sensor logs it anew when it changes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import dagster as dg

from gen404_assets.assets import shown
from gen404_assets.assets.links import partition_page, round_pages
from gen404_assets.assets.specs import PLATFORM, with_sources
from gen404_assets.assets.tables import table
from gen404_assets.competition.catalogue import Asset, Lane
from gen404_assets.competition.due import Due, Wait, due
from gen404_assets.competition.hotkeys import short, shortened
from gen404_assets.competition.settings import BLOCK_SECONDS
from gen404_assets.live.words_measured import NOT_MEASURED
from resources.chain.subtensor import Block

STANDING = "standing"
_NAMED = 4
"""So many hotkeys or waits are named in one line; the run's page and the tables tell of all."""
_REPORTS = 20  # the newest, among which each round's newest is looked for

spec = with_sources(
    dg.AssetSpec(
        STANDING,
        deps=[Asset.STATE.value],
        group_name="standing",
        kinds={"dagster"},
        owners=[PLATFORM],
        description="Where the competition stands: round and stage, what is due, what it waits for "
        "and until when, and where to look further. Logged anew whenever one of these changes.",
    ),
    {"made by": due},
)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is due at a `block` (None: the chain wasn't seen, `unseen` says why). `lanes`: what our
    own work waits for. `commit`: the head, as a person reads it; `leader`: who leads, in words;
    `other`: which other platform publishes here, in words. `words`: how far the judge obeys words
    in pictures in this round (`live.words_measured`).
    """

    due: Due
    block: Block | None
    unseen: str
    lanes: Sequence[tuple[Lane, Wait]]
    commit: str
    leader: str
    other: str = ""
    words: str = NOT_MEASURED

    def mark(self) -> str:
        """What a new event is for: it changes when a person would want to look again."""
        seen = [self.due.round, self.due.stage, self.leader, self.unseen, bool(self.other)]
        seen += [self.words]
        return repr([seen, self._work(), [(on, until) for on, until in self._waits()]])

    def metadata(self) -> dict[str, Any]:
        """What the page shows, in plain text."""
        due_now, block = self.due, self.block
        waits = [
            {"waits for": on, "until block": until, "expected (UTC)": self._expected(until)}
            for on, until in self._waits()
        ]
        known: dict[str, Any] = {
            "now": self._now(),
            "due": table(self._work()),
            "waits": table(waits),
            "leads to": str(due_now.to or "no other stage yet"),
            "leader": self.leader,
            "words in pictures": self.words,
            "as of": f"block {block.number}, {block.time:%Y-%m-%d %H:%M:%S} UTC, " if block else "",
        }
        known["as of"] += f"commit {self.commit}"
        if self.unseen:
            known["not seen"] = self.unseen
        if self.other:
            known["another platform"] = self.other
        pages = f"{round_pages(due_now.round)} · [sensors and runs](/automation)"
        return shown.metadata(known) | {"look at": shown.markdown(pages)}

    def _now(self) -> str:
        """All of it in one line, which is seen without scrolling."""
        work = [f"{row['lane']} ({row['assets']})" for row in self._work()]
        waits = [on for on, _ in self._waits()]
        more = f"; and {len(waits) - _NAMED} more" if len(waits) > _NAMED else ""
        besides = f" Not seen: {self.unseen}." if self.unseen else ""
        besides += " Another platform works here: stop one of them." if self.other else ""
        return (
            f"Round {self.due.round}, stage {self.due.stage}. "
            f"Due: {'; '.join(work) or 'nothing'}. "
            f"Waits for: {'; '.join(waits[:_NAMED]) or 'nothing'}{more}.{besides}"
        )

    def _work(self) -> list[dict[str, str | int | None]]:
        return [
            {
                "lane": lane,
                "assets": ", ".join(assets),
                "for": self._whom(lane),
                "matches left": len(self.due.pairs) if lane is Lane.JUDGING else None,
            }
            for lane in Lane
            if (assets := self.due.assets(lane))
        ]

    def _whom(self, lane: Lane) -> str:
        whom = next((each.hotkeys for each in self.due.work if each.lane is lane), ())
        if lane is Lane.JUDGING and self.due.pairs:
            left, right = self.due.pairs[0]
            return f"{short(left)} against {short(right)}"
        more = f" and {len(whom) - _NAMED} more" if len(whom) > _NAMED else ""
        return ", ".join(map(short, whom[:_NAMED])) + more

    def _waits(self) -> Iterator[tuple[str, int | None]]:
        """What is waited for, with hotkeys in short: a long word makes the page wider than the
        window.
        """
        yield from ((shortened(wait.on), wait.until) for wait in self.due.waits)
        yield from ((f"{lane}: {wait.on}", None) for lane, wait in self.lanes)

    def _expected(self, until: int | None) -> str:
        if until is None or self.block is None:
            return ""
        seconds = (until - self.block.number) * BLOCK_SECONDS
        return f"{self.block.time + timedelta(seconds=seconds):%Y-%m-%d %H:%M}"


def published_reports(instance: dg.DagsterInstance) -> dg.MarkdownMetadataValue:
    """The newest report of each round, with its address; for rounds without one, where to make
    it.
    """
    pages: dict[str, str] = {}
    records = instance.fetch_materializations(dg.AssetKey("report"), limit=_REPORTS).records
    for record in records:
        event, partition = record.asset_materialization, record.partition_key
        page = event.metadata.get("page") if event else None
        if page is not None and partition is not None:
            pages.setdefault(partition, str(page.value))
    lines = [
        shown.link(f"round {partition}", url)
        for partition, url in sorted(pages.items(), key=lambda item: -int(item[0]))
    ]
    return shown.markdown(" · ".join(lines) or f"none yet: [make one]({partition_page('report')})")
