"""Copies among a round's submissions: the same repository, the same previews, files of the same
sizes.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.round import Round

_FEW = 3
"""So few files of the same size are chance: an empty scene, a cube."""


@dataclass(frozen=True, slots=True)
class Copy:
    """What several miners have in common, and how that was found."""

    hotkeys: tuple[str, ...]
    what: str


def copies(current: Round) -> list[Copy]:
    """The copies in a round, those of code first."""
    all_copies = [*_same_code(current)]
    digests = _digests(current)
    all_copies += _in_common(digests, "previews are the same, byte for byte (SHA-256)", 1)
    sizes = _sizes(current)
    all_copies += _in_common(sizes, "files have the same size in bytes", _FEW)
    return all_copies


def _same_code(current: Round) -> Iterator[Copy]:
    """The submissions with the same repository; the leader's code is one of them."""
    by_repo: dict[str, list[tuple[str, str]]] = defaultdict(list)
    if current.defending is not None:
        by_repo[current.defending.repo.lower()].append((LEADER, current.defending.commit))
    for hotkey, entry in current.submissions.items() if current.submissions else ():
        by_repo[entry.repo.lower()].append((hotkey, entry.commit))
    for repo, owners in by_repo.items():
        if len(owners) > 1:
            commits = len({commit for _, commit in owners})
            same = "the same commit" if commits == 1 else f"{commits} commits"
            yield Copy(tuple(hotkey for hotkey, _ in owners), f"the repository {repo}, {same}")


def _digests(current: Round) -> Mapping[str, Mapping[str, object]]:
    """Hotkey -> prompt -> SHA-256 of its preview as it was judged."""
    digests: dict[str, dict[str, object]] = defaultdict(dict)
    for match in current.matrix.matches:
        report = current.report(match.pair)
        for duel in report.duels if report is not None else ():
            if duel.evidence is not None:
                digests[match.left][duel.name] = duel.evidence.left
                digests[match.right][duel.name] = duel.evidence.right
    return digests


def _sizes(current: Round) -> Mapping[str, Mapping[str, object]]:
    """Hotkey -> prompt -> size of the file."""
    submitted = {hotkey: current.submitted(hotkey) for hotkey in current.timeline.order}
    return {
        hotkey: {name: output.size for name, output in files.items() if output.complete}
        for hotkey, files in submitted.items()
        if files is not None
    }


def _in_common(
    values: Mapping[str, Mapping[str, object]], what: str, more_than: int
) -> Iterator[Copy]:
    """Who has the same value for each prompt; then the other pairs that have it for more than so
    many prompts.
    """
    same: dict[frozenset[tuple[str, object]], list[str]] = defaultdict(list)
    for hotkey, per_prompt in values.items():
        same[frozenset(per_prompt.items())].append(hotkey)
    for prompts, hotkeys in same.items():
        if len(hotkeys) > 1 and len(prompts) > more_than:
            yield Copy(tuple(hotkeys), f"all {len(prompts)} {what}")
    owners: dict[tuple[str, object], list[str]] = defaultdict(list)
    for hotkey, per_prompt in values.items():
        for item in per_prompt.items():
            owners[item].append(hotkey)
    shared: dict[tuple[str, str], int] = defaultdict(int)
    for hotkeys in owners.values():
        for pair in combinations(hotkeys, 2):
            shared[pair] += 1
    for (left, right), count in shared.items():
        if count > more_than and values[left] != values[right]:
            fewer = min(len(values[left]), len(values[right]))
            yield Copy((left, right), f"{count} of {fewer} {what}")
