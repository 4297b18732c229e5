"""`gen404 replay`: its options, and whether past rounds or a what-if is asked for."""

import gc
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gen404_assets.commands.round_range import RoundRange
from gen404_assets.commands.set_option import SetOption, branch_option
from gen404_assets.competition.editions.names import EDITION_NAMES, EDITION_VERSIONS
from gen404_assets.competition.settings import VERSIONS, Rules
from resources.settings import read_settings

if TYPE_CHECKING:
    from gen404_assets.replay.objects.checking import Sample

# What replays is imported where it runs: other commands don't wait for it.
# ruff: noqa: PLC0415

_RULE_VERSIONS = [
    f"{rule}={version.name}" for rule, versions in VERSIONS.items() for version in versions
] + list(EDITION_VERSIONS)


@click.command()
@click.argument("repository", metavar="REPO")
@branch_option
@click.option("--rounds", type=RoundRange(), help="Which rounds, such as 3 or 0-6 (default: all).")
@click.option(
    "--rule",
    "chosen",
    type=click.Choice(_RULE_VERSIONS),
    multiple=True,
    help="Hold a rule to one version instead of trying each.",
)
@click.option(
    "--edition",
    type=click.Choice(EDITION_NAMES),
    help="The edition of the rules (default: the one that the files are of).",
)
@click.option("--since", metavar="COMMIT", help="A commit that the history must continue.")
@click.option(
    "--signers",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Whose SSH keys may sign (ssh-keygen's ALLOWED SIGNERS); other commits are named.",
)
@click.option("--objects", is_flag=True, help="Check what the files name in the store, too.")
@click.option(
    "--sample",
    type=click.IntRange(1),
    metavar="N",
    help="With --objects: N outputs and N judged duels of each round (default: all).",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    metavar="S",
    help="With --objects: what the sample is drawn by (default: by chance).",
)
@click.option(
    "--judge",
    "judged",
    type=click.IntRange(1),
    metavar="N",
    help="With --objects: ask the judge of the settings again about N duels of each round.",
)
@click.option("--file", "path", metavar="PATH", help="Tell one file in full.")
@click.option(
    "--set",
    "settings",
    metavar="KEY=VALUE",
    multiple=True,
    help="What if: another value in config.json or in the rules, such as win_margin=0.03.",
)
@click.option("--without", metavar="HOTKEY", multiple=True, help="What if: without this miner.")
@click.option(
    "--order",
    metavar="HOTKEY",
    multiple=True,
    help="What if: this miner first; given again, that one next. The others keep their order.",
)
@click.option(
    "--write-branch", metavar="NAME", help="What if: write the changed files to this new branch."
)
@click.option(
    "--report",
    "report",
    metavar="DIR|URL",
    cls=SetOption,
    envvar="REPORT_URL",
    default="",
    help="Link each round's page of the report that lies there (`gen404 report -o DIR`); {round} "
    "stands for the round's number.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def replay(repository: str, branch: str, rounds: range | None, **options: Any) -> int:
    """Derive past rounds again and compare.

    REPO is a competition's repository: a git URL, a path, or a bundle file. Exit code 0: nothing
    differs; 1: what differs is people's named commits alone; 2: it, or what --objects asks of the
    store, can't be read; 3: something differs otherwise.

    With --objects: sizes and digests of what the files name in the store are compared, the judge's
    answers too; previews are drawn again, and distances measured again where a model is at hand.

    With --set, --without or --order: what would have been, as a difference from what was, and which
    matches would have had to be played. Exit code 0.
    """
    with _garbage_collected_rarely():
        from gen404_assets.commands.replaying import Asked, replay_changed, replay_rounds
        from gen404_assets.commands.what_if import change_of

    chosen: Sequence[str] = options["chosen"]
    asked = Asked(
        repository,
        branch,
        rounds,
        dict(choice.split("=", 1) for choice in chosen),
        options["since"],
        options["signers"],
        options["path"],
        options["edition"],
        as_json=options["as_json"],
        objects=_sample(options),
        report=options["report"],
    )
    rules = read_settings(Rules, os.environ)
    change = change_of(options["settings"], options["without"], options["order"], chosen)
    with _garbage_collected_rarely():
        if change is not None:
            return replay_changed(asked, rules, change, options["write_branch"])
        return replay_rounds(asked, rules, version("gen404"))


def _sample(options: Mapping[str, Any]) -> "Sample | None":
    """Which objects the options ask for; None where they ask for none. Raises Refused."""
    of_objects = ("sample", "seed", "judged")
    if not options["objects"] and all(options[name] is None for name in of_objects):
        return None  # without the imports that checking objects takes
    from gen404_assets.commands.objects import sample_of

    return sample_of(
        objects=options["objects"],
        count=options["sample"],
        seed=options["seed"],
        judged=options["judged"],
    )


@contextmanager
def _garbage_collected_rarely() -> Iterator[None]:
    """A replay makes millions of objects and a few hundred cycles: looked for at the usual pace,
    these take a quarter of its time, and save no memory that would be seen.
    """
    before = gc.get_threshold()
    gc.set_threshold(500_000, 50, 1000)
    try:
        yield
    finally:
        gc.set_threshold(*before)
