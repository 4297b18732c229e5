"""PLY files as tools write them: every form says the same, and what is no Gaussian is left out."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gpu.faults import Refused
from gpu.splats.ply import Splats, read_splats
from gpu.splats.ply_header import HEADER_BYTES
from gpu.splats.ply_text import numbers
from gpu.workers.warmup import ply
from simulators.files_3d import gaussians

VALUES = gaussians(100).astype("<f4")
PLAIN = ply(VALUES)
HEAD, _, CONTENT = PLAIN.partition(b"end_header\n")
CASES = Path(__file__).parents[4] / "shared/cases"


def read(content: bytes) -> Splats:
    return read_splats(memoryview(content))


def same(one: Splats, other: Splats) -> bool:
    names = ("means", "scales", "turns", "colors", "opacities")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


def text(values: NDArray[np.floating], form: str = "%.9g", end: str = "\n") -> bytes:
    return end.join(" ".join(form % value for value in row) for row in values).encode()


def commented(*lines: bytes) -> bytes:
    """A header with these lines behind its first."""
    return HEAD.replace(b"ply\n", b"ply\n" + b"".join(line + b"\n" for line in lines), 1)


@pytest.mark.parametrize(
    "line",
    [
        b"comment made by \xe7\x8c\xab",
        b"comment \xff\xfe\x00",
        b"comment end_header",
        b"comment element vertex 7",
        b"comment property float x",
        b"comment format ascii 1.0",
        b"comment",
        b"obj_info num_cols 512",
        b"obj_info end_header \xe9",
        b"",
        b"comment " + b"x" * 300_000,
    ],
)
def test_a_comment_may_say_anything(line: bytes) -> None:
    assert same(read(commented(line, line) + b"end_header\n" + CONTENT), read(PLAIN))


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("first", [None, 0x0A, 0x0D])
def test_lines_end_in_any_way_and_data_begins_right_behind(end: bytes, first: int | None) -> None:
    """Also where the data's first byte looks like the end of a line."""
    values = VALUES.copy()
    if first is not None:
        values.view("u1")[0, 0] = first
    header = (HEAD + b"end_header\n").replace(b"\n", end)
    assert same(read(header + values.tobytes()), read(ply(values)))
    written = header.replace(b"binary_little_endian", b"ascii") + text(values, end=end.decode())
    assert same(read(written), read(ply(values)))


def test_text_says_the_same_as_bytes() -> None:
    header = HEAD.replace(b"binary_little_endian", b"ascii") + b"end_header\n"
    assert same(read(header + text(VALUES)), read(PLAIN))
    assert same(read(header + text(VALUES, "%.9e").replace(b" ", b" \t ") + b"\n\n"), read(PLAIN))
    faces = header.replace(
        b"end_header", b"element face 2\nproperty list uchar int indices\nend_header"
    )
    assert same(read(faces + text(VALUES) + b"\n3 0 1 2\n3 0 2 3\n"), read(PLAIN))
    before = header.replace(
        b"element vertex", b"element face 2\nproperty list uchar int indices\nelement vertex"
    )
    assert same(read(before + b"3 0 1 2\n4 0 2 3 1\n" + text(VALUES)), read(PLAIN))


@pytest.mark.parametrize(
    "written", ["nan", "-nan(ind)", "NaN", "inf", "1.#QNAN", "-1.#IND", "1e999"]
)
def test_what_is_no_number_in_text_costs_its_row(written: str) -> None:
    header = HEAD.replace(b"binary_little_endian", b"ascii") + b"end_header\n"
    lines = text(VALUES).split(b"\n")
    lines[4] = b" ".join([written.encode(), *lines[4].split()[1:]])
    shown = read(header + b"\n".join(lines))
    assert same(shown, read(ply(np.delete(VALUES, 4, axis=0))))
    assert shown.notes == ("1 of 100 Gaussians are degenerate and were left out",)


