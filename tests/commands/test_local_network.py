"""A competition runs itself on one machine, with real processes throughout: two rounds of meshes,
and one of splats.
"""

import base64
import json
import os
import re
import signal
import subprocess
import time
from binascii import b2a_hex
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from gen404_assets.commands.settings import secret_names
from gen404_assets.competition.commits import by_person
from resources.local_network.cast import CAST, FIRST_LEADER, member
from resources.local_network.miner import hotkey
from simulators.local_competition import (
    CANARIES,
    DATABASE_CANARY,
    DATABASE_DUMP,
    KEEP_STORE_KEYS,
    ROUNDS,
    STAGES,
    LocalCompetition,
)

# The first of them waits until the competitions have been played.
pytestmark = pytest.mark.timeout(3000)

PLAYERS = {hotkey(each): each for each in CAST if each.garbage is None}


@pytest.fixture(params=list(ROUNDS))
def competition(
    request: pytest.FixtureRequest, competitions: dict[str, LocalCompetition]
) -> LocalCompetition:
    return competitions[request.param]


def states(competition: LocalCompetition) -> list[tuple[int, str]]:
    """(round, stage) as the commits left them, in order."""
    stages: list[tuple[int, str]] = []
    for sha in competition.git("log", "--reverse", "--format=%H", "--", "state.json").split():
        state = competition.git("show", f"{sha}:state.json")
        if state:
            content: dict[str, Any] = json.loads(state)
            stages.append((content["current_round"], content["stage"]))
    return stages


def test_the_stages_came_in_order_each_once(competition: LocalCompetition) -> None:
    assert states(competition) == [
        *((number, stage) for number in range(competition.rounds) for stage in STAGES),
        (competition.rounds, "open"),
    ]


def test_a_round_on_postgresql_leaves_nothing_of_dagster_s_in_its_home(
    competitions: dict[str, LocalCompetition],
) -> None:
    home = competitions["ply"].home
    if not (home / DATABASE_DUMP).exists():
        pytest.skip("PostgreSQL isn't installed")
    dump = (home / DATABASE_DUMP).read_bytes()
    for table in (b"runs", b"event_logs", b"gen404_notes"):
        assert b"COPY public." + table + b" (" in dump
    assert not list((home / "dagster").rglob("*.db"))


def test_no_sensor_loads_what_draws_or_measures(competition: LocalCompetition) -> None:
    loaded = (competition.home / "libraries").read_text()
    assert "site-packages/grpc/" in loaded, "the code server was looked at"
    # The mirror shows tables, with pandas and its numpy.
    heavy = "gsplat|llvmlite|matplotlib|moderngl|numba|scipy|torch|transformers|trimesh"
    assert not re.findall(f"site-packages/({heavy})/", loaded)


def test_ctrl_c_leaves_no_process_behind(competition: LocalCompetition) -> None:
    assert competition.left() == []


def test_a_round_leaves_every_file_of_the_format(competition: LocalCompetition) -> None:
    for number in range(competition.rounds):
        files = {path.removeprefix(f"rounds/{number}/") for path in competition.files()}
        assert files >= {
            "schedule.json",
            "submissions.json",
            "seed.json",
            "prompts.txt",
            "builds.json",
            "leader/generated.json",
            "matches_matrix.csv",
            "require_audit.json",
            "generation_audits.json",
            "source_audit.json",
            "winner.json",
            *(f"{name}/submitted.json" for name in PLAYERS),
            *(f"{name}/duels_leader.json" for name in PLAYERS if not PLAYERS[name].failing_cdn),
        }
        for request in competition.read(f"rounds/{number}/require_audit.json"):
            assert {
                f"{request['hotkey']}/generated.json",
                f"{request['hotkey']}/pod_stats.json",
            } <= files


def test_everyone_with_a_valid_commitment_takes_part_in_order_of_reveal(
    competition: LocalCompetition,
) -> None:
    for number in range(competition.rounds):
        submissions = competition.read(f"rounds/{number}/submissions.json")
        assert set(submissions) == set(PLAYERS)
        blocks = [entry["revealed_at_block"] for entry in submissions.values()]
        assert blocks == sorted(blocks)


def test_the_files_are_of_the_competitions_format(competition: LocalCompetition) -> None:
    output_format = competition.read("config.json")["output_format"]
    submitted = competition.read(f"rounds/0/{hotkey(member('fine'))}/submitted.json")
    assert all(
        entry[output_format].endswith(f".{output_format}") and entry["png"]
        for entry in submitted.values()
    )


def test_the_cheat_comes_out_first_and_is_thrown_out(competition: LocalCompetition) -> None:
    cheat = hotkey(member("cheat"))
    requests = [request["hotkey"] for request in competition.read("rounds/0/require_audit.json")]
    audit = competition.read("rounds/0/generation_audits.json")[cheat]
    assert requests[0] == cheat
    assert audit["outcome"] == "rejected"
    assert "mismatches" in audit["reason"]


