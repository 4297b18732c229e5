"""A file that a CDN compresses, though nobody asked, is decoded, whole and in bounds."""

import gzip
import itertools
import os
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.http_answers import decoded
from simulators.strangers import ok, stranger
from tests.resources.storage.downloading import GZIPPED, LIMIT, MESH, fetched, reason


@pytest.mark.parametrize(
    "headers",
    [
        ["Content-Encoding: aws-chunked"],
        ["Content-Encoding: "],
        ["Content-Encoding: identity"],
        ["Content-Encoding: AWS-Chunked, Identity"],
        ["Content-Encoding: aws-chunked", "Content-Encoding: "],
        ["Content-Encoding: ,"],
    ],
)
def test_encodings_that_encode_nothing_are_identity(headers: list[str], to: Path) -> None:
    """S3 kept an empty one, others `aws-chunked`, where a client uploaded in signed chunks
    (boto3 issue 3629)."""
    assert fetched(ok(MESH, *headers), to) == MESH


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (GZIPPED, ["Content-Encoding: gzip"]),
        (GZIPPED, ["CONTENT-ENCODING: GZip"]),
        (GZIPPED, ["Content-Encoding: x-gzip"]),
        (GZIPPED, ["Content-Encoding: aws-chunked,gzip"]),
        (GZIPPED, ["Content-Encoding: gzip, aws-chunked"]),
        (GZIPPED, ["Content-Encoding: aws-chunked", "Content-Encoding: gzip"]),
        (zlib.compress(MESH), ["Content-Encoding: deflate"]),
        (gzip.compress(GZIPPED), ["Content-Encoding: gzip, gzip"]),
        (
            gzip.compress(zlib.compress(MESH)),
            ["Content-Encoding: deflate", "Content-Encoding: gzip"],
        ),
        (
            gzip.compress(MESH[:5000]) + gzip.compress(b"") + gzip.compress(MESH[5000:]),
            ["Content-Encoding: gzip"],
        ),
        (GZIPPED + bytes(1000), ["Content-Encoding: gzip"]),
        (GZIPPED + b"and something else", ["Content-Encoding: gzip"]),
    ],
)
@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
def test_what_is_compressed_though_nobody_asked_is_decoded(
    body: bytes, headers: list[str], piece: int, to: Path
) -> None:
    """Objects that were uploaded with `Content-Encoding: gzip` are served so by S3 whatever a
    request accepts."""
    whole = ok(body, *headers)
    parts = [whole[at : at + piece] for at in range(0, len(whole), piece)]
    assert fetched(parts, to) == MESH


@pytest.mark.parametrize(
    ("body", "encoding", "why"),
    [
        (gzip.compress(bytes(100 * LIMIT)), "gzip", f"larger than {LIMIT} bytes"),
        (
            gzip.compress(gzip.compress(bytes(100 * LIMIT))),
            "gzip, gzip",
            f"larger than {LIMIT} bytes",
        ),
        (GZIPPED[:-9], "gzip", "cut short"),
        (GZIPPED[:-1], "gzip", "cut short"),
        (b"", "gzip", "cut short"),
        (GZIPPED + GZIPPED[:-1], "gzip", "cut short"),
        (MESH, "gzip", "isn't the gzip"),
        (GZIPPED[:50] + b"\xff" * 50 + GZIPPED[100:], "gzip", "isn't the gzip"),
        (GZIPPED, "gzip, gzip, gzip", "content encoding"),
        (GZIPPED, "br", "content encoding 'br'"),
        (GZIPPED, "gzip; q=1", "content encoding"),
        (GZIPPED, "\u00ff\u001b", "content encoding"),
    ],
)
def test_g20_decoded_content_is_bounded_and_whole(
    body: bytes, encoding: str, why: str, to: Path
) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n"
    head += f"Content-Encoding: {encoding}\r\n\r\n"
    with stranger(lambda _: [head.encode("latin-1") + body]) as cdn:
        assert why in reason(cdn.url, to).replace("no proper HTTP", "content encoding")


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=3000), st.lists(st.integers(0, 3000), max_size=5), st.integers(1, 4000))
def test_any_content_in_any_members_and_pieces_is_decoded(
    content: bytes, cuts: list[int], piece: int
) -> None:
    edges = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    members = b"".join(
        gzip.compress(content[start:end]) for start, end in itertools.pairwise(edges)
    )
    pieces = [members[at : at + piece] for at in range(0, len(members), piece)]
    assert b"".join(decoded(["gzip"], pieces)) == content


@pytest.mark.parametrize("level", [0, 1, 9])
def test_decoded_pieces_are_small_whatever_they_grow_to(level: int) -> None:
    content = bytes(3_000_000) + os.urandom(100_000)
    pieces = list(decoded(["gzip"], [gzip.compress(content, level)]))
    assert max(map(len, pieces)) <= 1 << 16
    assert b"".join(pieces) == content


def test_a_file_that_is_a_gzip_stays_one(to: Path) -> None:
    assert fetched(ok(GZIPPED), to) == GZIPPED
