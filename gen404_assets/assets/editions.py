"""The assets of an edition that is not operated: one for each kind of file that it has, shown as
recorded and derived again by its own rules. Made from the edition's data.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from graphlib import TopologicalSorter
from typing import Any

import dagster as dg

from gen404_assets.assets import inputs, shown
from gen404_assets.assets.columns import column_schema
from gen404_assets.assets.edition_views import per_miner, view
from gen404_assets.assets.events import NO_FILE, check_result, differences, where_from
from gen404_assets.assets.long_tables import cut
from gen404_assets.assets.partitions import ROUNDS
from gen404_assets.assets.resource import CompetitionResource
from gen404_assets.assets.round_asset import check_spec, say_missing
from gen404_assets.assets.specs import OPERATORS, PLATFORM, Source, code_references
from gen404_assets.assets.tables import table
from gen404_assets.assets.tags import DERIVED, EVIDENCE, REPLAY_TAG
from gen404_assets.competition.catalogue import Asset
from gen404_assets.competition.editions.rules import EditionFile, EditionRules
from gen404_assets.competition.files import MalformedFile
from gen404_assets.competition.history import History
from gen404_assets.competition.matches import Match
from gen404_assets.competition.prompts import Prompt
from gen404_assets.competition.round import CONFIG, STATE, round_path
from gen404_assets.competition.versions import Version
from gen404_assets.replay.editions.choosing import Edition
from gen404_assets.replay.editions.edition_round import EditionRound
from gen404_assets.replay.recorded import data_version

_TEXTS: Mapping[str, tuple[type, str]] = {
    "txt": (Prompt, "The round's prompt pictures, one URL a line."),
    "csv": (Match, "Every match's margin, in the order played."),
}
"""What files are that aren't JSON, and the class of their rows."""


def edition_assets(edition: Edition) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """All assets of an edition: those of a round, and the files that all rounds share."""
    rules = _rules(edition)
    return [inputs.config_in(edition.config), inputs.prompt_pool, _round_assets(edition, rules)]


