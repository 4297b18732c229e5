"""Metadata (version 14, SCALE encoded) of a runtime that has just the storage that the platform
reads.
"""

NUL = b"\x00"


def compact(number: int) -> bytes:
    if number < 1 << 6:
        return bytes([number << 2])
    if number < 1 << 14:
        return (number << 2 | 1).to_bytes(2, "little")
    return (number << 2 | 2).to_bytes(4, "little")


def text(value: str) -> bytes:
    return compact(len(value)) + value.encode()


def vector(items: list[bytes]) -> bytes:
    return compact(len(items)) + b"".join(items)


def composite(*fields: int) -> bytes:
    return b"\x00" + vector([NUL + compact(field) + NUL + NUL for field in fields])


def sequence(item_type: int) -> bytes:
    return b"\x02" + compact(item_type)


def array(length: int, item_type: int) -> bytes:
    return b"\x03" + length.to_bytes(4, "little") + compact(item_type)


def pair(*item_types: int) -> bytes:
    return b"\x04" + vector([compact(item) for item in item_types])


def primitive(kind: int) -> bytes:
    return b"\x05" + bytes([kind])


U8, U16, U64, BYTES, REVEAL, REVEALS, KEY, ACCOUNT, NETUID_ACCOUNT, UNIT = range(10)
TYPES: list[tuple[list[str], bytes]] = [
    ([], primitive(3)),
    ([], primitive(4)),
    ([], primitive(6)),
    ([], sequence(U8)),
    ([], pair(BYTES, U64)),
    ([], sequence(REVEAL)),
    ([], array(32, U8)),
    (["sp_core", "crypto", "AccountId32"], composite(KEY)),
    ([], pair(U16, ACCOUNT)),
    ([], pair()),
]

IDENTITY, TWOX64_CONCAT = b"\x06", b"\x05"


def _type(number: int, path: list[str], definition: bytes) -> bytes:
    return compact(number) + vector([text(part) for part in path]) + NUL + definition + NUL


def _pallet(name: str, index: int, entries: list[bytes]) -> bytes:
    storage = b"\x01" + text(name) + vector(entries)
    return text(name) + storage + NUL + NUL + NUL + NUL + bytes([index])


_NOW = text("Now") + b"\x01" + b"\x00" + compact(U64) + vector([NUL] * 8) + NUL
_REVEALED = (
    text("RevealedCommitments")
    + b"\x00\x01"
    + vector([IDENTITY, TWOX64_CONCAT])
    + compact(NETUID_ACCOUNT)
    + compact(REVEALS)
    + vector([NUL])
    + NUL
)
METADATA = (
    b"meta\x0e"
    + vector([_type(number, *described) for number, described in enumerate(TYPES)])
    + vector([_pallet("Timestamp", 2, [_NOW]), _pallet("Commitments", 18, [_REVEALED])])
    + compact(UNIT)
    + b"\x04"
    + vector([])
    + compact(UNIT)
)


def encode_reveals(reveals: list[tuple[bytes, int]]) -> bytes:
    return vector(
        [compact(len(data)) + data + block.to_bytes(8, "little") for data, block in reveals]
    )
