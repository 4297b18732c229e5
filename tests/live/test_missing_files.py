"""A state file that somebody has deleted is missed before anything is decided or published without
it; what was published before stands, and its return is all that it takes to go on.
"""

import json
import re
from collections.abc import Callable

import pytest

from gen404_assets.competition.due import due
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.judgement import Answer, Question
from gen404_assets.competition.round import POOL, miner_path
from gen404_assets.competition.state import Stage
from gen404_assets.live.building import track_builds
from gen404_assets.live.collecting import collect
from gen404_assets.live.judging import crown_winner, judge_matches
from gen404_assets.live.opening import open_round
from gen404_assets.live.work import Work
from simulators.examples import MINERS
from simulators.outside import SimulatedOutside
from simulators.rounds import dueling, generating, now, opened, reveal, stage, work

TWO = MINERS[:2]
OPENED = [
    f"rounds/0/{name}" for name in ("schedule.json", "seed.json", "submissions.json", "prompts.txt")
]
SUBMITTED = miner_path(0, TWO[0], "submitted.json")


def delete(outside: SimulatedOutside, path: str) -> bytes:
    """A person takes a file away; what it held."""
    content = outside.repository.head.files[path]
    outside.repository.commit({path: None}, f"Delete {path}")
    return content


def refuses(outside: SimulatedOutside, path: str, act: Callable[[], object]) -> None:
    """Nothing is published, and the missing file is named with what to do."""
    head = outside.repository.head
    with pytest.raises(MalformedFile, match=re.escape(path) + ".*is missing; restore it"):
        act()
    assert outside.repository.head is head


@pytest.mark.parametrize("path", OPENED)
@pytest.mark.parametrize("does", [collect, track_builds])
def test_g17_no_file_is_collected_or_image_built_without_what_the_opening_published(
    path: str, does: Callable[[Work], object]
) -> None:
    outside = generating(TWO)
    content = delete(outside, path)
    refuses(outside, path, lambda: does(work(outside)))
    refuses(outside, path, lambda: due(now(outside).files, outside.chain.number))
    outside.repository.commit({path: content}, f"Restore {path}")
    collect(work(outside))
    assert stage(outside) is Stage.DUELS


@pytest.mark.parametrize("path", [*OPENED, SUBMITTED])
@pytest.mark.parametrize("does", [judge_matches, crown_winner])
def test_g17_no_match_is_played_and_nobody_crowned_without_what_they_rest_on(
    path: str, does: Callable[[Work], object]
) -> None:
    outside = dueling(TWO)
    content = delete(outside, path)
    refuses(outside, path, lambda: does(work(outside)))
    refuses(outside, path, lambda: due(now(outside).files, outside.chain.number))
    outside.repository.commit({path: content}, f"Restore {path}")
    judge_matches(work(outside))
    assert len(now(outside).matrix.matches) > 0


@pytest.mark.parametrize("path", [*OPENED, SUBMITTED])
def test_g17_a_match_whose_files_go_while_it_is_judged_is_not_published(path: str) -> None:
    outside = dueling(TWO)
    ask = outside.judging.ask
    gone: list[bytes] = []

    def ask_once_gone(question: Question) -> Answer:
        if not gone:
            gone.append(delete(outside, path))
        return ask(question)

    outside.judging.ask = ask_once_gone  # type: ignore[method-assign]
    with pytest.raises(MalformedFile, match=f"{re.escape(path)}.*is missing"):
        judge_matches(work(outside))
    assert outside.repository.messages[-1] == f"Delete {path}"


def opening() -> SimulatedOutside:
    outside = opened()
    reveal(outside, TWO)
    outside.chain.number = 600
    return outside


def test_g17_no_round_opens_without_the_pool_of_prompts() -> None:
    outside = opening()
    content = delete(outside, POOL)
    refuses(outside, POOL, lambda: open_round(work(outside)))
    outside.repository.commit({POOL: content}, "Restore the pool")
    open_round(work(outside))
    assert stage(outside) is Stage.MINER_GENERATION


@pytest.mark.parametrize("pool", ["", "\n\n", "not a URL\n"])
def test_g17_no_round_opens_with_no_prompt_at_all(pool: str) -> None:
    outside = opening()
    outside.repository.commit({POOL: pool.encode()}, "Empty the pool")
    with pytest.raises(MalformedFile, match=f"{POOL}.*no prompt; add usable ones"):
        open_round(work(outside))
    assert stage(outside) is Stage.OPEN


def test_prompts_that_a_person_entered_need_no_pool() -> None:
    outside = opening()
    delete(outside, POOL)
    prompts = b"https://pool.example/a.png\nhttps://pool.example/b.png\n"
    outside.repository.commit({"rounds/0/prompts.txt": prompts}, "Prompts of ours")
    open_round(work(outside))
    assert stage(outside) is Stage.MINER_GENERATION
    assert now(outside).stems == ["a", "b"]


def test_g17_no_later_round_opens_without_the_prompts_of_the_one_before() -> None:
    outside = opening()
    files = outside.repository.head.files
    state = json.loads(files["state.json"]) | {"current_round": 1}
    second = {
        "state.json": json.dumps(state).encode(),
        "rounds/1/schedule.json": files["rounds/0/schedule.json"],
    }
    outside.repository.commit(second, "Round 1 is next")
    refuses(outside, "rounds/0/prompts.txt", lambda: open_round(work(outside, 1)))
