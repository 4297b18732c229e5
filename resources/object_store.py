"""The bucket that keeps the 3D files and previews: S3 (Cloudflare R2 in production), publicly
readable by `CDN_URL`.
"""

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, Any, TypeVar

from pydantic import Field, field_validator

from gen404_assets.competition.faults import InfrastructureFault
from resources.deadlines import within
from resources.settings import BaseUrl, Secret, Settings, read_settings
from resources.store_answers import WHOLE_BYTES, bound_answers
from resources.whole_file import whole_file

_TIMEOUT = 600.0
"""Seconds of one call, the largest file's upload included."""
_CHUNK = 1 << 20  # bytes that are read at a time
_ABSENT = {"NoSuchKey", "404"}
_TAKEN = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}
_KEY = re.compile(r"(?!\.)[A-Za-z0-9._-]+(/(?!\.)[A-Za-z0-9._-]+)*")
"""No folder or name begins with a dot, so `.` and `..` are none."""
_T = TypeVar("_T")


class ObjectConflict(Exception):
    """The key already holds other bytes, and objects are never overwritten."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A key of the S3 API."""

    key_id: str
    secret: str = field(repr=False)


class ObjectStore:
    """One bucket behind an S3 endpoint; threads may share it.

    Keys are plain: letters, digits, `._-`, in folders; ValueError for any other. Each call ends
    within `timeout` seconds. A store that can't be reached, refuses the credentials or doesn't
    answer in time is an InfrastructureFault, which names the action and the key and no credential.
    """

    def __init__(
        self,
        endpoint: str,
        bucket: str,
        cdn_url: str,
        *,
        credentials: Credentials,
        timeout: float = _TIMEOUT,
    ) -> None:
        self._endpoint = endpoint
        self._bucket = bucket
        self._base = cdn_url.rstrip("/") + "/"
        self._credentials = credentials
        self._timeout = timeout

    @property
    def base(self) -> str:
        """The base of all public URLs, `CDN_URL`, with a slash at its end."""
        return self._base

    def url(self, key: str) -> str:
        """The public URL of a key."""
        return self._base + _plain(key)

    def key(self, url: str) -> str:
        """The key of a public URL; ValueError for one that isn't under `CDN_URL`."""
        if not url.startswith(self._base):
            raise ValueError(f"{url!r} is not under CDN_URL")
        return _plain(url.removeprefix(self._base))

    def put(self, key: str, source: Path | bytes, content_type: str) -> str:
        """Store a file, or bytes; the public URL. Nothing is sent where the key holds the same
        bytes already.

        Raises ObjectConflict where it holds others. Any size goes in one conditional request,
        streamed: S3 takes 5 GiB so, and a multipart upload would learn only with its last request
        that the key is taken.
        """
        url = self.url(key)
        with _opened(source) as body:
            digest = _sha256(body)
        self._call(f"put {key}", lambda: self._put(key, source, digest, content_type))
        return url

    def get(self, key: str) -> bytes | None:
        """An object's bytes, None where there is no such object. For previews and records, of at
        most `WHOLE_BYTES`; `fetch` is for what may be larger.
        """
        _plain(key)
        return self._call(f"get {key}", lambda: self._read(key, _whole))

    def fetch(self, key: str, to: Path) -> bool:
        """Save an object as a file, whole or not at all; False where there is no such object."""
        _plain(key)
        deadline = time.monotonic() + self._timeout

        def save(body: IO[bytes]) -> bool:
            with whole_file(to) as file:
                for chunk in _chunks(body):
                    file.write(chunk)
                    if time.monotonic() > deadline:  # nobody waits for the file any more
                        raise TimeoutError
            return True

        return self._call(f"fetch {key}", lambda: self._read(key, save)) or False

    def read(self, url: str) -> bytes:
        """The bytes behind a public URL of this store; ValueError for any other URL.

        A missing object is an InfrastructureFault: a URL of ours names what was stored.
        """
        key = self.key(url)
        content = self.get(key)
        if content is None:
            raise InfrastructureFault(f"object store: {key} is missing")
        return content

    @cached_property
    def _client(self) -> Any:
        from dagster_aws.s3 import S3Resource  # noqa: PLC0415 - Dagster and boto3 take seconds to import

        client = S3Resource(
            endpoint_url=self._endpoint,
            region_name="auto",
            aws_access_key_id=self._credentials.key_id,
            aws_secret_access_key=self._credentials.secret,
            max_attempts=3,
        ).get_client()
        # R2 knows none of the checksums that boto3 sends otherwise.
        client.meta.config.request_checksum_calculation = "when_required"
        client.meta.config.response_checksum_validation = "when_required"
        bound_answers(client, self._timeout)
        return client

    def _put(self, key: str, source: Path | bytes, digest: str, content_type: str) -> None:
        if self._holds(key, digest):
            return
        with _opened(source) as body:
            try:
                _genuine(
                    self._client.put_object(
                        Bucket=self._bucket,
                        Key=key,
                        Body=body,
                        ContentType=content_type,
                        Metadata={"sha256": digest},
                        IfNoneMatch="*",  # the store itself refuses to overwrite, whoever was first
                    )
                )
            except self._client.exceptions.ClientError as error:
                if _code(error) not in _TAKEN or not self._holds(key, digest):
                    raise

    def _holds(self, key: str, digest: str) -> bool:
        """Whether the key holds these very bytes: False where it holds none, ObjectConflict where
        it holds others.
        """
        try:
            metadata = _genuine(self._client.head_object(Bucket=self._bucket, Key=key))["Metadata"]
        except self._client.exceptions.ClientError as error:
            if _code(error) in _ABSENT:
                return False
            raise
        held = metadata.get("sha256") or self._read(key, _sha256)
        if held != digest:
            raise ObjectConflict(f"{key} already holds other bytes")
        return True

    def _read(self, key: str, consume: Callable[[IO[bytes]], _T]) -> _T | None:
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=key)
        except self._client.exceptions.NoSuchKey:
            return None
        with closing(answer["Body"]):
            return consume(_genuine(answer)["Body"])

    def _call(self, action: str, call: Callable[[], _T]) -> _T:
        """The result of `call`, within the timeout. A failure becomes an InfrastructureFault that
        holds no secret.
        """
        from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]  # noqa: PLC0415
        from botocore.parsers import ResponseParserError  # type: ignore[import-untyped]  # noqa: PLC0415
        from urllib3.exceptions import HTTPError  # noqa: PLC0415 - botocore lets it through where a body breaks off

        try:
            return within(self._timeout, call)
        except TimeoutError:
            reason = f"no end after {self._timeout:g} s"
        except ClientError as error:
            reason = _code(error)
        except OSError as error:
            reason = error.strerror or type(error).__name__
        except (BotoCoreError, ResponseParserError, HTTPError) as error:
            reason = type(error).__name__
        raise InfrastructureFault(f"object store: {action}: {reason}")


