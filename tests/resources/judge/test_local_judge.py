"""The local network's judge: it speaks the protocol of the real one, and tells good rebuilds from
bad ones.
"""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import httpx2
import pytest

from gen404_assets.competition.judgement import Answer, NotJudged, Question, Unusable
from gpu.services.fetching import Pictures
from resources.judge import ServedJudge, check_judge
from resources.local_network.judge import MODEL, Likeness, create_app
from simulators.drawn_pictures import LADDER, blank, drawn, noise, png, prompt
from simulators.judge_serving import Files, serving, serving_files

OBJECTS = ("vase-0000", "bottle-0001", "lamp-0002", "bowl-0009")
REMAKES = ("truth", *LADDER, "grey", "other colours")


@pytest.fixture(scope="module")
def files() -> Iterator[Files]:
    content = {"noise": png(noise()), "blank": png(blank()), "text": b"not a picture"}
    for name in OBJECTS:
        content[f"prompt-{name}"] = png(prompt(name))
        content |= {
            f"{remake}-{name}".replace(" ", "-"): png(drawn(name, remake)) for remake in REMAKES
        }
    content["copy-vase-0000"] = content["fine-vase-0000"]
    with serving_files(content) as files:
        yield files


@pytest.fixture(scope="module")
def judge(files: Files) -> Iterator[ServedJudge]:
    app = create_app(Pictures([files.url]).fetch)
    with serving(app) as url, closing(ServedJudge(f"{url}/v1", "local", MODEL, retries=0)) as judge:
        yield judge


def ask(judge: ServedJudge, files: Files, name: str, first: str, second: str) -> Answer:
    return judge.ask(
        Question(
            f"{files.url}/prompt-{name}", f"{files.url}/{first}", f"{files.url}/{second}", seed=1
        )
    )


def penalty(judge: ServedJudge, files: Files, name: str, remake: str) -> int:
    return ask(judge, files, name, f"{remake}-{name}", "blank").penalty_1


@pytest.mark.parametrize("name", OBJECTS)
def test_a_finer_rebuild_gets_the_smaller_penalty(
    judge: ServedJudge, files: Files, name: str
) -> None:
    penalties = [penalty(judge, files, name, remake) for remake in ("truth", *LADDER)]
    assert penalties == sorted(penalties)
    assert penalties[0] == 0
    # The duel is won by a difference of more than one (rules.md, Duels).
    assert penalty(judge, files, name, "mediocre") - penalty(judge, files, name, "fine") > 1
    assert penalty(judge, files, name, "poor") - penalty(judge, files, name, "coarse") > 1


@pytest.mark.parametrize("name", OBJECTS)
def test_grey_other_colours_another_object_noise_and_nothing_are_told_apart_from_a_good_rebuild(
    judge: ServedJudge, files: Files, name: str
) -> None:
    other = OBJECTS[OBJECTS.index(name) - 1]
    for bad in (f"grey-{name}", f"other-colours-{name}", f"truth-{other}", "noise", "blank"):
        answer = ask(judge, files, name, bad, f"fine-{name}")
        assert answer.penalty_1 >= 6, bad
        assert answer.penalty_1 - answer.penalty_2 > 1, bad
    assert ask(judge, files, name, f"truth-{other}", "noise").penalty_1 >= 8
    assert ask(judge, files, name, "noise", "blank").penalty_2 == 10


def test_it_says_what_differs(judge: ServedJudge, files: Files) -> None:
    assert (
        ask(judge, files, "vase-0000", "truth-vase-0000", "blank").issues
        == "model 1: very close; model 2: shows nothing"
    )
    assert (
        "model 1: colours are wrong"
        in ask(judge, files, "vase-0000", "other-colours-vase-0000", "noise").issues
    )
    assert (
        "model 1: outline differs"
        in ask(judge, files, "lamp-0002", "poor-lamp-0002", "noise").issues
    )


def test_a_copy_gets_the_same_penalty_and_sides_do_not_matter(
    judge: ServedJudge, files: Files
) -> None:
    answer = ask(judge, files, "vase-0000", "fine-vase-0000", "copy-vase-0000")
    assert answer.penalty_1 == answer.penalty_2
    one = ask(judge, files, "vase-0000", "fine-vase-0000", "poor-vase-0000")
    other = ask(judge, files, "vase-0000", "poor-vase-0000", "fine-vase-0000")
    assert (one.penalty_1, one.penalty_2) == (other.penalty_2, other.penalty_1)
    assert ask(judge, files, "vase-0000", "fine-vase-0000", "poor-vase-0000") == one


