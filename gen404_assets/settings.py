"""The settings of the platform itself; those of rules and adapters stand beside them."""

import os
import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from pydantic import Field, FilePath, SecretStr, field_validator, model_validator

from gen404_assets.competition.editions.names import EditionName
from gen404_assets.competition.quantities import Count
from gpu.services.access import is_loopback
from resources.settings import (
    MAY_HOLD_A_KEY,
    NO_KEY,
    Secret,
    Settings,
    may_hold_a_key,
    read_settings,
    setting,
)

EVERY_ADDRESS = frozenset({"", "0.0.0.0", "[::]"})  # noqa: S104 -- compared, not bound
_HOST_NAME = re.compile(r"[0-9A-Za-z_.-]+|\[[0-9A-Fa-f:.]+\]")
_ADDRESS = re.compile(r"[A-Za-z0-9.\-]+:[0-9]{1,5}")
_FINGERPRINT = re.compile("[0-9A-F]{40}|[0-9A-F]{64}")


def fingerprints(text: str) -> frozenset[str]:
    """The OpenPGP fingerprints in a list with commas, in capitals and without blanks."""
    words = text.upper().replace(" ", "").split(",")
    return frozenset(word for word in words if word)


def sqlalchemy_url(url: str) -> str:
    """A PostgreSQL URL as SQLAlchemy takes it: with the driver named, whichever spelling was given.
    Raises ValueError for the URL of something else, or where the driver is missing.
    """
    scheme, _, rest = url.partition("://")
    if scheme not in {"postgres", "postgresql", "postgresql+psycopg2"} or not rest:
        raise ValueError("must be a URL such as postgresql://user:password@host:5432/name")
    if find_spec("dagster_postgres") is None:
        raise ValueError("needs the extra `postgres`: pip install 'gen404[postgres]'")
    return f"postgresql+psycopg2://{rest}"


class RepositorySettings(Settings):
    """The competition's git repository."""

    competition_repo: str | None = Field(
        None,
        description="git URL or path of the competition; unset: a local network is started",
        json_schema_extra=MAY_HOLD_A_KEY,
    )
    github_branch: str = Field("main", description="branch of the competition")
    competition_edition: EditionName = Field(
        "competition-1",
        description="edition of the rules that its files are of; only competition 1 is operated, "
        "others are looked at, and `gen404 browse` finds the edition itself",
    )
    github_token: Secret | None = Field(None, description="token for GitHub, for git and its API")
    commit_signing_key: str | None = Field(
        None,
        description="key that the platform's commits are signed with, as git's `user.signingKey`: "
        "path of an SSH key, or fingerprint of an OpenPGP key; unset: commits aren't signed",
    )
    commit_signing_format: Literal["ssh", "openpgp"] = Field(
        "ssh", description="format of `COMMIT_SIGNING_KEY`"
    )
    commit_signers_file: FilePath | None = Field(
        None,
        description="file of SSH keys (in the format of git's `gpg.ssh.allowedSignersFile`) one of "
        "which must have signed the competition's head; unset: it isn't asked for",
    )
    commit_signers_openpgp: str | None = Field(
        None,
        description="fingerprints of OpenPGP keys in GnuPG's keyring, separated by commas, that "
        "count beside those of `COMMIT_SIGNERS_FILE`",
    )

    report_url: str | None = Field(
        None,
        description="URL or folder of the published report, whose pages `gen404 replay` links; "
        "`{round}` in it stands for the round's number",
        json_schema_extra=MAY_HOLD_A_KEY,
    )

    @field_validator("competition_repo")
    @classmethod
    def _has_no_key(cls, url: str | None) -> str | None:
        if url and may_hold_a_key(url):
            raise ValueError(NO_KEY)
        return url

    @field_validator("commit_signers_openpgp")
    @classmethod
    def _are_fingerprints(cls, text: str | None) -> str | None:
        if text and not all(_FINGERPRINT.fullmatch(word) for word in fingerprints(text)):
            raise ValueError("must be fingerprints of 40 hexadecimal digits, separated by commas")
        return text


class PlatformSettings(Settings):
    """How the platform runs on this machine."""

    gen404_home: Path | None = Field(
        None, description="folder of mirrors, leases and Dagster's storage; unset: ~/.gen404"
    )
    database_url: Secret | None = Field(
        None,
        description="PostgreSQL database of Dagster's storage and of what several machines share, "
        "as postgresql://user:password@host/name (needs the extra `postgres`); unset: SQLite and "
        "files in `GEN404_HOME`",
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
    ui_hosts: str | None = Field(
        None,
        description="names, without a port, by which Dagster's UI is called beside loopback and "
        "`BIND_ADDRESS`, separated by commas",
    )
    ui_read_only: bool | None = Field(
        None,
        description="whether Dagster's UI can change nothing; unset: true unless `BIND_ADDRESS` is "
        "loopback",
    )
    code_server: str = Field(
        "127.0.0.1:4266",
        description="host and port of the code server, where Dagster's processes are started "
        "apart (`gen404 start`)",
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

    @field_validator("ui_hosts")
    @classmethod
    def _are_names(cls, text: str | None) -> str | None:
        if text and not all(_HOST_NAME.fullmatch(word.strip()) for word in text.split(",")):
            raise ValueError("must be host names or addresses without a port, separated by commas")
        return text

    @property
    def called(self) -> frozenset[str]:
        """The names by which Dagster's UI is called beside loopback, in small letters."""
        named = {word.strip().lower() for word in (self.ui_hosts or "").split(",") if word.strip()}
        bound = f"[{self.bind_address}]" if ":" in self.bind_address else self.bind_address.lower()
        return frozenset(named | {bound} - EVERY_ADDRESS)

    @property
    def looks_only(self) -> bool:
        """Whether Dagster's UI can change nothing."""
        if self.ui_read_only is None:
            return not is_loopback(self.bind_address)
        return self.ui_read_only

    @field_validator("code_server")
    @classmethod
    def _is_address(cls, text: str) -> str:
        if not _ADDRESS.fullmatch(text) or not 0 < int(text.rpartition(":")[2]) < 65536:
            raise ValueError("must be a host and a port, such as code-server:4266")
        return text

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, url: SecretStr | None) -> SecretStr | None:
        return None if url is None else SecretStr(sqlalchemy_url(url.get_secret_value()))


class LocalSettings(Settings):
    """The local network that `gen404 up` starts; they count when it is first made."""

    local_block_seconds: float = Field(
        0.02, ge=0.001, le=12, description="seconds of this machine that a local block takes"
    )
    local_output_format: Literal["glb", "ply"] = Field(
        "glb", description="what the local miners submit: glb (meshes) or ply (Gaussian splats)"
    )
    # With fewer than 9 prompts a cheat stays within the tolerated mismatches.
    local_prompts: Count = Field(10, description="prompts of a local round")
    local_pool: Count = Field(48, description="prompts in the local pool")

    @model_validator(mode="after")
    def _fits(self) -> "LocalSettings":
        if self.local_prompts > self.local_pool:
            raise ValueError("LOCAL_PROMPTS must be from 1 to LOCAL_POOL")
        return self


def platform_settings(environment: Mapping[str, str] = os.environ) -> PlatformSettings:
    """How the platform runs on this machine. Raises BadSetting."""
    return read_settings(PlatformSettings, environment)


def home() -> Path:
    """Where the platform keeps what it can make again (`gen404_home`)."""
    # Read directly, since a replay needs this setting alone, and any path will do.
    folder = setting(os.environ, "GEN404_HOME")
    return (Path(folder) if folder else Path.home() / ".gen404").absolute()
