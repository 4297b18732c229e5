"""Everything outside, as the commands of an operator open it."""

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from resources.settings import BadSetting, setting

if TYPE_CHECKING:
    from gen404_assets.live.outside import Outside

P = ParamSpec("P")
T = TypeVar("T")

# Imported where used: a replay, which opens nothing outside, takes less time than these imports.
# ruff: noqa: PLC0415


def with_outside(
    act: Callable[Concatenate["Outside", P], T], *arguments: P.args, **options: P.kwargs
) -> T:
    """Do what a person asks of the competition, with everything outside that it takes."""
    from gen404_assets.live.outside import Outside

    outside = Outside(operators_environment(), by_person=True)
    try:
        return act(outside, *arguments, **options)
    finally:
        outside.close()


def started_local_network(
    environment: Mapping[str, str],
) -> AbstractContextManager[Mapping[str, str]]:
    """The local network (`local_network`), which alone needs the extra `local`. Raises BadSetting
    where that isn't installed.
    """
    try:
        from gen404_assets.commands.local_network import local_network
    except ModuleNotFoundError as error:
        raise BadSetting(
            f"COMPETITION_REPO is not set, and a local network needs the package {error.name}: "
            "set it, or `pip install 'gen404[local]'`"
        ) from error
    return local_network(environment)


def operators_environment() -> Mapping[str, str]:
    """The operator's settings, or those of the local network where COMPETITION_REPO is not set.

    The database is known from the operator's own `dagster.yaml`, too: who holds what stands there.
    Where that names DATABASE_URL, commands that need no database do without it.
    """
    if not setting(os.environ, "DATABASE_URL"):
        from gen404_assets.live.shared import home_needs_database_url
        from gen404_assets.settings import home

        configured = (home() / "dagster" / "dagster.yaml").exists()
        if configured and not home_needs_database_url():
            from gen404_assets.commands.instance import own_database

            if database := own_database(home() / "dagster"):
                os.environ["DATABASE_URL"] = database
    if setting(os.environ, "COMPETITION_REPO"):
        return os.environ
    from gen404_assets.commands.local_settings import known_environment

    return known_environment(os.environ)
