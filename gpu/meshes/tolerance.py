"""How leniently glTF's JSON is read, in one place for all its parts.

As in JavaScript, a `null` counts as an absent key, and a whole number may be written as a text or
with a fraction of zero. Beyond that there are two kinds of parts. One that says where triangles are
(`Part`) must be right once it is used, since nothing of it can be guessed. One that says how they
look (`Look`) never makes its file unusable: a bad value counts as absent. In both, a number out of
range is moved to the range's nearest end, and a part that nothing uses is never read.
"""

import math
from collections.abc import Callable
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StrictBool,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)

Note = Callable[[str], None]
"""Is called with each fault that was tolerated: a sentence without a full stop, in ASCII."""

LARGEST = 1e9  # either way; products of a few such numbers stay finite in float32


def quoted(value: object) -> str:
    """A value from a file, for a message: short, and in printable ASCII."""
    if isinstance(value, list | dict):
        return "[...]" if isinstance(value, list) else "{...}"
    text = ascii(value[:60] if isinstance(value, str) else value)
    return text if len(text) <= 60 else f"{text[:57]}..."


class Part(BaseModel):
    """A part whose broken fields make it unusable, but for its `optional` ones, which then count as
    absent.

    Validate it with a `Note` for context.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)
    optional: ClassVar[tuple[str, ...]] = ()

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: content for key, content in value.items() if content is not None}
        return value

    @field_validator("*", mode="wrap")
    @classmethod
    def _absent_if_broken(
        cls, value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> Any:
        try:
            return handler(value)
        except ValidationError:
            field = cls.model_fields[str(info.field_name)]
            if field.is_required() or not (
                issubclass(cls, Look) or info.field_name in cls.optional
            ):
                raise
            _tell(info, f"{info.field_name} {quoted(value)} can't be used and is ignored")
            return field.get_default(call_default_factory=True)


class Look(Part):
    """A part whose fields are all optional. A broken one that has no default makes it unusable."""


def _tell(info: ValidationInfo, sentence: str) -> None:
    if info.context is not None:
        info.context(sentence)


def _within(least: float, most: float) -> AfterValidator:
    def within(value: float, info: ValidationInfo) -> float:
        if math.isnan(value):
            raise ValueError("it isn't a number")
        moved = min(max(value, least), most)
        if moved != value:
            _tell(info, f"{info.field_name} {value:.6g} is taken as {moved:.6g}")
        return moved

    return AfterValidator(within)


def _of_length(length: int) -> BeforeValidator:
    """Extra numbers are dropped. Missing ones become 1, which is glTF's default for them."""

    def fitting(value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, list) or len(value) == length:
            return value
        _tell(info, f"{info.field_name} has {len(value)} numbers instead of {length}")
        return [*value[:length], *[1] * (length - len(value))] if value else value

    return BeforeValidator(fitting)


def one_of(*codes: int) -> AfterValidator:
    """A number must be one of these codes."""

    def known(value: int) -> int:
        if value not in codes:
            raise ValueError(f"{value} isn't one of {', '.join(map(str, codes))}")
        return value

    return AfterValidator(known)


Flag = StrictBool
Number = Annotated[float, _within(-LARGEST, LARGEST)]
Positive = Annotated[float, _within(0, LARGEST)]
Unit = Annotated[float, _within(0, 1)]
Vector2 = tuple[Number, Number]
Vector3 = tuple[Number, Number, Number]
Vector4 = tuple[Number, Number, Number, Number]
Color3 = Annotated[tuple[Unit, Unit, Unit], _of_length(3)]
Color4 = Annotated[tuple[Unit, Unit, Unit, Unit], _of_length(4)]
