"""What a person would rather look at than read, of each asset: counts, tables, and the margins as a
heat map.
"""

import base64
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dagster as dg

from gen404_assets.assets.farthest_pairs import farthest_pairs
from gen404_assets.assets.heat_map import heat_map
from gen404_assets.competition.audits import verdicts
from gen404_assets.competition.duels import (
    MatchReport,
    Outcome,
    judged_duels,
    without_usable_answer,
)
from gen404_assets.competition.evidence import Evidence, orders
from gen404_assets.competition.history import Version
from gen404_assets.competition.hotkeys import LEADER, short
from gen404_assets.competition.margins import is_close
from gen404_assets.competition.matches import Match
from gen404_assets.competition.outputs import Outputs
from gen404_assets.competition.prompts import stem
from gen404_assets.competition.round import Round
from gen404_assets.competition.state import State
from gen404_assets.competition.timeline import Line

View = Callable[[Round], dict[str, Any]]
Value = str | int | float | bool | None
CLOSE = "close"


def table(rows: Sequence[Mapping[str, Value]]) -> dg.TableMetadataValue | str:
    """Rows as the UI shows them; all have the keys of the first."""
    return (
        dg.MetadataValue.table([dg.TableRecord(dict(row)) for row in rows], _schema(rows[0]))
        if rows
        else "none"
    )


def _schema(row: Mapping[str, Value]) -> dg.TableSchema:
    kinds = {bool: "bool", int: "int", float: "float"}
    return dg.TableSchema(
        [dg.TableColumn(key, kinds.get(type(value), "string")) for key, value in row.items()]
    )


def schedule(current: Round) -> dict[str, Any]:
    return dict(current.schedule.model_dump()) if current.schedule else {}


def submissions(current: Round) -> dict[str, Any]:
    entries = current.submissions.items() if current.submissions else []
    rows: list[dict[str, Value]] = [
        {
            "hotkey": hotkey,
            "block": entry.revealed_at_block,
            "repo": entry.repo,
            "commit": entry.commit[:7],
            "cdn": entry.cdn_url,
        }
        for hotkey, entry in entries
    ]
    return {"submissions": len(rows), "in order of reveal": table(rows)}


def seed(current: Round) -> dict[str, Any]:
    return current.seed.model_dump(exclude_none=True) if current.seed else {}


def prompts(current: Round) -> dict[str, Any]:
    carried = current.config.carryover_prompts if current.number else 0
    rows: list[dict[str, Value]] = [
        {
            "stem": stem(url),
            "carried over": number < carried,
            "missing": stem(url) in current.missing,
            "picture": url,
        }
        for number, url in enumerate(current.prompts or [])
    ]
    without = sum(bool(row["missing"]) for row in rows)
    return {"prompts": len(rows), "without a picture": without, "the round's prompts": table(rows)}


def builds(current: Round) -> dict[str, Any]:
    entries = current.builds.items() if current.builds else []
    rows: list[dict[str, Value]] = [
        {
            "hotkey": hotkey,
            "status": str(build.status),
            "tag": build.tag,
            "image": build.docker_image,
        }
        for hotkey, build in entries
    ]
    return {"statuses": _counted(str(row["status"]) for row in rows), "builds": table(rows)}


def baseline(current: Round) -> dict[str, Any]:
    return _regeneration([LEADER], current)


def regenerated(current: Round) -> dict[str, Any]:
    return _regeneration([request.hotkey for request in current.requests.root], current)


def _regeneration(hotkeys: Sequence[str], current: Round) -> dict[str, Any]:
    rows: list[dict[str, Value]] = [
        {"hotkey": hotkey, **_output_counts(found, len(current.stems))}
        for hotkey in hotkeys
        if (found := current.generated(hotkey)) is not None
    ]
    return {"regenerated": table(rows)}


def _output_counts(outputs: Outputs, prompts: int) -> dict[str, Value]:
    done = [output for _, output in outputs.items() if output.complete]
    return {
        "complete": len(done),
        "of": prompts,
        "longest, s": round(max((output.generation_time for output in done), default=0.0), 1),
        "largest distance": round(max((output.distance or 0.0 for output in done), default=0.0), 4),
        "MB": round(sum(output.size for output in done) / 1e6, 1),
    }


def renders(current: Round) -> dict[str, Any]:
    rows: list[dict[str, Value]] = []
    for hotkey in current.timeline.order:
        found = current.submitted(hotkey)
        done = [output for _, output in found.items() if output.complete] if found else []
        size = round(sum(output.size for output in done) / 1e6, 1)
        rows.append({"hotkey": hotkey, "complete": len(done), "of": len(current.stems), "MB": size})
    return {
        "miners": len(rows),
        "complete": sum(row["complete"] == row["of"] for row in rows),
        "files": table(rows),
    }


