"""The rounds of a competition as pandas data frames, one row a submission, match, duel and so
on.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from gen404_assets.competition.audits import verdicts
from gen404_assets.competition.duels import Duel, MatchReport, Outcome
from gen404_assets.competition.editions.facts import RoundRows
from gen404_assets.competition.evidence import orders_agree
from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.files import ListFile, MapFile, Record
from gen404_assets.competition.history import History
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.judgement import NotJudged
from gen404_assets.competition.round import Round

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]

COLUMNS: Mapping[str, Mapping[str, str]] = {
    "rounds": {
        "round": "Int64",
        "earliest_reveal_block": "Int64",
        "latest_reveal_block": "Int64",
        "generation_deadline_block": "Int64",
        "seed": "Int64",
        "prompts": "Int64",
        "submissions": "Int64",
        "qualified": "Int64",
        "matches": "Int64",
        "winner": "string",
        "winner_repo": "string",
        "winner_commit": "string",
    },
    "submissions": {
        "round": "Int64",
        "position": "Int64",
        "hotkey": "string",
        "repo": "string",
        "commit": "string",
        "cdn_url": "string",
        "revealed_at_block": "Int64",
        "build": "string",
        "complete": "Int64",
        "bytes": "Int64",
        "margin": "Float64",
        "qualified": "boolean",
        "rejected": "boolean",
        "won": "boolean",
    },
    "matches": {
        "round": "Int64",
        "position": "Int64",
        "left": "string",
        "right": "string",
        "margin": "Float64",
        "left_wins": "Int64",
        "draws": "Int64",
        "right_wins": "Int64",
        "skipped": "Int64",
        "clinched": "boolean",
    },
    "duels": {
        "round": "Int64",
        "left": "string",
        "right": "string",
        "name": "string",
        "prompt": "string",
        "winner": "string",
        "left_penalty": "Float64",
        "right_penalty": "Float64",
        "orders_agree": "boolean",
        "model": "string",
        "issues": "string",
    },
    "audits": {
        "round": "Int64",
        "hotkey": "string",
        "critical_prompts": "Int64",
        "outcome": "string",
        "checked_prompts": "Int64",
        "failed_prompts": "Int64",
        "failed_critical": "Int64",
        "generation_time": "Float64",
        "reason": "string",
        "source_verdict": "string",
        "source_reason": "string",
    },
    "leaders": {
        "effective_block": "Int64",
        "hotkey": "string",
        "repo": "string",
        "commit": "string",
        "docker": "string",
        "weight": "Float64",
    },
    "miners": {
        "hotkey": "string",
        "rounds": "Int64",
        "first_round": "Int64",
        "last_round": "Int64",
        "qualified": "Int64",
        "rejected": "Int64",
        "won": "Int64",
        "best_margin": "Float64",
        "mean_margin": "Float64",
    },
}
"""Table -> its columns with their pandas types. Times are seconds; a margin is the challenger's,
against the leader in `submissions` and `miners`; penalties are a side's mean over both orders.
"""


@dataclass(frozen=True, slots=True)
class Frames:
    """A competition's rounds as data frames, whose columns `COLUMNS` names."""

    rounds: "pd.DataFrame"
    submissions: "pd.DataFrame"
    matches: "pd.DataFrame"
    duels: "pd.DataFrame"
    audits: "pd.DataFrame"
    leaders: "pd.DataFrame"
    miners: "pd.DataFrame"

    def write(self, folder: Path, file_format: Literal["csv", "parquet"] = "csv") -> list[Path]:
        """Write each table to a file of `folder`; the files. Raises InfrastructureFault where
        Parquet is asked for without a package that writes it.
        """
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        for field in fields(self):
            path = folder / f"{field.name}.{file_format}"
            frame = getattr(self, field.name)
            if file_format == "csv":
                frame.to_csv(path, index=False)
            else:
                _write_parquet(frame, path)
            written.append(path)
        return written


