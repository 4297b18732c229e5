"""A local miner's image: the API of a miner's container, as a process over HTTP."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from resources.local_network.container import container as image
from resources.local_network.lathe import Skill, rebuild
from resources.ports import free_ports
from simulators.judge_serving import serving
from tests.resources.local_network.conftest import draw, eventually

SKILL = Skill(rings=20, segments=12, noise=0.01)


@pytest.fixture(scope="module")
def container() -> Iterator[httpx2.Client]:
    (port,) = free_ports(1)
    command = [
        sys.executable,
        "-m",
        "resources.local_network.container",
        "--format",
        "glb",
        "--skill",
        str(SKILL),
    ]
    with (
        subprocess.Popen([*command, "--port", str(port)]) as process,
        httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client,
    ):
        try:
            yield client
        finally:
            process.terminate()
            assert process.wait(60) in {0, -15}


def health(client: httpx2.Client) -> int | None:
    try:
        return int(client.get("/health").status_code)
    except httpx2.ConnectError:
        return None


def generate(client: httpx2.Client, picture: bytes, seed: str) -> httpx2.Response:
    return client.post(
        "/generate", files={"prompt_image_file": ("a.png", picture)}, data={"seed": seed}
    )


@pytest.mark.parametrize(("warm_up", "status"), [(3600.0, 503), (0.0, 200)])
def test_it_is_healthy_after_a_warm_up_of_its_own(warm_up: float, status: int) -> None:
    with (
        serving(image(SKILL, "glb", warm_up)) as url,
        httpx2.Client(base_url=url, timeout=20) as client,
    ):
        assert health(client) == status


def test_g23_another_pods_token_opens_nothing() -> None:
    with (
        serving(image(SKILL, "glb", 0.0, token="of-this-pod")) as url,
        httpx2.Client(base_url=url, timeout=20) as client,
    ):
        for sent in (
            {},
            {"Authorization": "Bearer of-another-pod"},
            {"Authorization": "of-this-pod"},
        ):
            client.headers = httpx2.Headers(sent)
            assert health(client) == 401
            assert generate(client, b"no picture", "7").status_code == 401
        client.headers["Authorization"] = "Bearer of-this-pod"
        assert health(client) == 200
        assert generate(client, b"no picture", "7").status_code == 400, "it was read"


def test_it_makes_what_its_skill_makes_of_the_prompt_and_the_seed(container: httpx2.Client) -> None:
    eventually(lambda: health(container) == 200)
    picture = draw("red", "blue")
    answer = generate(container, picture, "7")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.content == rebuild(picture, seed=7, skill=SKILL, output_format="glb")
    assert generate(container, picture, "8").content != answer.content


def test_requests_at_the_same_time_are_all_answered(container: httpx2.Client) -> None:
    eventually(lambda: health(container) == 200)
    pictures = [draw("red", "blue"), draw("navy", "green")] * 2
    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(lambda picture: generate(container, picture, "1").content, pictures)
        )
    assert answers[0] == answers[2] != answers[1] == answers[3]


def test_what_is_no_picture_is_refused(container: httpx2.Client) -> None:
    eventually(lambda: health(container) == 200)
    assert generate(container, b"no picture", "1").status_code == 400
    assert generate(container, draw("white"), "1").status_code == 400
    assert generate(container, draw("red"), "one").status_code == 422
