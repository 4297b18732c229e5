"""Large downloads take little memory, however many there are at once and however they come."""

import gzip
import itertools
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from simulators.http2_strangers import Answer, http2_stranger
from simulators.strangers import certified, ok, stranger

TEN_AT_ONCE = """
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from resources.downloads import open_downloads
url, folder = sys.argv[1:]
downloads = open_downloads({"ALLOW_PRIVATE_CDN": "true"})
with ThreadPoolExecutor(10) as threads:
    print(*threads.map(lambda n: downloads.download(url, Path(folder) / str(n)), range(10)))
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(status["VmHWM"].split()[0])  # getrusage would tell of the parent, too, from before the exec
"""


def test_g20_ten_large_downloads_at_once_stay_under_256_mib(to: Path) -> None:
    size = 48 * 2**20  # together nearly twice the memory allowed
    parts = [ok(b"", length=size), *itertools.repeat(bytes(1 << 20), size >> 20)]
    with stranger(lambda _: parts) as cdn:
        command = [sys.executable, "-c", TEN_AT_ONCE, cdn.url, str(to.parent)]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert printed[:10] == [str(size)] * 10
    kibibytes = int(printed[10])
    assert kibibytes < 256 * 1024


TEN_AT_ONCE_OVER_TLS = """
import ssl, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from resources.downloads import Downloads
url, folder, certificate = sys.argv[1:]
tls = ssl.create_default_context(cafile=certificate)
downloads = Downloads(private=True, resolve=lambda _: ["127.0.0.1"], tls=tls)
with ThreadPoolExecutor(10) as threads:
    print(*threads.map(lambda n: downloads.download(url, Path(folder) / str(n)), range(10)))
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(status["VmHWM"].split()[0])
"""


@pytest.mark.parametrize("way", ["http2", "gzip"])
def test_g20_ten_large_downloads_at_once_stay_under_256_mib_in_every_way(
    way: str, to: Path
) -> None:
    size = 40 * 2**20
    with TemporaryDirectory() as folder:
        server, _ = certified("DNS:cdn.invalid", keep=Path(folder) / "ca.pem")
        zipped = gzip.compress(bytes(size), 1)
        serving = (
            http2_stranger(lambda _: Answer(itertools.repeat(bytes(1 << 20), size >> 20)), server)
            if way == "http2"
            else stranger(lambda _: [ok(zipped, "Content-Encoding: gzip")], server)
        )
        with serving as cdn:
            url = f"https://cdn.invalid:{cdn.port}/"
            command = [
                sys.executable,
                "-c",
                TEN_AT_ONCE_OVER_TLS,
                url,
                str(to.parent),
                str(Path(folder) / "ca.pem"),
            ]
            printed = subprocess.run(
                command, check=True, capture_output=True, text=True
            ).stdout.split()
    assert printed[:10] == [str(size)] * 10
    assert int(printed[10]) < 256 * 1024
