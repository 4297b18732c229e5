"""Replay of competition 2's matches: reports, and the matrix of all matches of a round."""

from collections.abc import Iterator, Sequence

from gen404_assets.competition.audits import SourceAudits, SourceVerdict
from gen404_assets.competition.editions.competition_2 import (
    BY_REPORT,
    BY_SOURCE,
    SUBMITTED,
    Audits,
    Config2,
    GenerationReports,
    Outputs2,
    Report2,
    margin_without_report,
    rejection,
    score_of,
)
from gen404_assets.competition.hotkeys import LEADER, short
from gen404_assets.competition.matches import Match, Matrix
from gen404_assets.competition.prompts import stem
from gen404_assets.competition.submissions import Submissions
from gen404_assets.replay.editions.edition_round import EditionRound
from gen404_assets.replay.result import Difference, FileReplay, compared


def matrix_of(this_round: EditionRound, name: str) -> Matrix:
    """A matrix of the round; empty where there is none. Raises MalformedFile."""
    path = this_round.path(name)
    raw = this_round.read(path)
    return Matrix() if raw is None else Matrix.parse(raw, path)


def replay_duels(this_round: EditionRound, path: str) -> FileReplay:
    """A report's sides, duels, score and margin. Who won each duel is taken as recorded."""
    hotkey, file = path.split("/")[-2:]
    report = this_round.required(f"{hotkey}/{file}", Report2)
    kind, _, named = file.removesuffix(".json").partition("_")
    differences = []
    if report.right != hotkey:
        differences.append(Difference("right", report.right, hotkey))
    if short(report.left) != named and not (kind == "audit" and _names(report.left, named)):
        differences.append(Difference("left", report.left, f"a side that {file} is named after"))
    prompts = this_round.prompts()
    names = [duel.name for duel in report.duels]
    if prompts is not None and names != sorted(map(stem, prompts)):
        differences.append(
            Difference("duels", f"{len(names)} duels", "one a prompt, in order of their names")
        )
    score = score_of([duel.winner.value for duel in report.duels])
    if report.score != score:
        differences.append(Difference("score", str(report.score), str(score)))
    margin = score / max(1, len(report.duels))
    if report.margin != margin:
        differences.append(Difference("margin", str(report.margin), str(margin)))
    result = compared("duels" if kind == "duels" else "audit_duels", path, differences)
    result.as_recorded = len(report.duels)
    return result


def _names(left: str, named: str) -> bool:
    """Whether a file `audit_{side}_{r}.json` is named after this side: `submitted` or a hotkey,
    with or without the repeat.
    """
    side, _, repeat = named.rpartition("_")
    name, _, number = left.rpartition("_")
    return (short(left) == side or left == side) or (number == repeat and short(name) == side)


def replay_matches(this_round: EditionRound, path: str) -> FileReplay:
    """The matrix: its order as far as it doesn't depend on when verdicts came, who may have met,
    and each margin from its report, or from what a side has not delivered.
    """
    matrix = matrix_of(this_round, "matches_matrix.csv")
    order = this_round.required("submissions.json", Submissions).names
    differences = [*_qualification(this_round, matrix, order)]
    win_margin = this_round.config(Config2).win_margin
    place = {hotkey: number for number, hotkey in enumerate(order)}
    reports = 0
    for match in matrix.matches:
        label = f"{short(match.left)},{short(match.right)}"
        differences += _sides(match, place, matrix, win_margin, label)
        expected = margin_of(this_round, match)
        reports += expected is not None
        if expected is not None and expected != match.margin:
            differences.append(Difference(label, str(match.margin), str(expected)))
        elif expected is None and not _possible(this_round, match.margin):
            differences.append(
                Difference(label, str(match.margin), "a whole number of prompts by their count")
            )
    taken = len(matrix.matches) - reports
    notes = [f"{taken} margins as recorded: their reports are not in the repository"]
    return compared("matches_matrix", path, differences, notes if taken else [])


