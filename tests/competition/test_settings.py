"""Settings: the numbers of the rules that an operator sets by environment."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gen404_assets.competition.settings import Rules
from resources.settings import BadSetting, read_settings

DEFAULTS: dict[str, object] = {
    "MAX_GENERATION_TIME": 180,
    "OVERTIME_TOLERANCE_RATIO": 0.05,
    "MAX_MISMATCHED_MARGIN": 0.05,
    "GENERATION_TIMEOUT": 180,
    "ACCEPTABLE_DISTANCE": 0.1,
    "GENERATION_MEDIAN_LIMIT": 90,
    "GENERATION_MEDIAN_TRIM_COUNT": 6,
    "MAX_MISMATCHED_PROMPTS": 6,
    "MAX_MISMATCHED_CRITICAL_PROMPTS": 1,
    "BUILD_TIMEOUT": 10800,
    "DOCKER_IMAGE_FORMAT": (
        "europe-west3-docker.pkg.dev/gen-456515/active-competition/{hotkey10}:{tag}"
    ),
    "PAUSE_ON_STAGE_END": False,
}
"""Name -> default, as `rules.md` gives them."""


def test_the_defaults_are_the_specifications() -> None:
    rules = read_settings(Rules, {"PATH": "/bin", "HOME": "/"})
    assert {name: getattr(rules, name.lower()) for name in DEFAULTS} == DEFAULTS


@pytest.mark.parametrize("name", DEFAULTS)
def test_each_setting_is_read_under_its_name(name: str) -> None:
    texts = {"PAUSE_ON_STAGE_END": "true", "DOCKER_IMAGE_FORMAT": "r/{hotkey10}:{tag}"}
    text = {**texts, "BUILD_TIMEOUT": "60"}.get(name, "1")
    rules = read_settings(Rules, {name: text})
    changed = {"true": True, "60": 60, "1": 1}.get(text, text)
    assert {key: getattr(rules, key.lower()) for key in DEFAULTS} == DEFAULTS | {name: changed}


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("TRUE", True), ("false", False), ("", False), (" ", False)]
)
def test_a_switch_is_true_or_false(text: str, value: bool) -> None:
    assert read_settings(Rules, {"PAUSE_ON_STAGE_END": text}).pause_on_stage_end is value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("MAX_GENERATION_TIME", text) for text in ("fast", "-1", "nan", "inf", "1e999")),
        *(("MAX_MISMATCHED_PROMPTS", text) for text in ("6.5", "-1", "six", "9" * 5000)),
        *(("PAUSE_ON_STAGE_END", text) for text in ("yes", "1", "0", "2")),
        *(
            ("DOCKER_IMAGE_FORMAT", text)
            for text in ("r/{hotkey10}", "r/{tag}", "{hotkey10}:{tag}:{x}", "{")
        ),
        *(
            ("DOCKER_IMAGE_FORMAT", text)
            for text in (
                "{{hotkey10}}:{{tag}}",
                "{hotkey10}{tag}{hotkey10[a]}",
                "{}{hotkey10}{tag}",
            )
        ),
    ],
)
def test_a_setting_that_cant_be_used_is_named(name: str, text: str) -> None:
    with pytest.raises(BadSetting) as caught:
        read_settings(Rules, {name: text})
    assert name in str(caught.value)


@settings(max_examples=200)
@given(
    st.lists(
        st.sampled_from(
            ["{hotkey10}", "{tag}", "{", "}", "!r", ":>9", ".x", "[0]", "[a]", "tag", "0", "/"]
        )
    ).map("".join)
)
def test_any_image_format_is_used_or_refused(text: str) -> None:
    try:
        rules = read_settings(Rules, {"DOCKER_IMAGE_FORMAT": text})
    except BadSetting:
        return
    image = rules.docker_image_format.format(hotkey10="HOTKEY", tag="TAG")
    assert "HOTKEY" in image
    assert "TAG" in image


def test_an_empty_variable_is_unset() -> None:
    assert read_settings(Rules, dict.fromkeys(DEFAULTS, " ")) == Rules()


def test_what_only_a_version_of_a_rule_changes_is_no_setting() -> None:
    assert read_settings(Rules, {"WEIGHT_DIGITS": "3", "UNIQUE_PROMPTS": "false"}) == Rules()