@pytest.mark.parametrize("wrong", ["0x10", "1.2.3", "--1", "1e", "one", "1,5", "."])
def test_other_words_in_text_are_named(wrong: str) -> None:
    header = HEAD.replace(b"binary_little_endian", b"ascii") + b"end_header\n"
    with pytest.raises(Refused, match="where a number should be"):
        read(header + wrong.encode() + b" " + text(VALUES))
    with pytest.raises(Refused, match="cut short"):
        read(header + text(VALUES[:-1]))
    with pytest.raises(Refused, match="cut short"):
        read(header.replace(b"vertex 100", b"vertex 2000000") + text(VALUES))


@given(st.floats(-1e300, 1e300), st.sampled_from([repr, "{:.17e}".format, "{:.6f}".format]))
def test_text_is_read_as_python_reads_it(value: float, form: Callable[[float], str]) -> None:
    written = form(value).encode() + b" "
    (number,) = numbers(np.frombuffer(written, np.uint8), 0, 1)
    expected = float(written)
    assert number == expected or abs(number - expected) <= 1e-15 * abs(expected) + 1e-307


def test_text_of_100_000_gaussians_takes_half_a_second_of_one_core_at_most() -> None:
    values = gaussians(100_000)
    header = ply(values).partition(b"end_header\n")[0].replace(b"binary_little_endian", b"ascii")
    content = header + b"end_header\n" + text(values)
    began = time.process_time()
    assert len(read(content).means) == 100_000
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("place", ["before", "behind", "both"])
def test_other_elements_are_passed_over(order: str, place: str) -> None:
    kinds = {"<": b"binary_little_endian", ">": b"binary_big_endian"}
    properties = b"element face 3\nproperty uchar flags\n"
    properties += b"property list ushort int indices\nproperty list uchar double uv\n"
    properties += b"element camera 2\nproperty double focal\nproperty uchar id\n"
    rows = [(1, [1, 2, 3], []), (2, [], [0.5, 0.25]), (3, [7] * 300, [0.5])]
    other = b"".join(
        bytes([flags])
        + np.array([len(indices)], order + "u2").tobytes()
        + np.array(indices, order + "i4").tobytes()
        + bytes([len(places)])
        + np.array(places, order + "f8").tobytes()
        for flags, indices, places in rows
    ) + bytes(18)
    head = HEAD.replace(b"binary_little_endian", kinds[order])
    content = VALUES.astype(order + "f4").tobytes()
    if place != "behind":
        head, content = (
            head.replace(b"element vertex", properties + b"element vertex"),
            other + content,
        )
    if place != "before":
        head, content = head + properties.replace(b"face", b"edge"), content + other
    assert same(read(head + b"end_header\n" + content), read(PLAIN))


def test_lists_that_lead_beyond_the_file_are_refused() -> None:
    properties = b"element face 9\nproperty list uint double indices\nelement vertex"
    head = HEAD.replace(b"element vertex", properties) + b"end_header\n"
    with pytest.raises(Refused, match="go on beyond"):
        read(head + b"\xff\xff\xff\xff" + CONTENT)
    with pytest.raises(Refused, match="go on beyond"):
        read(head.replace(b"face 9", b"face 999999999999999999") + b"\0\0\0\0" + CONTENT)
    with pytest.raises(Refused, match="fractional length"):
        read(head.replace(b"list uint", b"list float") + CONTENT)


@pytest.mark.parametrize("form", ["<f8", ">f4", ">f8"])
def test_numbers_of_any_type_and_order_say_the_same(form: str) -> None:
    head = HEAD.replace(b"float", b"double") if form.endswith("f8") else HEAD
    head = head.replace(b"little", b"big") if form.startswith(">") else head
    assert same(read(head + b"end_header\n" + VALUES.astype(form).tobytes()), read(PLAIN))


