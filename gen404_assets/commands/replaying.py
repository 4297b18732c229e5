"""`gen404 replay`: which rounds, held against what, and the exit code that says how it ended."""

import json
import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from gen404_assets.commands.refused import Refused
from gen404_assets.commands.replay_text import file_text, printable, replay_text, report_page
from gen404_assets.commands.what_if import what_if_json, what_if_text, write_branch
from gen404_assets.competition.commits import by_person
from gen404_assets.competition.history import History
from gen404_assets.competition.settings import Rules
from gen404_assets.competition.versions import cite
from gen404_assets.competition_repository import history_in_part, newest_history, open_repository
from gen404_assets.replay.editions.choosing import COMPETITION_1, EDITIONS, Edition, edition_of
from gen404_assets.replay.result import RoundReplay
from gen404_assets.replay.rounds import rounds_of
from gen404_assets.replay.what_if import Change, what_if
from resources.git_signatures import Signers
from resources.repository import Repository

if TYPE_CHECKING:
    from gen404_assets.replay.objects.checking import ObjectsReport, Sample

SAME, BY_PEOPLE, UNREADABLE, WRONG = 0, 1, 2, 3
"""Exit codes: nothing differs; what differs is people's named commits alone; something can't be
read, such as a file whose content the repository lacks, or what was to be checked in the store;
something differs otherwise.
"""

_COMMIT = re.compile(r"[0-9a-fA-F]{7,40}")


