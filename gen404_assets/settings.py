"""The settings of the platform itself; those of rules and adapters stand beside them."""

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from resources.settings import Secret, Settings, read_settings


class RepositorySettings(Settings):
    """The competition's git repository."""

    competition_repo: str | None = Field(
        None, description="git URL or path of the competition; unset: a local network is started"
    )
    github_branch: str = Field("main", description="branch of the competition")
    github_token: Secret | None = Field(None, description="token for GitHub, for git and its API")


class PlatformSettings(Settings):
    """How the platform runs on this machine."""

    gen404_home: Path | None = Field(
        None, description="folder of mirrors, leases and Dagster's storage; unset: ~/.gen404"
    )
    gen404_operate: bool = Field(
        False, description="whether rounds under way are worked on here, or only looked at"
    )
    sensor_seconds: int = Field(
        5, ge=1, le=600, description="seconds between two looks of each sensor"
    )
    bind_address: str = Field(
        "127.0.0.1",
        description="address that Dagster's UI and /healthz listen on; neither asks for a password",
    )
    health_port: int | None = Field(
        None, ge=1, le=65535, description="port of /healthz; unset: 1000 above the UI's"
    )
    retention_days: int = Field(
        30, ge=1, le=3650, description="days that Dagster keeps what a run logged, and failed ticks"
    )
    log_megabytes: int = Field(
        50, ge=1, le=10000, description="size at which a log is rotated; three older ones are kept"
    )


def platform_settings(environment: Mapping[str, str] = os.environ) -> PlatformSettings:
    """How the platform runs on this machine. Raises BadSetting."""
    return read_settings(PlatformSettings, environment)


def home() -> Path:
    """Where the platform keeps what it can make again (`gen404_home`)."""
    # Read directly, since a replay needs this setting alone, and any path will do.
    folder = os.environ.get("GEN404_HOME", "").strip()
    return (Path(folder) if folder else Path.home() / ".gen404").absolute()
