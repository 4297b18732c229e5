"""The header of a PLY file: where its vertices are and what each of their numbers means.

Read as writers of PLY files use the format: lines end with LF, CR LF or CR; comments and `obj_info`
may hold anything, in any encoding; other elements may stand before the vertices and after them.
"""

from dataclasses import dataclass

from gpu.faults import Refused

HEADER_BYTES = 2**20  # room for comments of any kind; 3DGS writes 1.5 KB
VERTICES = 2_000_000  # Gaussians, which bounds the memory that reading and drawing take
TYPES = {
    **dict.fromkeys(("char", "int8"), "i1"),
    **dict.fromkeys(("uchar", "uint8"), "u1"),
    **dict.fromkeys(("short", "int16"), "i2"),
    **dict.fromkeys(("ushort", "uint16"), "u2"),
    **dict.fromkeys(("int", "int32"), "i4"),
    **dict.fromkeys(("uint", "uint32"), "u4"),
    **dict.fromkeys(("float", "float32"), "f4"),
    **dict.fromkeys(("double", "float64"), "f8"),
}
ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">", "ascii": None}
_IGNORED = (b"comment", b"obj_info")


@dataclass(frozen=True)
class Property:
    """One number of each row or, where `count` is given, that many: the type of the list's
    length.
    """

    name: str
    kind: str
    count: str | None = None


@dataclass(frozen=True)
class Element:
    """Rows of one kind."""

    name: str
    rows: int
    properties: list[Property]


@dataclass(frozen=True)
class Header:
    """`order` is `<` or `>`, None for a file in text; `start`, the first byte after the header.
    `before` are the elements whose rows come ahead of the vertices'."""

    order: str | None
    before: list[Element]
    vertices: Element
    start: int


def read_header(data: memoryview) -> Header:
    """Raises Refused for a header that can't be followed."""
    head = bytes(data[:HEADER_BYTES])
    if head[:4] not in (b"ply\n", b"ply\r"):
        raise Refused("the file isn't a PLY")
    lines, start = _lines(head)
    order = _order(lines)
    elements = _elements(lines)
    place = next(
        (place for place, element in enumerate(elements) if element.name == "vertex"), None
    )
    if place is None:
        raise Refused("the PLY has no vertices")
    _check(elements[place])
    return Header(order, elements[:place], elements[place], start)


def _lines(head: bytes) -> tuple[list[list[str]], int]:
    """The words of each line that says something, and where the header ends.

    How the first line ends tells how all do: after a CR alone, an LF would be the first byte of the
    data.
    """
    end = b"\r" if head[3:5] != b"\r\n" and head[3:4] == b"\r" else b"\n"
    lines: list[list[str]] = []
    start = head.index(end) + 1
    while (stop := head.find(end, start)) >= 0:
        words = head[start:stop].split()
        start = stop + 1
        if words == [b"end_header"]:
            return lines, start
        if words and words[0] not in _IGNORED:
            lines.append([word.decode("latin-1") for word in words])
    raise Refused(f"the PLY's header doesn't end within {HEADER_BYTES:,} bytes")


def _order(lines: list[list[str]]) -> str | None:
    formats = [words[1:] for words in lines if words[0] == "format"]
    if (
        len(formats) != 1
        or len(formats[0]) != 2
        or formats[0][0] not in ORDERS
        or formats[0][1] != "1.0"
    ):
        raise Refused("the PLY's format is neither ascii nor binary, of version 1.0")
    return ORDERS[formats[0][0]]


def _elements(lines: list[list[str]]) -> list[Element]:
    elements: list[Element] = []
    for words in lines:
        if words[0] == "element":
            if len(words) != 3:
                raise Refused(
                    f"the PLY has an element without a name or a number: {' '.join(words)[:80]!r}"
                )
            elements.append(Element(words[1], _number(words[1], words[2]), []))
        elif words[0] == "property":
            if not elements:
                raise Refused("the PLY has a property before its first element")
            elements[-1].properties.append(_property(words))
    return elements


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        what = "vertices" if name == "vertex" else f"{name[:80]!r}"
        raise Refused(f"the PLY's number of {what} is {text[:80]!r}")
    return int(text)


def _property(words: list[str]) -> Property:
    if len(words) == 3 and words[1] in TYPES:
        return Property(words[2], TYPES[words[1]])
    if len(words) == 5 and words[1] == "list" and words[2] in TYPES and words[3] in TYPES:
        return Property(words[4], TYPES[words[3]], TYPES[words[2]])
    raise Refused(f"the PLY has a property that isn't a number: {' '.join(words)[:80]!r}")


def _check(vertices: Element) -> None:
    if not vertices.rows:
        raise Refused("the PLY holds no Gaussians")
    if vertices.rows > VERTICES:
        raise Refused(f"the PLY holds {vertices.rows:,} Gaussians, more than {VERTICES:,}")
    for each in vertices.properties:
        if each.count is not None:
            raise Refused(
                "the PLY's vertices have a property that isn't a number: the list "
                f"{each.name[:80]!r}"
            )
    names = [each.name for each in vertices.properties]
    if len(set(names)) < len(names):
        raise Refused("the PLY has two properties of one name")
