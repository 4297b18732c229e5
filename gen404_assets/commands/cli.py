"""The command line, `gen404`: what an operator, an auditor and a miner type."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from gen404_assets.commands.check import check
from gen404_assets.commands.interrupts import take_interrupts
from gen404_assets.commands.opening import operators_environment, with_outside
from gen404_assets.commands.refused import Refused
from gen404_assets.commands.replay_command import replay
from gen404_assets.commands.round_range import RoundRange
from gen404_assets.commands.sections import Sections
from gen404_assets.commands.set_option import branch_option
from gen404_assets.commands.start_command import dagster, start
from gen404_assets.commands.status_command import status
from gen404_assets.commands.weights import weights
from gen404_assets.competition.audits import SourceVerdict
from gen404_assets.competition.editions.names import EDITION_NAMES
from gen404_assets.competition.faults import InfrastructureFault, MinerFault
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.round import CONFIG, LEADERS, POOL
from gen404_assets.competition.settings import Rules
from resources.core_files import leave_no_core_files
from resources.settings import BadSetting, git_address, read_settings, setting

if TYPE_CHECKING:
    from gen404_assets.competition.history import History
    from gen404_assets.competition.state import State

# What a command needs beyond a replay is imported where it runs: a replay takes less time than
# those imports.
# ruff: noqa: PLC0415

FAILED = 2  # exit code; 1 is what a replay or a check has found wrong

_EXPECTED = (BadSetting, MalformedFile, InfrastructureFault, MinerFault, Refused)
"""Errors that are printed as one sentence. Any other is a bug, and keeps its traceback."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. The exit code is 0 where all is well, 1 or 3 where a replay differs, 1 where a
    file can't be drawn, and 2 where it can't be done.
    """
    leave_no_core_files()
    take_interrupts()
    try:
        return int(gen404.main(arguments, prog_name="gen404", standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        print("gen404: stopped", file=sys.stderr)
        return FAILED
    except _EXPECTED as error:
        print(f"gen404: {error}", file=sys.stderr)
        return FAILED
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in {"gen404_assets", "gpu", "resources", "sensors"}:
            raise
        print(f"gen404: this needs the package {error.name}: `pip install .`", file=sys.stderr)
        return FAILED


@click.group(cls=Sections, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="gen404", prog_name="gen404")
def gen404() -> None:
    """The competition platform of 404-GEN."""


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_repository = click.argument("repository", metavar="REPO")
_port = click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=3000,
    show_default=True,
    help="Of Dagster's UI.",
)
_rounds = click.option(
    "--rounds", type=RoundRange(), help="Which rounds, such as 3 or 0-6 (default: all)."
)
_reason = click.option("--reason", default="", help="Why: it stands in the commit's message.")
_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


@gen404.command(section="Run")
@_port
def up(port: int) -> int:
    """Run the competition of COMPETITION_REPO; unset, one on a local network."""
    from gen404_assets.commands.opening import started_local_network
    from gen404_assets.commands.up import operate

    if setting(os.environ, "COMPETITION_REPO"):
        return operate({**os.environ, "GEN404_OPERATE": "true"}, port)
    with started_local_network(os.environ) as environment:
        return operate(environment, port)


gen404.include(start, section="Run")
gen404.include(dagster, section="Operate")


@gen404.command(section="Run")
@_repository
@click.option("--config", type=_FILE, required=True, help=f"Its {CONFIG}.")
@click.option("--prompts", type=_FILE, required=True, help=f"Its {POOL}, the pool of prompts.")
@click.option("--leader", type=_FILE, required=True, help=f"Its {LEADERS}.")
def init(repository: str, config: Path, prompts: Path, leader: Path) -> None:
    """Begin a new competition in an empty repository.

    REPO is a git URL, or the path of a bare repository, which is made where there is none.
    """
    from gen404_assets.commands.operating import begin
    from gen404_assets.competition_repository import create_repository, open_repository
    from gen404_assets.settings import RepositorySettings
    from resources.chain.opening import open_chain

    contents = {CONFIG: config.read_bytes(), POOL: prompts.read_bytes()}
    contents[LEADERS] = leader.read_bytes()
    # REPO names the competition: COMPETITION_REPO may be unset where the chain is named.
    named = setting(os.environ, "SUBTENSOR_NETWORK")
    chain = open_chain(os.environ if named else operators_environment())
    try:
        block = chain.finalized()
    finally:
        chain.close()
    if "://" not in repository and not Path(repository).exists():
        create_repository(Path(repository))
    branch = read_settings(RepositorySettings, os.environ).github_branch
    opened = open_repository(repository, branch)
    _print_state(begin(opened, contents, block))


gen404.include(status, section="Operate")


@gen404.command(section="Operate")
@_reason
def pause(reason: str) -> None:
    """Hold the round where it is; the stage is remembered."""
    from gen404_assets.commands.operating import pause as hold

    _print_state(with_outside(hold, reason))


@gen404.command(section="Operate")
@_reason
def resume(reason: str) -> None:
    """Go back to the stage that a pause interrupted."""
    from gen404_assets.commands.operating import resume_round

    _print_state(with_outside(resume_round, reason))


@gen404.command(section="Operate")
@click.argument("hotkey", metavar="HOTKEY")
@click.argument("verdict", type=click.Choice([verdict.value for verdict in SourceVerdict]))
@click.option("--reason", required=True, help="Why: it stands in source_audit.json.")
def source_audit(hotkey: str, verdict: str, reason: str) -> None:
    """Record a person's verdict on a candidate's source code."""
    from gen404_assets.commands.operating import audit_source

    with_outside(audit_source, hotkey, SourceVerdict(verdict), reason)
    print(f"{hotkey}: {verdict}")


@gen404.command(section="Operate")
@click.argument("hotkey", metavar="HOTKEY")
@click.argument("stems", metavar="[PROMPT]...", nargs=-1)
@click.option("--reason", required=True, help="Why: it stands in again.json.")
def again(hotkey: str, stems: Sequence[str], reason: str) -> None:
    """Have a miner's previews drawn again, and what wasn't had fetched again.

    For what a bug of ours has spoilt, once it is mended. What there was stays in the store.
    """
    from gen404_assets.commands.again import make_again

    for stem in with_outside(make_again, hotkey, stems, reason):
        print(f"{stem}: made again by the collection")


@gen404.command(section="Operate")
@click.option("--reap", is_flag=True, help="Delete those of ours that no live run holds.")
def pods(*, reap: bool) -> None:
    """List the pods on the GPU providers."""
    from gen404_assets.commands.pods import print_pods

    print_pods(operators_environment(), reap=reap)


@gen404.command(section="Operate")
@click.option("--table", is_flag=True, help="Print the Markdown table of the README.")
def settings(*, table: bool) -> None:
    """List every setting with its default, meaning and present value.

    Secrets aren't shown.
    """
    from gen404_assets.commands.settings import settings_table, settings_text

    print(settings_table() if table else settings_text(os.environ))


@gen404.command(section="Look")
@_repository
@branch_option
@_port
@click.option(
    "--edition",
    type=click.Choice(EDITION_NAMES),
    help="The rules that the files are of; without it they are known by the files.",
)
def browse(repository: str, branch: str, port: int, edition: str | None) -> int:
    """Look at a competition in Dagster's UI, which changes nothing.

    REPO is a competition's repository: a git URL, a path, or a bundle file. What Dagster is shown
    of it lies in a folder of its own in GEN404_HOME, apart from a competition that runs there.
    """
    from gen404_assets.commands.occupied import Competition
    from gen404_assets.commands.up import serve
    from gen404_assets.settings import home

    local = Path(git_address(repository)).expanduser()
    address = str(local.absolute()) if local.exists() else repository
    own = home() / "browsed" / Competition(address, branch).folder()
    os.environ["GEN404_HOME"] = str(own)
    chosen = {"COMPETITION_REPO": address, "GITHUB_BRANCH": branch, "GEN404_OPERATE": "false"}
    # An operator's database is that of another competition.
    chosen |= {"UI_READ_ONLY": "true", "DATABASE_URL": "", "COMPETITION_EDITION": edition or ""}
    return serve({**os.environ, **chosen}, port)


gen404.include(replay, section="Look")


@gen404.command(section="Look")
@_repository
@branch_option
@_rounds
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    metavar="DIR",
    help="The folder that the tables go to, one file each.",
)
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["csv", "parquet"]),
    default="csv",
    show_default=True,
    help="Parquet needs the extra `parquet`.",
)
def export(
    repository: str,
    branch: str,
    rounds: range | None,
    output: Path,
    file_format: Literal["csv", "parquet"],
) -> None:
    """Write rounds, submissions, matches, duels, audits, leaders and miners as tables.

    REPO is a competition's repository: a git URL, a path, or a bundle file.
    """
    from gen404_assets.commands.exporting import frames
    from gen404_assets.competition_repository import newest_history

    history = newest_history(repository, branch)
    wanted = _chosen(history, rounds, f"{repository} has no such round on {branch}")
    for path in frames(history, wanted).write(output, file_format):
        print(path)


@gen404.command(section="Look")
@_repository
@branch_option
@_rounds
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    metavar="DIR",
    help="The folder that the pages go to; begin with its index.html.",
)
@click.option(
    "--host",
    metavar="URL",
    help="Where the pages will lie, such as CDN_URL: pictures and 3D files below it are shown in "
    "them. Without it pages only link to what is elsewhere.",
)
def report(
    repository: str, branch: str, rounds: range | None, output: Path, host: str | None
) -> None:
    """Write pages of the season, rounds, matches, miners and audits.

    REPO is a competition's repository: a git URL, a path, or a bundle file.
    """
    from gen404_assets.commands.report import book_of, write_report
    from gen404_assets.competition_repository import newest_history

    rules = read_settings(Rules, os.environ)
    history = newest_history(repository, branch)
    wanted = _chosen(history, rounds, f"{repository} has no such round on {branch}")
    write_report(history, wanted, rules, book_of(history, output, host), print)


@gen404.command(section="Look")
@click.argument("file", type=_FILE, metavar="FILE")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    metavar="OUT.png",
    help="Where the picture goes.",
)
@click.option(
    "--draft", is_flag=True, help="Twice as fast, at 40 dB or better to the faithful way."
)
def render(file: Path, output: Path, *, draft: bool) -> int:
    """Draw a GLB or PLY file as the competition sees it."""
    from gpu.command import render as draw

    return draw(file, output, draft=draft)


gen404.include(check, section="Before a round")
gen404.include(weights, section="Validate")


@gen404.command(section="Set up")
def warm_up() -> int:
    """Compile what the renderer needs: a step of installation."""
    from gpu.command import warm_up as compile_all

    return compile_all()


@gen404.command(section="Set up")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that completes gen404's commands in a shell."""
    from click.shell_completion import get_completion_class

    script = get_completion_class(shell)
    if script is None:
        raise Refused(f"there is no completion for {shell}")
    print(script(gen404, {}, "gen404", "_GEN404_COMPLETE").source())


def _chosen(history: "History", rounds: range | None, missing: str) -> list[int]:
    """The rounds to look at, all where none is chosen. Raises Refused where there are none."""
    known = history.round_numbers
    wanted = [*known] if rounds is None else [number for number in rounds if number in known]
    if not wanted:
        present = f"rounds {known[0]} to {known[-1]}" if known else "none"
        raise Refused(f"{missing}; it has {present}")
    return wanted


def _print_state(state: "State") -> None:
    print(f"round {state.current_round} is {state.stage}")


if __name__ == "__main__":
    sys.exit(main())
