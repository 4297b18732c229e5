"""Downloads from the CDNs of these tests: the file that is served, or why nothing was saved."""

import gzip
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from gen404_assets.competition.faults import MinerFault
from resources.downloads import Downloads
from simulators.strangers import stranger

LIMIT = 1 << 20
LOCAL = Downloads(private=True, limit=LIMIT, timeout=5)
MESH = b"glTF" + bytes(range(256)) * 40
GZIPPED = gzip.compress(MESH)
AGENT = re.compile(r"gen404/\S+ \(404-GEN competition platform, .*\+https://\S+\)")


def fetched(answer: bytes | Iterable[bytes], to: Path, downloads: Downloads = LOCAL) -> bytes:
    with stranger(lambda _: [answer] if isinstance(answer, bytes) else answer) as cdn:
        assert downloads.download(cdn.url, to) == to.stat().st_size
    return to.read_bytes()


def reason(url: str, to: Path, downloads: Downloads = LOCAL) -> str:
    """Why nothing was saved; nothing is left behind either."""
    with pytest.raises(MinerFault) as failure:
        downloads.download(url, to)
    assert list(to.parent.iterdir()) == []
    return str(failure.value)
