"""A round replayed whole: every file, and which version of each rule explains it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from gen404_assets.competition.catalogue import OF_EACH_MINER, POD_STATS, REPLAYED, Asset
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.history import History
from gen404_assets.competition.outputs import Output, Outputs, PodStatsFile
from gen404_assets.competition.round import (
    CONFIG,
    LEADERS,
    POOL,
    STATE,
    outputs_path,
    report_path,
    round_of,
)
from gen404_assets.competition.settings import VERSIONS, Rules, RuleVersion
from gen404_assets.competition.versions import Version
from gen404_assets.replay.acts import acts, acts_on
from gen404_assets.replay.auditing import replay_audits, replay_requests
from gen404_assets.replay.deciding import decided
from gen404_assets.replay.finalizing import (
    replay_state,
    replay_winner,
    stage_changes,
)
from gen404_assets.replay.implied import contradictions
from gen404_assets.replay.judging import replay_matrix
from gen404_assets.replay.leading import replay_leader
from gen404_assets.replay.lost_content import name_lost
from gen404_assets.replay.missing import missing_files
from gen404_assets.replay.naming import blame, name_acts
from gen404_assets.replay.opening import (
    replay_builds,
    replay_prompts,
    replay_schedule,
    replay_seed,
    replay_submissions,
)
from gen404_assets.replay.reporting import replay_report, report_before, reports
from gen404_assets.replay.result import (
    Difference,
    FileReplay,
    Finding,
    RoundReplay,
    RuleFit,
    compared,
    underivable,
)

Derive = Callable[[Rules], FileReplay | None]


def replay_round(
    history: History,
    number: int,
    rules: Rules,
    *,
    assets: Sequence[Asset] = REPLAYED,
    chosen: Mapping[str, str] | None = None,
) -> RoundReplay:
    """Derive the files of `assets` of a round again, and compare them with the recorded ones.

    `chosen`: rule -> the name of the version it is held to; of the other rules each version is
    tried (`rules.md`, Earlier versions).
    """
    replayed = RoundReplay(number)
    prefetch(history, number, assets)
    for asset in assets:
        scores = {file.path: file.score for file in replayed.files if file.score is not None}
        files = _derivations(history, number, asset, scores)
        rule = asset.entry.rule
        if rule is None:
            replayed.files += _run(asset, files, rules)
        else:
            version = (chosen or {}).get(rule)
            versions = [each for each in VERSIONS[rule] if version in {None, each.name}]
            results, fit = fit_versions(asset, files, rules, versions)
            replayed.files += results
            replayed.versions += [fit] if fit else []
        replayed.files += _deleted(history, number, asset, replayed)
    _add_missing(history, number, replayed, assets)
    if set(assets) == set(REPLAYED):
        known = {file.path for file in replayed.files}
        unknown = [path for path in history.of_round(number) if path not in known]
        replayed.files += [
            underivable("other files", path, "it is no file of the competition's")
            for path in unknown
        ]
        replayed.acts = acts(history, number)
        name_acts(history, replayed.files, replayed.acts)
        replayed.decided = decided(history, number, replayed.acts)
    else:
        paths = [file.path for file in replayed.files]
        name_acts(history, replayed.files, acts_on(history, number, paths))
    for file in replayed.files:
        file.by_person = [str(version) for version in people(history, number, file.path)]
        blame(history, number, file)
    name_lost(history, replayed)
    return replayed


def _add_missing(
    history: History, number: int, replayed: RoundReplay, assets: Sequence[Asset]
) -> None:
    """Add the files that must be there and are not, of these assets, unless they are told
    already.
    """
    everything = set(assets) == set(REPLAYED)
    known = {file.path: file for file in replayed.files}
    for file in missing_files(history, number):
        if (everything or file.asset in assets) and file.path not in known:
            replayed.files.append(file)


def rounds_of(history: History) -> list[int]:
    """The rounds that the history tells of, also those of which no file is left."""
    return sorted({*history.rounds_ever, *history.rounds_under_way})


def _deleted(
    history: History, number: int, asset: Asset, replayed: RoundReplay
) -> list[FileReplay]:
    """The file of an asset that a past round had, and that somebody deleted."""
    path = asset.path(number)
    last = history.last(path)
    if asset.entry.shared or last is None or last.blob is not None or not history.is_past(number):
        return []
    if any(file.path == path for file in replayed.files):
        return []
    return [
        compared(
            asset, path, [Difference(path, "no file", "a file", f"deleted by {last.who} in {last}")]
        )
    ]


def prefetch(history: History, number: int, assets: Sequence[Asset]) -> None:
    """Read all that a replay of the round takes in one go, and forget what was read of another."""
    if assets:
        history.prefetch(_needed(history, number, assets))


def _needed(history: History, number: int, assets: Sequence[Asset]) -> Iterator[Version | None]:
    """The versions that the derivations read: of the round's files, and of the outputs by which
    its matches were judged at their time. Of what each miner has, there is too much to read it for
    nothing.
    """
    skipped = tuple(asset.entry.name for asset in OF_EACH_MINER if asset not in assets)
    for path in history.ever_in_round(number):
        if not path.rsplit("/", 1)[1].startswith(skipped):
            yield from history.versions(path)
    for path in (POOL, Asset.PROMPTS.path(number - 1), Asset.SCHEDULE.path(number - 1)):
        yield history.last(path)
    yield from history.versions(Asset.MATCHES_MATRIX.path(number))
    for path in (STATE, CONFIG, LEADERS, Asset.SCHEDULE.path(number + 1)):
        yield from history.versions(path)
    if Asset.DUELS in assets:
        for path in report_before(history, number):
            yield from history.versions(path)
    needed = {Asset.DUELS, Asset.MATCHES_MATRIX} & set(assets)
    pairs = reports(history, number) if needed and skipped else []
    for pair in pairs:
        report = history.last(report_path(number, pair))
        yield report
        for hotkey in pair if report is not None else ():
            yield history.last(outputs_path(number, hotkey), report.index if report else None)


def _by_files(
    derive: Callable[[History, int], FileReplay | None],
) -> Callable[[History, int, Rules], FileReplay | None]:
    """A derivation into which no setting of the rules goes."""
    return lambda history, number, _: derive(history, number)


_DERIVED: Mapping[Asset, Callable[[History, int, Rules], FileReplay | None]] = {
    Asset.SCHEDULE: _by_files(replay_schedule),
    Asset.SUBMISSIONS: _by_files(replay_submissions),
    Asset.SEED: _by_files(replay_seed),
    Asset.PROMPTS: replay_prompts,
    Asset.BUILDS: replay_builds,
    Asset.AUDIT_REQUESTS: replay_requests,
    Asset.AUDITS: replay_audits,
    Asset.WINNER: _by_files(replay_winner),
    Asset.LEADER: replay_leader,
    Asset.STATE: _by_files(replay_state),
}
"""Asset -> how its one file is derived, by functions that stand above the catalogue."""


def _derivations(
    history: History, number: int, asset: Asset, scores: Mapping[str, int]
) -> list[tuple[str, Derive]]:
    """(path, how to derive it) for each file of an asset. `scores`: of the match reports that were
    replayed before.
    """
    if asset is Asset.MATCHES_MATRIX:
        return [(asset.path(number), lambda _: replay_matrix(history, number, scores))]
    if asset in _DERIVED:
        return [(asset.path(number), partial(_DERIVED[asset], history, number))]
    if asset is Asset.DUELS:
        return [
            (report_path(number, pair), partial(replay_report, history, number, pair))
            for pair in reports(history, number)
        ]
    return [
        (path, partial(_evidence, history, asset, path))
        for path in evidence(history, number, asset)
    ]


def evidence(history: History, number: int, asset: Asset) -> list[str]:
    """The files of an asset that nothing else implies."""
    baseline = Asset.BASELINE.path(number)
    names = asset.entry.per_miner
    if not names:
        path = asset.path(number)
        last = history.last(path)
        return [] if last is None or last.blob is None else [path]
    return [
        path
        for path in history.of_round(number)
        if path.rsplit("/", 1)[1] in names and path != baseline
    ]


def _evidence(history: History, asset: Asset, path: str, _: Rules) -> FileReplay:
    number = round_of(path)
    kind = PodStatsFile if path.endswith(f"/{POD_STATS}") else asset.entry.format
    outputs = history.round(number).typed(path, kind) if number is not None else None
    result = underivable(asset, path, str(asset.entry.evidence))
    if isinstance(outputs, Outputs) and asset is Asset.RENDERS:
        result.notes += _made_again(history, path, outputs)
    if isinstance(outputs, Outputs) and (wrong := list(contradictions(history, path, outputs))):
        result.differences, result.finding = wrong, Finding.DIFFERS
    return result


def _made_again(history: History, path: str, outputs: Outputs) -> list[str]:
    """What a person has had made again of a miner's files: what there was, and what there is."""
    number, hotkey = round_of(path), path.split("/")[-2]
    if number is None:
        return []
    return [
        f"{each.stem} was made again ({each.reason}): before {_seen(each.before)}, now "
        f"{_seen(outputs.get(each.stem))}"
        for each in history.round(number).again.root
        if each.hotkey == hotkey
    ]


