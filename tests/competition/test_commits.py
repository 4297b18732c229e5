"""Commits: the platform's are told from a person's by their words."""

import pytest

from gen404_assets.competition.commits import by_hand_alone, by_person

OURS = [
    *(
        "Seed, prompts and submissions for round 0",
        "Round 0: downloading",
        "Round 12: duels",
        "Round 3: paused",
    ),
    *("Update build statuses for round 0", "Update generated for round 0, miner leader"),
    *("Update submitted for round 1, miner 5CaHD2FKcu", "Match report: leader vs 5D2vzzgaYq"),
    *(
        "Match report: 5DScQA9A1u vs 5FLiyT19Vc",
        "Update audit requests for round 0",
        "Update matches matrix for round 0",
    ),
    *(
        "Update generation audits for round 0",
        "Update pod stats for round 7, miner 5CaHD2FKcu",
        "Round 1 winner: leader",
    ),
    *(
        "Round 0 winner: 5GgpGaDxzTyBAME1Ju9ZhUstWj2VTm1n4tAUkRHLi4birQZg",
        "Update state (finalizing) for round 0",
    ),
    *(
        "Update state (finished), leader for round 0",
        "Update state (open), schedule, leader for round 1",
    ),
]
PEOPLES = [
    *("", "\n", "Initial commit", "preparation for the round 0", "Added prompts", "README added"),
    *(
        "fix: proper time format for pydantic",
        "Preparing for the round start: config, schedule, github actions",
    ),
    *(
        "Source audit: missing repositories found",
        "Source audit results",
        "Generation audit early stop",
    ),
    *(
        "manual generation reset - rendering service issues",
        "rendering service bug: base miner generations reset",
    ),
    *(
        "docker image name fixed",
        "competition schedule fix and faulty commit rollback",
        "next stage ETA updated",
    ),
    *(
        "revert to duels to save winner.json",
        "Merge branch 'main' of https://example.invalid/x",
        "Round 3: restarted",
    ),
    *(
        'Revert "Update matches matrix for round 0"',
        "update build statuses for round 0",
        "Match report: mended",
    ),
]


@pytest.mark.parametrize("message", OURS)
def test_the_platforms_words_are_known(message: str) -> None:
    assert not by_person(message)
    assert not by_person(f"{message}\n{OURS[0]}\r\n\n  {OURS[-1]}\n")


@pytest.mark.parametrize("message", PEOPLES)
def test_all_others_are_a_persons(message: str) -> None:
    assert by_person(message)
    assert by_person(f"{message.strip() or 'x'}\n{OURS[0]}")


def test_a_persons_line_among_the_platforms_makes_the_commit_a_persons() -> None:
    assert by_person(f"{OURS[0]}\n{OURS[1]}\n\nand mended the matrix")


def test_people_alone_write_source_audits() -> None:
    assert by_hand_alone("rounds/3/source_audit.json")
    assert not by_hand_alone("rounds/3/generation_audits.json")
