"""Outputs are read quickly, and as strictly as any file."""

from unittest.mock import patch

import pytest

from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.outputs import Outputs
from simulators.examples import text_of

OUTPUT = (
    '{"a": {"glb": "https://b/a.glb", "png": "https://b/a.png", "generation_time": 1.5, '
    '"size": 7, "attempts": 1, "distance": 0.0}}'
)
SPOILT_OUTPUTS = {
    "a key twice": ('"size": 7', '"size": 7, "size": 7'),
    "a key twice, with space before its colon": ('"size": 7', '"size" : 7, "size"\t: 7'),
    "a key twice, written otherwise": ('"size": 7', '"size": 7, "s\\u0069ze": 7'),
    "a URL twice": ('"png"', '"glb": "https://b/a.glb", "png"'),
    "a URL twice, null at last": ('"png"', '"glb": null, "png"'),
    "a stem twice": ("{", '{"a": {}, '),
    "an unknown key twice": ('"size": 7', '"size": 7, "x": 1, "x": 1'),
    "an unknown key twice, deep inside": ('"size": 7', '"size": 7, "x": {"y": 1, "y": 1}'),
    "no number": ("1.5", "NaN"),
    "an infinity": ('"distance": 0.0', '"distance": -Infinity'),
    "a number too large for a float": ("1.5", "1e999"),
    "an unknown key's number too large for a float": ('"size": 7', '"size": 7, "x": 1e999'),
    "an unknown key that is no number": ('"size": 7', '"size": 7, "x": NaN'),
    "an endless integer": ('"size": 7', '"size": ' + "9" * 5000),
    "a lone surrogate": ("b/a.png", "b/\\ud800.png"),
}


@pytest.mark.parametrize(("old", "new"), SPOILT_OUTPUTS.values(), ids=SPOILT_OUTPUTS)
def test_g17_what_counting_strings_may_miss_in_outputs_is_refused_as_by_a_strict_reader(
    old: str, new: str
) -> None:
    raw = OUTPUT.replace(old, new, 1).encode()
    with pytest.raises(MalformedFile) as caught:
        Outputs._parse_strictly(raw, "rounds/3/a.json")
    with pytest.raises(MalformedFile) as quickly:
        Outputs.parse(raw, "rounds/3/a.json")
    assert str(quickly.value) == str(caught.value)


SOUND_OUTPUTS = {
    "as it is": ("", ""),
    "without a file": ('"https://b/a.glb"', "null"),
    "without a file's key": ('"glb": "https://b/a.glb", ', ""),
    "both files": ('"png"', '"ply": "https://b/a.ply", "png"'),
    "an empty URL": ("https://b/a.png", ""),
    "an unknown key": ('"size": 7', '"size": 7, "reason": "two lights"'),
    "an escaped URL": ("https://b/a.png", "https:\\/\\/b\\/a.png"),
    "beyond ASCII": ("https://b/a.png", "https://b/ä.png"),
    "spaces": ('"size": 7', '"size"  :\n7'),
    "a whole number of seconds": ("1.5", "1"),
    "another number's notation": ("1.5", "15e-1"),
}


@pytest.mark.parametrize(("old", "new"), SOUND_OUTPUTS.values(), ids=SOUND_OUTPUTS)
def test_outputs_are_read_as_by_a_strict_reader(old: str, new: str) -> None:
    raw = OUTPUT.replace(old, new, 1).encode()
    quickly, strictly = Outputs.parse(raw, "a file"), Outputs._parse_strictly(raw, "a file")
    assert quickly == strictly
    assert quickly.to_bytes() == strictly.to_bytes()


def test_usual_outputs_are_read_once() -> None:
    with patch.object(Outputs, "_parse_strictly", side_effect=AssertionError("read again")):
        for raw in (OUTPUT.encode(), text_of(Outputs), b"{}", OUTPUT.replace(" ", "").encode()):
            Outputs.parse(raw, "a file")
