"""Settings: models of one subject each, read from environment variables, and what makes one bad."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, cast, get_origin
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from gen404_assets.competition.plain_text import keep_secret

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings

NOT_READ: dict[str, Any] = {"environment": False}
"""The `json_schema_extra` of a field that no environment variable sets."""

MAY_HOLD_A_KEY: dict[str, Any] = {"may_hold_a_key": True}
"""The `json_schema_extra` of an address that may have a user part, a query, or a key in its path:
its value is never shown.
"""

_PLAIN = "must be plain characters without blanks"
_LONGEST_SHOWN = 80  # characters of a bad value


class BadSetting(ValueError):
    """A setting that can't be used; the message names it and says what was expected."""


class Settings(BaseModel):
    """The settings of one subject. A field is the environment variable of its name in capitals;
    its description says what it means, in which unit.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", str_strip_whitespace=True, allow_inf_nan=False
    )


M = TypeVar("M", bound=BaseModel)


def read_settings(model: type[M], environment: Mapping[str, str]) -> M:
    """The settings of `model` that `environment` holds; an empty variable counts as unset.

    Raises BadSetting for the first that can't be used.
    """
    values = _values(model, environment)
    for name, field in setting_fields(model).items():
        text, is_switch = values.get(name), field.annotation in {bool, bool | None}
        if is_switch and text is not None and text.lower() not in {"true", "false"}:
            raise BadSetting(f"{name.upper()} must be true or false, not {text!r}")
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise BadSetting(_sentence(model, error)) from None


def setting(environment: Mapping[str, str], name: str) -> str:
    """The text of one variable, without blanks around it; empty where it is unset or blank."""
    return environment.get(name, "").strip()


def without_blanks(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that are set to something."""
    return {name: value for name, value in environment.items() if value.strip()}


def setting_fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a model that are settings."""
    return {
        name: field
        for name, field in model.model_fields.items()
        if field.json_schema_extra != NOT_READ
    }


def _values(model: type[BaseModel], environment: Mapping[str, str]) -> dict[str, Any]:
    """The texts of a model's settings, by field name."""
    fields = setting_fields(model)
    if not any(setting(environment, name.upper()) for name in fields):
        return {}  # a replay that sets nothing need not wait for the import below
    from pydantic_settings import EnvSettingsSource  # noqa: PLC0415
    from pydantic_settings.sources.utils import parse_env_vars  # noqa: PLC0415

    class Variables(EnvSettingsSource):
        """The variables of `environment`, which need not be this process's own."""

        def _load_env_vars(self) -> Mapping[str, str | None]:
            known = {name: value.strip() for name, value in environment.items()}
            return parse_env_vars(known, ignore_empty=True)

    values = Variables(cast("type[BaseSettings]", model), env_ignore_empty=True)()
    return {name: value for name, value in values.items() if name in fields}


def _sentence(model: type[BaseModel], error: ValidationError) -> str:
    """What is wrong with the first bad setting, in one sentence."""
    problem = error.errors(include_url=False)[0]
    if not problem["loc"]:
        return str(problem["ctx"]["error"])
    name = str(problem["loc"][0])
    if problem["type"] == "missing":
        return f"{name.upper()} must be set: {model.model_fields[name].description}"
    limits = problem.get("ctx", {})
    expected = {
        "float_parsing": "must be a number",
        "finite_number": "must be a finite number",
        "int_parsing": "must be a whole number",
        "int_parsing_size": "must be a whole number",
        "int_from_float": "must be a whole number",
        "greater_than_equal": f"must be {_range(model.model_fields[name])}",
        "less_than_equal": f"must be {_range(model.model_fields[name])}",
        "literal_error": f"must be {limits.get('expected')}",
        "value_error": str(limits.get("error")),
    }.get(problem["type"], problem["msg"])
    if not _may_be_shown(model.model_fields[name]):
        return f"{name.upper()} {expected}"
    shown = str(problem["input"])
    cut = shown if len(shown) <= _LONGEST_SHOWN else f"{shown[:_LONGEST_SHOWN]}…"
    return f"{name.upper()} {expected}, not {cut!r}"


def _range(field: FieldInfo) -> str:
    """What a number may be, by its field's bounds: "at least 1", "at most 9" or "from 1 to 9"."""
    least, most = (
        next((getattr(bound, side) for bound in field.metadata if hasattr(bound, side)), None)
        for side in ("ge", "le")
    )
    if least is None or most is None:
        return f"at most {most}" if least is None else f"at least {least}"
    return f"from {least} to {most}"


def _may_be_shown(field: FieldInfo) -> bool:
    """Whether an error may repeat a bad value: a text, such as a URL, could hold a secret."""
    numbers: set[Any] = {int, float, bool, int | None, float | None, bool | None}
    return field.annotation in numbers or get_origin(field.annotation) is Literal


def is_secret(field: FieldInfo) -> bool:
    """Whether a setting is a key, token or password."""
    return "SecretStr" in str(field.annotation)


def is_hidden(field: FieldInfo, text: str = "") -> bool:
    """Whether a setting's value must not be shown: that of a secret and of an address that may hold
    a key, and any `text` with an @, as before a host, or a URL's query or fragment.
    """
    marked = is_secret(field) or field.json_schema_extra == MAY_HOLD_A_KEY
    return marked or "@" in text or ("://" in text and ("?" in text or "#" in text))


def _base_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        good = bool(parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0)
    except ValueError:
        good = False
    if not good or "@" in parts.netloc or parts.query or parts.fragment or not text.isprintable():
        raise ValueError("must be an http(s) URL without credentials, query and fragment")
    return text.rstrip("/")


def _plain_secret(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if not text or not all("!" <= character <= "~" for character in text):
        raise ValueError(_PLAIN)
    keep_secret(text)
    return secret


def git_address(url: str) -> str:
    """The address of a git repository as it may stand in process lists and errors.

    Raises BadSetting for a URL that may have a key in it.
    """
    if may_hold_a_key(url):
        raise BadSetting(f"the repository {NO_KEY}")
    return url


NO_KEY = (
    "must have a URL without user, password and query, which others see in process lists and "
    "errors: set GITHUB_TOKEN, or git's credential helper, instead"
)


def may_hold_a_key(url: str) -> bool:
    """Whether a git URL has a user part, but for the name of ssh's user, or a query."""
    scheme, separator, rest = url.partition("://")
    user, at, _ = rest.partition("/")[0].rpartition("@")
    has_user = bool(at) and (":" in user or "ssh" not in scheme.lower())
    return bool(separator) and (has_user or "?" in rest or "#" in rest)


def _base_urls(text: str) -> str:
    urls = [_base_url(each.strip()) for each in text.split(",")]
    if len(set(urls)) < len(urls):
        raise ValueError("must name each address once")
    return ",".join(urls)


BaseUrl = Annotated[str, AfterValidator(_base_url)]
"""The http(s) base URL of a server, kept without a trailing slash."""

BaseUrls = Annotated[str, AfterValidator(_base_urls)]
"""One base URL, or several with commas between."""

Secret = Annotated[SecretStr, AfterValidator(_plain_secret)]
"""A key, token or password; it is never shown."""
