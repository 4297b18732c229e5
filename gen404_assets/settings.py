"""The settings of the platform itself; those of rules and adapters stand beside them."""

from collections.abc import Mapping

from gen404_assets.competition.settings import BadSetting


def operates(environment: Mapping[str, str]) -> bool:
    """Whether rounds under way are worked on here (`GEN404_OPERATE`), or only looked at. Raises
    BadSetting.
    """
    value = environment.get("GEN404_OPERATE", "false").lower()
    if value not in {"true", "false"}:
        raise BadSetting(f"GEN404_OPERATE must be true or false, not {value!r}")
    return value == "true"


def sensor_seconds(environment: Mapping[str, str]) -> int:
    """How often each sensor looks, in whole seconds (`SENSOR_SECONDS`, 5). Raises BadSetting."""
    text = environment.get("SENSOR_SECONDS", "5")
    if not text.isdecimal() or not 1 <= int(text) <= 600:
        raise BadSetting(
            f"SENSOR_SECONDS must be a whole number of seconds from 1 to 600, not {text!r}"
        )
    return int(text)
