"""A competition's history in memory, with one more commit by a forger; and what a replay makes of
it.

Nothing of the honest history is read twice, and rounds are replayed only where the commit itself
does not give the forger away.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cached_property

from gen404_assets.competition.history import History
from gen404_assets.competition.hotkeys import short
from gen404_assets.competition.round import round_of
from gen404_assets.competition.settings import Rules
from gen404_assets.competition.versions import Version
from gen404_assets.replay.acts import act_of, moment
from gen404_assets.replay.permissions import split
from gen404_assets.replay.result import Finding, RoundReplay
from gen404_assets.replay.rounds import replay_round
from resources.git_history import Change, Commit

PERSON = "Mend what was wrong"


class Seen(StrEnum):
    """What becomes of a forgery. `FOUND`: something is said to be wrong, and the commit is named.
    `NAMED`: the change is told as what it is, a person's or the platform's, with its commit.
    `SILENT`: nothing is said.
    """

    FOUND = "found"
    NAMED = "named"
    SILENT = "silent"


@dataclass(frozen=True)
class Link:
    """A symbolic link in place of a file."""

    target: bytes


Content = bytes | Link | None


class Forger:
    """Commits on top of an honest history."""

    def __init__(self, honest: History) -> None:
        self.honest = honest
        versions = [
            version
            for number in (None, *honest.round_numbers)
            for path in honest.ever_in_round(number)
            for version in honest.versions(path)
        ]
        honest.prefetch(versions)
        self.contents: dict[str, bytes] = {
            str(version.blob): honest.content(version) or b"" for version in versions
        }
        self.current = moment(honest, len(honest.commits)).round

    def read_blobs(self, blobs: Iterable[str]) -> Mapping[str, bytes]:
        return {blob: self.contents[blob] for blob in blobs}

    def forge(self, files: Mapping[str, Content], message: str) -> History:
        """The history with one more commit."""
        head = self.honest.commits[-1]
        sha = hashlib.sha1(repr((sorted(files), message)).encode()).hexdigest()
        commit = Commit(sha, "somebody <s@x.invalid>", head.time + timedelta(minutes=7), message)
        return self.honest.following(
            [commit],
            [self._change(commit, path, content) for path, content in files.items()],
            self.read_blobs,
        )

    def _change(self, commit: Commit, path: str, content: Content) -> Change:
        if content is None:
            return Change(commit, path, None)
        data = content.target if isinstance(content, Link) else content
        blob = hashlib.sha1(data).hexdigest()
        self.contents[blob] = data
        return Change(commit, path, blob, isinstance(content, Link))

    @cached_property
    def complaints(self) -> Mapping[int, frozenset[str]]:
        """What a replay says of the honest rounds."""
        return {
            number: complaints(replay_round(self.honest, number, Rules()))
            for number in self.honest.round_numbers
        }

    def seen(self, files: Mapping[str, Content], message: str) -> Seen:
        """What a replay makes of a forgery."""
        history = self.forge(files, message)
        cited = str(history.versions(next(iter(files)))[-1])
        acts = [act_of(history, path, history.versions(path)[-1]) for path in files]
        if any(act is not None and (act.wrong or act.stray) for act in acts):
            return Seen.FOUND
        if any(act is not None for act in acts):
            return Seen.NAMED
        numbers = {round_of(path) for path in files} - {None} or {self.current}
        for number in sorted(number for number in numbers if number is not None):
            replayed = replay_round(history, number, Rules())
            new = complaints(replayed) - self.complaints.get(number, frozenset())
            if new:
                assert any(cited[:7] in complaint for complaint in new), (cited, new)
                return Seen.FOUND
            if any(cited[:7] in note for file in replayed.files for note in file.notes):
                return Seen.NAMED
        return Seen.SILENT


def complaints(replayed: RoundReplay) -> frozenset[str]:
    """What is said to differ, or to be unreadable, each with what is known of the commit."""
    return frozenset(
        f"{file.path}: {file.reason} {'; '.join(map(str, file.differences))}"
        for file in replayed.files
        if file.finding in {Finding.DIFFERS, Finding.MALFORMED}
    )


def platforms_message(path: str, under_way: int) -> str:
    """The message under which the platform would commit this file."""
    number, miner, name = split(path)
    number = under_way if number is None else number
    if name.startswith("duels_"):
        left = name.removeprefix("duels_").removesuffix(".json")
        reported = f"Match report: {left} vs {short(miner or '')}"
        return f"{reported}\nUpdate matches matrix for round {number}"
    who = f", miner {short(miner)}" if miner else ""
    subjects = {
        "builds.json": "build statuses",
        "submitted.json": "submitted",
        "generated.json": "generated",
        "pod_stats.json": "generated",
        "matches_matrix.csv": "matches matrix",
        "require_audit.json": "audit requests",
        "generation_audits.json": "generation audits",
        "leader.json": "state (open), schedule, leader",
        "schedule.json": "state (open), schedule, leader",
        "state.json": "state (duels)",
        "source_audit.json": "source audits",
    }
    if name in subjects:
        return f"Update {subjects[name]} for round {number}{who}"
    if name == "winner.json":
        return f"Round {number} winner: leader"
    return f"Seed, prompts and submissions for round {number}"


def cut_before(history: History, message: str) -> History:
    """The history up to the first commit whose message begins so, so that its round is under
    way.
    """
    at = next(i for i, each in enumerate(history.commits) if each.message.startswith(message))
    changes = sorted(
        (version.index, path, Change(_git(version), path, version.blob, version.link))
        for number in (None, *history.rounds_ever)
        for path in history.ever_in_round(number)
        for version in history.versions(path)
        if version.index < at
    )
    read = Forger(history).read_blobs
    return History(history.commits[:at], [change for _, _, change in changes], read)


def _git(version: Version) -> Commit:
    commit = version.commit
    assert isinstance(commit, Commit)
    return commit
