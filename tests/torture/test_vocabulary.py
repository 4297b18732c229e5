"""Disturbances happen at the moment that they name, once, over real HTTP; and the comparison of two
endings finds what differs.
"""

import http.client
import json
import random
import time
from collections import Counter
from urllib.parse import urlsplit

import pytest

from simulators.torture.answers import first_name
from simulators.torture.ending import Ending, differences
from simulators.torture.faults import (
    KINDS,
    MACHINE,
    NETWORK,
    WITH_EFFECTS,
    Fault,
    Faults,
    Kind,
    drawn,
    each_effect,
)
from simulators.torture.front import Front, Request, Response, serving
from simulators.torture.points import Summary, unseen

Answer = tuple[int, bytes]


class Asked:
    """A server with disturbances in front, and what reached it."""

    def __init__(self, *plan: Fault) -> None:
        self.acted: list[Fault] = []
        self.faults = Faults(plan, lambda fault, _: self.acted.append(fault))
        self.reached = 0

    def answer(self, request: Request) -> Response:
        self.reached += 1
        return Response.in_json({"method": request.method})

    def ask(self, *methods: str) -> list[Answer | str]:
        """The answers, or how the connection failed."""
        front = Front(
            "store", self.answer, lambda: self.faults, lambda request: request.method == "PUT"
        )
        answers: list[Answer | str] = []
        with serving(front) as url:
            for method in methods:
                connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
                try:
                    connection.request(method, "/key", body=b"x" if method == "PUT" else None)
                    answer = connection.getresponse()
                    answers.append((answer.status, answer.read()))
                except (OSError, http.client.HTTPException) as error:
                    answers.append(type(error).__name__)
                finally:
                    connection.close()
        return answers


def statuses(answers: list[Answer | str]) -> list[int | str]:
    return [each if isinstance(each, str) else each[0] for each in answers]


def test_the_last_attempt_at_a_file_is_not_kept_from_its_answer() -> None:
    faults = Faults([Fault("container", Kind.HANG, at) for at in (1, 2, 3)])
    met = [
        faults.meet("container", effect=True, port=0, attempt=file)
        for file in ("a file", "a file", "another")
    ]
    assert [each is None for each in met] == [False, True, False]


def test_a_disturbance_meets_the_request_of_its_number_and_no_other() -> None:
    asked = Asked(Fault("store", Kind.ERROR, 2))
    assert statuses(asked.ask("GET", "GET", "GET")) == [200, 503, 200]
    assert asked.reached == 2


def test_effects_are_counted_apart_from_other_requests() -> None:
    asked = Asked(Fault("store", Kind.ERROR, 2, effect=True))
    assert statuses(asked.ask("PUT", "GET", "PUT", "PUT")) == [200, 200, 503, 200]


def test_a_disturbance_after_the_effect_lets_it_come_about_and_loses_the_answer() -> None:
    asked = Asked(Fault("store", Kind.RESET, 1, after=True))
    assert asked.ask("PUT") == ["ConnectionResetError"]
    assert asked.reached == 1


def test_an_outage_lasts_for_its_seconds_and_meets_whatever_comes() -> None:
    asked = Asked(Fault("store", Kind.ERROR, 1, seconds=0.6))
    assert statuses(asked.ask("GET", "GET")) == [503, 503]
    time.sleep(0.7)
    assert statuses(asked.ask("GET")) == [200]
    assert [met.requests for met in asked.faults.met] == [2]


def test_a_hang_ends_without_an_answer_and_a_slow_answer_comes() -> None:
    began = time.monotonic()
    hung = Asked(Fault("store", Kind.HANG, 1, seconds=0.5))
    assert isinstance(hung.ask("GET")[0], str)
    slow = Asked(Fault("store", Kind.SLOW, 1, seconds=0.5))
    assert statuses(slow.ask("GET")) == [200]
    assert time.monotonic() - began >= 1


def test_garbage_is_a_page_that_is_no_answer() -> None:
    (answer,) = Asked(Fault("store", Kind.GARBAGE, 1)).ask("GET")
    assert answer[0] == 200
    assert b"<html>" in answer[1]


