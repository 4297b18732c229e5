"""A round replayed in a repository that lacks the content of some versions of its files: each is
named, and nothing is said to differ that may differ for want of them.
"""

from gen404_assets.competition.catalogue import Asset
from gen404_assets.competition.contents import LOST
from gen404_assets.competition.history import History
from gen404_assets.competition.round import CONFIG, LEADERS, POOL, STATE
from gen404_assets.replay.result import FileReplay, Finding, RoundReplay, underivable


def name_lost(history: History, replayed: RoundReplay) -> None:
    """Name the content that the replay of a round asked for and the repository lacks. What differs
    can't be told then.
    """
    number = replayed.round
    beside = [
        asset.path(other)
        for other in (number - 1, number + 1)
        for asset in (Asset.PROMPTS, Asset.SCHEDULE)
    ]
    shared = (STATE, CONFIG, LEADERS, POOL)
    lost = history.lost([*history.ever_in_round(number), *beside, *shared])
    if not lost:
        return
    path, version = lost[-1]
    reason = f"not all is there that it is derived from: {path} as {version} left it: {LOST}"
    replayed.files = [
        underivable(file.asset, file.path, reason) if file.finding is Finding.DIFFERS else file
        for file in replayed.files
    ]
    replayed.acts = [act for act in replayed.acts if not act.wrong]
    replayed.decided = ()
    by_path = {file.path: file for file in replayed.files}
    for path, version in lost:
        note = f"as {version} left it: {LOST}"
        if path not in by_path:
            by_path[path] = FileReplay("other files", path, Finding.MALFORMED, reason=note)
            replayed.files.append(by_path[path])
        elif not by_path[path].lacks_content:
            by_path[path].notes.append(note)
