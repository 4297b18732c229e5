"""How a made-up competition becomes a git repository: through one `git fast-import`."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def fast_import(path: Path) -> Iterator[IO[bytes]]:
    """The input of `git fast-import` in a new bare repository, whatever git's configuration on this
    machine.
    """
    path.mkdir(parents=True)
    nobodys = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("GIT_")
    } | nobodys
    git = ["git", "-C", str(path), "-c", "core.compression=1", "-c", "fastimport.unpackLimit=0"]
    subprocess.run(
        [*git, "init", "--quiet", "--bare", "--initial-branch=main"], check=True, env=environment
    )
    command = [*git, "fast-import", "--quiet", "--depth=0", "--done"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=environment) as process:
        assert process.stdin is not None
        yield process.stdin
        process.stdin.write(b"done\n")
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
