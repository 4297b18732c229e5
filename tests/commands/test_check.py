"""`gen404 check`: what a miner tries before a round, by the code that the competition runs."""

import ast
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from gen404_assets.commands.check_commitment import check_commitments
from gen404_assets.commands.checking import plain
from gen404_assets.commands.cli import gen404
from gen404_assets.commands.mending import advice
from simulators.histories import make_competition
from simulators.miner_side import ContainerBehaviour, cdn, container, preview, render_service

ROOT = Path(__file__).parents[2]
COMMIT = "0123456789" * 4


@pytest.fixture(scope="module")
def renders() -> Iterator[str]:
    with render_service() as url:
        yield url


@pytest.fixture(scope="module")
def competition(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of two rounds, and a third whose prompts aren't drawn yet."""
    folder = tmp_path_factory.mktemp("competition")
    return make_competition(folder / "repo.git", rounds=2, miners=3, prompts=4)


@pytest.fixture
def check(renders: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Check":
    monkeypatch.chdir(tmp_path)
    settings = {
        "RENDER_URL": renders,
        "GEN404_HOME": str(tmp_path / "home"),
        "ALLOW_PRIVATE_CDN": "true",
        "EMBEDDER": "pictures",
        "POD_WARMUP_TIMEOUT": "30",
        "MAX_FILE_BYTES": "1000",
    }
    return Check(settings)


class Check:
    """Runs `gen404 check` with some settings."""

    def __init__(self, settings: dict[str, str]) -> None:
        self.settings = settings

    def __call__(self, *arguments: object) -> Result:
        runner = CliRunner()
        return runner.invoke(
            gen404, ["check", *map(str, arguments)], env=self.settings, standalone_mode=False
        )

    def found(self, *arguments: object) -> dict[str, dict[str, object]]:
        result = self(*arguments, "--json")
        return {each["subject"]: each for each in json.loads(result.stdout)}


def test_a_file_is_accepted_with_its_preview_seconds_and_size(check: Check, tmp_path: Path) -> None:
    Path("chair.glb").write_bytes(b"a chair")
    done = check("chair.glb")
    assert done.return_value == 0, done.output
    assert done.stdout.startswith("chair.glb: accepted\n")
    assert "7 bytes of at most 1,000" in done.stdout
    assert "of processor time" in done.stdout
    assert (tmp_path / "previews/chair.glb.png").read_bytes() == preview(b"a chair")


def test_a_refused_file_has_the_reason_that_is_recorded_and_how_to_mend_it(check: Check) -> None:
    Path("far.glb").write_bytes(b"bad the mesh reaches 0.9 from the origin on an axis, beyond 0.6")
    done = check("far.glb")
    assert done.return_value == 1
    assert "far.glb: refused" in done.stdout
    assert "reason     the mesh reaches 0.9 from the origin on an axis" in done.stdout
    assert "mend it    move the mesh's middle to the origin" in done.stdout


def test_what_was_tolerated_in_a_file_is_said(check: Check) -> None:
    Path("odd.glb").write_bytes(b"odd bytes after the last chunk are ignored")
    found = check.found("odd.glb")["odd.glb"]
    assert found["accepted"] is True
    assert found["tolerated"] == "bytes after the last chunk are ignored"


def test_a_file_over_the_limit_is_refused_as_a_download_would_be(check: Check) -> None:
    Path("big.ply").write_bytes(b"1" * 1001)
    assert check.found("big.ply")["big.ply"]["reason"] == "larger than 1000 bytes"


def test_of_several_files_each_is_judged_alone(check: Check) -> None:
    Path("a.glb").write_bytes(b"fine")
    Path("b.obj").write_bytes(b"fine")
    Path("c.GLB").write_bytes(b"fine")
    done = check("a.glb", "b.obj", "c.GLB")
    assert done.return_value == 1
    assert "1 of 3 accepted" in done.stdout
    assert "its name must end with .glb or .ply, in lower case" in done.stdout


def test_a_renderer_out_of_order_says_nothing_of_the_file(check: Check) -> None:
    Path("a.glb").write_bytes(b"fine")
    check.settings["RENDER_URL"] = "http://127.0.0.1:9"
    done = check("a.glb")
    assert done.return_value is None
    assert "no picture" in str(done.exception)
    assert "refused" not in done.stdout


def test_a_cdn_is_asked_for_each_prompt_of_the_round(check: Check, competition: Path) -> None:
    stems = stems_of(competition, 1)
    files: dict[str, bytes | int] = {
        f"/mine/{stems[0]}.glb": b"a chair",
        f"/mine/{stems[1]}.glb": b"bad the mesh isn't made of triangles",
        f"/mine/{stems[2]}.glb": 503,
    }
    with cdn(files) as url:
        # A final slash of the commitment's URL is dropped, as the opening does.
        arguments = ("--cdn", f"{url}/mine/", "--round", 1, "--repo", competition)
        done, found = check(*arguments), check.found(*arguments)
    assert done.return_value == 1
    assert f"1 of {len(stems)} accepted" in done.stdout
    reasons = [found[f"{url}/mine/{stem}.glb"]["reason"] for stem in stems[:4]]
    assert reasons == [
        "",
        "the mesh isn't made of triangles",
        "HTTP status 503",
        "HTTP status 404",
    ]
    assert found[f"{url}/mine/{stems[2]}.glb"]["notes"] == ["a collection would ask again later"]


def test_a_cdn_at_a_private_address_is_refused_as_a_collection_refuses_it(
    check: Check, competition: Path
) -> None:
    check.settings["ALLOW_PRIVATE_CDN"] = "false"
    with cdn({}) as url:
        done = check("--cdn", url, "--round", 0, "--repo", competition)
    assert "the host's address isn't a public one" in done.stdout


def test_a_cdn_url_that_no_opening_would_take_isnt_asked(check: Check, competition: Path) -> None:
    done = check("--cdn", "ftp://x.y/z", "--round", 0, "--repo", competition)
    assert done.return_value == 1
    assert "not a valid cdn_url" in done.stdout


def test_a_round_without_prompts_says_when_they_are_drawn(check: Check, competition: Path) -> None:
    done = check("--cdn", "http://x.y", "--round", 2, "--repo", competition)
    assert "round 2 has no prompts yet: they are drawn at block" in str(done.exception)
    done = check("--cdn", "http://x.y", "--round", 9, "--repo", competition)
    assert "has no round 9" in str(done.exception)


def stems_of(competition: Path, number: int) -> list[str]:
    show = ["git", "-C", str(competition), "show", f"main:rounds/{number}/prompts.txt"]
    lines = subprocess.run(show, capture_output=True, text=True, check=True).stdout.split()
    return [line.rpartition("/")[2].rpartition(".")[0] for line in lines]


def test_a_container_is_asked_as_an_audit_asks_it(check: Check) -> None:
    Path("prompt.png").write_bytes(b"the picture")
    behaviour = ContainerBehaviour(unready=1)
    with container(behaviour) as url:
        done = check("--container", url, "--prompt", "prompt.png")
    assert done.return_value == 0, done.output
    assert [seed for _, seed in behaviour.asked] == [404, 404, 405]
    assert {picture for picture, _ in behaviour.asked} == {b"the picture"}
    assert "/health: accepted" in done.stdout
    assert "distance 0.0000 of at most 0.1" in done.stdout
    assert "another seed: distance" in done.stdout
    assert "the two files are the same to the byte" in done.stdout
    assert "the limit is 180 s, and 90 s for the trimmed median" in done.stdout


def test_a_container_that_ignores_the_seed_is_refused_by_the_audits_distance(check: Check) -> None:
    with container(ContainerBehaviour(random=True)) as url:
        found = check.found("--container", url)["the same seed twice"]
    assert found["accepted"] is False
    assert re.fullmatch(r"two previews of one seed are \d\.\d{4} apart", str(found["reason"]))
    assert advice(str(found["reason"]))


def test_a_container_whose_answers_fail_is_refused_with_the_reason(check: Check) -> None:
    with container(ContainerBehaviour(status=500)) as url:
        done = check("--container", url)
    assert done.return_value == 1
    assert done.stdout.count("the container answers 500") == 3
    assert "distance" not in done.stdout


def test_headers_that_an_audit_refuses_or_that_are_unusual_are_named(check: Check) -> None:
    with container(ContainerBehaviour(encoding="gzip")) as url:
        assert "content encoding other than identity" in check("--container", url).stdout
    with container(ContainerBehaviour(content_type="text/html")) as url:
        done = check("--container", url)
    assert "Content-Type is 'text/html', and should be application/octet-stream" in done.stdout
    assert done.return_value == 0


def test_a_container_that_never_gets_healthy_is_given_up(check: Check) -> None:
    check.settings["POD_WARMUP_TIMEOUT"] = "1"
    with container(ContainerBehaviour(unready=1000)) as url:
        done = check("--container", url)
    assert done.return_value == 1
    assert "not healthy within 1 s (POD_WARMUP_TIMEOUT)" in done.stdout


def test_commitments_are_read_as_the_opening_reads_them(check: Check) -> None:
    spread = ("--commitment", f"{{'repo': 'a/b', 'commit': '{COMMIT}'}}")
    rest = ("--commitment", '{"cdn_url": "https://cdn.example/x/"}')
    done = check(*spread, *rest)
    assert done.return_value == 0, done.output
    assert "cdn_url    https://cdn.example/x\n" in done.stdout
    done = check(*spread)
    assert done.return_value == 1
    assert "no cdn_url revealed" in done.stdout
    assert "mend it    commit a JSON object" in done.stdout


def test_a_commitment_under_an_address_that_is_none_is_refused(check: Check) -> None:
    done = check("--commitment", "{}", "--hotkey", "leader")
    assert "the hotkey is not a valid ss58 address" in done.stdout


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_no_text_makes_the_check_of_commitments_fail(texts: list[str]) -> None:
    finding = check_commitments(texts, None)
    assert finding.accepted or advice(finding.refused)
    assert all(line.isprintable() for line in finding.lines())


@pytest.mark.parametrize(
    "arguments", [[], ["--cdn", "http://x.y"], ["--container", "http://x.y", "--commitment", "{}"]]
)
def test_what_is_checked_is_one_thing(check: Check, arguments: list[str]) -> None:
    done = check(*arguments)
    assert done.exception is not None
    assert "--cdn" in str(done.exception)


def test_a_strangers_text_reaches_the_terminal_as_one_plain_line() -> None:
    assert plain("\x1b[2J evil\nnext") == "�[2J evil�next"
    assert len(plain("x" * 9999)) < 400


REASONS = [
    path
    for folder in ("gpu/meshes", "gpu/splats", "gpu/workers")
    for path in sorted((ROOT / folder).glob("*.py"))
]
REASONS += [
    ROOT / "resources" / f"{name}.py" for name in ("downloads", "http_answers", "container")
]
_FAULTS = {"Refused", "MinerFault", "TryLater", "_Unreachable", "TimedOut", "Unanswered"}


def texts(node: ast.expr) -> Iterator[str]:
    """What a message can be, with a number for each part that isn't known."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(
            str(part.value) if isinstance(part, ast.Constant) else "7" for part in node.values
        )
    elif isinstance(node, ast.IfExp):
        yield from (*texts(node.body), *texts(node.orelse))


@pytest.mark.parametrize("path", REASONS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_reason_for_which_a_file_is_refused_has_advice(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        named = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        if named and node.func.id in _FAULTS and node.args:  # type: ignore[attr-defined]
            for text in texts(node.args[0]):  # type: ignore[attr-defined]
                assert advice(text), text