def frames_of(history: History, numbers: Sequence[int] | None = None) -> Frames:
    """The rounds `numbers` (None: all) of a competition as data frames.

    Raises MalformedFile for a file that can't be read.
    """
    rounds = [
        history.round(number)
        for number in history.round_numbers
        if numbers is None or number in numbers
    ]
    return frames_from(
        [_round_rows(each) for each in rounds], leader_rows(rounds[-1]) if rounds else []
    )


def frames_from(rounds: Sequence[RoundRows], leaders: Iterable[Row]) -> Frames:
    """The rows of some rounds, and of `leader.json`, as data frames."""
    submissions = _frame("submissions", (row for each in rounds for row in each.submissions))
    return Frames(
        rounds=_frame("rounds", (each.round for each in rounds)),
        submissions=submissions,
        matches=_frame("matches", (row for each in rounds for row in each.matches)),
        duels=_frame("duels", (row for each in rounds for row in each.duels)),
        audits=_frame("audits", (row for each in rounds for row in each.audits)),
        leaders=_frame("leaders", leaders),
        miners=_miners(submissions),
    )


def _round_rows(current: Round) -> RoundRows:
    return RoundRows(
        round_row(current),
        list(submission_rows(current)),
        list(match_rows(current)),
        list(duel_rows(current)),
        list(audit_rows(current)),
    )


def file_frame(file: "MapFile[Any] | ListFile[Any]", key: str = "hotkey") -> "pd.DataFrame":
    """A state file as a data frame, one row a record, in the file's order; `key` names the column
    of a map's keys.
    """
    import pandas as pd  # noqa: PLC0415 -- as in `_frame`

    record_type: type[Record] = get_args(type(file).model_fields["root"].annotation)[-1]
    columns = list(record_type.model_fields)
    if isinstance(file, MapFile):
        rows = [{key: name} | record.model_dump(mode="json") for name, record in file.items()]
        columns = [key, *(column for column in columns if column != key)]
    else:
        rows = [record.model_dump(mode="json") for record in file.root]
    return pd.DataFrame(rows, columns=columns)


def matrix_frame(current: Round) -> "pd.DataFrame":
    """A round's `matches_matrix.csv` as a data frame."""
    import pandas as pd  # noqa: PLC0415 -- as in `_frame`

    return pd.DataFrame(list(current.matrix.matches), columns=["left", "right", "margin"])


def plain_rows(frame: "pd.DataFrame") -> list[Row]:
    """A frame's rows in Python's own types; what is missing is None."""
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [{str(column): value for column, value in row.items()} for row in rows]


def round_row(current: Round) -> Row:
    """A round in one row."""
    schedule, winner = current.schedule, current.winner
    known = verdicts(current.audits, current.source_audits)
    return {
        "round": current.number,
        **(schedule.model_dump() if schedule else {}),
        "seed": current.seed.seed if current.seed else None,
        "prompts": len(current.prompts) if current.prompts is not None else None,
        "submissions": len(current.timeline.order),
        "qualified": len(current.timeline.qualified(current.matrix.margins, known)),
        "matches": len(current.matrix.matches),
        "winner": winner.winner_hotkey if winner else None,
        "winner_repo": winner.repo if winner else None,
        "winner_commit": winner.commit if winner else None,
    }


def submission_rows(current: Round) -> Iterator[Row]:
    """A round's submissions in the order of play."""
    known = verdicts(current.audits, current.source_audits)
    margins = current.matrix.margins
    for position, (hotkey, entry) in enumerate(
        current.submissions.items() if current.submissions is not None else []
    ):
        files = current.submitted(hotkey)
        complete = [output for _, output in files.items() if output.complete] if files else []
        margin = margins.get((LEADER, hotkey))
        build = current.builds.root.get(hotkey) if current.builds is not None else None
        yield {
            "round": current.number,
            "position": position,
            "hotkey": hotkey,
            "repo": entry.repo,
            "commit": entry.commit,
            "cdn_url": entry.cdn_url,
            "revealed_at_block": entry.revealed_at_block,
            "build": str(build.status) if build else None,
            "complete": len(complete) if files is not None else None,
            "bytes": sum(output.size for output in complete) if files is not None else None,
            "margin": margin,
            "qualified": None if margin is None else margin >= current.timeline.win_margin,
            "rejected": hotkey in known.rejected,
            "won": current.winner.winner_hotkey == hotkey if current.winner else None,
        }