def _round_assets(edition: Edition, rules: EditionRules) -> dg.AssetsDefinition:
    @dg.multi_asset(
        specs=[_spec(edition, rules, kind) for kind in rules.files],
        check_specs=[check_spec(kind.asset) for kind in rules.files],
        name="round_again",
        can_subset=True,
    )
    def again(
        context: dg.AssetExecutionContext, competition: CompetitionResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        """The files as they are recorded, beside what the edition's rules derive."""
        history, number = competition.history(context.run.run_id), int(context.partition_key)
        selected = context.selected_asset_keys
        wanted = [kind for kind in _in_order(rules) if dg.AssetKey(kind.asset) in selected]
        if number not in history.round_numbers:
            raise dg.Failure(f"there is no round {number}", allow_retries=False)
        replayed = edition.replay(history, number, competition.rules(), {})
        mirrored = EditionMirror(edition)
        versions = mirrored.versions(history, number)
        missing = [kind.asset for kind in wanted if versions[kind.asset] is None]
        for kind in wanted:
            version = versions[kind.asset]
            if version is None:
                continue
            files = [file for file in replayed.files if file.asset == kind.asset]
            checked = check_result(kind.asset, files)
            yield dg.MaterializeResult(
                asset_key=kind.asset,
                metadata=mirrored.metadata(history, number, kind.asset)
                | {f"rule: {fit.rule}": fit.fits for fit in replayed.versions}
                | {"replay": checked.description, "differences": differences(files)},
                data_version=dg.DataVersion(version),
                check_results=[checked],
            )
        say_missing(context, missing, _where(EditionRound(history, number, rules)), len(wanted))

    return again


def _where(this_round: EditionRound) -> str:
    """Where a round stands, in words."""
    if not this_round.stage_changes:
        return "it has not begun"
    number, stage = this_round.stage_changes[-1][2]
    return f"round {number} is {stage}"


def _in_order(rules: EditionRules) -> list[EditionFile]:
    """The kinds of files, each after those that it is made from, as Dagster wants its events."""
    kinds = {kind.asset: kind for kind in rules.files}
    made_from = {asset: rules.deps.get(asset, ()) for asset in kinds}
    return [kinds[each] for each in TopologicalSorter(made_from).static_order() if each in kinds]


def _spec(edition: Edition, rules: EditionRules, kind: EditionFile) -> dg.AssetSpec:
    extension = kind.shown.rpartition(".")[2]
    if kind.kind is not None:
        file_format: type = kind.kind
        about = _first_paragraph(kind.kind.__doc__ or "")
    else:
        file_format, about = _TEXTS[extension]
    sources: dict[str, Source] = {"format": file_format}
    if kind.asset in edition.derivations:
        sources = {"derived by": edition.derivations[kind.asset], **sources}
    columns = column_schema(file_format, "name" if per_miner(kind) else None)
    replayed = f"Taken as recorded: {kind.evidence}." if kind.evidence else "Derived by a replay."
    path = kind.shown if kind.shared else f"rounds/{{n}}/{kind.shown}"
    by_hand = f"/{kind.shown}".endswith(rules.by_hand) if rules.by_hand else False
    return dg.AssetSpec(
        kind.asset,
        deps=list(rules.deps.get(kind.asset, ())),
        description=f"{about}\n\n{replayed}\n\n`{path}`",
        group_name=kind.stage,
        kinds={"text" if extension == "txt" else extension},
        owners=[OPERATORS if by_hand else PLATFORM],
        tags={REPLAY_TAG: EVIDENCE if kind.evidence else DERIVED},
        metadata=code_references(sources) | {"dagster/column_schema": columns},
        partitions_def=ROUNDS,
        skippable=True,
    )


def _first_paragraph(text: str) -> str:
    return " ".join(text.partition("\n\n")[0].split())


def _rules(edition: Edition) -> EditionRules:
    if edition.rules is None:
        raise ValueError(f"{edition.name} has assets of its own")
    return edition.rules


class EditionMirror:
    """The assets of an edition that is not operated, as the mirror shows them."""

    def __init__(self, edition: Edition) -> None:
        self._rules = _rules(edition)
        self._kinds = {kind.asset: kind for kind in self._rules.files}

    @property
    def assets(self) -> Sequence[str]:
        """See Mirrored."""
        return list(self._kinds)

    def versions(self, history: History, number: int) -> Mapping[str, str | None]:
        """See Mirrored. A past round without files of a kind has none for good: that is its state
        too.
        """
        this_round = EditionRound(history, number, self._rules)
        absent = None if this_round.ended is None else NO_FILE
        own = history.derived(
            number, "data versions of its own files", lambda: self._own(this_round)
        )
        versions: dict[str, str | None] = {}
        for asset, kind in self._kinds.items():
            version = _version_of(_shared(this_round, kind)) if kind.shared else own[asset]
            versions[asset] = version or absent
        return versions

    def _own(self, this_round: EditionRound) -> Mapping[str, str | None]:
        """The data versions of what lies in the round's folder."""
        kinds = [kind for kind in self._kinds.values() if not kind.shared]
        return {kind.asset: _version_of(_of_round(this_round, kind)) for kind in kinds}

    def prefetch(self, history: History, number: int, assets: Sequence[str]) -> None:
        """See Mirrored."""
        this_round = EditionRound(history, number, self._rules)
        versions: list[Version | None] = [*history.versions(CONFIG)]
        versions.append(history.last(Asset.PROMPTS.path(number - 1)))
        for asset in assets:
            versions += _files(this_round, self._kinds[asset]).values()
        history.prefetch(versions)

    def metadata(self, history: History, number: int, asset: str) -> dict[str, Any]:
        """See Mirrored."""
        this_round, kind = EditionRound(history, number, self._rules), self._kinds[asset]
        files = _files(this_round, kind)
        if not files:
            return {"file": "none: the repository has no such file of this round"}
        metadata = where_from(
            number, files, [each for path in files for each in this_round.people(path)]
        )
        try:
            return shown.metadata(metadata | cut(_look(this_round, kind, files)))
        except MalformedFile as error:
            return shown.metadata(metadata | {"malformed": str(error)})


def _look(
    this_round: EditionRound, kind: EditionFile, files: Mapping[str, Version]
) -> dict[str, Any]:
    if kind.asset == "state":
        return {"stages": _stages(this_round)}
    prefix = round_path(this_round.number, "")
    contents = {
        path.removeprefix(prefix): (path, this_round.history.content(version) or b"")
        for path, version in files.items()
    }
    before = this_round.prompts(this_round.number - 1) if kind.asset == "prompts" else None
    return view(kind, contents, before=frozenset(before or ()), win_margin=_win_margin(this_round))


def _stages(this_round: EditionRound) -> dg.TableMetadataValue | str:
    return table(
        [
            {
                "at": f"{version.commit.time:%Y-%m-%d %H:%M:%S}",
                "stage": f"{number} {stage}",
                "by": this_round.who(version),
                "commit": str(version),
            }
            for version, _, (number, stage) in this_round.stage_changes
        ]
    )


def _win_margin(this_round: EditionRound) -> float:
    """The margin that wins, by the configuration by which the round ended; endless where it can't
    be read, so that no match is said to have been enough.
    """
    version = this_round.history.last(CONFIG, this_round.ended) or this_round.history.last(CONFIG)
    try:
        known = json.loads(this_round.history.content(version) or b"{}") if version else {}
    except ValueError:
        known = {}
    margin = known.get("win_margin") if isinstance(known, dict) else None
    return float(margin) if isinstance(margin, int | float) else float("inf")


def _files(this_round: EditionRound, kind: EditionFile) -> Mapping[str, Version]:
    return _shared(this_round, kind) if kind.shared else _of_round(this_round, kind)


def _of_round(this_round: EditionRound, kind: EditionFile) -> Mapping[str, Version]:
    prefix = round_path(this_round.number, "")
    last = {
        path: this_round.history.last(path)
        for path in this_round.history.of_round(this_round.number)
        if re.fullmatch(kind.pattern, path.removeprefix(prefix)) is not None
    }
    return {path: version for path, version in last.items() if version is not None}


def _shared(this_round: EditionRound, kind: EditionFile) -> Mapping[str, Version]:
    """A file that all rounds share, as the round left it; while it is under way, `state.json` as
    it is, and no `leader.json`.
    """
    index = this_round.ended
    if kind.pattern == STATE and this_round.stage_changes:
        index = this_round.stage_changes[-1][0].index
    elif index is None:
        return {}
    version = this_round.history.last(kind.pattern, index)
    return {} if version is None or version.blob is None else {kind.pattern: version}


def _version_of(files: Mapping[str, Version]) -> str | None:
    return data_version(files) if files else None