@dataclass(frozen=True)
class Asked:
    """What is asked of a replay. `versions`: rule -> the version it is held to; `since`: a commit
    that the history must continue; `signers`: a file of the keys that may sign; `file`: the one
    file to be told in full; `report`: the folder or URL of a report, to which rounds are linked;
    `objects`: which objects in the store are checked, None for none.
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
    objects: "Sample | None" = None
    report: str = ""


def replay_rounds(asked: Asked, rules: Rules, program: str) -> int:
    """Replay and print; the exit code. `program`: the version of the program, for `--json`."""
    _refuse_shallow(asked.url)
    repository = open_repository(asked.url, asked.branch)
    history = history_in_part(repository.snapshot(repository.refresh()))
    if not history.commits:
        raise Refused(f"{asked.url} has no branch {asked.branch}")
    wrong, notes = _continued(history, asked)
    unsigned, foreign = _signed(repository, history, asked)
    wrong, notes = [*wrong, *unsigned], [*notes, *foreign]
    edition = EDITIONS[asked.edition] if asked.edition else edition_of(history)
    _refuse_versions(edition, asked)
    numbers = _chosen(history, edition, asked)
    wrong += _gaps(history, edition, asked)
    unknown = _unknown(history, edition, asked)
    replayed = [edition.replay(history, number, rules, asked.versions) for number in numbers]
    objects = _objects(history, replayed, asked.objects)
    if asked.as_json:
        document = {
            "repository": asked.url,
            "branch": asked.branch,
            "head": history.commits[-1].sha,
            "version": program,
            "edition": edition.name,
            "rules": {**rules.model_dump(mode="json"), "held": asked.versions},
            "wrong": wrong,
            "notes": notes,
            "unknown": unknown,
            "rounds": [
                _only(asdict(each), asked.file) | {"report": report_page(asked.report, each.round)}
                for each in replayed
            ],
        }
        if objects is not None:
            document["objects"] = asdict(objects)
        # In ASCII: what strangers wrote may command the terminal.
        print(json.dumps(document, indent=2).replace("\x7f", "\\u007f"))
    else:
        lines = [*(f"! {line}" for line in wrong), *(f"? {line}" for line in unknown), *notes]
        lines = list(map(printable, lines))
        body = (
            file_text(replayed, asked.file)
            if asked.file
            else replay_text(replayed, edition.title, edition.shown, asked.report)
        )
        print("\n".join([*lines, body, *_objects_lines(objects)]))
    if wrong or any(each.wrong for each in replayed):
        return WRONG
    if any(each.incomplete for each in replayed) or (objects is not None and objects.unchecked):
        return UNREADABLE
    return BY_PEOPLE if notes or any(each.changed_by_people for each in replayed) else SAME


def replay_changed(asked: Asked, rules: Rules, change: Change, new_branch: str | None) -> int:
    """Print what would have been with a change, and write it to `new_branch` where one is named;
    the exit code.
    """
    _refuse_shallow(asked.url)
    if asked.objects is not None:
        raise Refused("--objects checks what was; it does not go with a change")
    history = newest_history(asked.url, asked.branch)
    edition = EDITIONS[asked.edition] if asked.edition else edition_of(history)
    if edition is not COMPETITION_1:
        raise Refused(
            f"{asked.url} is of {edition.title}; what would have been is known of competition 1 "
            "alone"
        )
    numbers = _chosen(history, COMPETITION_1, asked)
    courses = [what_if(history, number, rules, change) for number in numbers]
    if asked.as_json:
        print(json.dumps(what_if_json(courses), indent=2))
    else:
        print(printable(what_if_text(courses)))
    if new_branch:
        print(write_branch(asked.url, asked.branch, new_branch, courses))
    return SAME


def _refuse_shallow(url: str) -> None:
    local = Path(unquote(url.removeprefix("file://"))).expanduser()
    if local.is_dir() and _is_shallow(local):
        raise Refused(
            f"{url} is a shallow clone, which lacks the beginning of the history; "
            "`git fetch --unshallow` in it gets the rest"
        )


def _is_shallow(local: Path) -> bool:
    """Whether a folder is a shallow clone, or a worktree of one."""
    if any((folder / "shallow").exists() for folder in (local, local / ".git")):
        return True
    asked = ["git", "-C", str(local), "rev-parse", "--is-shallow-repository"]
    # Where this fails, it is no repository, or another's: what reads it says so.
    objected = subprocess.run(asked, capture_output=True, check=False)  # noqa: S603
    return objected.stdout.strip() == b"true"


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
    known = _known(history, edition)
    numbers = [*known] if asked.rounds is None else [n for n in asked.rounds if n in known]
    if not numbers:
        present = f"rounds {known[0]} to {known[-1]}" if known else "none"
        raise Refused(f"{asked.url} has no such round on {asked.branch}; it has {present}")
    if asked.file is not None:
        numbers = [n for n in numbers if asked.file in {*history.ever_in_round(n)}] or numbers
    return numbers


def _known(history: History, edition: Edition) -> Sequence[int]:
    return edition.rounds(history)


def _unknown(history: History, edition: Edition, asked: Asked) -> list[str]:
    """That rounds asked for are before the first or after the last that the history knows."""
    known = _known(history, edition)
    if asked.rounds is None or (known[0] <= asked.rounds[0] and asked.rounds[-1] <= known[-1]):
        return []
    return [
        f"rounds {asked.rounds[0]} to {asked.rounds[-1]} are asked for; the history has rounds "
        f"{known[0]} to {known[-1]}"
    ]


def _gaps(history: History, edition: Edition, asked: Asked) -> list[str]:
    """The rounds asked for of which the history holds nothing, though it holds some before and
    after.
    """
    if edition is not COMPETITION_1:  # of those there are copies, which hold some rounds alone
        return []
    lines = []
    for before, after in pairwise(rounds_of(history)):
        gap = range(before + 1, after)
        if asked.rounds is not None:
            gap = range(max(gap.start, asked.rounds.start), min(gap.stop, asked.rounds.stop))
        if gap:
            which = f"round {gap[0]}" if len(gap) == 1 else f"rounds {gap[0]} to {gap[-1]}"
            lines.append(
                f"the history holds nothing of {which}, though it holds rounds before and after"
            )
    return lines


def _objects(
    history: History, replayed: Sequence[RoundReplay], sample: "Sample | None"
) -> "ObjectsReport | None":
    """What came of the objects in the store; None where none are asked for."""
    if sample is None:
        return None
    # With numpy and Pillow, which no other replay waits for.
    from gen404_assets.commands.objects import check_rounds  # noqa: PLC0415

    return check_rounds(history, replayed, sample, os.environ)


def _objects_lines(report: "ObjectsReport | None") -> list[str]:
    if report is None:
        return []
    from gen404_assets.commands.objects import objects_text  # noqa: PLC0415

    return [printable(line) for line in objects_text(report)]


def _continued(history: History, asked: Asked) -> tuple[list[str], list[str]]:
    if asked.since is None:
        return [], []
    if not _COMMIT.fullmatch(asked.since):
        raise Refused(f"--since takes a commit's hash, and not {asked.since!r}")
    if any(c.sha.startswith(asked.since.lower()) for c in history.commits):
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
        at = next((i for i, c in enumerate(commits) if c.sha.startswith(asked.since.lower())), -1)
        commits = commits[at + 1 :]
    objected = [(c, why) for c in commits if (why := objections.get(c.sha, ""))]
    lines = {
        person: [f"{cite(c)}: {why}" for c, why in objected if by_person(c.message) is person]
        for person in (False, True)
    }
    return lines[False], lines[True]


def _only(replayed: dict[str, Any], path: str | None) -> dict[str, Any]:
    for file in replayed["files"]:
        del file["score"]  # from one file's replay to another's
    if path is None:
        return replayed
    for key in ("files", "acts"):
        replayed[key] = [each for each in replayed[key] if each["path"] == path]
    return replayed
