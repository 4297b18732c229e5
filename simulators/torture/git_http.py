"""A git repository over HTTP: git's own `http-backend` (git-http-backend(1)), run as a CGI program.

It is what GitHub's smart HTTP is to a client: `info/refs`, `git-upload-pack`, `git-receive-pack`.
"""

import os
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from simulators.torture.front import Request, Response

_SECONDS = 60


class GitServer:
    """The bare repository `name` below `folder`; who asks may push."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def answer(self, request: Request) -> Response:
        """What `git http-backend` answers."""
        url = urlsplit(request.path)
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self._folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            "PATH_INFO": url.path,
            "QUERY_STRING": url.query,
            "REQUEST_METHOD": request.method,
            "REMOTE_USER": "platform",
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(request.body)),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        }
        done = subprocess.run(
            ["git", "http-backend"],
            input=request.body,
            env=environment,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        headers = []
        status = 200 if done.returncode == 0 else 500
        for line in head.decode("latin-1").splitlines():
            key, _, value = line.partition(": ")
            if key.lower() == "status":
                status = int(value.split()[0])
            elif key:
                headers.append((key, value))
        return Response(status, body, headers)

    @staticmethod
    def is_push(request: Request) -> bool:
        """Whether a request is a push's own, not its question for the refs."""
        return request.method == "POST" and request.path.endswith("/git-receive-pack")
