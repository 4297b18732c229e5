"""Charts as SVG files, which need no script: drawn by matplotlib, since it is the plotting library
that most people keep, and the same numbers give the same bytes.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_STYLE: Any = {
    "svg.fonttype": "none",  # texts stay texts, and fonts are the reader's
    "svg.hashsalt": "gen404",  # the same ids each time: the same round gives the same bytes
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e2e2e2",
    "axes.axisbelow": True,
}
_BLUE, _ORANGE, _RED, _GREY = "#1f5fa8", "#b35900", "#b3261e", "#767676"


def weight_chart(leaders: Sequence[tuple[int, float]]) -> bytes:
    """The leader's weight from block to block: (effective block, weight), oldest first."""
    with _chart("block", "weight of the leader") as (axes, written):
        blocks = [block for block, _ in leaders]
        axes.step(blocks, [weight for _, weight in leaders], where="post", color=_BLUE)
        axes.plot(blocks, [weight for _, weight in leaders], "o", color=_BLUE, markersize=4)
        axes.set_ylim(0, 1.05)
        if len(blocks) > 2:  # the first leader may lead from block 0, millions before the others
            axes.set_xlim(left=max(blocks[0], 2 * blocks[1] - blocks[-1]))
        axes.ticklabel_format(axis="x", style="plain", useOffset=False)
    return written.getvalue()


def participation_chart(rounds: Sequence[int], groups: Mapping[str, Sequence[int]]) -> bytes:
    """How many took part in each round, one line a group of `groups`."""
    with _chart("round", "miners") as (axes, written):
        for (label, counts), color in zip(groups.items(), (_BLUE, _ORANGE, _RED), strict=False):
            axes.plot(rounds, counts, "o-", color=color, label=label, markersize=4)
        axes.set_ylim(bottom=0)
        axes.locator_params(axis="x", integer=True)
        _explain_above(axes)
    return written.getvalue()


def closeness_chart(decisive: Sequence[tuple[int, float]], win_margin: float) -> bytes:
    """How close the rounds were: (round, the margin nearest to the one that wins)."""
    with _chart("round", "margin nearest to the limit") as (axes, written):
        axes.plot([number for number, _ in decisive], [m for _, m in decisive], "o", color=_BLUE)
        axes.axhline(win_margin, color=_RED, linestyle="--", label=f"{win_margin:g} wins")
        axes.locator_params(axis="x", integer=True)
        _explain_above(axes)
    return written.getvalue()


def sorted_chart(values: Sequence[float], limit: float, unit: str) -> bytes:
    """Values from the smallest to the largest beside the limit that they are to keep."""
    with _chart("prompts, from the smallest value to the largest", unit) as (axes, written):
        ordered = sorted(values)
        places = range(1, len(ordered) + 1)
        colors = [_RED if value > limit else _BLUE for value in ordered]
        axes.scatter(places, ordered, c=colors, s=14)
        axes.axhline(limit, color=_RED, linestyle="--", label=f"limit {limit:g}")
        axes.set_ylim(bottom=0)
        _explain_above(axes)
    return written.getvalue()


def stages_chart(stages: Sequence[tuple[str, float]]) -> bytes:
    """How long each stage took: (stage, hours), in order."""
    with _chart("hours", "") as (axes, written):
        ends = [0.0]
        for _, hours in stages:
            ends.append(ends[-1] + hours)
        for at, ((_, hours), (begin, _)) in enumerate(zip(stages, pairwise(ends), strict=True)):
            axes.barh(at, hours, left=begin, color=_GREY if at % 2 else _BLUE)
        axes.set_yticks(range(len(stages)), [stage for stage, _ in stages])
        axes.invert_yaxis()
    return written.getvalue()


def _explain_above(axes: "Axes") -> None:
    """What each line is, above the chart, where it hides nothing of it."""
    axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.2)


@contextmanager
def _chart(across: str, up: str) -> "Iterator[tuple[Axes, io.BytesIO]]":
    """Axes to draw on, and the SVG that is there after the block."""
    # Imported where used: it takes a second, and few commands draw.
    from matplotlib import rc_context  # noqa: PLC0415
    from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    with rc_context(_STYLE):
        figure = Figure(figsize=(7, 3), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        axes.set_xlabel(across, parse_math=False)
        axes.set_ylabel(up, parse_math=False)
        written = io.BytesIO()
        yield axes, written
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
