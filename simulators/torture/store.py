"""The store of a tortured round: a real S3 server, what is in it past every disturbance, and the
way of a request to it.
"""

import http.client
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]

from resources.local_network.store import LocalStore
from simulators.torture.front import Request, Response

_BUCKET = "404-gen"


class StoreServer:
    """A SeaweedFS whose files are in `folder`; `server` starts and stops it."""

    def __init__(self, folder: Path) -> None:
        self.server = LocalStore(folder)

    @property
    def environment(self) -> Mapping[str, str]:
        """The platform's settings for the server itself."""
        return self.server.environment

    def get(self, key: str) -> bytes | None:
        """An object's bytes."""
        connection = http.client.HTTPConnection(self._address, timeout=20)
        try:
            connection.request("GET", f"/{_BUCKET}/{key}")
            answer = connection.getresponse()
            content = answer.read()
            return content if answer.status == 200 else None
        finally:
            connection.close()

    def all_keys(self) -> list[str]:
        """The keys of all objects."""
        pages = self._client().get_paginator("list_objects_v2").paginate(Bucket=_BUCKET)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def delete(self, *keys: str) -> None:
        """Delete objects."""
        objects = [{"Key": key} for key in keys]
        self._client().delete_objects(Bucket=_BUCKET, Delete={"Objects": objects})

    def wipe(self) -> None:
        """Delete every object."""
        if keys := self.all_keys():
            self.delete(*keys)

    def answer(self, request: Request) -> Response:
        """What the server answers to a request that was sent elsewhere."""
        connection = http.client.HTTPConnection(self._address, timeout=60)
        try:
            connection.putrequest(
                request.method, request.path, skip_host=True, skip_accept_encoding=True
            )
            for name, value in request.headers.items():
                if name.lower() not in {"expect", "connection", "transfer-encoding"}:
                    connection.putheader(name, value)
            connection.endheaders(request.body)
            answer = connection.getresponse()
            body = answer.read()
        except OSError:  # its server has just been killed
            return Response(502, b"")
        finally:
            connection.close()
        hop = {"connection", "transfer-encoding", "keep-alive"}
        if request.method != "HEAD":
            hop.add("content-length")
        headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in hop]
        return Response(answer.status, body, headers)

    @property
    def _address(self) -> str:
        return urlsplit(self.environment["R2_ENDPOINT"]).netloc

    def _client(self) -> Any:
        settings = self.environment
        return boto3.client(
            "s3",
            endpoint_url=settings["R2_ENDPOINT"],
            region_name="auto",
            aws_access_key_id=settings["R2_ACCESS_KEY_ID"],
            aws_secret_access_key=settings["R2_SECRET_ACCESS_KEY"],
            config=Config(request_checksum_calculation="when_required"),
        )
