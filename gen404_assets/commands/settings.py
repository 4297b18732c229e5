"""`gen404 settings`: every setting there is, with its default, meaning and present value."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from gen404_assets.settings import LocalSettings
from gen404_assets.competition.pods import PodRules
from gen404_assets.competition.settings import Rules
from gen404_assets.live.work import Pace
from gen404_assets.settings import PlatformSettings, RepositorySettings
from resources.alerts import AlertSettings
from resources.builds import BuildSettings
from resources.chain.opening import ChainSettings
from resources.chain.weights import ValidatorSettings
from resources.distance import DistanceSettings
from resources.downloads import DownloadSettings
from resources.judge import JudgeSettings
from resources.object_store import StoreSettings
from resources.providers.opening import ProviderSettings
from resources.providers.targon import TargonSettings
from resources.providers.verda import VerdaSettings
from resources.renderer import RendererSettings
from resources.settings import is_secret, setting_fields

SUBJECTS: Mapping[str, type[BaseModel]] = {
    "Repository": RepositorySettings,
    "Platform": PlatformSettings,
    "Alerts": AlertSettings,
    "Chain": ChainSettings,
    "Validator": ValidatorSettings,
    "Object store": StoreSettings,
    "Judge": JudgeSettings,
    "Renderer": RendererSettings,
    "Distance": DistanceSettings,
    "GPU providers": ProviderSettings,
    "Targon": TargonSettings,
    "Verda": VerdaSettings,
    "Builds": BuildSettings,
    "Downloads": DownloadSettings,
    "Pace": Pace,
    "Pods": PodRules,
    "Rules": Rules,
    "Local network": LocalSettings,
}
"""Every model of settings by its subject."""


def secret_names() -> set[str]:
    """The settings whose values nobody else may see."""
    return {
        name.upper()
        for model in SUBJECTS.values()
        for name, field in setting_fields(model).items()
        if is_secret(field)
    }


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as it is shown. `value` is None where it is unset; a secret's is never shown."""

    subject: str
    name: str
    default: str
    meaning: str
    value: str | None


def all_settings(environment: Mapping[str, str]) -> Iterator[Setting]:
    """Every setting once, under the first subject that has it."""
    seen: set[str] = set()
    for subject, model in SUBJECTS.items():
        for field_name, field in setting_fields(model).items():
            name = field_name.upper()
            if name in seen:
                continue
            seen.add(name)
            value = environment.get(name, "").strip() or None
            if value is not None and is_secret(field):
                value = "(set)"
            yield Setting(subject, name, _default(field), field.description or "", value)


def settings_text(environment: Mapping[str, str]) -> str:
    """All settings for a terminal: one each line pair, under their subjects."""
    lines: list[str] = []
    subject = None
    for setting in all_settings(environment):
        if setting.subject != subject:
            subject = setting.subject
            lines += ["", subject] if lines else [subject]
        value = "" if setting.value is None else f" = {setting.value}"
        lines.append(f"  {setting.name}{value}")
        lines.append(f"      {setting.meaning} ({_shown(setting.default)})")
    return "\n".join(lines)


def settings_table() -> str:
    """All settings as the Markdown table of the README."""
    rows = ["| Setting | Default | Meaning |", "|---|---|---|"]
    subject = None
    for setting in all_settings({}):
        if setting.subject != subject:
            subject = setting.subject
            rows.append(f"| **{subject}** | | |")
        default = f"`{setting.default}`" if setting.default else ""
        rows.append(
            f"| `{setting.name}` | {default} | {setting.meaning.replace('|', chr(92) + '|')} |"
        )
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