def duels(current: Round) -> dict[str, Any]:
    fought, close, unanswered = 0, 0, 0
    evidence: list[Evidence] = []
    rows: list[dict[str, Value]] = []
    for match in current.matrix.matches:
        report = current.report(match.pair)
        if report is not None:
            won = Counter(duel.winner for duel in report.duels)
            sure = _how_sure(report, current)
            rows.append(
                {
                    "left": short(match.left),
                    "right": short(match.right),
                    "left's wins": won[Outcome.LEFT],
                    "draws": won[Outcome.DRAW],
                    "right's wins": won[Outcome.RIGHT],
                    "margin": report.margin,
                    "verdict": sure,
                }
            )
            fought += len(report.duels)
            close += sure.startswith(CLOSE)
            unanswered += without_usable_answer(report.duels)
            evidence += [duel.evidence for duel in report.duels if duel.evidence]
    counts: dict[str, Any] = {"matches": len(rows), "duels": fought, "close matches": close}
    if unanswered:
        counts["draws without a usable answer"] = unanswered
    if found := orders(evidence):
        counts["position bias"] = round(found.bias, 3)
        counts["agreement of the two orders"] = round(found.agreement, 3)
    return counts | {"match by match": table(rows)}


def _how_sure(report: MatchReport, current: Round) -> str:
    """Whether the judge, asked again, could turn a match (`margins.is_close`), or what was done
    about that.
    """
    if report.others:
        return f"{CLOSE}, played three times"
    if report.clinched:
        return f"sure after {report.clinched.played} of {report.clinched.prompts} duels"
    prompts, judged = max(1, len(current.stems)), judged_duels(report.duels)
    return CLOSE if is_close(report.score, judged, prompts, current.config.win_margin) else "sure"


def matches_matrix(current: Round) -> dict[str, Any]:
    margins, timeline = current.matrix.margins, current.timeline
    given = verdicts(current.audits, current.source_audits)
    line = timeline.line(margins, given)
    # The leader met everyone, which the table shows; the picture is of those who went on.
    shown = {hotkey for pair in margins if pair[0] != LEADER for hotkey in pair}
    among = {pair: margin for pair, margin in margins.items() if pair[1] in shown} or margins
    picture = heat_map(among, [LEADER, *timeline.order], current.config.win_margin)
    return {
        "matches": len(margins),
        "qualified": sum(
            match.left == LEADER and match.margin >= timeline.win_margin
            for match in current.matrix.matches
        ),
        "rejected": len(given.rejected),
        "margins": dg.MetadataValue.md(
            _picture(picture, "margins: rows defend, columns challenge")
        ),
        "timeline": table(
            [_timeline_row(match, line, current) for match in current.matrix.matches]
        ),
    }


def _timeline_row(match: Match, line: Line, current: Round) -> dict[str, Value]:
    """A match and what follows from it; how sure it is shows in the duels."""
    enough = match.margin >= current.config.win_margin
    if match.pair in line.led_by:
        meaning = "takes the place"
    elif match.left == LEADER:
        meaning = "qualifies" if enough else "is out"
    else:
        meaning = "would take the place" if enough else "is held"
    return {
        "left": short(match.left),
        "right": short(match.right),
        "margin": match.margin,
        "the challenger": meaning,
    }


def audit_requests(current: Round) -> dict[str, Any]:
    rows: list[dict[str, Value]] = [
        {"hotkey": request.hotkey, "critical prompts": len(request.critical_prompts)}
        for request in current.requests.root
    ]
    return {"requests": table(rows)}


def audits(current: Round) -> dict[str, Any]:
    rows: list[dict[str, Value]] = [
        {
            "hotkey": short(hotkey),
            "outcome": str(audit.outcome),
            "checked": audit.checked_prompts,
            "failed": audit.failed_prompts,
            "failed critical": audit.failed_critical,
            "median, s": audit.generation_time,
            "reason": audit.reason,
        }
        for hotkey, audit in current.audits.items()
    ]
    return {
        "outcomes": _counted(str(row["outcome"]) for row in rows),
        "audits": table(rows),
        "farthest pairs": dg.MetadataValue.md(farthest_pairs(current)),
    }


def source_audits(current: Round) -> dict[str, Any]:
    return {
        "verdicts": table(
            [dict(audit.model_dump(mode="json")) for audit in current.source_audits.root]
        )
    }


def winner(current: Round) -> dict[str, Any]:
    return dict(current.winner.model_dump()) if current.winner else {}


def leader(current: Round) -> dict[str, Any]:
    return {"transitions": table([dict(entry.model_dump()) for entry in current.leaders.root])}


def stages(changes: Sequence[tuple[Version, State | None, State]]) -> dg.TableMetadataValue | str:
    """The stages a round went through."""
    rows: list[dict[str, Value]] = [
        {
            "at": f"{version.commit.time:%Y-%m-%d %H:%M:%S}",
            "stage": f"{after.current_round} {after.stage}",
            "by": "a person" if version.by_person else "the platform",
            "commit": str(version),
        }
        for version, _, after in changes
    ]
    return table(rows)


def _counted(values: Sequence[str] | Any) -> str:
    return ", ".join(f"{count} {value}" for value, count in Counter(values).most_common()) or "none"


def _picture(svg: str, title: str) -> str:
    return f"![{title}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"


VIEWS: Mapping[str, View] = {
    view.__name__: view
    for view in (
        *(schedule, submissions, seed, prompts, builds, baseline, renders, duels, matches_matrix),
        *(audit_requests, regenerated, audits, source_audits, winner, leader),
    )
} | {"defending_leader": leader}
"""Asset -> what its materialisation shows of the round."""
