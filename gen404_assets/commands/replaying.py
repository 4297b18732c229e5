"""`gen404 replay`: which rounds, held against what, and the exit code that says how it ended."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from gen404_assets.commands.refused import Refused
from gen404_assets.commands.replay_text import file_text, printable, replay_text
from gen404_assets.commands.what_if import what_if_json, what_if_text, write_branch
from gen404_assets.competition.commits import by_person
from gen404_assets.competition.history import History, cite
from gen404_assets.competition.settings import Rules
from gen404_assets.competition_repository import history_in_part, newest_history, open_repository
from gen404_assets.replay.editions.choosing import COMPETITION_1, EDITIONS, Edition, edition_of
from gen404_assets.replay.rounds import rounds_of
from gen404_assets.replay.what_if import Change, what_if
from resources.repository import Repository, Signers

SAME, BY_PEOPLE, UNREADABLE, WRONG = 0, 1, 2, 3
"""Exit codes: nothing differs; what differs is people's named commits alone; something can't be
read, such as a file whose content the repository lacks; something differs otherwise.
"""


@dataclass(frozen=True)
class Asked:
    """What is asked of a replay. `versions`: rule -> the version it is held to; `since`: a commit
    that the history must continue; `signers`: a file of the keys that may sign; `file`: the one
    file to be told in full; `report`: the folder or URL of a report, to which rounds are linked.
    """

    url: str
    branch: str
    rounds: range | None = None
    versions: dict[str, str] = field(default_factory=dict)
    since: str | None = None
    signers: Path | None = None
    file: str | None = None
    edition: str | None = None
    as_json: bool = False
    report: str = ""


def replay_rounds(asked: Asked, rules: Rules, program: str) -> int:
    """Replay and print; the exit code. `program`: the version of the program, for `--json`."""
    _refuse_shallow(asked.url)
    repository = open_repository(asked.url, asked.branch)
    history = history_in_part(repository.snapshot(repository.refresh()))
    if not history.commits:
        raise Refused(f"{asked.url} has no branch {asked.branch}")
    wrong, told = _continued(history, asked)
    unsigned, foreign = _signed(repository, history, asked)
    wrong, told = [*wrong, *unsigned], [*told, *foreign]
    edition = EDITIONS[asked.edition] if asked.edition else edition_of(history)
    _refuse_versions(edition, asked)
    numbers = _chosen(history, edition, asked)
    replayed = [edition.replay(history, number, rules, asked.versions) for number in numbers]
    if asked.as_json:
        document = {
            "repository": asked.url,
            "branch": asked.branch,
            "head": history.commits[-1].sha,
            "version": program,
            "edition": edition.name,
            "rules": {**rules.model_dump(mode="json"), "held": asked.versions},
            "wrong": wrong,
            "told": told,
            "rounds": [_only(asdict(each), asked.file) for each in replayed],
        }
        print(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        lines = [printable(f"! {line}") for line in wrong] + [printable(line) for line in told]
        body = (
            file_text(replayed, asked.file)
            if asked.file
            else replay_text(replayed, edition.title, edition.shown, asked.report)
        )
        print("\n".join([*lines, body]))
    if wrong or any(each.wrong for each in replayed):
        return WRONG
    if any(each.incomplete for each in replayed):
        return UNREADABLE
    return BY_PEOPLE if told or any(each.changed_by_people for each in replayed) else SAME


def replay_changed(asked: Asked, rules: Rules, change: Change, new_branch: str | None) -> int:
    """Print what would have been with a change, and write it to `new_branch` where one is named;
    the exit code.
    """
    _refuse_shallow(asked.url)
    history = newest_history(asked.url, asked.branch)
    edition = EDITIONS[asked.edition] if asked.edition else edition_of(history)
    if edition is not COMPETITION_1:
        raise Refused(
            f"{asked.url} is of {edition.title}; what would have been is known of competition 1 "
            "alone"
        )
    numbers = _chosen(history, COMPETITION_1, asked)
    courses = [what_if(history, number, rules, change) for number in numbers]
    print(json.dumps(what_if_json(courses), indent=2) if asked.as_json else what_if_text(courses))
    if new_branch:
        print(write_branch(asked.url, asked.branch, new_branch, courses))
    return SAME


def _refuse_shallow(url: str) -> None:
    local = Path(url).expanduser()
    if any((folder / "shallow").exists() for folder in (local, local / ".git")):
        raise Refused(
            f"{url} is a shallow clone, which lacks the beginning of the history; "
            "`git fetch --unshallow` in it gets the rest"
        )


def _refuse_versions(edition: Edition, asked: Asked) -> None:
    for rule, version in asked.versions.items():
        if version not in edition.versions.get(rule, ()):
            known = [f"{name}={each}" for name, names in edition.versions.items() for each in names]
            raise Refused(
                f"{edition.name} has no version {rule}={version}; it has "
                + (", ".join(known) or "none")
            )


def _chosen(history: History, edition: Edition, asked: Asked) -> list[int]:
    """The rounds asked for, also those of which nothing is left. Raises Refused where none is
    known.
    """
    known = rounds_of(history) if edition is COMPETITION_1 else history.round_numbers
    numbers = [*known] if asked.rounds is None else [n for n in asked.rounds if n in known]
    if not numbers:
        present = f"rounds {known[0]} to {known[-1]}" if known else "none"
        raise Refused(f"{asked.url} has no such round on {asked.branch}; it has {present}")
    if asked.file is not None:
        numbers = [n for n in numbers if asked.file in {*history.ever_in_round(n)}] or numbers
    return numbers


def _continued(history: History, asked: Asked) -> tuple[list[str], list[str]]:
    if asked.since is None or any(c.sha.startswith(asked.since) for c in history.commits):
        return [], []
    return [
        f"the history does not continue {asked.since}: it was written anew, or that commit is "
        "another branch's"
    ], []


def _signed(repository: Repository, history: History, asked: Asked) -> tuple[list[str], list[str]]:
    """The commits that no named signer signed: in the platform's name, and of others; after
    `since`, where it is given.
    """
    if asked.signers is None:
        return [], []
    objections = repository.objections(Signers(asked.signers.absolute()))
    commits: Sequence[Any] = history.commits
    if asked.since is not None:
        at = next((i for i, c in enumerate(commits) if c.sha.startswith(asked.since)), -1)
        commits = commits[at + 1 :]
    found = [(c, why) for c in commits if (why := objections.get(c.sha, ""))]
    lines = {
        person: [f"{cite(c)}: {why}" for c, why in found if by_person(c.message) is person]
        for person in (False, True)
    }
    return lines[False], lines[True]


def _only(replayed: dict[str, Any], path: str | None) -> dict[str, Any]:
    if path is None:
        return replayed
    for key in ("files", "acts"):
        replayed[key] = [each for each in replayed[key] if each["path"] == path]
    return replayed
