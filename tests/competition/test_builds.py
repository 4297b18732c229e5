"""Builds: what GitHub's word makes of them, and that its silence makes nothing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gen404_assets.competition.builds import (
    BuildRun,
    Builds,
    BuildStatus,
    mendable,
    observe_builds,
    pending_builds,
)
from gen404_assets.competition.settings import Rules
from gen404_assets.competition.submissions import Submissions
from simulators.examples import COMMIT, MINER, MINERS, RULES, submission

DEADLINE = 3 * 3600
NO_FAULT = ("cancelled", "skipped", "action_required", "stale", "neutral", "startup_failure")
PENDING = pending_builds(Submissions({MINERS[1]: submission(7), MINER: submission(9)}))


def status(builds: Builds) -> str:
    return builds[MINER].status.value


def observed_with(
    conclusion: str, builds: Builds = PENDING, waited: float = 60.0, *, ended: bool = False
) -> Builds:
    return observe_builds(builds, BuildRun(ended, {MINER: conclusion}), waited, RULES)


def standing(name: str) -> Builds:
    """Builds with the miner's as if GitHub had told that status before."""
    image = "image" if name == "success" else None
    build = PENDING[MINER].model_copy(update={"status": BuildStatus(name), "docker_image": image})
    return Builds(PENDING.root | {MINER: build})


def test_builds_begin_pending_in_the_order_of_submissions() -> None:
    assert PENDING.names == [MINERS[1], MINER]
    build = PENDING[MINER]
    assert (build.repo, build.commit, build.revealed_at_block) == ("owner/model", COMMIT, 9)
    assert (build.tag, build.status.value, build.docker_image) == (
        f"{COMMIT[:7]}-mesh-1",
        "pending",
        None,
    )


@pytest.mark.parametrize(
    ("conclusion", "expected"),
    [
        *(
            ("success", "success"),
            ("in_progress", "in_progress"),
            ("pending", "pending"),
            ("queued", "pending"),
        ),
        *(("failure", "failure"), ("timed_out", "failure")),
        *((other, "pending") for other in NO_FAULT),
    ],
)
def test_a_conclusion_decides(conclusion: str, expected: str) -> None:
    observed = observed_with(conclusion)
    assert status(observed) == expected
    assert observed[MINERS[1]] == PENDING[MINERS[1]]


def test_a_success_names_the_image_by_ten_characters_and_tag_in_lower_case() -> None:
    image = observed_with("success")[MINER].docker_image
    registry = "europe-west3-docker.pkg.dev/gen-456515/active-competition"
    assert image == f"{registry}/{MINER[:10].lower()}:{COMMIT[:7]}-mesh-1"
    rules = Rules(docker_image_format="{tag}/{hotkey10}")
    upper = Builds({MINER: PENDING[MINER].model_copy(update={"tag": "ABC-mesh-1"})})
    named = observe_builds(upper, BuildRun(True, {MINER: "success"}), 0, rules)
    assert named[MINER].docker_image == f"abc-mesh-1/{MINER[:10].lower()}"


@pytest.mark.parametrize(
    "run", [None, BuildRun(False, {}), BuildRun(False, {MINERS[2]: "success"})]
)
@pytest.mark.parametrize("before", [status.value for status in BuildStatus])
def test_g06_absence_changes_nothing_before_the_deadline(run: BuildRun | None, before: str) -> None:
    builds = standing(before)
    assert observe_builds(builds, run, DEADLINE - 1, RULES) == builds


@pytest.mark.parametrize("word", [*NO_FAULT, "waiting", "requested", "a word of tomorrow", ""])
@pytest.mark.parametrize("before", [status.value for status in BuildStatus])
def test_g06_a_conclusion_that_is_not_the_codes_doing_changes_nothing_until_the_deadline(
    word: str, before: str
) -> None:
    builds = standing(before)
    assert observed_with(word, builds, DEADLINE - 1, ended=True)[MINER] == builds[MINER]
    after = status(observed_with(word, builds, DEADLINE, ended=True))
    assert after == ("timed_out" if before in {"pending", "in_progress"} else before)


