"""A round of an edition, file by file: each is read strictly, derived where its edition derives it,
and compared; what is left is evidence, with the reason.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gen404_assets.competition.editions.competition_0 import Generations
from gen404_assets.competition.editions.competition_2 import Outputs2
from gen404_assets.competition.editions.rules import EditionFile, EditionRules
from gen404_assets.competition.files import MalformedFile, StateFile
from gen404_assets.competition.history import History
from gen404_assets.competition.prompts import parse_prompts, stem
from gen404_assets.competition.round import CONFIG, LEADERS, POOL, STATE, round_path
from gen404_assets.competition.versions import Version
from gen404_assets.replay.deciding import by_people
from gen404_assets.replay.editions.acts import acts, missing_shared
from gen404_assets.replay.editions.edition_round import EditionRound
from gen404_assets.replay.implied import of_others
from gen404_assets.replay.lost_content import name_lost
from gen404_assets.replay.naming import blame, name_acts
from gen404_assets.replay.result import (
    Difference,
    FileReplay,
    Finding,
    RoundReplay,
    RuleFit,
    compared,
    underivable,
)

Derive = Callable[[EditionRound, str], FileReplay | None]
Owed = Callable[[EditionRound], Mapping[str, str]]
"""The files that a past round must have, each with what would be in it."""


@dataclass(frozen=True)
class EditionReplay:
    """How rounds of an edition are derived again. `derivations`: asset -> how one of its files is;
    those without are evidence. `config`: how `config.json` is read. `owed`: what a past round must
    have.
    """

    rules: EditionRules
    config: type[StateFile]
    derivations: Mapping[str, Derive]
    owed: Owed

    def rounds(self, history: History) -> list[int]:
        """The rounds that have files, and those that are over or under way though none of theirs is
        left.
        """
        over = {
            number
            for number in history.rounds_ever
            if (this_round := EditionRound(history, number, self.rules)).ended is not None
            or this_round.is_current
        }
        return sorted({*history.round_numbers, *over})

    def replay(
        self,
        history: History,
        number: int,
        chosen: Mapping[str, str],
        assets: Sequence[str] | None = None,
    ) -> RoundReplay:
        """Derive the round's files again, all or those of `assets`, and compare."""
        this_round = EditionRound(history, number, self.rules)
        history.prefetch(_needed(this_round))
        replayed = RoundReplay(number, edition=self.rules.name)
        wanted = [kind for kind in self.rules.files if assets is None or kind.asset in assets]
        for kind in wanted:
            self._replay_kind(this_round, kind, chosen, replayed)
        known = {file.path for file in replayed.files}
        owed = self._owed(this_round)
        for kind in wanted:
            replayed.files += _absent(this_round, kind, owed, known)
        if assets is None:
            replayed.files += [
                underivable("other files", path, "it is no file of this edition's")
                for path in history.of_round(number)
                if path not in known
            ]
        replayed.files += self._shared(this_round, assets, known)
        self._tell(this_round, replayed, everything=assets is None)
        name_lost(history, replayed)
        return replayed

    def _shared(
        self, this_round: EditionRound, assets: Sequence[str] | None, known: set[str]
    ) -> Iterator[FileReplay]:
        """The files that all rounds share, where they are gone or can't be read."""
        for asset, path in missing_shared(this_round):
            if (assets is None or asset in assets) and path not in known:
                yield compared(asset, path, [Difference(path, "no file", "a file")])
        if assets is None and this_round.is_newest:
            try:
                this_round.at(CONFIG, self.config)
            except MalformedFile as error:
                yield FileReplay("config", CONFIG, Finding.MALFORMED, reason=str(error))

    def _tell(self, this_round: EditionRound, replayed: RoundReplay, *, everything: bool) -> None:
        """Add what was done by people, or in the platform's name, and who brought a difference."""
        done = acts(this_round)
        if everything:
            replayed.acts = done
            replayed.decided = [*dict.fromkeys(by_people(this_round.number, done))]
        for file in replayed.files:
            file.by_person = [str(version) for version in this_round.people(file.path)]
            blame(this_round.history, this_round.number, file, this_round.who)
        known = {file.path for file in replayed.files}
        name_acts(
            this_round.history,
            replayed.files,
            [act for act in done if everything or act.path in known],
        )

    def _owed(self, this_round: EditionRound) -> Mapping[str, str]:
        if this_round.ended is None:
            return {}
        try:
            return self.owed(this_round)
        except MalformedFile:
            return {}

    def _replay_kind(
        self,
        this_round: EditionRound,
        kind: EditionFile,
        chosen: Mapping[str, str],
        replayed: RoundReplay,
    ) -> None:
        paths = _paths(this_round, kind)
        if kind.rule is None:
            replayed.files += self._run(this_round, kind, paths)
            return
        names = self.rules.versions[kind.rule]
        names = [name for name in names if chosen.get(kind.rule, name) == name] or [*names]
        tried: dict[str, list[FileReplay]] = {}
        for name in names:
            tried[name] = self._run(this_round.under(kind.rule, name), kind, paths)
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

    def _run(
        self, this_round: EditionRound, kind: EditionFile, paths: Sequence[str]
    ) -> list[FileReplay]:
        results = (self._file(this_round, kind, path) for path in paths)
        return [result for result in results if result is not None]

    def _file(self, this_round: EditionRound, kind: EditionFile, path: str) -> FileReplay | None:
        try:
            if kind.kind is None:
                parse_prompts(this_round.raw(path), path)
            else:
                this_round.at(path, kind.kind)
            derive = self.derivations.get(kind.asset)
            if derive is None:
                return _evidence(this_round, kind, path)
            result = derive(this_round, path)
            if result is None or result.finding is not Finding.DIFFERS or kind.shared:
                return result
            return _as_of_its_time(this_round, path, derive, result)
        except MalformedFile as error:
            if error.path == path:
                return FileReplay(kind.asset, path, Finding.MALFORMED, reason=str(error))
            reason = f"it is derived from a file that can't be read: {error}"
            return underivable(kind.asset, path, reason)