@pytest.mark.parametrize("kind", [Kind.KILL, Kind.KILL_ALL, *MACHINE, Kind.JUMP, Kind.REWRITTEN])
def test_what_no_answer_shows_is_done_once(kind: Kind) -> None:
    asked = Asked(Fault("store", kind, 1))
    asked.ask("GET", "GET")
    assert [fault.kind for fault in asked.acted] == [kind]


def test_every_effect_of_a_round_is_taken_before_and_after() -> None:
    counts = Counter({("git", False): 9, ("git", True): 2, ("cdn", False): 3, ("cdn", True): 0})
    faults = each_effect(counts)
    assert {(fault.at, fault.after) for fault in faults} == {
        (1, False),
        (1, True),
        (2, False),
        (2, True),
    }
    assert {fault.adapter for fault in faults} == {"git"}


def test_a_seed_draws_the_same_disturbances_again_and_only_what_may_happen() -> None:
    counts = Counter({(name, effect): 40 for name in KINDS for effect in (False, True)})
    for seed in range(200):
        first, second = (drawn(random.Random(seed), 5, counts, 8.0) for _ in range(2))
        assert first == second
        assert [
            Fault.from_record(json.loads(json.dumps(fault.as_json()))) for fault in first
        ] == first
        for fault in first:
            assert 1 <= fault.at <= 40
            assert fault.kind in {*KINDS[fault.adapter], *MACHINE, Kind.KILL}


def test_miners_bytes_are_never_spoilt() -> None:
    """Other bytes would be another answer, and another result."""
    assert Kind.GARBAGE not in {*KINDS["cdn"], *KINDS["container"]}
    assert set(KINDS) >= set(WITH_EFFECTS)
    assert all(Kind.HANG in kinds for kinds in KINDS.values())
    assert set(NETWORK) <= set(KINDS["judge"])


WHOLE = Ending({"a.json": b"1"}, {"key": "digest"}, [(0, "open")])


@pytest.mark.parametrize(
    ("actual", "line_start"),
    [
        (Ending({"a.json": b"2"}, {"key": "digest"}, [(0, "open")]), "file a.json"),
        (Ending({}, {"key": "digest"}, [(0, "open")]), "file a.json is missing"),
        (Ending({"a.json": b"1"}, {"key": "other"}, [(0, "open")]), "object key"),
        (Ending({"a.json": b"1"}, {}, [(0, "open")]), "object key is missing"),
        (
            Ending({"a.json": b"1"}, {"key": "digest", "more": "x"}, [(0, "open")]),
            "object more is too much",
        ),
        (Ending({"a.json": b"1"}, {"key": "digest"}, [(0, "open"), (0, "duels")]), "stages"),
    ],
)
def test_whatever_differs_between_two_endings_is_named(actual: Ending, line_start: str) -> None:
    assert differences(WHOLE, WHOLE) == []
    (line,) = differences(WHOLE, actual)
    assert line.startswith(line_start)


def test_an_outage_that_status_does_not_name_is_counted_as_unseen() -> None:
    outage = {"fault": {"adapter": "judge", "kind": "5xx"}, "requests": 3}
    assert unseen([outage | {"output": '{"waits": []}'}]) == ["judge"]
    assert unseen([outage | {"output": '{"waits": [{"for": "the judge gave no answer"}]}'}]) == []


def test_a_summary_counts_disturbances_by_adapter_and_names_what_fell() -> None:
    met = {"adapter": "git", "kind": "hang", "requests": 1}
    held = {"point": 1, "seed": 5, "kills": 2, "met": [met], "unseen": [], "fell": []}
    fallen = held | {"point": 2, "met": [met, met], "unseen": ["store"], "fell": ["pods are left"]}
    text = Summary.from_entries([held, fallen]).text()
    assert "2 points, 4 kills, 1 points fell" in text
    assert "git: hang 3" in text
    assert "point 2 (seed 5)" in text
    assert "store 1" in text


def test_the_file_of_a_later_attempt_has_the_name_of_the_first() -> None:
    assert first_name("x/generated/h-2.glb y/generated/h-12.png") == (
        "x/generated/h.glb y/generated/h.png"
    )
    assert first_name("canaries/noise-2.png") == "canaries/noise-2.png"
