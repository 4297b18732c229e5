"""What a person would rather look at than read, of each asset: counts, tables, and the margins as a
heat map.
"""

import base64
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from gen404_assets.assets.duels_view import duels
from gen404_assets.assets.farthest_pairs import farthest_pairs
from gen404_assets.assets.heat_map import heat_map
from gen404_assets.assets.shown import markdown
from gen404_assets.assets.tables import Value, table
from gen404_assets.competition.audits import verdicts
from gen404_assets.competition.builds import Builds
from gen404_assets.competition.history import StateChange
from gen404_assets.competition.hotkeys import LEADER, short
from gen404_assets.competition.outputs import Outputs
from gen404_assets.competition.prompts import stem
from gen404_assets.competition.round import Round
from gen404_assets.competition.submissions import Submissions
from gen404_assets.competition.timeline import Line
from gen404_assets.frames import file_frame, matrix_frame
from gen404_assets.report.addresses import code_address

if TYPE_CHECKING:
    import pandas as pd

View = Callable[[Round], dict[str, Any]]


def schedule(current: Round) -> dict[str, Any]:
    return dict(current.schedule.model_dump()) if current.schedule else {}


def submissions(current: Round) -> dict[str, Any]:
    frame = file_frame(current.submissions or Submissions({}))
    frame["commit"] = frame["commit"].str[:7]
    frame["hotkey"] = frame["hotkey"].map(short)
    columns = {"hotkey": "hotkey", "revealed_at_block": "block", "repo": "repo"}
    columns |= {"commit": "commit", "cdn_url": "cdn"}
    return {"submissions": len(frame), "in order of reveal": table(_shown(frame, columns))}


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
    frame = file_frame(current.builds or Builds({}))
    frame["hotkey"] = frame["hotkey"].map(short)
    columns = {"hotkey": "hotkey", "status": "status", "tag": "tag", "docker_image": "image"}
    return {"statuses": _counted(frame["status"]), "builds": table(_shown(frame, columns))}


def baseline(current: Round) -> dict[str, Any]:
    return _regeneration([LEADER], current)


def regenerated(current: Round) -> dict[str, Any]:
    return _regeneration([request.hotkey for request in current.requests.root], current)


def _regeneration(hotkeys: Sequence[str], current: Round) -> dict[str, Any]:
    rows: list[dict[str, Value]] = [
        {"hotkey": hotkey, **_output_counts(outputs, len(current.stems))}
        for hotkey in hotkeys
        if (outputs := current.generated(hotkey)) is not None
    ]
    return {"regenerated": table(rows)}


def _output_counts(outputs: Outputs, prompts: int) -> dict[str, Value]:
    done = [output for _, output in outputs.items() if output.complete]
    return {
        "complete": len(done),
        "of": prompts,
        "longest, s": max((output.generation_time for output in done), default=0.0),
        "largest distance": max((output.distance or 0.0 for output in done), default=0.0),
        "MB": round(sum(output.size for output in done) / 1e6, 1),
    }


def renders(current: Round) -> dict[str, Any]:
    rows: list[dict[str, Value]] = []
    for hotkey in current.timeline.order:
        outputs = current.submitted(hotkey)
        done = [output for _, output in outputs.items() if output.complete] if outputs else []
        size = round(sum(output.size for output in done) / 1e6, 1)
        rows.append(
            {"hotkey": short(hotkey), "complete": len(done), "of": len(current.stems), "MB": size}
        )
    return {
        "miners": len(rows),
        "complete": sum(row["complete"] == row["of"] for row in rows),
        "files": table(rows),
    }


def matches_matrix(current: Round) -> dict[str, Any]:
    frame, timeline = matrix_frame(current), current.timeline
    verdicts_now = verdicts(current.audits, current.source_audits)
    line = timeline.line(current.matrix.margins, verdicts_now)
    first = frame[frame["left"] == LEADER]
    # The leader met everyone, which the table shows; the picture is of those who went on.
    later = frame[frame["left"] != LEADER]
    went_on = frame[frame["right"].isin([*later["left"], *later["right"]])]
    drawn = heat_map(
        went_on if len(went_on) else frame,
        [LEADER, *timeline.order],
        current.config.win_margin,
    )
    frame["the challenger"] = [
        _meaning(left, right, margin, line, current.config.win_margin)
        for left, right, margin in zip(frame["left"], frame["right"], frame["margin"], strict=True)
    ]
    columns = {name: name for name in ("left", "right", "margin", "the challenger")}
    return {
        "matches": len(frame),
        "qualified": int((first["margin"] >= timeline.win_margin).sum()),
        "rejected": len(verdicts_now.rejected),
        "margins": markdown(picture(drawn, "margins: rows defend, columns challenge")),
        "timeline": table(_shown(frame, columns)),
    }


def _meaning(left: str, right: str, margin: float, line: Line, win_margin: float) -> str:
    """What follows from a match for the challenger; how sure it is shows in the duels."""
    enough = margin >= win_margin
    if (left, right) in line.led_by:
        return "takes the place"
    if left == LEADER:
        return "qualifies" if enough else "is out"
    return "would take the place" if enough else "is held"


def audit_requests(current: Round) -> dict[str, Any]:
    rows: list[dict[str, Value]] = [
        {"hotkey": request.hotkey, "critical prompts": len(request.critical_prompts)}
        for request in current.requests.root
    ]
    return {"requests": table(rows)}


def audits(current: Round) -> dict[str, Any]:
    frame = file_frame(current.audits)
    columns = {
        "hotkey": "hotkey",
        "outcome": "outcome",
        "checked_prompts": "checked",
        "failed_prompts": "failed",
        "failed_critical": "failed critical",
        "generation_time": "median, s",
        "reason": "reason",
    }
    frame["hotkey"] = frame["hotkey"].map(short)
    return {
        "outcomes": _counted(frame["outcome"]),
        "audits": table(_shown(frame, columns)),
        "farthest pairs": markdown(farthest_pairs(current)),
    }


def source_audits(current: Round) -> dict[str, Any]:
    return {"verdicts": table(file_frame(current.source_audits))}


def winner(current: Round) -> dict[str, Any]:
    if current.winner is None:
        return {}
    won = dict(current.winner.model_dump())
    code = code_address(current.winner.repo, current.winner.commit)
    return won | ({"code": dg.MetadataValue.url(code)} if code else {})


def leader(current: Round) -> dict[str, Any]:
    return {"transitions": table(file_frame(current.leaders))}


def stages(changes: Sequence[StateChange]) -> dg.TableMetadataValue | str:
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


def _shown(frame: "pd.DataFrame", columns: Mapping[str, str]) -> "pd.DataFrame":
    """Some columns of a frame under the names shown, hotkeys of matches short."""
    sides = {side: frame[side].map(short) for side in ("left", "right") if side in columns}
    return frame.assign(**sides)[[*columns]].rename(columns=columns)


def _counted(values: Iterable[str]) -> str:
    return ", ".join(f"{count} {value}" for value, count in Counter(values).most_common()) or "none"


def picture(svg: str, title: str) -> str:
    """An SVG as Markdown that shows it."""
    return f"![{title}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"


VIEWS: Mapping[str, View] = {
    view.__name__: view
    for view in (
        *(schedule, submissions, seed, prompts, builds, baseline, renders, duels, matches_matrix),
        *(audit_requests, regenerated, audits, source_audits, winner, leader),
    )
} | {"defending_leader": leader}
"""Asset -> what its materialisation shows of the round."""
