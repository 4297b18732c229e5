"""What people change once a round has ended: the round replays as it was, and what was changed is
told.
"""

import json
from typing import Any

import pytest

from gen404_assets.competition.hotkeys import LEADER, short
from gen404_assets.competition.round import CONFIG, STATE
from tests.replay.tampering import (
    AUDITS,
    BUILDS,
    MATRIX,
    REQUESTS,
    WINNER,
    Tampered,
    differing,
    noted,
    open_history,
    replay,
    shown,
)


def test_verdicts_that_come_after_the_end_change_no_winner_and_are_told(tampered: Tampered) -> None:
    winner = tampered.json(WINNER)["winner_hotkey"]
    assert winner != LEADER
    late = [{"hotkey": winner, "verdict": "failed", "reason": "found out later"}]
    source = "rounds/0/source_audit.json"
    tampered.edit(source, lambda audits: [*audits, *late], "Update source audits for round 0")
    assert noted(tampered, WINNER).startswith("by what was changed since, the winner would be ")
    files = {file.path: file for file in replay(open_history(tampered.path))}
    assert files[source].by_person[-1] == tampered.commit, (
        "people alone write it, whatever they say"
    )


def test_what_is_regenerated_after_a_verdict_changes_nothing_in_it(tampered: Tampered) -> None:
    hotkey = next(
        hotkey for hotkey, audit in tampered.json(AUDITS).items() if audit["checked_prompts"]
    )
    made = tampered.json(f"rounds/0/{hotkey}/generated.json")
    for output in made.values():
        output.update(distance=0.5, generation_time=170.0)
    tampered.write({f"rounds/0/{hotkey}/generated.json": json.dumps(made, indent=2).encode()})
    assert shown(tampered.differing()) == {}


def test_a_configuration_changed_or_broken_after_a_round_changes_nothing_in_it(
    tampered: Tampered,
) -> None:
    tampered.edit(
        CONFIG, lambda config: config.update(win_margin=0.5, weight_decay=0.01, prompts_per_round=2)
    )
    assert shown(tampered.differing()) == {}
    tampered.write({CONFIG: b"{"})
    assert shown(differing(open_history(tampered.path), 3)) == {}


@pytest.mark.parametrize(
    "name",
    [
        "submissions.json",
        "seed.json",
        "prompts.txt",
        "builds.json",
        "matches_matrix.csv",
        "winner.json",
    ],
)
def test_a_file_deleted_after_a_round_is_missed_with_the_commit(
    tampered: Tampered, name: str
) -> None:
    path = f"rounds/0/{name}"
    tampered.write({path: None})
    files = tampered.differing()
    assert path in files
    assert files[path].by_person == [tampered.commit]
    assert "no file" in str(files[path].differences[0])
    assert set(files) <= {path} | ({WINNER, REQUESTS} if path == MATRIX else set())


def test_a_deleted_report_is_missed_in_the_matrix(tampered: Tampered) -> None:
    tampered.write({tampered.report: None})
    difference = tampered.only(MATRIX).differences[0]
    assert str(difference) == (
        f"leader,{short(tampered.loser)}: recorded no report, derived a report "
        f"(deleted by a person in {tampered.commit})"
    )


def test_a_round_set_back_and_ended_again_is_told(tampered: Tampered) -> None:
    opened = tampered.read(STATE)
    tampered.edit(STATE, lambda state: state.update(current_round=2, stage="finalizing"))
    by_hand = tampered.commit
    tampered.write({STATE: opened}, "Update state (open), schedule, leader for round 3")
    assert f"a person set it from open to finalizing in {by_hand}" in noted(tampered, STATE)


def test_images_renamed_as_a_whole_are_noted_and_one_alone_is_found(tampered: Tampered) -> None:
    def rename(builds: Any) -> None:
        for build in builds.values():
            if build["docker_image"]:
                build["docker_image"] = build["docker_image"].replace(
                    "registry.invalid", "mended.invalid"
                )

    tampered.edit(BUILDS, rename)
    differing_files = tampered.differing()
    assert set(differing_files) <= {WINNER}, "the winner was told before"
    files = {file.path: file for file in replay(open_history(tampered.path), 1)}
    assert "the images are named mended.invalid/made-up/{hotkey10}:{tag}" in files[BUILDS].notes