def _qualification(
    this_round: EditionRound, matrix: Matrix, order: Sequence[str]
) -> Iterator[Difference]:
    """The leader's rows come first, one a submission in order of reveal, but for those rejected
    when their turn came.
    """
    leading = [match.right for match in matrix.matches if match.left == LEADER]
    first = [match.right for match in matrix.matches[: len(leading)] if match.left == LEADER]
    wanted = [hotkey for hotkey in order if hotkey in leading]
    if leading != first:
        yield Difference(
            "the order", "a match before the qualification's end", "qualification first"
        )
    elif leading != wanted and sorted(leading) == sorted(wanted):
        place = [one == other for one, other in zip(leading, wanted, strict=True)].index(False)
        yield Difference("the order", f"leader,{leading[place]}", f"leader,{wanted[place]}")
    rejected = _rejected(this_round)
    for hotkey in order:
        if hotkey not in leading and hotkey not in rejected:
            yield Difference(f"leader,{hotkey}", "no row", "a row")


def _rejected(this_round: EditionRound) -> set[str]:
    """Those who may lack a qualification match: their report or source audit rejected them."""
    reports = this_round.file("generation_reports.json", GenerationReports)
    sources = this_round.file("source_audit.json", SourceAudits)
    verdicts = this_round.file("generation_audits.json", Audits)
    by_report = {name for name, each in reports.items() if rejection(each)} if reports else set()
    by_source = {
        each.hotkey
        for each in (sources.root if sources is not None else ())
        if each.verdict is SourceVerdict.FAILED
    }
    # A copy may be older than its verdicts: these name what rejected before any match.
    by_verdict = {
        name
        for name, each in (verdicts.items() if verdicts else ())
        if each.reason.startswith((BY_REPORT, BY_SOURCE))
    }
    return by_report | by_source | by_verdict


def _sides(
    match: Match, place: dict[str, int], matrix: Matrix, win_margin: float, label: str
) -> Iterator[Difference]:
    """Both sides must have submitted, the left before the right; two miners meet only if both have
    beaten the leader.
    """
    for side in (match.left, match.right):
        if side not in place and not (side == LEADER and side == match.left):
            yield Difference(label, f"{side} played", "it has no submission")
            return
    if match.left == LEADER:
        return
    if place[match.left] >= place[match.right]:
        yield Difference(label, "left revealed later", "left revealed first")
    for side in (match.left, match.right):
        margin = matrix.margins.get((LEADER, side))
        if margin is None or margin < win_margin:
            yield Difference(label, f"{short(side)} played", "it has not qualified")


def margin_of(this_round: EditionRound, match: Match) -> float | None:
    """A margin by its report, or by what a side has not delivered; None where neither is there."""
    report = this_round.file(f"{match.right}/duels_{short(match.left)}.json", Report2)
    if report is not None:
        score = score_of([duel.winner.value for duel in report.duels])
        return score / max(1, len(report.duels))
    left = _delivered(this_round, match.left, "generated_1.json" if match.left == LEADER else None)
    right = _delivered(this_round, match.right)
    if left is None or right is None:
        return None
    return margin_without_report(left=left, right=right)


def _delivered(this_round: EditionRound, hotkey: str, name: str | None = None) -> bool | None:
    """Whether a side has anything; None where its file is not in the repository."""
    outputs = this_round.file(f"{hotkey}/{name or SUBMITTED + '.json'}", Outputs2)
    if outputs is None and name is not None:
        outputs = this_round.file(f"{hotkey}/generated.json", Outputs2)
    return None if outputs is None else any(output.js for _, output in outputs.items())


def _possible(this_round: EditionRound, margin: float) -> bool:
    """Whether a margin is that of a whole score."""
    prompts = this_round.prompts()
    count = len(prompts) if prompts else this_round.config(Config2).prompts_per_round
    return -1 <= margin <= 1 and round(margin * count) / count == margin
