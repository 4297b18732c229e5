"""The command line, `gen404`: what an operator and an auditor type."""

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from gen404_assets.commands.refused import Refused
from gen404_assets.commands.replay_text import replay_text
from gen404_assets.competition import settings
from gen404_assets.competition.audits import SourceVerdict
from gen404_assets.competition.faults import InfrastructureFault, MinerFault
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.round import CONFIG, LEADERS, POOL, rounds_in
from gen404_assets.competition.settings import VERSIONS, Rules
from gen404_assets.competition_repository import create_repository, history_of, open_repository
from gen404_assets.replay.rounds import replay_round
from resources.settings import BadSetting

if TYPE_CHECKING:
    from gen404_assets.competition.state import State
    from gen404_assets.live.outside import Outside

# What a command needs beyond a replay is imported where it runs: a replay takes less time than
# those imports. ruff: noqa: PLC0415

SAME, DIFFERS, FAILED = 0, 1, 2

P = ParamSpec("P")
T = TypeVar("T")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code is 0 where all is well, 1 where a replay differs, 2 where it
    can't be done.
    """
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (
        settings.BadSetting,
        BadSetting,
        MalformedFile,
        InfrastructureFault,
        MinerFault,
        Refused,
    ) as error:
        print(f"gen404: {error}", file=sys.stderr)
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gen404", description="The competition platform of 404-GEN."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    up = commands.add_parser(
        "up",
        help="run the competition of COMPETITION_REPO, or one on a local network if that is not set",
    )
    up.add_argument("--port", type=int, default=3000, help="of Dagster's UI")
    up.set_defaults(run=_up)
    _add_operating(commands)
    _add_looking(commands)
    return parser


def _add_operating(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    status = commands.add_parser(
        "status", help="round, stage, block, what is due, and what waits for what"
    )
    status.add_argument("--json", action="store_true")
    status.set_defaults(run=_status)
    init = commands.add_parser("init", help="begin a new competition in an empty repository")
    init.add_argument(
        "repository", metavar="REPO", help="git URL, or the path of a bare repository to be made"
    )
    for name, what in (("config", CONFIG), ("prompts", POOL), ("leader", LEADERS)):
        init.add_argument(f"--{name}", type=Path, required=True, metavar="FILE", help=f"its {what}")
    init.set_defaults(run=_init)
    for name, what in (
        ("pause", "hold the round where it is"),
        ("resume", "go back to the stage that was held"),
    ):
        held = commands.add_parser(name, help=what)
        held.add_argument("--reason", default="")
        held.set_defaults(run=_pause if name == "pause" else _resume)
    audit = commands.add_parser(
        "source-audit", help="record a person's verdict on a candidate's source code"
    )
    audit.add_argument("hotkey", metavar="HOTKEY")
    audit.add_argument(
        "verdict", type=SourceVerdict, choices=list(SourceVerdict), metavar="passed|failed"
    )
    audit.add_argument("--reason", required=True)
    audit.set_defaults(run=_source_audit)
    pods = commands.add_parser("pods", help="list the pods on the GPU providers")
    pods.add_argument(
        "--reap", action="store_true", help="delete those of ours that no live run holds"
    )
    pods.set_defaults(run=_pods)


def _add_looking(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    browse = commands.add_parser(
        "browse", help="look at a competition in Dagster's UI; nothing is written to it"
    )
    browse.add_argument(
        "repository", metavar="REPO", help="a competition repository: git URL, path or bundle file"
    )
    browse.add_argument("--branch", default=os.environ.get("GITHUB_BRANCH", "main"))
    browse.add_argument("--port", type=int, default=3000)
    browse.set_defaults(run=_browse)
    warm_up = commands.add_parser(
        "warm-up", help="compile what the renderer needs: a step of installation"
    )
    warm_up.set_defaults(run=_warm_up)
    render = commands.add_parser("render", help="draw a GLB or PLY file as the competition sees it")
    render.add_argument("file", type=Path, metavar="FILE")
    render.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.png")
    render.add_argument(
        "--draft", action="store_true", help="twice as fast, at 40 dB or better to the faithful way"
    )
    render.set_defaults(run=_render)
    replay = commands.add_parser(
        "replay", help="derive past rounds again and compare (exit code 1: something differs)"
    )
    replay.add_argument(
        "repository", metavar="REPO", help="a competition repository: git URL, path or bundle file"
    )
    replay.add_argument("--branch", default=os.environ.get("GITHUB_BRANCH", "main"))
    replay.add_argument(
        "--rounds",
        type=_rounds,
        metavar="N[-M]",
        help="which rounds, such as 3 or 0-6 (default: all)",
    )
    replay.add_argument(
        "--rule",
        type=_rule,
        action="append",
        default=[],
        metavar="RULE=VERSION",
        help="hold a rule to one version instead of trying each: "
        + ", ".join(
            f"{rule}={version.name}" for rule, versions in VERSIONS.items() for version in versions
        ),
    )
    replay.add_argument("--json", action="store_true", help="print the whole result as JSON")
    replay.set_defaults(run=_replay)


def _up(options: argparse.Namespace) -> int:
    from gen404_assets.commands.local_network import local_network
    from gen404_assets.commands.up import operate

    if os.environ.get("COMPETITION_REPO"):
        return operate({**os.environ, "GEN404_OPERATE": "true"}, options.port)
    with local_network(os.environ) as environment:
        return operate(environment, options.port)


def _browse(options: argparse.Namespace) -> int:
    from gen404_assets.commands.up import serve

    local = Path(options.repository).expanduser()
    repository = str(local.absolute()) if local.exists() else options.repository
    settings = {
        "COMPETITION_REPO": repository,
        "GITHUB_BRANCH": options.branch,
        "GEN404_OPERATE": "false",
    }
    return serve({**os.environ, **settings}, options.port)


def _status(options: argparse.Namespace) -> int:
    from gen404_assets.commands.status import status, status_json, status_text

    found = _operate(status)
    print(json.dumps(status_json(*found), indent=2) if options.json else status_text(*found))
    return SAME


def _init(options: argparse.Namespace) -> int:
    from gen404_assets.commands.operating import begin
    from resources.chain import open_chain

    files = {CONFIG: options.config, POOL: options.prompts, LEADERS: options.leader}
    contents = {name: _content(path) for name, path in files.items()}
    chain = open_chain(_environment())
    try:
        block = chain.finalized()
    finally:
        chain.close()
    if "://" not in options.repository and not Path(options.repository).exists():
        create_repository(Path(options.repository))
    repository = open_repository(options.repository, os.environ.get("GITHUB_BRANCH", "main"))
    return _said(begin(repository, contents, block))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}") from error


def _pause(options: argparse.Namespace) -> int:
    from gen404_assets.commands.operating import pause

    return _said(_operate(pause, options.reason))


def _resume(options: argparse.Namespace) -> int:
    from gen404_assets.commands.operating import resume_round

    return _said(_operate(resume_round, options.reason))


def _source_audit(options: argparse.Namespace) -> int:
    from gen404_assets.commands.operating import audit_source

    _operate(audit_source, options.hotkey, options.verdict, options.reason)
    print(f"{options.hotkey}: {options.verdict}")
    return SAME


def _pods(options: argparse.Namespace) -> int:
    from functools import partial

    from gen404_assets.competition_repository import home
    from gen404_assets.live.fleet import is_held, reap
    from resources.providers.provider import open_providers

    providers = open_providers(_environment())
    held = partial(is_held, home())
    if options.reap:
        for name in reap(providers, held):
            print(f"{name}: deleted")
    for provider in providers:
        for pod in provider.pods():
            state = (
                "failed"
                if pod.failed
                else "held by a run"
                if held(pod.name)
                else "held by no run here"
            )
            print(f"{pod.name} on {provider.name}: {state}")
    return SAME


def _said(state: "State") -> int:
    print(f"round {state.current_round} is {state.stage}")
    return SAME


def _operate(
    act: Callable[Concatenate["Outside", P], T], *arguments: P.args, **options: P.kwargs
) -> T:
    """Do what a person asks of the competition, with everything outside that it takes."""
    from gen404_assets.live.outside import Outside

    outside = Outside(_environment())
    try:
        return act(outside, *arguments, **options)
    finally:
        outside.close()


def _environment() -> Mapping[str, str]:
    """The operator's settings, or those of the local network where COMPETITION_REPO is not set."""
    if os.environ.get("COMPETITION_REPO"):
        return os.environ
    from gen404_assets.commands.local_network import known_environment

    return known_environment(os.environ)


