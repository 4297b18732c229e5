"""The work of `gen404 export`: rounds of any edition as data frames."""

from collections.abc import Sequence

from gen404_assets.competition.history import History
from gen404_assets.frames import Frames, frames_of
from gen404_assets.replay.editions.choosing import edition_of
from gen404_assets.report.editions import competition_of, edition_frames


def frames(history: History, numbers: Sequence[int]) -> Frames:
    """Rounds as data frames, by the edition of their files. Raises MalformedFile."""
    competition = competition_of(history, edition_of(history))
    if competition is None:
        return frames_of(history, numbers)
    return edition_frames(competition, numbers)
