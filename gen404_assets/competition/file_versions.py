"""The versions of each file of a repository, up to a head."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from functools import cached_property
from typing import TypeVar

from gen404_assets.competition.commits import by_hand_alone
from gen404_assets.competition.contents import Contents, ReadBlobs
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.round import round_of
from gen404_assets.competition.versions import Change, Commit, Version, cite

T = TypeVar("T")


class FileVersions:
    """All versions of all files up to the head, oldest first.

    `changed`: the rounds of which files have versions that the one before did not know, None for
    the files that belong to no round. What did not change is shared with the one before.
    """

    def __init__(
        self,
        commits: Sequence[Commit],
        changes: Iterable[Change],
        read_blobs: ReadBlobs,
        before: "FileVersions | None" = None,
    ) -> None:
        """`before`: those that `commits` and `changes` come after."""
        known = before.commits if before else ()
        self.commits: Sequence[Commit] = [*known, *commits]
        self.contents = Contents(read_blobs)
        self._by_round: dict[int | None, dict[str, list[Version]]] = (
            dict(before._by_round) if before else {}
        )
        index = {commit.sha: at for at, commit in enumerate(commits, len(known))}
        self.changed = self._add(changes, index)
        self._present: Set[int] = self._with_files(
            before._present if before else frozenset(), self.changed
        )

    def _add(self, changes: Iterable[Change], index: Mapping[str, int]) -> Set[int | None]:
        """Add versions; what is shared with the history before is copied first. The rounds that
        have new ones, None for the files that all share.
        """
        own: dict[int | None, set[str]] = {}
        for change in changes:
            number = round_of(change.path)
            if number not in own:
                own[number] = set()
                self._by_round[number] = dict(self._by_round.get(number, {}))
            files = self._by_round[number]
            if change.path not in own[number]:
                own[number].add(change.path)
                files[change.path] = [*files.get(change.path, ())]
            at = index[change.commit.sha]
            version = Version(at, change.commit, change.blob, change.link)
            files[change.path].append(version)
        return own.keys()

    def _with_files(self, before: Set[int], changed: Set[int | None]) -> Set[int]:
        """The rounds that have files at the head."""
        present = {
            number
            for number in changed
            if number is not None
            and any(versions[-1].blob is not None for versions in self._by_round[number].values())
        }
        return (before - changed) | present

    def versions(self, path: str) -> Sequence[Version]:
        """A file's versions, oldest first; empty if it never was."""
        return self._by_round.get(round_of(path), {}).get(path, ())

    def last(self, path: str, index: int | None = None) -> Version | None:
        """The version that stands at commit `index` (None: the head), deletion included."""
        versions = self.versions(path)
        at = (
            len(versions)
            if index is None
            else bisect_right(versions, index, key=lambda version: version.index)
        )
        return versions[at - 1] if at else None

    def moments(self, paths: Iterable[str], index: int) -> list[int]:
        """The commits up to `index` that changed any of the files, the latest first."""
        indices = {
            version.index
            for path in paths
            for version in self.versions(path)
            if version.index <= index
        }
        return sorted(indices, reverse=True)

    def content(self, version: Version) -> bytes | None:
        """See Contents.get."""
        return self.contents.get(version)

    def lost(self, paths: Iterable[str]) -> list[tuple[str, Version]]:
        """The versions of these files that were asked for and have no content here."""
        return [
            (path, version)
            for path in paths
            for version in self.contents.known_as_lost(self.versions(path))
        ]

    def readable(
        self, path: str, parse: Callable[[bytes], T], since: int = 0
    ) -> Iterator[tuple[Version, T]]:
        """A file's versions from commit `since` on, parsed; those that were deletions, or could not
        be read at their time, are left out.
        """
        versions = self.versions(path)
        versions = versions[bisect_left(versions, since, key=lambda version: version.index) :]
        self.contents.fetch(versions)
        for version in versions:
            raw = self.content(version)
            if raw is not None:
                with suppress(MalformedFile):
                    yield version, parse(raw)

    def written(self, path: str, entry: Callable[[bytes], object]) -> Version | None:
        """The version since which `entry` has read the same from the file as from its last version;
        None if the file isn't there.
        """
        versions = list(self.versions(path))
        self.contents.fetch(versions)
        if not versions or (raw := self.content(versions[-1])) is None:
            return None
        wanted, first = entry(raw), versions[-1]
        for version in reversed(versions[:-1]):
            raw = self.content(version)
            if raw is None or entry(raw) != wanted:
                break
            first = version
        return first

    def ever_in_round(self, number: int | None) -> Sequence[str]:
        """The files that a round has or had, in order of path; None: those that belong to none."""
        return sorted(self._by_round.get(number, ()))

    def cite(self, index: int) -> str:
        """A commit as a person would name it."""
        return cite(self.commits[index])

    def by_person(self, path: str) -> list[Version]:
        """The versions of a file that people committed."""
        return [
            version for version in self.versions(path) if by_hand_alone(path) or version.by_person
        ]

    def is_typed(self, path: str) -> bool:
        """Whether a file is there and stands as a person committed it."""
        version = self.last(path)
        return version is not None and version.blob is not None and version.by_person

    # --- the files at the head

    @cached_property
    def paths(self) -> Mapping[str, str]:
        """The files at the head, with their blobs, in order of path."""
        everything = (entry for files in self._by_round.values() for entry in files.items())
        last = {path: versions[-1].blob for path, versions in sorted(everything)}
        return {path: blob for path, blob in last.items() if blob is not None}

    @cached_property
    def round_numbers(self) -> Sequence[int]:
        """The rounds that have files at the head, in order."""
        return sorted(self._present)

    @property
    def rounds_ever(self) -> Sequence[int]:
        """The rounds that have or had files, in order."""
        return sorted(number for number in self._by_round if number is not None)

    def of_round(self, number: int) -> Sequence[str]:
        """A round's files at the head, in order of path."""
        files = self._by_round.get(number, {})
        return sorted(path for path, versions in files.items() if versions[-1].blob is not None)

    def paths_of_round(self, number: int) -> Sequence[str]:
        """The files that a round has or has had."""
        return list(self._by_round.get(number, {}))

    def __iter__(self) -> Iterator[str]:
        return iter(self.paths)