def test_it_says_its_judgement_in_the_ways_in_which_models_do(
    judge: ServedJudge, files: Files
) -> None:
    beginnings = {
        ask(judge, files, name, first, "blank").raw[:8]
        for name in OBJECTS
        for first in files.files
        if "vase" in first
    }
    assert {"<think>P", "Here is "} < beginnings
    assert any(text.startswith("{") for text in beginnings)


def test_it_loops_at_some_questions_and_at_none_of_them_for_all_attempts(files: Files) -> None:
    app = create_app(Pictures([files.url]).fetch, loops=0.3)
    with (
        serving(app) as url,
        closing(ServedJudge(f"{url}/v1", "local", MODEL, retries=0)) as looping,
    ):
        question = Question(
            f"{files.url}/prompt-vase-0000", f"{files.url}/noise", f"{files.url}/blank", 1
        )
        usable = [_is_usable(looping, replace(question, seed=seed)) for seed in range(40)]
        assert 5 <= usable.count(False) <= 20
        unusable = replace(question, seed=usable.index(False))
        assert any(_is_usable(looping, replace(unusable, attempt=number)) for number in range(1, 5))


def _is_usable(judge: ServedJudge, question: Question) -> bool:
    try:
        judge.ask(question)
    except Unusable as unusable:
        assert unusable.reply.finish_reason == "length"
        return False
    return True


def test_it_passes_the_canary_duels(judge: ServedJudge, files: Files) -> None:
    base = files.url
    assert (
        check_judge(judge, f"{base}/prompt-vase-0000", f"{base}/fine-vase-0000", f"{base}/noise")
        is None
    )


def test_g01_what_is_no_picture_or_cannot_be_had_is_not_judged(
    judge: ServedJudge, files: Files
) -> None:
    with pytest.raises(NotJudged, match="not a picture"):
        ask(judge, files, "vase-0000", "text", "blank")
    with pytest.raises(NotJudged, match="status 404"):
        ask(judge, files, "vase-0000", "missing", "blank")


def test_g01_another_model_is_not_served(files: Files) -> None:
    with (
        serving(create_app(Pictures([files.url]).fetch)) as url,
        closing(ServedJudge(f"{url}/v1", "local", "another", retries=0)) as judge,
        pytest.raises(NotJudged, match=r"status 404: .*another"),
    ):
        ask(judge, files, "vase-0000", "noise", "blank")


def test_g26_it_fetches_only_below_its_base_and_follows_no_redirect(
    judge: ServedJudge, files: Files
) -> None:
    with serving_files({"blank": files.files["blank"]}) as elsewhere:
        for url in (
            f"{elsewhere.url}/blank",
            f"{files.url}.example/blank",
            f"{files.url}/../blank",
            "file:///etc/passwd",
        ):
            with pytest.raises(NotJudged, match="not below"):
                judge.ask(Question(f"{files.url}/prompt-vase-0000", url, f"{files.url}/blank", 1))
        assert not elsewhere.asked
    with pytest.raises(NotJudged, match="status 302"):
        ask(judge, files, "vase-0000", "moved-blank", "blank")


def test_it_answers_in_a_tenth_of_a_second_of_one_core(files: Files) -> None:
    likeness = Likeness(lambda url: files.files[url])
    start = time.process_time()
    for name in OBJECTS:
        likeness.answer([f"prompt-{name}", f"fine-{name}", f"coarse-{name}"])
        likeness.answer([f"prompt-{name}", f"coarse-{name}", f"fine-{name}"])
    assert (time.process_time() - start) / (2 * len(OBJECTS)) < 0.1


def test_it_is_a_command_that_serves_on_loopback(files: Files) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "resources.local_network.judge",
        "--port",
        str(port),
        "--pictures-base",
        files.url,
    ]
    process = subprocess.Popen(command)
    try:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 120
        while True:
            try:
                models = httpx2.get(f"{url}/v1/models", timeout=5).json()
                break
            except httpx2.TransportError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        assert [model["id"] for model in models["data"]] == [MODEL]
        with closing(ServedJudge(f"{url}/v1", "local", MODEL)) as judge:
            assert ask(judge, files, "vase-0000", "fine-vase-0000", "noise").penalty_2 == 10
    finally:
        process.terminate()
        process.wait()