class StoreSettings(Settings):
    """The S3 bucket of 3D files, previews and answers."""

    r2_endpoint: BaseUrl = Field(description="URL of the S3 API")
    r2_access_key_id: Secret = Field(description="key id of the S3 API")
    r2_secret_access_key: Secret = Field(description="secret key of the S3 API")
    r2_bucket: str = Field("404-gen", description="name of the bucket")
    cdn_url: BaseUrl = Field(description="public base URL of the bucket's objects")

    @field_validator("r2_bucket")
    @classmethod
    def _is_a_bucket(cls, name: str) -> str:
        if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", name):
            raise ValueError("must be 3 to 63 small letters, digits, dots and hyphens")
        return name


def open_object_store(environment: Mapping[str, str]) -> ObjectStore:
    """The store that the settings name: `R2_ENDPOINT`, `R2_BUCKET`, `CDN_URL` and the `R2_`
    credentials.

    BadSetting, naming the setting, where one is bad or missing.
    """
    settings = read_settings(StoreSettings, environment)
    credentials = Credentials(
        settings.r2_access_key_id.get_secret_value(),
        settings.r2_secret_access_key.get_secret_value(),
    )
    return ObjectStore(
        settings.r2_endpoint, settings.r2_bucket, settings.cdn_url, credentials=credentials
    )


def _plain(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key!r} is not a plain key")
    return key


@contextmanager
def _opened(source: Path | bytes) -> Iterator[Any]:
    if isinstance(source, Path):
        with source.open("rb") as file:
            yield file
    else:
        import io  # noqa: PLC0415

        yield io.BytesIO(source)


def _chunks(body: IO[bytes]) -> Iterator[bytes]:
    return iter(lambda: body.read(_CHUNK), b"")


def _whole(body: IO[bytes]) -> bytes:
    content = bytearray()
    for chunk in _chunks(body):
        content += chunk
        if len(content) > WHOLE_BYTES:
            raise InfrastructureFault(
                f"object store: an object of more than {WHOLE_BYTES:,} bytes, where a picture or a "
                "record was looked for"
            )
    return bytes(content)


def _sha256(body: IO[bytes]) -> str:
    digest = hashlib.sha256()
    for chunk in _chunks(body):
        digest.update(chunk)
    return digest.hexdigest()


def _genuine(answer: Any) -> Any:
    """The answer, if an object store sent it: a proxy or a captive portal may answer 200, too."""
    if not answer.get("ETag"):
        raise InfrastructureFault("object store: the answer has no ETag, so it isn't the store's")
    return answer


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", "unknown error"))