def _render(options: argparse.Namespace) -> int:
    from gpu.command import render

    return render(options.file, options.output, draft=options.draft)


def _warm_up(_: argparse.Namespace) -> int:
    from gpu.command import warm_up

    return warm_up()


def _replay(options: argparse.Namespace) -> int:
    rules = Rules.from_environment(os.environ)
    repository = open_repository(options.repository, options.branch)
    history = history_of(repository.snapshot(repository.refresh()))
    known = rounds_in(history.paths)
    wanted = (
        known
        if options.rounds is None
        else [number for number in options.rounds if number in known]
    )
    if not wanted:
        had = f"rounds {known[0]} to {known[-1]}" if known else "none"
        raise Refused(f"{options.repository} has no such round on {options.branch}; it has {had}")
    found = [replay_round(history, number, rules, chosen=dict(options.rule)) for number in wanted]
    if options.json:
        print(
            json.dumps(
                {"rounds": [asdict(replayed) for replayed in found]}, indent=2, ensure_ascii=False
            )
        )
    else:
        print(replay_text(found))
    return SAME if all(replayed.clean for replayed in found) else DIFFERS


def _rounds(text: str) -> range:
    match = re.fullmatch(r"([0-9]{1,6})(?:-([0-9]{1,6}))?", text)
    if not match or int(match[2] or match[1]) < int(match[1]):
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a round (3) nor a range of rounds (0-6)"
        )
    return range(int(match[1]), int(match[2] or match[1]) + 1)


def _rule(text: str) -> tuple[str, str]:
    rule, _, name = text.partition("=")
    if name not in {version.name for version in VERSIONS.get(rule, ())}:
        known = ", ".join(
            f"{known}={version.name}"
            for known, versions in VERSIONS.items()
            for version in versions
        )
        raise argparse.ArgumentTypeError(f"{text!r} is no version of a rule; there are {known}")
    return rule, name


if __name__ == "__main__":
    sys.exit(main())
