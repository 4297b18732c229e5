"""`gen404 check`: what a miner can try before a round, by the code that the competition runs."""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gen404_assets.commands.set_option import branch_option

if TYPE_CHECKING:
    from gen404_assets.commands.checking import Finding

# What a check needs is imported where it runs: other commands don't wait for it.
# ruff: noqa: PLC0415

ACCEPTED, REFUSED = 0, 1
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True)
class _Options:
    """What is checked, and what that takes; exactly one of the first four is given."""

    files: Sequence[Path]
    cdn: str | None
    container: str | None
    commitments: Sequence[str]
    round: int | None
    repository: str | None
    branch: str
    output_format: str
    prompt: Path | None
    hotkey: str | None
    previews: Path | None


@click.command()
@click.argument("files", type=_FILE, metavar="[FILE]...", nargs=-1)
@click.option("--cdn", metavar="URL", help="A cdn_url, with --round and --repo.")
@click.option("--container", metavar="URL", help="A container that runs, such as on port 10006.")
@click.option("--commitment", "commitments", metavar="TEXT", multiple=True, help="May be repeated.")
@click.option("--round", "number", type=click.IntRange(0), help="Whose prompts --cdn is asked for.")
@click.option("--repo", "repository", metavar="REPO", help="The competition's repository.")
@branch_option
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["glb", "ply"]),
    default="glb",
    show_default=True,
    help="What --container makes.",
)
@click.option("--prompt", type=_FILE, help="The picture that --container gets (default: a ball).")
@click.option("--hotkey", help="Whose --commitment it is, to have the address checked too.")
@click.option(
    "-o",
    "--output",
    "previews",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where previews go (default: `previews`; with --cdn: nowhere).",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def check(*, as_json: bool, number: int | None, **options: object) -> int:
    """Try files, a CDN, a container or commitments as the competition would take them.

    Each is accepted, or refused with the reason that the competition would record and how to mend
    it. The exit code is 0 if everything is accepted, 1 if something is refused, and 2 if this
    machine can't check it.
    """
    chosen = _Options(round=number, **options)  # type: ignore[arg-type]  # as click has them
    findings = _findings(chosen)
    count = refused = 0
    shown = []
    for finding in findings:
        count += 1
        refused += not finding.accepted
        if as_json:
            shown.append(finding.to_json())
        else:
            print("\n".join(finding.lines()), flush=True)
    if as_json:
        print(json.dumps(shown, indent=2, ensure_ascii=False))
    elif count > 1:
        print(f"{count - refused} of {count} accepted")
    return REFUSED if refused else ACCEPTED


def _findings(chosen: _Options) -> "Iterator[Finding]":
    """What was found, each as soon as it is known. Raises UsageError."""
    kinds = (chosen.files, chosen.cdn, chosen.container, chosen.commitments)
    if sum(map(bool, kinds)) != 1:
        raise click.UsageError("name files, or one of --cdn, --container and --commitment")
    previews = chosen.previews or Path("previews")
    if chosen.files:
        from gen404_assets.commands.check_file import check_files

        return check_files(chosen.files, previews, os.environ)
    if chosen.container:
        from gen404_assets.commands.check_container import Asked, check_container, drawn_prompt

        picture = chosen.prompt.read_bytes() if chosen.prompt else drawn_prompt()
        asked = Asked(picture, chosen.output_format, previews)
        return check_container(chosen.container, asked, os.environ, _say)
    if chosen.cdn:
        return _of_cdn(chosen, chosen.cdn)
    from gen404_assets.commands.check_commitment import check_commitments

    return iter([check_commitments(chosen.commitments, chosen.hotkey)])


def _of_cdn(chosen: _Options, cdn_url: str) -> "Iterator[Finding]":
    from gen404_assets.commands.check_cdn import check_cdn, wanted_in

    if chosen.repository is None or chosen.round is None:
        raise click.UsageError("--cdn needs --round and --repo: they say which files are asked for")
    wanted = wanted_in(chosen.repository, chosen.branch, chosen.round, os.environ)
    return check_cdn(cdn_url, wanted, chosen.previews, os.environ)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
