"""Canary duels of a round: the pictures that they show are told apart by a judge that looks, over
its own protocol.
"""

import io
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

import pytest
from PIL import Image

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.judgement import Answer, Question, Reply
from gen404_assets.competition.seed import Seed
from gen404_assets.live.canaries import Canaries
from gen404_assets.live.work import Pace
from resources.judge import Judge, ServedJudge
from resources.kept_answers import KeptAnswers
from resources.local_network.judge import MODEL, create_app
from resources.settings import read_settings
from simulators.drawn_pictures import png, prompt
from simulators.judge_serving import serving

OBJECTS = ("vase-0000", "bottle-0001", "lamp-0002", "bowl-0009", "vase-0011", "lamp-0042")


@dataclass
class Objects:
    """The store."""

    objects: dict[str, bytes]

    def get(self, key: str) -> bytes | None:
        return self.objects.get(key)

    def put(self, key: str, data: bytes, content_type: str) -> str:
        assert content_type == "image/png"
        assert self.objects.setdefault(key, data) == data
        return key

    def read(self, url: str) -> bytes:
        return self.objects[url]


class Round:
    """As much of a round as canary duels take."""

    number = 0

    def __init__(self, prompts: list[str]) -> None:
        self.prompts_with_picture = prompts
        self.required_seed = Seed(seed=1)


class Work:
    """As much of a run's work."""

    def __init__(self, judge: Judge, store: Objects) -> None:
        self.outside = self.pictures = self
        self.pace = read_settings(Pace, {})
        self.judge, self.store = KeptAnswers(judge, store), store

    def url(self, _: int, prompt: str) -> str:
        return prompt

    def read(self, url: str) -> bytes:
        return self.store.read(url)


@pytest.fixture(scope="module")
def store() -> Objects:
    return Objects({name: png(prompt(name)) for name in OBJECTS} | {"torn": b"no picture"})


@pytest.fixture(scope="module")
def judge(store: Objects) -> Iterator[ServedJudge]:
    with (
        serving(create_app(store.read)) as url,
        closing(ServedJudge(f"{url}/v1", "local", MODEL, retries=0)) as judge,
    ):
        yield judge


@pytest.mark.parametrize("name", OBJECTS)
def test_a_judge_in_order_passes_on_every_prompt(
    judge: ServedJudge, store: Objects, name: str
) -> None:
    Canaries(Work(judge, store)).fly(Round([name]))  # type: ignore[arg-type]


def test_the_good_picture_shows_the_prompt_from_four_sides_and_the_other_nothing(
    judge: ServedJudge, store: Objects
) -> None:
    Canaries(Work(judge, store)).fly(Round(["vase-0000"]))  # type: ignore[arg-type]
    good, noise = (
        next(key for key in store.objects if f"/{what}-" in key) for what in ("good", "noise")
    )
    shown = [Image.open(io.BytesIO(store.objects[key])) for key in (good, noise)]
    assert shown[0].size == shown[1].size
    side = (shown[0].width - 5) // 2
    corners = [(left, top) for left in (0, side + 5) for top in (0, side + 5)]
    quarters = {
        shown[0].crop((left, top, left + side, top + side)).tobytes() for left, top in corners
    }
    assert len(quarters) == 1
    assert len(shown[1].getcolors(maxcolors=1 << 20) or []) > 1000


def test_a_prompt_that_is_no_picture_is_said_and_the_next_one_is_taken(
    judge: ServedJudge, store: Objects
) -> None:
    canaries, current = Canaries(Work(judge, store)), Round(["torn", "lamp-0002"])  # type: ignore[arg-type]
    with pytest.raises(InfrastructureFault, match="prompt torn can't be read"):
        canaries.fly(current)  # type: ignore[arg-type]
    canaries.fly(current)  # type: ignore[arg-type]


class Provoked:
    """A judge in order that loops whenever it sees one of these prompts."""

    def __init__(self, judge: ServedJudge, *prompts: str) -> None:
        self.judge, self.prompts, self.asked = judge, prompts, list[Question]()
        self.model = judge.model

    def ask(self, question: Question) -> Answer:
        self.asked.append(question)
        if question.prompt in self.prompts:
            return Reply(MODEL, "{   ", "length").answer()
        return self.judge.ask(question)


def test_a_prompt_that_provokes_a_judge_says_nothing_of_it_and_the_next_one_is_taken(
    judge: ServedJudge, store: Objects
) -> None:
    provoked = Provoked(judge, *OBJECTS[:2])
    Canaries(Work(provoked, store)).fly(Round([*OBJECTS[:3]]))  # type: ignore[arg-type]
    assert {question.prompt for question in provoked.asked} == set(OBJECTS[:3])


def test_g01_a_judge_that_is_provoked_by_prompt_after_prompt_is_out_of_order(
    judge: ServedJudge, store: Objects
) -> None:
    with pytest.raises(
        InfrastructureFault, match=r"gone wrong, as canary duels on .* did not come to its end"
    ):
        Canaries(Work(Provoked(judge, *OBJECTS), store)).fly(Round([*OBJECTS]))  # type: ignore[arg-type]


def test_a_confirmation_asks_the_judge_anew_and_one_serves_all_who_wait_for_it(
    judge: ServedJudge, store: Objects
) -> None:
    watched = Provoked(judge)
    canaries, current = Canaries(Work(watched, store)), Round([OBJECTS[0]])  # type: ignore[arg-type]
    canaries.fly(current)  # type: ignore[arg-type]
    canaries.fly(current)  # type: ignore[arg-type]
    assert len(watched.asked) == 3, "the second was not needed"
    canaries.confirm(current)  # type: ignore[arg-type]
    assert len(watched.asked) == 6
    together = threading.Barrier(8)

    def confirm(_: int) -> None:
        together.wait()
        canaries.confirm(current)  # type: ignore[arg-type]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(confirm, range(8)))
    assert len(watched.asked) <= 12, "those who came before a flight began share it"