@pytest.mark.parametrize("before", ["failure", "timed_out", "not_found"])
@pytest.mark.parametrize("waited", [60.0, DEADLINE + 1.0])
def test_a_later_success_mends_what_no_verdict_was_given_on(before: str, waited: float) -> None:
    builds, run = standing(before), BuildRun(True, {MINER: "success"})
    mended = observe_builds(builds, run, waited, RULES)
    assert status(mended) == "success"
    assert mended[MINER].docker_image
    judged = observe_builds(builds, run, waited, RULES, judged={MINER})
    assert judged[MINER] == builds[MINER]
    assert mendable(builds, ()) == [MINER]
    assert mendable(builds, {MINER}) == []
    assert MINER not in mendable(mended, ())


@pytest.mark.parametrize("word", ["failure", "in_progress", "cancelled"])
def test_a_success_seen_before_is_kept_when_its_job_is_run_again(word: str) -> None:
    builds = standing("success")
    for run in (BuildRun(False, {MINER: word}), BuildRun(True, {}), None):
        assert observe_builds(builds, run, 60, RULES)[MINER] == builds[MINER]


@pytest.mark.parametrize("word", ["waiting", "requested", ""])
def test_g06_a_status_that_is_no_conclusion_leaves_a_build_open(word: str) -> None:
    assert not observed_with(word)[MINER].status.ended


@pytest.mark.parametrize("before", ["pending", "in_progress"])
def test_g06_a_job_missing_from_a_run_that_has_ended_is_not_found(before: str) -> None:
    observed = observe_builds(standing(before), BuildRun(True, {}), 60, RULES)
    assert status(observed) == "not_found"
    assert observed[MINER].docker_image is None


@pytest.mark.parametrize(
    "run", [None, BuildRun(False, {}), BuildRun(False, {MINER: "in_progress"})]
)
@pytest.mark.parametrize("before", ["pending", "in_progress"])
def test_g12_what_is_open_at_the_deadline_has_timed_out(run: BuildRun | None, before: str) -> None:
    assert status(observe_builds(standing(before), run, DEADLINE, RULES)) == "timed_out"
    assert status(observe_builds(standing(before), run, 60, Rules(build_timeout=60))) == "timed_out"


@pytest.mark.parametrize("before", ["not_found", "timed_out", "in_progress"])
def test_a_late_success_counts(before: str) -> None:
    observed = observed_with("success", standing(before), DEADLINE + 1, ended=True)
    assert status(observed) == "success"
    assert observed[MINER].docker_image


@pytest.mark.parametrize("before", ["success", "failure"])
@pytest.mark.parametrize("word", ["failure", "in_progress", "queued"])
def test_what_has_succeeded_or_failed_stays(before: str, word: str) -> None:
    builds = standing(before)
    assert observed_with(word, builds, DEADLINE + 1)[MINER] == builds[MINER]
    assert observe_builds(builds, BuildRun(True, {}), DEADLINE + 1, RULES)[MINER] == builds[MINER]


runs = st.none() | st.builds(
    BuildRun,
    st.booleans(),
    st.dictionaries(
        st.sampled_from(MINERS[:3]),
        st.sampled_from(["success", "queued", "?", "failure", "cancelled"]),
    ),
)


@settings(max_examples=100)
@given(st.lists(st.tuples(runs, st.floats(0, 2 * DEADLINE)), max_size=6))
def test_g12_whatever_github_says_every_build_ends_at_the_deadline(
    observations: list[tuple[BuildRun | None, float]],
) -> None:
    builds = PENDING
    for run, waited in [*sorted(observations, key=lambda entry: entry[1]), (None, DEADLINE)]:
        builds = observe_builds(builds, run, waited, RULES)
        assert builds.names == PENDING.names
        assert all(
            (build.docker_image is not None) == (build.status.value == "success")
            for build in builds.root.values()
        )
    assert all(build.status.ended for build in builds.root.values())
