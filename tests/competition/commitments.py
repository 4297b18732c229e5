"""A commitment as miners write it, and what the rules read of it."""

import json
from typing import Any

from gen404_assets.competition.commitments import Reading, read_submissions
from gen404_assets.competition.schedule import Schedule
from simulators.examples import COMMIT, MINER

WINDOW = Schedule(earliest_reveal_block=100, latest_reveal_block=200, generation_deadline_block=800)
VALID = {"repo": "owner/model", "commit": COMMIT, "cdn_url": "https://cdn.example/mine"}


def read(commitments: dict[str, list[tuple[int, str]]]) -> Reading:
    return read_submissions(commitments, WINDOW, "mesh-1")


def commitment(**changes: Any) -> str:
    return json.dumps(VALID | changes)


def reason_for(**changes: Any) -> str:
    """Why one commitment with `changes` (None: without the field) is no submission."""
    document = {field: value for field, value in (VALID | changes).items() if value is not None}
    reading = read({MINER: [(150, json.dumps(document))]})
    assert reading.submissions.names == []
    return reading.refused[MINER]
