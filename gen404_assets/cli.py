"""The command line, `gen404`: what an operator and an auditor type."""

import argparse
import json
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict

from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.replay.rounds import replay_round
from gen404_assets.competition.round import rounds_in
from gen404_assets.competition.settings import VERSIONS, BadSetting, Rules
from gen404_assets.competition_repository import history_of, open_repository
from gen404_assets.replay_text import replay_text
from resources.repository import RepositoryError

SAME, DIFFERS, FAILED = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code is 0 where all is well, 1 where a replay differs, 2 where it can't be done."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (BadSetting, MalformedFile, RepositoryError) as error:
        print(f"gen404: {error}", file=sys.stderr)
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gen404", description="The competition platform of 404-GEN.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    replay = commands.add_parser("replay", help="derive past rounds again and compare (exit code 1: something differs)")
    replay.add_argument("repository", metavar="REPO", help="a competition repository: git URL, path or bundle file")
    replay.add_argument("--branch", default=os.environ.get("GITHUB_BRANCH", "main"))
    replay.add_argument("--rounds", type=_rounds, metavar="N[-M]", help="which rounds, such as 3 or 0-6 (default: all)")
    replay.add_argument(
        "--rule",
        type=_rule,
        action="append",
        default=[],
        metavar="RULE=VERSION",
        help="hold a rule to one version instead of trying each: "
        + ", ".join(f"{rule}={version.name}" for rule, versions in VERSIONS.items() for version in versions),
    )
    replay.add_argument("--json", action="store_true", help="print the whole result as JSON")
    replay.set_defaults(run=_replay)
    up = commands.add_parser("up", help="import a competition repository and open Dagster's UI on it")
    up.add_argument("repository", metavar="REPO", nargs="?", default=os.environ.get("COMPETITION_REPO"))
    up.add_argument("--branch", default=os.environ.get("GITHUB_BRANCH", "main"))
    up.add_argument("--port", type=int, default=3000)
    up.set_defaults(run=_up)
    return parser


def _replay(options: argparse.Namespace) -> int:
    rules = Rules.from_environment(os.environ)
    repository = open_repository(options.repository, options.branch)
    history = history_of(repository.snapshot(repository.refresh()))
    known = rounds_in(history.paths)
    wanted = known if options.rounds is None else [number for number in options.rounds if number in known]
    if not wanted:
        had = f"rounds {known[0]} to {known[-1]}" if known else "none"
        print(f"gen404: {options.repository} has no such round on {options.branch}; it has {had}", file=sys.stderr)
        return FAILED
    found = [replay_round(history, number, rules, chosen=dict(options.rule)) for number in wanted]
    if options.json:
        print(json.dumps({"rounds": [asdict(replayed) for replayed in found]}, indent=2, ensure_ascii=False))
    else:
        print(replay_text(found))
    return SAME if all(replayed.clean for replayed in found) else DIFFERS


def _up(options: argparse.Namespace) -> int:
    from gen404_assets.up import up  # noqa: PLC0415 -- Dagster, which a replay doesn't need

    if not options.repository:
        raise BadSetting("COMPETITION_REPO must name the competition's repository: a git URL, path or bundle file")
    return up(options.repository, options.branch, options.port)


def _rounds(text: str) -> range:
    match = re.fullmatch(r"([0-9]{1,6})(?:-([0-9]{1,6}))?", text)
    if not match or int(match[2] or match[1]) < int(match[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a round (3) nor a range of rounds (0-6)")
    return range(int(match[1]), int(match[2] or match[1]) + 1)


def _rule(text: str) -> tuple[str, str]:
    rule, _, name = text.partition("=")
    if name not in {version.name for version in VERSIONS.get(rule, ())}:
        known = ", ".join(f"{known}={version.name}" for known, versions in VERSIONS.items() for version in versions)
        raise argparse.ArgumentTypeError(f"{text!r} is no version of a rule; there are {known}")
    return rule, name


if __name__ == "__main__":
    sys.exit(main())
