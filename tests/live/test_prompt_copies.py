"""The opening copies the prompts' pictures, and names those that can't be had beside the seed."""

import json
from typing import Any

import pytest

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.competition.prompts import stem
from gen404_assets.competition.state import Stage
from gen404_assets.live.opening import open_round
from gen404_assets.live.work import Work
from simulators.outside import SimulatedOutside, picture_of
from simulators.rounds import now, stage, work
from tests.live.missing_prompts import FINE, LATEST, SEED, copies, gone, pool_of, window_closed


def missing_in(outside: SimulatedOutside) -> list[str] | None:
    named = json.loads(outside.repository.head.read(SEED) or b"{}").get("missing_prompts")
    return None if named is None else list(named)


def test_all_pictures_are_copied_and_the_seed_says_nothing_of_them() -> None:
    outside = window_closed("")
    open_round(work(outside))
    assert copies(outside) == [f"rounds/0/prompts/{name}.png" for name in "abcd"]
    assert set(json.loads(outside.repository.head.read(SEED) or b"")) == {
        "seed",
        "block",
        "block_hash",
    }


def test_a_prompt_whose_host_is_gone_is_named_beside_the_seed_and_the_round_opens() -> None:
    outside = window_closed("b")
    alerts: list[str] = []
    open_round(Work(outside, 0, lambda _: None, alerts.append))  # type: ignore[arg-type]
    assert (stage(outside), missing_in(outside)) == (Stage.MINER_GENERATION, ["b"])
    assert outside.repository.messages[-1] == "Seed, prompts and submissions for round 0"
    assert now(outside).stems == ["a", "b", "c", "d"], "miners see the same prompts"
    (alert,) = alerts
    assert (
        "1 of 4 prompts give no picture: https://pool.example/b.png: the host isn't found" in alert
    )


def test_a_page_that_is_served_in_place_of_the_picture_is_no_picture() -> None:
    outside = window_closed("")
    gone(outside, "c", b"<html>Not found</html>")
    open_round(work(outside))
    assert missing_in(outside) == ["c"]
    assert copies(outside) == [f"rounds/0/prompts/{name}.png" for name in "abd"]


def test_several_are_named_in_the_order_of_the_prompts() -> None:
    outside = window_closed("da", "fdca")
    open_round(work(outside))
    assert missing_in(outside) == ["d", "a"]


def test_a_carried_over_prompt_is_copied_anew_as_the_miners_get_it_now() -> None:
    outside = window_closed("", last_competition_date="2026-01-07")
    for name in ("abcd", "aefg"):
        gone(outside, "a" if name == "aefg" else "")
        open_round(work(outside, now(outside).number))
        if name == "abcd":
            skip_to_the_next_round(outside, name="aefg")
    assert copies(outside) == [f"rounds/0/prompts/{name}.png" for name in "abcd"]
    assert copies(outside, 1) == [f"rounds/1/prompts/{name}.png" for name in "efg"]
    assert json.loads(outside.repository.head.read("rounds/1/seed.json") or b"")[
        "missing_prompts"
    ] == ["a"]


def skip_to_the_next_round(outside: SimulatedOutside, name: str) -> None:
    """Round 1 is at the end of its window; a person has chosen its prompts."""
    schedule = {
        "earliest_reveal_block": LATEST + 1,
        "latest_reveal_block": 8000,
        "generation_deadline_block": 8300,
    }
    urls = "\n".join(f"https://pool.example/{each}.png" for each in name)
    state = {"current_round": 1, "stage": "open", "next_stage_eta": None}
    outside.repository.commit(
        {
            "rounds/1/schedule.json": json.dumps(schedule).encode(),
            "rounds/1/prompts.txt": urls.encode(),
            "state.json": json.dumps(state).encode(),
        },
        "By hand",
    )
    outside.chain.revealed = {FINE: [(7000, outside.chain.revealed[FINE][0][1])]}
    outside.chain.number = 8000


def test_no_picture_is_asked_for_where_nobody_takes_part() -> None:
    outside = window_closed("abcd")
    outside.chain.revealed.clear()
    open_round(work(outside))
    assert (stage(outside), missing_in(outside), copies(outside)) == (Stage.FINALIZING, None, [])


def test_the_opening_waits_while_most_pictures_can_not_be_had_until_half_of_the_miners_time_has_passed() -> (  # noqa: E501
    None
):
    outside = window_closed("abc")
    for block in (LATEST, 749):
        outside.chain.number = block
        with pytest.raises(
            InfrastructureFault,
            match=r"3 of 4 prompts give no picture: .* waits for them until block 750",
        ):
            open_round(work(outside))
        assert stage(outside) is Stage.OPEN
    outside.chain.number = 750
    open_round(work(outside))
    assert (stage(outside), missing_in(outside)) == (Stage.MINER_GENERATION, ["a", "b", "c"])


def test_g01_while_it_waits_the_hosts_may_come_back() -> None:
    outside = window_closed("abc")
    with pytest.raises(InfrastructureFault):
        open_round(work(outside))
    gone(outside, "")
    open_round(work(outside))
    assert (stage(outside), missing_in(outside)) == (Stage.MINER_GENERATION, None)


def test_g15_what_was_copied_before_a_crash_is_not_fetched_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outside = window_closed("b")
    asked: list[str] = []

    def prompt(url: str) -> bytes | str:
        asked.append(stem(url))
        return "the host isn't found" if stem(url) == "b" else picture_of(url)

    outside.downloads.prompt = prompt

    class Killed(BaseException):
        pass

    def killed(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(outside.repository, "publish", killed)
        with pytest.raises(Killed):
            open_round(work(outside))
    open_round(work(outside))
    assert sorted(asked) == ["a", "b", "b", "c", "d"]
    assert missing_in(outside) == ["b"]


# --- what a person has typed


def test_a_seed_that_a_person_typed_stands_and_the_missing_are_added() -> None:
    outside = window_closed("b")
    outside.repository.commit({SEED: b'{"seed": 7, "note": "mine"}'}, "By hand")
    open_round(work(outside))
    seed = json.loads(outside.repository.head.read(SEED) or b"")
    assert seed == {"seed": 7, "note": "mine", "missing_prompts": ["b"]}


def test_a_prompt_that_a_person_has_named_is_not_asked_for_and_others_are_added() -> None:
    outside = window_closed("b")
    outside.repository.commit({SEED: b'{"seed": 7, "missing_prompts": ["d"]}'}, "By hand")
    open_round(work(outside))
    assert missing_in(outside) == ["d", "b"]
    assert copies(outside) == ["rounds/0/prompts/a.png", "rounds/0/prompts/c.png"]


def test_g16_prompts_that_a_person_changes_while_pictures_are_copied_are_copied_too() -> None:
    outside = window_closed("b")
    outside.repository.before_push = lambda: pool_of(outside, "bxyz")
    open_round(work(outside))
    assert stage(outside) is Stage.OPEN, "nothing that was drawn before is laid over the change"
    open_round(work(outside))
    assert (now(outside).stems, missing_in(outside)) == (["b", "x", "y", "z"], ["b"])
    assert {"rounds/0/prompts/x.png", "rounds/0/prompts/z.png"} <= set(copies(outside))
