"""The platform's commit messages, by which its commits are distinguished from a person's."""

import re
from functools import lru_cache

_OURS = re.compile(
    r"(Update .+ for round \d+(, miner \S+)?"
    r"|Match report: \S+ vs \S+"
    r"|Round \d+: (open|miner_generation|downloading|duels|finalizing|finished|paused)"
    r"|Round \d+ winner: \S+"
    r"|Seed, prompts and submissions for round \d+)"
)
_BY_HAND = ("/source_audit.json", "/again.json")


@lru_cache(maxsize=8192)
def by_person(message: str) -> bool:
    """Whether a person made the commit: its message is empty, or has a line of another form."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return not lines or any(not _OURS.fullmatch(line) for line in lines)


def by_hand_alone(path: str) -> bool:
    """Whether only people write a file, whatever the commit's message is."""
    return path.endswith(_BY_HAND)
