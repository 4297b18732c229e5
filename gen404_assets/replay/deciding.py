"""What decided a round: the margin in force, what people changed, which matches were judged more
than once, and whether the winner would have been another.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import pairwise

from gen404_assets.competition.audits import verdicts
from gen404_assets.competition.catalogue import Asset
from gen404_assets.competition.config import Config
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.history import History
from gen404_assets.competition.hotkeys import LEADER, short
from gen404_assets.competition.round import CONFIG, LEADERS, POOL
from gen404_assets.competition.timeline import Margins
from gen404_assets.competition.versions import Version
from gen404_assets.replay.baselines import baselines
from gen404_assets.replay.judging import matrices
from gen404_assets.replay.result import Act

_SHOWN = 3  # changes of a commit, and miners named one by one
_DECISIVE = {
    *(Asset.MATCHES_MATRIX.entry.name, Asset.AUDITS.entry.name),
    *(Asset.WINNER.entry.name, Asset.REGENERATED.entry.name),
    *("duels.json", "generations.json", "judge_progress.json", "audit_matrix.csv"),
    "generation_reports.json",
}


def decided(history: History, number: int, acts: Sequence[Act]) -> list[str]:
    """The lines that tell it; none of a round that nothing out of the ordinary decided."""
    lines = [*dict.fromkeys(by_people(number, acts))]
    with suppress(MalformedFile):  # the file's own replay says so
        lines += _superseded(history, number, acts)
    lines += baselines(history, number)
    return [*_margin_in_force(history, number, decided=bool(lines)), *lines]


def _margin_in_force(history: History, number: int, *, decided: bool) -> Iterator[str]:
    """`win_margin` where it was changed while the round was under way, or where it is told what
    else decided.
    """
    ended = history.end(number)
    opened = history.opened(number)
    configs = list(history.readable(CONFIG, partial(Config.parse, path=CONFIG)))
    values = {
        version.index: config.win_margin
        for version, config in configs
        if ended is None or version.index <= ended
    }
    if not values:
        return
    since = opened.index if opened is not None else 0
    during = {value for index, value in values.items() if index > since}
    in_force = values[max(values)]
    if decided or (during and len({*during, in_force}) > 1):
        changed = f", changed to {in_force} during it" if during - {in_force} else ""
        yield f"win_margin in force: {in_force}{changed}"


def by_people(number: int, acts: Sequence[Act]) -> Iterator[str]:
    """People's commits to what all rounds share, and to what decides this one: before, after. What
    one commit did to the same file of many miners is told in a line.
    """
    decisive = [act for act in acts if act.by_person and _is_decisive(act)]
    alike = Counter((act.commit, act.what, _name(act.path)) for act in decisive)
    for act in decisive:
        verb = "wrote" if act.what == "written" else act.what
        many = alike[act.commit, act.what, _name(act.path)]
        if many > _SHOWN:
            yield f"a person {verb} {_name(act.path)} of {many} miners in {act.commit}"
            continue
        changes = [f"{each.entry} {_cut(each.before)} → {_cut(each.after)}" for each in act.changes]
        more = f" and {len(changes) - _SHOWN} more" if len(changes) > _SHOWN else ""
        shown = f": {'; '.join(changes[:_SHOWN])}{more}" if changes else ""
        path = act.path.removeprefix(f"rounds/{number}/")
        yield f"a person {verb} {path} in {act.commit}{shown}"


def _is_decisive(act: Act) -> bool:
    """Whether it may decide something; what is gone stands in no list of files."""
    shared = act.path in {CONFIG, POOL, LEADERS}
    return shared or _name(act.path) in _DECISIVE or act.what == "deleted"


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1]


def _cut(value: str) -> str:
    # Characters of a value.
    return value if len(value) <= 40 else value[:40] + "…"


def _superseded(history: History, number: int, acts: Sequence[Act]) -> Iterator[str]:
    """Matches that were judged more than once, before and after, and the winner by the first
    judging.
    """
    again = [act for act in acts if act.effect == "the match was judged again"]
    if again:
        yield f"{len(again)} reports were superseded by another judging"
    passes = _passes(history, number)
    if not passes:
        return
    now = history.round(number).matrix.margins
    for version, margins in passes:
        gone = [pair for pair in margins if pair not in now]
        other = [pair for pair in margins if pair in now and now[pair] != margins[pair]]
        yield (
            f"a pass of {len(margins)} matches, until {version}, was taken back: "
            f"{len(other)} of them ended otherwise afterwards, {len(gone)} were not played again"
        )
        needed = history.round(number).config.win_margin
        for pair in other:
            if (margins[pair] >= needed) != (now[pair] >= needed):
                names = f"{short(pair[0])},{short(pair[1])}"
                turned = f"{margins[pair]:+.3g} before, {now[pair]:+.3g} now"
                yield f"  {names}: {turned}: the verdict turned"
        yield from _winner_by(history, number, {**now, **margins})


def _passes(history: History, number: int) -> list[tuple[Version, Margins]]:
    """The versions of the matrix from which rows were taken back in the next."""
    path = Asset.MATCHES_MATRIX.path(number)
    known = {version.index: matrix.margins for version, matrix in matrices(history, number)}
    versions = history.versions(path)
    passes = []
    for before, after in pairwise(versions):
        old, new = known.get(before.index, {}), known.get(after.index, {})
        if any(pair not in new or new[pair] != margin for pair, margin in old.items()):
            passes.append((before, old))
    return passes


def _winner_by(history: History, number: int, margins: Margins) -> Iterator[str]:
    """The winner by other margins, where it is decided and another."""
    with suppress(MalformedFile):
        current = history.round(number)
        known = verdicts(current.audits, current.source_audits)
        recorded = current.winner.winner_hotkey if current.winner is not None else None
        line = current.timeline.line(margins, known)
        by_those = line.defenders[-1] if line.defenders else LEADER
        if recorded is not None and by_those != recorded:
            yield f"  by those margins {short(by_those)} would lead the line, not {short(recorded)}"
