"""By which baseline of the leader a round's matches were played, where it changed between them."""

from collections.abc import Iterator
from itertools import pairwise

from gen404_assets.competition.duels import report_name
from gen404_assets.competition.history import History
from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.round import outputs_path
from gen404_assets.competition.versions import Version
from gen404_assets.replay.following import outputs_changed


def baselines(history: History, number: int) -> Iterator[str]:
    """A sentence for each baseline by which matches of the head were played, but the last; nothing
    where all were played by one. A baseline to which outputs were only added is the same one.
    """
    groups: list[tuple[Version, int]] = []
    for version in _played_by(history, number):
        if groups and not _changed(history, groups[-1][0], version):
            groups[-1] = version, groups[-1][1] + 1
        else:
            groups.append((version, 1))
    for (before, count), (after, _) in pairwise(groups):
        matches = "1 match" if count == 1 else f"{count} matches"
        yield (
            f"{matches} against the leader played by the earlier baseline, leader/generated.json "
            f"of {before}; the later ones by that of {after}"
        )


def _played_by(history: History, number: int) -> list[Version]:
    """The baseline's version before each report of a match against the leader, in the order of
    the reports.
    """
    reports = [
        version.index
        for path in history.of_round(number)
        if path.endswith(f"/{report_name(LEADER)}") and (version := history.last(path)) is not None
    ]
    path = outputs_path(number, LEADER)
    known = (history.last(path, index) for index in sorted(reports))
    return [version for version in known if version is not None]


def _changed(history: History, before: Version, after: Version) -> bool:
    if before.index == after.index:
        return False
    return bool(outputs_changed(history.content(before), history.content(after)))
