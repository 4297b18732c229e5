"""Dagster's instance of a platform: its `dagster.yaml`, and where its storage is."""

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

from gen404_assets.commands.refused import Refused
from gen404_assets.settings import PlatformSettings, home, sqlalchemy_url
from resources.settings import read_settings, setting
from resources.whole_file import write_whole

TEMPLATE = Path(__file__).parents[1] / "dagster.yaml"
"""What ours holds beside the retention and the storage."""

_OURS = "# Written by gen404 from its settings. A file that is changed by hand is left as it is: "
_POSTGRES = """storage:
  postgres:
    postgres_url:
      env: DATABASE_URL
"""
_WITHOUT_DIGEST = "952f6d548493a2da59a52cb842b44bc075ed8027597d0cc1f8818d4b35d1b546"
"""SHA-256 of what versions before the digest wrote before the retention, with no first line."""


def prepare(environment: Mapping[str, str]) -> dict[str, str]:
    """Have an instance in `GEN404_HOME`, by the settings or by the operator's own
    `dagster.yaml`; the environment variables of whatever works on it.

    `DATABASE_URL` among them is the database that the instance uses, as SQLAlchemy takes it.
    Raises BadSetting, and Refused for a `dagster.yaml` that can't be used.
    """
    settings = read_settings(PlatformSettings, environment)
    folder = home() / "dagster"
    variables = {
        "DAGSTER_GRPC_TIMEOUT_SECONDS": "180",  # a run's process starts slowly on a busy machine
        **environment,
        "GEN404_HOME": str(home()),
        "DAGSTER_HOME": str(folder),
    }
    if settings.database_url is not None:
        variables["DATABASE_URL"] = settings.database_url.get_secret_value()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "dagster.yaml"
    if not path.exists() or _is_ours(path.read_bytes()):
        write_whole(path, _with_digest(_configuration(settings)))
    elif database := own_database(folder):
        variables["DATABASE_URL"] = database
    os.environ.update(variables)
    return variables


def own_database(folder: Path) -> str | None:
    """The database that an operator's own `dagster.yaml` names for Dagster's storage, as SQLAlchemy
    takes it; None for another storage. Raises Refused where the file can't be used.
    """
    path = folder / "dagster.yaml"
    if not path.exists() or "postgres" not in path.read_text():
        return None
    os.environ.update(_as_sqlalchemy_takes_it(os.environ))
    unset = sorted(name for name in _variables_in(path) if not setting(os.environ, name))
    if unset:
        raise Refused(f"{', '.join(unset)} must be set: {path} takes Dagster's storage from there")
    import dagster as dg  # noqa: PLC0415 -- Dagster's processes import it again

    try:
        with dg.DagsterInstance.from_config(str(folder)) as instance:
            url = getattr(instance.run_storage, "postgres_url", None)
            return None if url is None else sqlalchemy_url(str(url))
    except Exception as error:
        raise Refused(f"{path} can't be used: {_sentence(error)}") from error


def _variables_in(path: Path) -> set[str]:
    """The environment variables that a `dagster.yaml` reads, by keys `env`."""
    return {*re.findall(r"^[^#\n]*\benv:\s*[\"']?(\w+)", path.read_text(), re.MULTILINE)}


def _as_sqlalchemy_takes_it(environment: Mapping[str, str]) -> dict[str, str]:
    url = read_settings(PlatformSettings, environment).database_url
    return {} if url is None else {"DATABASE_URL": url.get_secret_value()}


def _sentence(error: BaseException) -> str:
    """What is wrong, at the bottom of an error's causes, in a line."""
    import dagster as dg  # noqa: PLC0415 -- as above

    while error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, dg.DagsterInvalidConfigError):
        return "; ".join(each.message for each in error.errors)
    return " ".join(str(error).split())[:300]


def tick_retention(days: int) -> str:
    """The part of dagster.yaml that has ticks purged: what `prune` leaves of them is kept as long
    as runs are.
    """
    kept = f"skipped: 1, success: {days}, failure: {days}, started: {days}"
    return f"retention:\n  sensor:\n    purge_after_days: {{ {kept} }}\n"


def _configuration(settings: PlatformSettings) -> bytes:
    text = TEMPLATE.read_text() + tick_retention(settings.retention_days)
    return (text + (_POSTGRES if settings.database_url else "")).encode()


def _with_digest(content: bytes) -> bytes:
    return f"{_OURS}{hashlib.sha256(content).hexdigest()}\n".encode() + content


def _is_ours(content: bytes) -> bool:
    """Whether a `dagster.yaml` is as this platform, or one before, has written it."""
    first, _, rest = content.partition(b"\n")
    if first.startswith(_OURS.encode()):
        return content == _with_digest(rest)
    before, _, _ = content.partition(b"retention:\n  sensor:\n")
    return hashlib.sha256(before).hexdigest() == _WITHOUT_DIGEST
