"""The numbers of the rules that an operator may set by environment, and the named versions rules
have had.
"""

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Any

BLOCK_SECONDS = 12


class BadSetting(ValueError):
    """A setting from the environment that can't be used; the message names it and what was
    expected.
    """


@dataclass(frozen=True, slots=True)
class Rules:
    """Each field but the last two is read from the environment variable of its name in capitals
    (`rules.md`).
    """

    max_generation_time: float = 180.0
    overtime_tolerance_ratio: float = 0.05
    max_mismatched_margin: float = 0.05
    generation_timeout: float = 180.0
    acceptable_distance: float = 0.1
    generation_median_limit: float = 90.0
    generation_median_trim_count: int = 6
    max_mismatched_prompts: int = 6
    max_mismatched_critical_prompts: int = 1
    build_timeout: float = 3 * 3600.0
    docker_image_format: str = (
        "europe-west3-docker.pkg.dev/gen-456515/active-competition/{hotkey10}:{tag}"
    )
    pause_on_stage_end: bool = False
    clinch_matches: bool = False
    weight_digits: int | None = 10
    unique_prompts: bool = True

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Rules":
        """The rules with what `environment` sets. Raises BadSetting."""
        rules = cls(**read_settings(cls, environment, leaving={"weight_digits", "unique_prompts"}))
        if _fields(rules.docker_image_format) != {"{hotkey10}", "{tag}"}:
            raise BadSetting(
                "DOCKER_IMAGE_FORMAT must hold {hotkey10} and {tag} and no other field"
            )
        return rules


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """A way in which a rule once read: the fields of `Rules` that differ."""

    rule: str
    name: str
    change: Mapping[str, Any]

    def of(self, rules: Rules) -> Rules:
        return dataclasses.replace(rules, **self.change)


VERSIONS: Mapping[str, tuple[RuleVersion, ...]] = {
    "overtime": (
        RuleVersion("overtime", "5%", {"overtime_tolerance_ratio": 0.05}),
        RuleVersion("overtime", "10%", {"overtime_tolerance_ratio": 0.10}),
    ),
    "weights": (
        RuleVersion("weights", "rounded", {"weight_digits": 10}),
        RuleVersion("weights", "unrounded", {"weight_digits": None}),
    ),
    "prompts": (
        RuleVersion("prompts", "unique", {"unique_prompts": True}),
        RuleVersion("prompts", "as drawn", {"unique_prompts": False}),
    ),
}
"""Rule -> its versions, the present one first."""


def read_settings(
    fields: type, environment: Mapping[str, str], leaving: Collection[str] = ()
) -> dict[str, Any]:
    """What `environment` sets of a dataclass's fields, by their names in capitals. Raises
    BadSetting.
    """
    return {
        field.name: _read(field.name.upper(), environment[field.name.upper()], type(field.default))
        for field in dataclasses.fields(fields)
        if field.name.upper() in environment and field.name not in leaving
    }


def _read(name: str, text: str, kind: type) -> Any:
    if kind is str:
        return text
    if kind is bool:
        if text.lower() in {"true", "1", "false", "0"}:
            return text.lower() in {"true", "1"}
        raise BadSetting(f"{name} must be true or false, not {text!r}")
    try:
        number = kind(text)
    except ValueError as error:
        whole = "whole " if kind is int else ""
        raise BadSetting(f"{name} must be a {whole}number, not {text!r}") from error
    if not 0 <= number < float("inf"):
        raise BadSetting(f"{name} must be finite and not negative, not {text!r}")
    return number


def _fields(image_format: str) -> set[str]:
    """The fields of a format as they stand in it; empty where it is none."""
    try:
        parsed = [*Formatter().parse(image_format)]
    except ValueError:
        return set()
    return {
        f"{{{name}{'!' if conversion else ''}{conversion or ''}{':' if spec else ''}{spec}}}"
        for _, name, spec, conversion in parsed
        if name is not None
    }