def match_rows(current: Round) -> Iterator[Row]:
    """A round's matches in the order played; wins are unknown where no report was written."""
    for position, match in enumerate(current.matrix.matches):
        report = current.report(match.pair)
        row: Row = {
            "round": current.number,
            "position": position,
            "left": match.left,
            "right": match.right,
            "margin": match.margin,
        }
        if report is not None:
            outcomes = Counter(duel.winner for duel in report.duels)
            row |= {
                "left_wins": outcomes[Outcome.LEFT],
                "draws": outcomes[Outcome.DRAW],
                "right_wins": outcomes[Outcome.RIGHT],
                "skipped": outcomes[Outcome.SKIPPED],
                "clinched": report.clinched is not None,
            }
        yield row


def duel_rows(current: Round) -> Iterator[Row]:
    """A round's duels, match by match; penalties are unknown where no judge's answer is kept, or
    none was usable.
    """
    for match in current.matrix.matches:
        report = current.report(match.pair)
        for duel in report.duels if report is not None else []:
            yield duel_row(current.number, report, duel)


def audit_rows(current: Round) -> Iterator[Row]:
    """A round's audits, in the order asked for."""
    sources = {audit.hotkey: audit for audit in current.source_audits.root}
    for request in current.requests.root:
        audit = current.audits.root.get(request.hotkey)
        source = sources.get(request.hotkey)
        yield {
            "round": current.number,
            "hotkey": request.hotkey,
            "critical_prompts": len(request.critical_prompts),
            **(audit.model_dump(mode="json") if audit else {}),
            "source_verdict": str(source.verdict) if source else None,
            "source_reason": source.reason if source else None,
        }


def leader_rows(current: Round) -> Iterator[Row]:
    """The leaders up to now, oldest first."""
    for entry in current.leaders.root:
        yield entry.model_dump()


def duel_row(number: int, report: MatchReport | None, duel: Duel) -> Row:
    """A duel of round `number` in one row, as in `Frames.duels`."""
    row: Row = {
        "round": number,
        "left": report.left if report else None,
        "right": report.right if report else None,
        "name": duel.name,
        "prompt": duel.prompt,
        "winner": str(duel.winner),
        "issues": duel.issues,
    }
    if duel.evidence is None:
        return row
    row["model"] = duel.evidence.model
    try:
        answers = duel.evidence.judged()
    except NotJudged:  # not the attempts that the rules allow: the replay says so
        return row
    if answers is None:
        return row
    first, swapped = answers
    return row | {
        "left_penalty": (first.penalty_1 + swapped.penalty_2) / 2,
        "right_penalty": (first.penalty_2 + swapped.penalty_1) / 2,
        "orders_agree": orders_agree(first, swapped),
    }


def _miners(submissions: "pd.DataFrame") -> "pd.DataFrame":
    """How each hotkey fared over the rounds, those with the most wins and the best margin first."""
    grouped = submissions.groupby("hotkey", sort=True)
    miners = grouped.agg(
        rounds=("round", "size"),
        first_round=("round", "min"),
        last_round=("round", "max"),
        qualified=("qualified", "sum"),
        rejected=("rejected", "sum"),
        won=("won", "sum"),
        best_margin=("margin", "max"),
        mean_margin=("margin", "mean"),
    ).reset_index()
    ordered = miners.sort_values(["won", "best_margin", "hotkey"], ascending=[False, False, True])
    return ordered.astype(dict(COLUMNS["miners"])).reset_index(drop=True)


def _frame(table: str, rows: Iterable[Row]) -> "pd.DataFrame":
    import pandas as pd  # noqa: PLC0415 -- takes most of a second, and few need it

    columns = COLUMNS[table]
    return pd.DataFrame(list(rows), columns=list(columns)).astype(dict(columns))


def _write_parquet(frame: "pd.DataFrame", path: Path) -> None:
    try:
        frame.to_parquet(path, index=False)
    except ImportError as error:
        raise InfrastructureFault(
            "Parquet needs the package pyarrow: install the extra `parquet`, or write CSV"
        ) from error
