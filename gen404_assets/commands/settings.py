"""`gen404 settings`: every setting there is, with its default, meaning and present value."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from gen404_assets.live.subjects import SUBJECTS
from resources.settings import is_hidden, is_secret, setting, setting_fields


def secret_names() -> set[str]:
    """The settings whose values nobody else may see."""
    return {
        name.upper()
        for subject in SUBJECTS
        for name, field in setting_fields(subject.model).items()
        if is_secret(field)
    }


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as it is shown. `value` is None where it is unset, and never one that is a
    secret or may hold one.
    """

    subject: str
    name: str
    default: str
    meaning: str
    value: str | None


def all_settings(environment: Mapping[str, str]) -> Iterator[Setting]:
    """Every setting once, under the first subject that has it."""
    seen: set[str] = set()
    for subject in SUBJECTS:
        for field_name, field in setting_fields(subject.model).items():
            name = field_name.upper()
            if name in seen:
                continue
            seen.add(name)
            value = setting(environment, name) or None
            if value is not None and is_hidden(field, value):
                value = "(set)"
            yield Setting(subject.title, name, _default(field), field.description or "", value)


def settings_text(environment: Mapping[str, str]) -> str:
    """All settings for a terminal: one each line pair, under their subjects."""
    lines: list[str] = []
    subject = None
    for each in all_settings(environment):
        if each.subject != subject:
            subject = each.subject
            lines += ["", subject] if lines else [subject]
        value = "" if each.value is None else f" = {each.value}"
        lines.append(f"  {each.name}{value}")
        lines.append(f"      {each.meaning} ({_shown(each.default)})")
    return "\n".join(lines)


def settings_table() -> str:
    """All settings as the Markdown table of the README."""
    rows = ["| Setting | Default | Meaning |", "|---|---|---|"]
    subject = None
    for each in all_settings({}):
        if each.subject != subject:
            subject = each.subject
            rows.append(f"| **{subject}** | | |")
        default = f"`{each.default}`" if each.default else ""
        rows.append(f"| `{each.name}` | {default} | {each.meaning.replace('|', chr(92) + '|')} |")
    return "\n".join(rows)


def _shown(default: str) -> str:
    return f"default {default}" if default else "no default"


def _default(field: FieldInfo) -> str:
    value = field.default
    if field.is_required() or value is None or isinstance(value, SecretStr):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