def _seen(output: Output | None) -> str:
    if output is None:
        return "not there yet"
    return output.png or (output.model_extra or {}).get("reason") or "no preview"


def _run(asset: Asset, files: Sequence[tuple[str, Derive]], rules: Rules) -> list[FileReplay]:
    return [result for path, derive in files if (result := _guard(asset, path, derive, rules))]


def _guard(asset: Asset, path: str, derive: Derive, rules: Rules) -> FileReplay | None:
    try:
        return derive(rules)
    except MalformedFile as error:
        if error.path == path:
            return FileReplay(asset, path, Finding.MALFORMED, reason=str(error))
        return underivable(asset, path, f"it is derived from a file that can't be read: {error}")


def fit_versions(
    asset: Asset,
    files: Sequence[tuple[str, Derive]],
    rules: Rules,
    versions: Sequence[RuleVersion],
) -> tuple[list[FileReplay], RuleFit | None]:
    """The files under the first of a rule's `versions` that explains them all, else each under the
    first that explains it; and which version explains most of them, None if none explains any.
    """
    tried: dict[str, list[FileReplay]] = {}
    for version in versions:
        tried[version.name] = results = _run(asset, files, version.applied_to(rules))
        if all(result.finding is not Finding.DIFFERS for result in results):
            break
    explained = {
        version: sum(result.finding is Finding.IDENTICAL for result in results)
        for version, results in tried.items()
    }
    if not any(explained.values()):
        return next(iter(tried.values())), None
    best = max(explained, key=lambda version: explained[version])
    others = {
        result.path: next(
            (version for version, results in tried.items() if _explains(results[at])), ""
        )
        for at, result in enumerate(tried[best])
        if not _explains(result)
    }
    others = {path: version for path, version in others.items() if version}
    fit = RuleFit(versions[0].rule, best, explained, len(tried[best]), others)
    return [tried[others.get(result.path, best)][at] for at, result in enumerate(tried[best])], fit


def _explains(result: FileReplay) -> bool:
    return result.finding is Finding.IDENTICAL


def people(history: History, number: int, path: str) -> list[Version]:
    """The commits in which people changed a file; of a file that all rounds share, those made
    during the round.
    """
    versions = history.by_person(path)
    if path in {LEADERS, STATE}:
        changes = [version.index for version, _, _ in stage_changes(history, number)]
        versions = [
            version for version in versions if changes and changes[0] < version.index <= changes[-1]
        ]
    return versions
