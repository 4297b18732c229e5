"""The bounds of every setting that is a number: what is refused, and what can still be used."""

import threading
from datetime import timedelta

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from gen404_assets.live.subjects import SUBJECTS
from resources.settings import BadSetting, read_settings, setting_fields

NUMBERS = {
    name.upper(): (subject.model, field)
    for subject in SUBJECTS
    for name, field in setting_fields(subject.model).items()
    if field.annotation in {int, float, int | None, float | None}
}
"""Setting -> its model and field."""


def bounds(field: FieldInfo) -> tuple[float, float]:
    (least,) = [bound.ge for bound in field.metadata if hasattr(bound, "ge")]
    (most,) = [bound.le for bound in field.metadata if hasattr(bound, "le")]
    return least, most


def read(name: str, text: str) -> BaseModel:
    return read_settings(NUMBERS[name][0], {name: text})


def test_there_are_numbers() -> None:
    assert len(NUMBERS) > 35


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_out_of_its_bounds_is_refused_with_its_name_value_and_range(name: str) -> None:
    least, most = bounds(NUMBERS[name][1])
    below = ["-1", "-1e308", f"-{10**20}", *(["0"] if least > 0 else [])]
    above = ["1e308", f"{10**20}", f"{int(most) + 1}"]
    for text in [*below, *above]:
        with pytest.raises(BadSetting) as caught:
            read(name, text)
        told = str(caught.value)
        assert told.startswith(f"{name} must be ")
        assert told.endswith(f", not '{text}'")
        assert f"from {least} to {most}" in told or "whole number" in told
    for text in ("nan", "inf", "-inf", "1e999", "many"):
        with pytest.raises(BadSetting, match=f"{name} must be a "):
            read(name, text)


@pytest.mark.parametrize("name", NUMBERS)
def test_both_bounds_and_the_default_can_be_used(name: str) -> None:
    field = NUMBERS[name][1]
    least, most = bounds(field)
    names = ["LOCAL_PROMPTS", "LOCAL_POOL"] if name.startswith("LOCAL_P") else [name]
    for bound in (least, most):
        settings = read_settings(NUMBERS[name][0], dict.fromkeys(names, str(bound)))
        assert getattr(settings, name.lower()) == bound
    assert field.default is None or least <= field.default <= most


@pytest.mark.parametrize("name", NUMBERS)
def test_what_can_be_set_can_be_waited_for(name: str) -> None:
    _, most = bounds(NUMBERS[name][1])
    assert most <= threading.TIMEOUT_MAX
    assert timedelta(seconds=most) > timedelta()
