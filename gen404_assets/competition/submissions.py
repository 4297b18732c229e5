"""`submissions.json`: who takes part in a round, in order of reveal."""

from gen404_assets.competition.files import MapFile, Record


class Submission(Record):
    """A miner's published code and where its results will be. `revealed_at_block` is that of the
    commit.
    """

    repo: str
    commit: str
    cdn_url: str
    revealed_at_block: int
    round: str


class Submissions(MapFile[Submission]):
    """hotkey -> submission; the order is the order of play."""


def file_url(cdn_url: str, stem: str, output_format: str) -> str:
    """Where a miner's file for a prompt is (`rules.md`, MINER_GENERATION, DOWNLOADING)."""
    return f"{cdn_url}/{stem}.{output_format}"
