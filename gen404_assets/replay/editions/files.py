"""A round of an edition, file by file: each is read strictly, derived where its edition derives it,
and compared; what is left is evidence, with the reason.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gen404_assets.competition.editions.rules import EditionFile, EditionRules
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.history import History
from gen404_assets.competition.prompts import parse_prompts
from gen404_assets.competition.round import CONFIG, LEADERS, POOL, STATE, round_path
from gen404_assets.competition.versions import Version
from gen404_assets.replay.editions.seen import Seen
from gen404_assets.replay.lost_content import name_lost
from gen404_assets.replay.result import (
    Difference,
    FileReplay,
    Finding,
    RoundReplay,
    RuleFit,
    compared,
    underivable,
)

Derive = Callable[[Seen, str], FileReplay | None]
Owed = Callable[[Seen], Mapping[str, str]]
"""The files that a past round must have, each with what would be in it."""


@dataclass(frozen=True)
class EditionReplay:
    """How rounds of an edition are derived again. `derivations`: asset -> how one of its files is;
    those without are evidence. `owed`: what a past round must have.
    """

    rules: EditionRules
    derivations: Mapping[str, Derive]
    owed: Owed

    def replay(
        self,
        history: History,
        number: int,
        chosen: Mapping[str, str],
        assets: Sequence[str] | None = None,
    ) -> RoundReplay:
        """Derive the round's files again, all or those of `assets`, and compare."""
        seen = Seen(history, number, self.rules)
        history.prefetch(_needed(seen))
        replayed = RoundReplay(number, edition=self.rules.name)
        wanted = [kind for kind in self.rules.files if assets is None or kind.asset in assets]
        for kind in wanted:
            self._replay_kind(seen, kind, chosen, replayed)
        known = {file.path for file in replayed.files}
        owed = self._owed(seen)
        for kind in wanted:
            replayed.files += _absent(seen, kind, owed, known)
        if assets is None:
            replayed.files += [
                underivable("other files", path, "it is no file of this edition's")
                for path in history.of_round(number)
                if path not in known
            ]
        for file in replayed.files:
            file.by_person = [str(version) for version in seen.people(file.path)]
        name_lost(history, replayed)
        return replayed

    def _owed(self, seen: Seen) -> Mapping[str, str]:
        if seen.ended is None:
            return {}
        try:
            return self.owed(seen)
        except MalformedFile:
            return {}

    def _replay_kind(
        self, seen: Seen, kind: EditionFile, chosen: Mapping[str, str], replayed: RoundReplay
    ) -> None:
        paths = _paths(seen, kind)
        if kind.rule is None:
            replayed.files += self._run(seen, kind, paths)
            return
        names = self.rules.versions[kind.rule]
        names = [name for name in names if chosen.get(kind.rule, name) == name] or [*names]
        tried: dict[str, list[FileReplay]] = {}
        for name in names:
            tried[name] = self._run(seen.under(kind.rule, name), kind, paths)
            if all(file.finding is not Finding.DIFFERS for file in tried[name]):
                break
        explains = {
            name: sum(file.finding is Finding.IDENTICAL for file in files)
            for name, files in tried.items()
        }
        best = max(explains, key=lambda name: explains[name])
        replayed.files += tried[best]
        if explains[best]:
            replayed.versions.append(RuleFit(kind.rule, best, explains, len(tried[best])))

    def _run(self, seen: Seen, kind: EditionFile, paths: Sequence[str]) -> list[FileReplay]:
        results = (self._file(seen, kind, path) for path in paths)
        return [result for result in results if result is not None]

    def _file(self, seen: Seen, kind: EditionFile, path: str) -> FileReplay | None:
        try:
            if kind.kind is None:
                parse_prompts(seen.raw(path), path)
            else:
                seen.at(path, kind.kind)
            derive = self.derivations.get(kind.asset)
            return (
                underivable(kind.asset, path, kind.evidence)
                if derive is None
                else derive(seen, path)
            )
        except MalformedFile as error:
            if error.path == path:
                return FileReplay(kind.asset, path, Finding.MALFORMED, reason=str(error))
            reason = f"it is derived from a file that can't be read: {error}"
            return underivable(kind.asset, path, reason)


def _paths(seen: Seen, kind: EditionFile) -> list[str]:
    if kind.shared:
        last = seen.history.last(kind.pattern)
        return [kind.pattern] if last is not None and last.blob is not None else []
    prefix = round_path(seen.number, "")
    return [
        path
        for path in seen.history.of_round(seen.number)
        if re.fullmatch(kind.pattern, path.removeprefix(prefix)) is not None
    ]


def _absent(
    seen: Seen, kind: EditionFile, owed: Mapping[str, str], known: set[str]
) -> Iterator[FileReplay]:
    """The files of a kind that a past round has lost, or never had though it must have them."""
    if kind.shared or seen.ended is None:
        return
    prefix = round_path(seen.number, "")
    for path in sorted({*owed, *seen.history.paths_of_round(seen.number)} - known):
        if re.fullmatch(kind.pattern, path.removeprefix(prefix)) is None:
            continue
        last = seen.history.last(path)
        if last is not None and last.index < seen.began:
            last = None
        if path in owed and last is None and seen.is_copy:
            reason = "it isn't in the repository, which holds a copy of the round without a history"
            yield underivable(kind.asset, path, reason)
        elif path in owed:
            by = f"deleted by {seen.who(last)} in {last}" if last is not None else ""
            yield compared(kind.asset, path, [Difference(path, "no file", owed[path], by)])
        elif last is not None and last.index > seen.ended:
            by = f"deleted by {seen.who(last)} in {last}"
            yield compared(kind.asset, path, [Difference(path, "no file", "a file", by)])


def _needed(seen: Seen) -> Iterator[Version | None]:
    """The versions that the derivations read, so that they are read in one go."""
    history, number = seen.history, seen.number
    for path in history.of_round(number):
        last = history.last(path)
        yield last
        if last is not None and path.endswith("/duels.json"):
            yield from _played_with(seen, path, last)
    for path in (STATE, CONFIG):
        yield from history.versions(path)
    for path in (LEADERS, POOL):
        yield history.last(path)
    yield history.last(round_path(number - 1, "prompts.txt"))
    for other in (number - 1, number + 1):
        yield history.last(round_path(other, "schedule.json"))


def _played_with(seen: Seen, path: str, report: Version) -> Iterator[Version | None]:
    """The outputs that stood when a report was written."""
    for hotkey in (path.split("/")[-2], "leader"):
        outputs = round_path(seen.number, f"{hotkey}/generations.json")
        yield seen.history.last(outputs, report.index)
