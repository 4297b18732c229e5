"""Numbers in the text of a PLY file: a million in a tenth of a second, where numpy takes most of
one.
"""

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from gpu.faults import Refused

_SPACE, _PLUS, _MINUS, _POINT, _HASH = (ord(letter) for letter in " +-.#")
_ZERO, _NINE = ord("0"), ord("9")
_E, _F, _N, _SMALL = ord("e"), ord("f"), ord("n"), 32  # `| _SMALL` makes a letter a small one
_DIGITS = 18  # of a number that count; 64 bits have room for them


def numbers(content: NDArray[np.uint8], start: int, count: int) -> NDArray[np.float64]:
    """The first `count` numbers from `start` on, between white space (count,). `nan`, `inf` and the
    ways in which C libraries write them (`-nan(ind)`, `1.#QNAN`) are numbers, too. Raises Refused
    for anything else.

    pandas' C parser isn't used for this: it takes 1.1 to 2.4 times as long on 1.4 million numbers,
    and refuses those spellings and lines that are broken elsewhere than after a row.
    """
    if count > (len(content) - start) // 2 + 1:  # each takes a digit and a blank at least
        raise Refused(f"the file is cut short: its header says that {count:,} numbers follow")
    parsed, wrong = _read(content, start, count)
    if wrong >= 0:
        word = bytes(content[wrong : wrong + 40]).split()[:1]
        text = word[0].decode("latin-1") if word else ""
        raise Refused(
            f"the PLY's text has {text!r} where a number should be"
            if text
            else f"the file is cut short: its header says that {count:,} numbers follow"
        )
    values: NDArray[np.float64] = parsed
    return values


def after_lines(content: NDArray[np.uint8], start: int, count: int) -> int:
    """Where the line begins that comes after `count` lines."""
    if not count:
        return start
    end = 10 if (content[start:] == 10).any() else 13
    ends = np.flatnonzero(content[start:] == end)
    if count > len(ends):
        raise Refused(f"the file is cut short: {count:,} lines come before its vertices")
    return start + int(ends[count - 1]) + 1


@numba.njit(cache=True, nogil=True)
def _read(content: Any, start: int, count: int) -> Any:
    """The numbers, and where something else stands, or -1."""
    values = np.empty(count)
    at = start
    for number in range(count):
        while at < len(content) and content[at] <= _SPACE:
            at += 1
        first = at
        while at < len(content) and content[at] > _SPACE:
            at += 1
        ok, value = _number(content[first:at])
        if not ok:
            return values, first
        values[number] = value
    return values, -1


@numba.njit(cache=True, nogil=True)
def _number(word: Any) -> Any:
    """Whether a word is a number, and which: to within a unit in the last place of 64 bits."""
    negative, first = _sign(word)
    mantissa, exponent, any_digit, at = _digits(word, first)
    if at < len(word):
        if any_digit and word[at] | _SMALL == _E:
            ok, power = _exponent(word[at + 1 :])
            if not ok:
                return False, 0.0
            exponent += power
        elif word[at] == _HASH or at == first:
            return _no_number(word[at:], negative)
        else:
            return False, 0.0
    if not any_digit:
        return False, 0.0
    value = np.float64(mantissa)
    if exponent < -300:  # in two steps: the power alone would be out of range
        value, exponent = value / 1e300, exponent + 300
    value = value * 10.0**exponent if exponent >= 0 else value / 10.0**-exponent
    return True, -value if negative else value


@numba.njit(cache=True, nogil=True)
def _sign(word: Any) -> Any:
    """Whether there is a minus, and how many characters the sign takes."""
    if len(word) > 0 and word[0] == _MINUS:
        return True, 1
    return False, 1 if len(word) > 0 and word[0] == _PLUS else 0


@numba.njit(cache=True, nogil=True)
def _digits(word: Any, first: int) -> Any:
    """The digits as a whole number and a power of ten, whether there are any, and where they
    end.
    """
    mantissa, exponent, digits, any_digit, behind = np.uint64(0), 0, 0, False, False
    at = first
    while at < len(word):
        letter = word[at]
        if _ZERO <= letter <= _NINE:
            any_digit = True
            if digits < _DIGITS:
                mantissa = mantissa * np.uint64(10) + np.uint64(letter - _ZERO)
                digits += int(mantissa > np.uint64(0))
                exponent -= int(behind)
            else:
                exponent += int(not behind)
        elif letter == _POINT and not behind:
            behind = True
        else:
            break
        at += 1
    return mantissa, exponent, any_digit, at


@numba.njit(cache=True, nogil=True)
def _exponent(word: Any) -> Any:
    negative, first = _sign(word)
    power = 0
    for at in range(first, len(word)):
        if not _ZERO <= word[at] <= _NINE:
            return False, 0
        power = min(power * 10 + int(word[at] - _ZERO), 600)  # beyond 600 all are zero or infinity
    return len(word) > first, -power if negative else power


@numba.njit(cache=True, nogil=True)
def _no_number(word: Any, negative: bool) -> Any:
    """`inf`, `infinity`, `nan`, `nan(...)`, `#INF`, `#IND`, `#QNAN`, `#SNAN`, in any case."""
    first = 1 if word[0] == _HASH else 0
    if len(word) < first + 3:
        return False, 0.0
    one, two, three = word[first] | _SMALL, word[first + 1] | _SMALL, word[first + 2] | _SMALL
    if one == ord("i") and two == _N and three == _F:
        return True, -np.inf if negative else np.inf
    ind = one == ord("i") and two == _N and three == ord("d")
    nan = one == _N and two == ord("a") and three == _N
    quiet = (one == ord("q") or one == ord("s")) and two == _N and three == ord("a")
    return ind or nan or quiet, np.nan