@settings(max_examples=25, deadline=None)
@given(
    st.permutations(range(14)),
    st.lists(st.sampled_from(["uchar", "double", "short", "float"]), max_size=3),
)
def test_properties_stand_in_any_order_among_others(order: list[int], others: list[str]) -> None:
    names = [
        line.split()[-1].decode() for line in HEAD.split(b"\n") if line.startswith(b"property")
    ]
    kinds = {"uchar": "u1", "double": "<f8", "short": "<i2", "float": "<f4"}
    fields = [(names[k], "<f4") for k in order] + [
        (f"f_rest_{k}", kinds[kind]) for k, kind in enumerate(others)
    ]
    rows = np.zeros(100, fields)
    for column, name in enumerate(names):
        rows[name] = VALUES[:, column]
    properties = [f"property float {names[k]}" for k in order]
    properties += [f"property {kind} f_rest_{k}" for k, kind in enumerate(others)]
    head = "\n".join(
        [
            "ply",
            "format binary_little_endian 1.0",
            "element vertex 100",
            *properties,
            "end_header",
            "",
        ]
    )
    assert same(read(head.encode() + rows.tobytes()), read(PLAIN))


@pytest.mark.parametrize("column", range(14))
def test_a_row_with_a_nan_is_no_part_of_the_model(column: int) -> None:
    values = VALUES.copy()
    values[7, :3] = 1000  # its place counts for nothing, either
    values[7, column] = np.nan
    shown = read(ply(values))
    assert same(shown, read(ply(np.delete(values, 7, axis=0))))
    assert shown.notes == ("1 of 100 Gaussians are degenerate and were left out",)
    assert read(PLAIN).notes == ()


def test_a_gaussian_of_full_opacity_or_no_thickness_is_one() -> None:
    """As converters from other formats write them: the logit of 1 and the logarithm of 0."""
    values = VALUES.copy()
    values[3, 6], values[4, 9] = np.inf, -np.inf
    shown = read(ply(values))
    assert shown.opacities[3] == 1
    assert shown.scales[4, 2] == 0
    assert shown.notes == ()


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (("packed_position", "packed_rotation", "packed_scale", "packed_color"), "compressed"),
        (("x", "y", "z", "f_dc_0", "f_dc_1", "f_dc_2", "opacity", "scale_0", "scale_1"), "2DGS"),
        (("x", "y", "z", "nx", "ny", "nz"), "point cloud"),
    ],
)
def test_other_layouts_are_named(names: tuple[str, ...], reason: str) -> None:
    properties = "".join(f"property float {name}\n" for name in names)
    head = f"ply\nformat binary_little_endian 1.0\nelement vertex 3\n{properties}end_header\n"
    with pytest.raises(Refused, match=reason):
        read(head.encode() + bytes(4 * 3 * len(names)))


def test_a_header_has_an_end_within_bounds() -> None:
    long = commented(b"comment " + b"x" * HEADER_BYTES)
    with pytest.raises(Refused, match="doesn't end"):
        read(long + b"end_header\n" + CONTENT)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_g21_whatever_is_changed_it_is_read_or_refused(data: st.DataObject) -> None:
    form = data.draw(st.sampled_from(["binary_little_endian", "binary_big_endian", "ascii"]))
    body = text(VALUES) if form == "ascii" else CONTENT
    content = bytearray(
        HEAD.replace(b"binary_little_endian", form.encode()) + b"end_header\n" + body
    )
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, 700))
        new = data.draw(
            st.binary(max_size=6) | st.sampled_from([b"\n", b"\r", b" ", b"list ", b"-1", b"nan"])
        )
        content[at : at + data.draw(st.integers(0, 12))] = new
    try:
        splats = read(bytes(content))
    except Refused as refusal:
        assert str(refusal)
    else:
        assert len(splats.means) <= 100_000


@pytest.mark.skipif(not CASES.exists(), reason="no cases to read")
def test_the_worlds_own_are_read(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(CASES / "make_cases.py"), str(tmp_path)], check=True)
    counts = {
        file.stem: len(read(file.read_bytes()).means) for file in (tmp_path / "ply").glob("*.ply")
    }
    assert counts == {"one-nan-position": 99, "comment-utf-8": 100, "ascii": 100}
