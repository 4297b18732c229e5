"""Prompts whose picture could not be had: they count for nobody, and the number of prompts
stays.
"""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gen404_assets.competition.duels import (
    Decision,
    Duel,
    Outcome,
    Play,
    duel_entry,
    has_output,
    judged_duels,
    without_judge,
)
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.outputs import Outputs
from gen404_assets.competition.prompts import picture_key, stem
from gen404_assets.competition.round import Round
from gen404_assets.competition.seed import Seed, draw_seed
from simulators.examples import RULES, output
from simulators.plays import make_play

PROMPTS = [f"https://pool.example/p{number:02}.png" for number in range(40)]
STEMS = [stem(url) for url in PROMPTS]


def side(*slow: int) -> Outputs:
    """Everything made, the prompts of these numbers too slowly."""
    times = [200.0 if number in slow else 9.0 for number in range(len(PROMPTS))]
    return Outputs(dict(zip(STEMS, map(output, times), strict=True)))


class FilesOf(dict[str, bytes]):
    """A round's files."""

    def read(self, path: str) -> bytes | None:
        return self.get(path)


def round_with(missing: list[str], baseline: Outputs | None, prompts: list[str] = PROMPTS) -> Round:
    files = FilesOf({"rounds/0/prompts.txt": "\n".join(prompts).encode()})
    files["rounds/0/seed.json"] = json.dumps({"seed": 1, "missing_prompts": missing}).encode()
    if baseline is not None:
        files["rounds/0/leader/generated.json"] = baseline.to_bytes()
    return Round(files, 0)


# --- seed.json


def test_the_key_is_there_only_if_there_are_any() -> None:
    seed = draw_seed(600, "0x00ff", "mesh-0")
    plain = seed.to_bytes()
    assert seed.naming([]).to_bytes() == plain
    assert b"missing" not in plain
    assert json.loads(seed.naming(["b", "a"]).to_bytes()) == json.loads(plain) | {
        "missing_prompts": ["b", "a"]
    }


def test_a_seed_that_a_person_typed_keeps_its_layout_and_keys() -> None:
    typed = b'{\n  "note": "mine",\n  "seed": 7\n}\n'
    named = Seed.parse(typed, "seed.json").naming(["a"])
    assert (
        named.to_bytes(typed)
        == b'{\n  "note": "mine",\n  "seed": 7,\n  "missing_prompts": [\n    "a"\n  ]\n}\n'
    )


@pytest.mark.parametrize("missing", ["a", [1], {"a": "gone"}])
def test_g17_stems_that_are_none_are_named_with_their_line(missing: object) -> None:
    raw = json.dumps({"seed": 1, "missing_prompts": missing}, indent=1).encode()
    with pytest.raises(MalformedFile, match=r"^seed.json:[34]: missing_prompts"):
        Seed.parse(raw, "seed.json")


# --- duels


def test_a_duel_of_a_missing_prompt_is_skipped_whatever_the_sides_have() -> None:
    sides = [output(), output(png=False), output(200.0), None]
    for left in sides:
        for right in sides:
            one, other = (Outputs({"p00": made} if made else {}) for made in (left, right))
            decided = without_judge(PROMPTS[:1], one, other, {"p00"}, RULES)
            assert decided["p00"] == Decision(
                Outcome.SKIPPED, "The picture of prompt p00 could not be had"
            )


def test_other_duels_are_decided_as_ever() -> None:
    sides = side(*range(10)), side()
    decided = without_judge(PROMPTS, *sides, frozenset(), RULES)
    fewer = without_judge(PROMPTS, *sides, {"p30", "p31"}, RULES)
    assert {name: each for name, each in fewer.items() if name not in {"p30", "p31"}} == {
        name: each for name, each in decided.items() if name not in {"p30", "p31"}
    }


def test_a_missing_prompt_uses_up_no_forgiven_overtime_and_the_number_of_prompts_stays() -> None:
    # 5 % of 40 prompts: two are forgiven, with two missing too.
    decided = without_judge(PROMPTS, side(0, 1, 2, 3, 4), side(), {"p00", "p02"}, RULES)
    late = {name for name, each in decided.items() if each and each.outcome is Outcome.RIGHT}
    assert late == {"p04"}


def report(missing: set[str], wins: int) -> Play:
    sides = side(), side()
    forced = without_judge(PROMPTS, *sides, missing, RULES)
    duels = []
    for prompt, name in zip(PROMPTS, STEMS, strict=True):
        won = Outcome.RIGHT if wins > 0 else Outcome.DRAW
        wins -= forced[name] is None
        decided = forced[name] or Decision(won, "")
        duels.append(
            Duel.model_validate(
                duel_entry(prompt, sides[0][name].urls, sides[1][name].urls, decided, "glb")
            )
        )
    return make_play(duels, len(PROMPTS))


def test_a_skipped_duel_is_in_the_report_moves_no_score_and_is_no_judged_one() -> None:
    play = report(set(STEMS[:4]), wins=8)
    assert [duel.name for duel in play.duels] == STEMS
    assert (play.score, play.margin) == (8, 8 / 40)
    assert judged_duels(play.duels) == 36


def test_what_is_made_for_a_missing_prompt_is_no_output() -> None:
    assert has_output(Outputs({"a": output(), "b": output(png=False, glb=False)}), frozenset())
    assert not has_output(Outputs({"a": output(), "b": output(png=False, glb=False)}), {"a"})
    assert not has_output(None, frozenset())


# --- the baseline


def test_the_baseline_is_closed_without_the_missing_prompts() -> None:
    made = Outputs({name: output() for name in STEMS[2:]})
    assert not round_with([], made).baseline_is_closed(3)
    assert not round_with(STEMS[:1], made).baseline_is_closed(3)
    assert round_with(STEMS[:2], made).baseline_is_closed(3)


def test_g11_there_is_no_baseline_to_wait_for_where_every_picture_is_missing() -> None:
    assert round_with(STEMS, None).baseline_is_closed(3)
    assert not round_with([], None).baseline_is_closed(3)
    assert not round_with([], None, prompts=[]).baseline_is_closed(3), "prompts.txt was emptied"


# --- where a copy is kept


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("https://pool.example/chair.png", "rounds/3/prompts/chair.png"),
        ("https://pool.example/a/b.c/chair.v2.JPG", "rounds/3/prompts/chair.v2.JPG"),
        ("https://pool.example/chair", "rounds/3/prompts/chair.picture"),
        ("https://pool.example/chair.png?size=2", "rounds/3/prompts/chair.picture"),
        ("https://pool.example/chair.v2.p%20g", "rounds/3/prompts/chair.v2.picture"),
    ],
)
def test_a_copys_key_ends_like_the_url(url: str, key: str) -> None:
    assert picture_key(3, url) == key


@given(
    st.lists(
        st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,20}", fullmatch=True),
        min_size=2,
        unique_by=stem,
    )
)
def test_copies_have_their_prompts_stems_and_a_key_each(names: list[str]) -> None:
    urls = [f"https://pool.example/{name}" for name in names]
    keys = [picture_key(0, url) for url in urls]
    assert list(map(stem, keys)) == list(map(stem, urls))
    assert all(one != other for one, other in pairwise(sorted(keys)))
