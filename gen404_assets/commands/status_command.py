"""`gen404 status`: where the competition stands, once or again and again."""

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gen404_assets.live.outside import Outside

# What it shows is imported where it runs: other commands don't wait for it.
# ruff: noqa: PLC0415

SECONDS = 5.0
"""Between two looks of `--watch`."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.option("--watch", is_flag=True, help="Show it again every 5 seconds, until Ctrl-C.")
def status(*, as_json: bool, watch: bool) -> None:
    """Show round, stage and block, what is due, what waits, and how far the work is."""
    from gen404_assets.commands.opening import with_outside

    def show(outside: "Outside") -> None:
        repeat(lambda: _shown(outside, as_json=as_json), forever=watch, screen=not as_json)

    with_outside(show)


def repeat(
    shown: Callable[[], str],
    *,
    forever: bool,
    screen: bool,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Print what `shown` gives, once or until `pause` raises; on a cleared screen where `screen`
    says so and it is a terminal.
    """
    while True:
        text = shown()
        if forever and screen:
            click.clear()  # which does nothing where the output is no terminal
        click.echo(text)
        if not forever:
            return
        pause(SECONDS)


def _shown(outside: "Outside", *, as_json: bool) -> str:
    from gen404_assets.commands.occupied import platform_health
    from gen404_assets.commands.status import status as look
    from gen404_assets.commands.status import status_json, status_text
    from gen404_assets.competition.catalogue import Lane
    from gen404_assets.live.progress import Progress
    from gen404_assets.settings import home

    now, platform, progress = look(outside), platform_health(home()), Progress(home() / "progress")
    known = {lane.value: latest for lane in Lane if (latest := progress.last(lane)) is not None}
    if as_json:
        progress_of = {
            lane: {"says": text, "age": round(age)} for lane, (text, age) in known.items()
        }
        document = {**status_json(now), "progress": progress_of, "platform": platform}
        return json.dumps(document, indent=2)
    lines = [status_text(now)]
    lines += [
        f"  works     {lane}: {text} ({age:.0f} s ago)" for lane, (text, age) in known.items()
    ]
    waits = [f"waits for {wait}" for wait in platform["waits"]]
    return "\n".join(lines + [f"  platform  {line}" for line in [*platform["faults"], *waits]])
