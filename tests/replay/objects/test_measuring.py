"""Distances measured again, and a judge of one's own asked again."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.judgement import Answer, NotJudged, Question, Reply
from resources.judge import ServedJudge
from simulators.judge_server import judge_server, says, verdict
from tests.replay.objects.world import StoredCompetition, stored_competition


@pytest.fixture
def world() -> Iterator[StoredCompetition]:
    with stored_competition() as competition:
        yield competition


class Measuring:
    """Measures as the recorded competition did, and reads both pictures for it."""

    model = "a model"

    def __init__(self, read: Callable[[str], bytes], distance: float = 0.5) -> None:
        self._read, self._distance = read, distance

    def measure(self, url_a: str, url_b: str) -> float:
        assert "/submitted/" in url_a
        assert "/generated/" in url_b
        self._read(url_a)
        self._read(url_b)
        return self._distance


def generated(world: StoredCompetition) -> str:
    """What was regenerated of the miner whose distances were all 0.5."""
    return next(
        path
        for path, content in sorted(world.files.items())
        if path.startswith("rounds/0/") and path.endswith("/generated.json") and b"0.5" in content
    )


def test_distances_that_are_measured_again_the_same_are_no_finding(
    world: StoredCompetition,
) -> None:
    found = world.check(distance=Measuring)
    assert found.files == {}
    assert found.report.rounds[0].counts["measured"] > 3


def test_a_distance_that_was_changed_is_found(world: StoredCompetition) -> None:
    path = generated(world)
    stem = next(iter(json.loads(world.files[path])))
    world.edit(path, lambda content: content[stem].update(distance=0.05))
    [line] = world.check(distance=Measuring).of(path)
    assert line.startswith(f"{stem}.distance: recorded 0.05, derived 0.5000")


def test_the_pictures_that_a_distance_was_measured_of_have_their_digests(
    world: StoredCompetition,
) -> None:
    path = generated(world)
    stem = next(iter(json.loads(world.files[path])))
    evidence = {"submitted_sha256": "0" * 64, "embedder": "another model"}
    world.edit(path, lambda content: content[stem].update(evidence=evidence))
    found = world.check(distance=Measuring)
    [line] = found.of(path)
    assert line.startswith(f"{stem}.evidence.submitted_sha256: recorded {'0' * 64}, derived ")
    assert found.report.limits == [
        "distances by another model are not measured again: the model here is a model"
    ]


def test_a_model_that_can_not_be_had_is_told_once(world: StoredCompetition) -> None:
    class Gated(Measuring):
        def measure(self, *_: str) -> float:
            raise InfrastructureFault("the model is gated")

    found = world.check(distance=Gated)
    assert found.files == {}
    assert found.report.limits == ["distances are not measured again: the model is gated"]


class AsRecorded:
    """Answers as the recorded judge did, by what lies under the URLs, but for `other` questions."""

    model = "own"

    def __init__(
        self, answers: dict[tuple[str, str, str], tuple[int, int]], other: int = 0
    ) -> None:
        self._answers, self.other = answers, other
        self.asked: list[Question] = []

    def ask(self, question: Question) -> Answer:
        self.asked.append(question)
        first, second = self._answers[question.pictures]
        if len(self.asked) <= self.other:
            first = (first + 5) % 11
        return Reply("own, as served", verdict(first, second)).answer()


def answers_of(world: StoredCompetition) -> dict[tuple[str, str, str], tuple[int, int]]:
    """The recorded penalties, by the URLs of prompt, first and second picture."""
    found: dict[tuple[str, str, str], tuple[int, int]] = {}
    for path, content in world.files.items():
        if not path.startswith("rounds/0/") or "/duels_" not in path:
            continue
        for duel in json.loads(content)["duels"]:
            if not duel.get("evidence"):
                continue
            prompt = f"{world.store.url}/rounds/0/prompts/{duel['name']}.png"
            sides = duel["left_png"], duel["right_png"]
            for order, answer in zip(
                (sides, sides[::-1]), duel["evidence"]["answers"], strict=True
            ):
                if answer.get("finish_reason") is None:
                    penalties = json.loads(answer["text"])
                    found[(prompt, *order)] = penalties["penalty_1"], penalties["penalty_2"]
    return found


def test_a_judge_of_ones_own_is_asked_again_and_the_report_says_how_often_it_agrees(
    world: StoredCompetition,
) -> None:
    judge = AsRecorded(answers_of(world))
    found = world.check(renderer=None, judge=judge, judged=5, count=1)
    agreement = found.report.rounds[0].agreement
    assert agreement is not None
    assert (agreement.duels, agreement.outcomes, agreement.answers) == (5, 5, 10)
    assert str(agreement) == (
        "own, asked again about 5 duels that simulated judged: the same outcome in 5, the same "
        "penalties in 10 of 10 answers"
    )
    assert found.files == {}


def test_a_judge_that_disagrees_is_no_finding(world: StoredCompetition) -> None:
    judge = AsRecorded(answers_of(world), other=10**6)
    found = world.check(renderer=None, judge=judge, judged=5, count=1)
    agreement = found.report.rounds[0].agreement
    assert agreement is not None
    assert agreement.answers == 0
    assert found.files == {}


def test_the_judge_is_asked_over_its_api_what_was_asked_then(world: StoredCompetition) -> None:
    with judge_server(says(verdict(3, 3))) as server:
        judge = ServedJudge(server.url, "key", "own")
        found = world.check(renderer=None, judge=judge, judged=1, count=1)
        judge.close()
    agreement = found.report.rounds[0].agreement
    assert agreement is not None
    assert agreement.duels == 1
    urls = [
        part["image_url"]["url"]
        for part in server.requests[0]["messages"][1]["content"]
        if part["type"] == "image_url"
    ]
    assert all(url.startswith(world.store.url) for url in urls)


def test_a_judge_that_gives_no_answer_is_told(world: StoredCompetition) -> None:
    class Down:
        model = "own"

        def ask(self, _: Question) -> Any:
            raise NotJudged("the judge gave no answer: unreachable")

    found = world.check(renderer=None, judge=Down(), judged=2, count=1)
    assert found.report.rounds[0].agreement is None
    assert found.report.limits == [
        "duels are not judged again: the judge gave no answer: unreachable"
    ]