def _evidence(this_round: EditionRound, kind: EditionFile, path: str) -> FileReplay:
    """A file that nothing implies, held to the little that the others say of it."""
    result = underivable(kind.asset, path, kind.evidence)
    outputs = this_round.at(path, kind.kind) if kind.kind is not None else None
    if isinstance(outputs, Generations | Outputs2):
        stems = {stem(url) for url in this_round.prompts() or ()}
        named = {name: output.model_dump() for name, output in outputs.items()}
        if wrong := list(of_others(path, named, stems)):
            result.differences, result.finding = wrong, Finding.DIFFERS
    return result


def _as_of_its_time(
    this_round: EditionRound, path: str, derive: Derive, result: FileReplay
) -> FileReplay:
    """The result by the files as they were when this one was last written, where it is as the rules
    give by those: whatever they were changed to since is not this file's fault.
    """
    last = this_round.history.last(path)
    if last is None or last.index + 1 == len(this_round.history.commits):
        return result
    then = derive(this_round.as_of(last.index), path)
    if then is None or then.finding is not Finding.IDENTICAL:
        return result
    since = [f"by what was changed since, it would differ in {each}" for each in result.differences]
    then.notes += [*since[:1], *([f"and in {len(since) - 1} more"] if since[1:] else [])]
    return then


def _paths(this_round: EditionRound, kind: EditionFile) -> list[str]:
    if kind.shared:
        last = this_round.history.last(kind.pattern)
        return [kind.pattern] if last is not None and last.blob is not None else []
    prefix = round_path(this_round.number, "")
    return [
        path
        for path in this_round.history.of_round(this_round.number)
        if re.fullmatch(kind.pattern, path.removeprefix(prefix)) is not None
    ]


def _absent(
    this_round: EditionRound, kind: EditionFile, owed: Mapping[str, str], known: set[str]
) -> Iterator[FileReplay]:
    """The files of a kind that a past round has lost, or never had though it must have them."""
    if kind.shared or this_round.ended is None:
        return
    prefix = round_path(this_round.number, "")
    for path in sorted({*owed, *this_round.history.paths_of_round(this_round.number)} - known):
        if re.fullmatch(kind.pattern, path.removeprefix(prefix)) is None:
            continue
        last = this_round.history.last(path)
        if last is not None and last.index < this_round.began:
            last = None
        if path in owed and last is None and this_round.is_copy:
            reason = "it isn't in the repository, which holds a copy of the round without a history"
            yield underivable(kind.asset, path, reason)
        elif path in owed:
            yield compared(kind.asset, path, [Difference(path, "no file", owed[path])])
        elif last is not None and last.index > this_round.ended:
            yield compared(kind.asset, path, [Difference(path, "no file", "a file")])


def _needed(this_round: EditionRound) -> Iterator[Version | None]:
    """The versions that the derivations read, so that they are read in one go."""
    history, number = this_round.history, this_round.number
    for path in history.of_round(number):
        yield from (each for each in history.versions(path) if each.index >= this_round.began)
        last = history.last(path)
        if last is not None and path.endswith("/duels.json"):
            yield from _played_with(this_round, path, last)
    for path in (STATE, CONFIG):
        yield from history.versions(path)
    yield from history.versions(LEADERS)
    yield history.last(POOL)
    yield history.last(round_path(number - 1, "prompts.txt"))
    for other in (number - 1, number + 1):
        yield history.last(round_path(other, "schedule.json"))


def _played_with(this_round: EditionRound, path: str, report: Version) -> Iterator[Version | None]:
    """The outputs that stood when a report was written."""
    for hotkey in (path.split("/")[-2], "leader"):
        outputs = round_path(this_round.number, f"{hotkey}/generations.json")
        yield this_round.history.last(outputs, report.index)
