"""Prompts and seed: what a round is played on, checkable by anyone."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.prompts import (
    parse_prompts,
    prompts_bytes,
    select_prompts,
    stem,
    usable,
)
from gen404_assets.competition.seed import Seed, draw_seed
from simulators.examples import RULES, config

POOL = [f"https://pool.example/p{number:03}.jpg" for number in range(200)]
PREVIOUS = [f"https://pool.example/q{number:03}.jpg" for number in range(8)]


def select(
    seed: int, pool: Sequence[str], previous: Sequence[str] | None, carried: int = 3
) -> list[str]:
    return select_prompts(seed, pool, previous, config(carryover_prompts=carried), RULES)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://pool.example/a/chair.jpg", "chair"),
        ("https://pool.example/chair.v2.png", "chair.v2"),
        ("https://pool.example/chair", "chair"),
        ("chair.jpg", "chair"),
    ],
)
def test_a_stem_is_the_file_name_without_extension(url: str, name: str) -> None:
    assert stem(url) == name


def test_prompts_are_one_a_line() -> None:
    raw = prompts_bytes(POOL[:3])
    assert (
        raw
        == b"https://pool.example/p000.jpg\nhttps://pool.example/p001.jpg\nhttps://pool.example/p002.jpg"
    )
    assert parse_prompts(raw, "prompts.txt") == POOL[:3]
    assert (
        parse_prompts(b"\r\n" + raw.replace(b"\n", b" \r\n\r\n") + b"\r\n", "prompts.txt")
        == POOL[:3]
    )
    assert parse_prompts(b"", "prompts.txt") == []


def test_g17_a_prompt_list_that_is_no_text_is_refused_with_its_line() -> None:
    with pytest.raises(MalformedFile) as caught:
        parse_prompts(b"https://pool.example/a.jpg\n\xff", "prompts.txt")
    assert (caught.value.path, caught.value.line) == ("prompts.txt", 2)


@pytest.mark.parametrize(
    "line",
    [
        *("https://pool.example/", "https://pool.example/.jpg", "https://pool.example/.hidden.jpg"),
        *(
            "https://pool.example/a b.jpg",
            "https://pool.example/ch\u00e4ir.jpg",
            "https://pool.example/a%2f.jpg",
        ),
        *(
            "https://pool.example/" + "x" * 300 + ".jpg",
            "https://pool.example/chair.png",
            "https://other.example/chair",
        ),
        *("chair two", "armchair", "ftp://pool.example/x.jpg", "# a remark"),
    ],
)
def test_g09_a_pool_line_that_cant_be_used_is_skipped_and_reported(line: str) -> None:
    kept, skipped = usable(
        ["https://pool.example/chair.jpg", line, "https://pool.example/lamp.jpg"]
    )
    assert kept == ["https://pool.example/chair.jpg", "https://pool.example/lamp.jpg"]
    assert [url for url, _ in skipped] == [line]
    assert skipped[0][1]


def test_g09_a_pool_without_fault_is_taken_as_it_is() -> None:
    assert usable(POOL) == (POOL, [])


@settings(max_examples=100)
@given(
    st.lists(
        st.text("ab.-_ é/", max_size=4).map(lambda name: f"https://pool.example/{name}.jpg"),
        max_size=12,
    ),
    st.none()
    | st.lists(st.sampled_from(POOL[:4]) | st.just("https://pool.example/a.jpg"), max_size=8),
    st.integers(0, 2**32 - 1),
)
def test_g09_a_rounds_stems_are_unique_and_plain(
    lines: list[str], previous: list[str] | None, seed: int
) -> None:
    pool, _ = usable(lines)
    names = [stem(url) for url in select(seed, pool, previous)]
    assert len(names) == len(set(names))
    assert all(name[0] != "." and set(name) <= set("ab.-_p0123456789") for name in names)


def test_g09_a_new_prompt_whose_stem_is_carried_over_is_left_out() -> None:
    previous = [url.replace("pool.example", "old.example") for url in POOL[:8]]
    chosen = select(3, POOL[:8], previous)
    assert chosen[:3] == random.Random(3).sample(previous, 3)
    assert [stem(url) for url in chosen if url in POOL] == [
        stem(url) for url in chosen if stem(url) not in {stem(carried) for carried in chosen[:3]}
    ]


def test_the_first_round_draws_all_its_prompts_from_the_pool() -> None:
    assert select(7, POOL, None) == random.Random(7).sample(POOL, 8)


def test_a_later_round_carries_some_over_and_draws_the_rest_with_the_same_generator() -> None:
    rng = random.Random(4_000_000_000)
    carried = rng.sample(PREVIOUS, 3)
    assert select(4_000_000_000, POOL, PREVIOUS) == carried + rng.sample(POOL, 5)


def test_previous_prompts_shorter_than_the_carryover_are_taken_whole_without_drawing() -> None:
    assert select(7, POOL, PREVIOUS[:2]) == PREVIOUS[:2] + random.Random(7).sample(POOL, 6)
    assert select(7, POOL, []) == random.Random(7).sample(POOL, 8)


def test_a_pool_shorter_than_the_sample_is_taken_whole_and_in_order() -> None:
    assert select(7, POOL[:4], None) == POOL[:4]
    assert select(7, POOL[:4], PREVIOUS) == random.Random(7).sample(PREVIOUS, 3) + POOL[:4]
    assert select(7, [], None) == []


def test_a_list_as_long_as_its_sample_is_drawn() -> None:
    rng = random.Random(7)
    assert select(7, POOL[:5], PREVIOUS[:3]) == rng.sample(PREVIOUS[:3], 3) + rng.sample(
        POOL[:5], 5
    )


def test_a_carryover_beyond_the_round_leaves_no_new_prompt() -> None:
    assert select(7, POOL, POOL, carried=10) == random.Random(7).sample(POOL, 10)


def test_the_seed_is_the_first_four_bytes_of_the_digest_of_block_hash_and_round() -> None:
    # printf '%s' '0x00ff:mesh-1' | sha256sum: d7b5c94ac49eb65c...
    assert draw_seed(200, "0x00ff", "mesh-1") == Seed(
        seed=0xD7B5C94A, block=200, block_hash="0x00ff"
    )


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_has_32_bits(seed: int) -> None:
    with pytest.raises(MalformedFile):
        Seed.parse(f'{{"seed": {seed}}}'.encode(), "seed.json")
