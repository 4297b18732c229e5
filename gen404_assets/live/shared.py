"""What all processes of a platform share: claims, the notes that it keeps for itself, and totals of
what they count.

They lie in `GEN404_HOME`, which is one machine's, or, with `DATABASE_URL`, in PostgreSQL, which
every machine sees.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from gen404_assets.settings import PlatformSettings, home
from resources.claims import Claims, FileClaims
from resources.figures import FileTotals, Totals
from resources.notes import FileNotes, Notes
from resources.settings import BadSetting, read_settings, setting


@dataclass(frozen=True, slots=True)
class Shared:
    """Claims, notes and totals of one platform. Claims and notes of lanes are named `lanes/...`,
    those of pods `leases/...`.
    """

    claims: Claims
    notes: Notes
    totals: Totals


def shared_on_disk(folder: Path) -> Shared:
    """What the processes of this machine share, in files of a folder."""
    return Shared(FileClaims(folder), FileNotes(folder), FileTotals(folder / "figures.json"))


def open_shared(environment: Mapping[str, str] | None = None) -> Shared:
    """What the processes of this platform share, by its settings, or by this process's. Raises
    BadSetting.
    """
    environment = os.environ if environment is None else environment
    if not setting(environment, "DATABASE_URL"):
        if home_needs_database_url():
            raise BadSetting(
                f"DATABASE_URL must be set: who works on what in {home()} stands in its database"
            )
        return shared_on_disk(home())  # without the imports that reading the settings takes
    url = read_settings(PlatformSettings, environment).database_url
    return _in_database(url.get_secret_value()) if url else shared_on_disk(home())


def home_needs_database_url() -> bool:
    """Whether Dagster's storage in `GEN404_HOME` is the database of that setting."""
    try:
        configured = (home() / "dagster" / "dagster.yaml").read_text()
    except FileNotFoundError:
        return False
    # By its text, without the import of a YAML parser.
    return bool(re.search(r"^[^#\n]*\benv:\s*[\"']?DATABASE_URL\b", configured, re.MULTILINE))


@lru_cache(maxsize=4)
def _in_database(url: str) -> Shared:
    from resources.database import (  # noqa: PLC0415 -- only where there is a database
        Database,
        DatabaseClaims,
        DatabaseNotes,
        DatabaseTotals,
    )

    database = Database(url)
    return Shared(DatabaseClaims(database), DatabaseNotes(database), DatabaseTotals(database))