def test_an_honest_miner_takes_over_with_full_weight(competition: LocalCompetition) -> None:
    founder, crowned, *_ = competition.read("leader.json")
    honest = {hotkey(each) for each in CAST if each.image is None}
    winner = competition.read("rounds/0/winner.json")
    assert founder["hotkey"] == hotkey(FIRST_LEADER)
    assert winner["winner_hotkey"] == crowned["hotkey"]
    assert crowned["hotkey"] in honest
    assert (crowned["weight"], crowned["commit"]) == (1.0, winner["commit"])
    assert crowned["docker"].startswith(f"local/{crowned['hotkey'][:10].lower()}:")


def test_each_round_has_an_entry_of_the_leader_from_the_next_rounds_first_block(
    competition: LocalCompetition,
) -> None:
    _, *entries = competition.read("leader.json")
    schedules = [
        competition.read(f"rounds/{number + 1}/schedule.json")
        for number in range(competition.rounds)
    ]
    assert [schedule["latest_reveal_block"] for schedule in schedules] == [
        entry["effective_block"] for entry in entries
    ]
    assert all(entry["weight"] in {0.8, 1.0} for entry in entries), "defended, or taken over"


def test_g10_a_cdn_that_fails_costs_its_miner_alone(competition: LocalCompetition) -> None:
    submitted = competition.read(f"rounds/0/{hotkey(member('unreachable'))}/submitted.json")
    failed = [entry for entry in submitted.values() if entry["png"] is None]
    assert failed
    assert all(entry["reason"] for entry in failed)


def test_it_replays_clean(competition: LocalCompetition) -> None:
    replayed = competition.gen404(
        "replay", str(competition.repository), "--rounds", f"0-{competition.rounds - 1}"
    )
    assert replayed.returncode == 0, replayed.stdout


def test_people_and_platform_can_be_told_apart(competition: LocalCompetition) -> None:
    by_people = [lines[0] for _, _, lines in competition.commits() if by_person("\n".join(lines))]
    assert all(
        subject.startswith(("Begin the competition", "Source audit of")) for subject in by_people
    )
    assert len(by_people) > 2


def test_g23_no_secret_is_found_in_anything_that_a_competition_leaves(
    competition: LocalCompetition,
) -> None:
    """After rounds with a cheat, a broken CDN, refused commitments and a platform that was killed:
    in logs, Dagster's storage, waits, mirrors, the store's records, the lists of processes, and the
    environments of those that deal with strangers' files and code. Core files there are none.
    """
    canaries = [*CANARIES.values(), DATABASE_CANARY]
    secrets = {value.rpartition("/")[2].encode() for value in canaries}
    of_store = {key.encode() for key in competition.store_keys}
    # As HTTP sends them, and as a dump writes bytes.
    for known in (secrets, of_store):
        known.update([to(each) for each in known for to in (base64.b64encode, b2a_hex)])
    looked = [path for path in competition.home.rglob("*") if path.is_file()]
    for path in looked:
        content = path.read_bytes()
        keeps = str(path.relative_to(competition.home)) in KEEP_STORE_KEYS
        found = secrets if keeps else secrets | of_store
        assert not [secret for secret in found if secret in content], path
    names = {path.name for path in looked}
    assert {"dagster.log", "up.log", "arguments", "environments"} <= names
    assert names & {"runs.db", DATABASE_DUMP}
    assert not [name for name in names if re.fullmatch(r"core(\.\d+)?|hs_err.*|.*\.core", name)]
    assert b"gen404_assets" in (competition.home / "arguments").read_bytes()
    assert b"PATH=" in (competition.home / "environments").read_bytes()
    history = competition.git("log", "-p").encode()
    assert not [secret for secret in secrets | of_store if secret in history]


def test_a_worker_that_was_told_a_key_would_be_noted_though_its_parents_differ(
    tmp_path: Path,
) -> None:
    """So that the test above can fail: workers and pods have environments without the home."""
    inner = "env -i KEY=canary sh -c 'sleep 600; :' gpu.workers.template & wait"
    watched = LocalCompetition(tmp_path)
    with subprocess.Popen(
        ["sh", "-c", inner], env={**os.environ, "GEN404_HOME": str(tmp_path)}
    ) as process:
        try:
            until = time.monotonic() + 60
            while b"canary" not in noted(watched) and time.monotonic() < until:
                time.sleep(0.05)
            assert b"canary" in noted(watched)
        finally:
            for each in watched._descendants({process.pid}):
                with suppress(ProcessLookupError):
                    os.kill(each, signal.SIGKILL)


def noted(watched: LocalCompetition) -> bytes:
    watched.note_processes()
    return (watched.home / "environments").read_bytes()


def test_every_secret_setting_has_a_canary() -> None:
    others = {"R2_ACCESS_KEY_ID", "R2_SECRET_ACCESS_KEY", "DATABASE_URL"}
    assert secret_names() - CANARIES.keys() == others
