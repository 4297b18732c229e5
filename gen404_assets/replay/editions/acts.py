"""What was done to a round's files of an edition beside its platform's ordinary work: by whom, and
whether it was the platform's to do.

As in `replay.acts`, a message is no proof: a commit that looks like the platform's is held to the
round under way, to the stage that a file belongs to, and to what stood there before (`following`).
"""

import json
from collections.abc import Iterator
from dataclasses import replace

from gen404_assets.competition.hotkeys import LEADER
from gen404_assets.competition.round import CONFIG, LEADERS, POOL, SHARED, STATE, round_of
from gen404_assets.competition.versions import Version
from gen404_assets.replay.acts import verb, with_changes
from gen404_assets.replay.compare import changes
from gen404_assets.replay.editions.edition_round import EditionRound
from gen404_assets.replay.editions.following import does_not_follow
from gen404_assets.replay.permissions import split
from gen404_assets.replay.result import Act

_DONE_WITH_THEIR_STAGE = {"submissions", "seed", "prompts", "generations", "renders"}


def acts(this_round: EditionRound) -> tuple[Act, ...]:
    """What people did to the round's files and, while it was under way, to those that all rounds
    share; and what was done in the platform's name that is not the platform's to do. In order of
    commits.
    """
    history = this_round.history
    numbered = [
        (version.index, act)
        for path in [*history.ever_in_round(this_round.number), *history.ever_in_round(None)]
        for version in history.versions(path)
        if (
            round_of(path) == this_round.number
            or _under_way(this_round, version.index) == this_round.number
        )
        and (act := act_of(this_round, path, version)) is not None
    ]
    return tuple(act for _, act in sorted(numbered, key=lambda each: (each[0], each[1].path)))


def act_of(this_round: EditionRound, path: str, version: Version) -> Act | None:
    """The act that a version of a file is; None where it is the platform's ordinary work, where it
    came before the competition began, or no concern of the competition's.
    """
    stray = path.startswith("rounds/") and round_of(path) is None
    if round_of(path) is None and path not in SHARED and not stray:
        return None
    known = this_round.state_numbers
    if not known or version.index <= max(
        known[0][0].index, this_round.first_began, this_round.began
    ):
        return None
    number, (under_way, stage) = round_of(path), _moment(this_round, version.index)
    before = this_round.history.last(path, version.index - 1)
    act = Act(
        path=path,
        commit=str(version),
        by_person=path.endswith(this_round.rules.by_hand) or this_round.who(version) == "a person",
        late=number is not None and (number < under_way or stage == "finished"),
        stray=stray,
        what=verb(before, version),
    )
    if act.by_person:
        return with_changes(this_round.history, act, before, version)
    wrong = _objection(this_round, path, under_way, stage)
    wrong = wrong or _contradiction(this_round, path, before, version)
    effect = "" if wrong or path != STATE else _unmoved(this_round, version, before)
    if not (wrong or effect):
        return None
    return with_changes(
        this_round.history, replace(act, wrong=wrong, effect=effect), before, version
    )


def _unmoved(this_round: EditionRound, version: Version, before: Version | None) -> str:
    """What changed in the state where neither round nor stage did; empty where one did."""
    stood = {state.index: (number, stage) for state, number, stage in this_round.state_numbers}
    if before is None or stood.get(before.index) != stood.get(version.index):
        return ""
    old, new = (this_round.history.content(each) or b"" for each in (before, version))
    shown = [f"{each.entry} {each.before} → {each.after}" for each in changes(old, new)]
    return f"{'; '.join(shown)}, in the same stage" if shown else ""


def _moment(this_round: EditionRound, index: int) -> tuple[int, str]:
    """Round and stage just before a commit."""
    known = [
        (number, stage)
        for version, number, stage in this_round.state_numbers
        if version.index < index
    ]
    return known[-1] if known else (this_round.number, "")


def _under_way(this_round: EditionRound, index: int) -> int:
    return _moment(this_round, index)[0]


def _objection(this_round: EditionRound, path: str, under_way: int, stage: str) -> str:
    """Why the platform may not write this file now; empty where it may. During a pause a person is
    at work, so no stage is held against it.
    """
    number, miner, name = split(path)
    stages = list(this_round.rules.stages)
    if path in {CONFIG, POOL} or (number is None and path not in SHARED):
        return "the platform never writes this file"
    if number is None:
        is_late = path == LEADERS and stage in stages[:-1]
        return _stage_objection(stage) if is_late else ""
    following = name == "schedule.json"
    if number != under_way + following:
        return f"round {under_way} was under way, not round {number - following}"
    kind = this_round.rules.kind_of(path.removeprefix(f"rounds/{number}/"))
    if kind is None:
        return "the platform never writes this file"
    if stage not in stages or (miner == LEADER and kind.asset != "generations"):
        return ""  # the leader's outputs are made from the opening on
    if following:
        return "" if stage == stages[-1] else _stage_objection(stage)
    # A stage's files may come with the commit that begins it.
    apart = stages.index(kind.stage) - stages.index(stage)
    over = apart < 0 and kind.asset in _DONE_WITH_THEIR_STAGE
    return _stage_objection(stage) if apart > 1 or over else ""


def _stage_objection(stage: str) -> str:
    return f"the platform does not write it in the stage {stage}"


def _contradiction(
    this_round: EditionRound, path: str, before: Version | None, version: Version
) -> str:
    """Why a version does not follow from the one before it; empty where it does, or where a person
    stepped in between.
    """
    history = this_round.history
    if version.link:
        return "the platform makes no links"
    if path == LEADERS and not _moves_the_state(this_round, version):
        return "the state did not change with it: only a round's end adds an entry"
    if before is None or history.contents.is_lost(before) or history.contents.is_lost(version):
        return ""
    content = history.content(version)
    if path.endswith("/generations.json") and content is not None:
        last = history.last(path)
        if last is not None and history.contents.is_lost(last):
            return ""  # what is gone here may have come back
        content = _with_what_came_back(content, history.read(path))
    reason = does_not_follow(path, history.content(before), content)
    if not reason or version.blob is None:
        return reason
    return "" if _stepped_in(this_round, path, before.index, version.index) else reason


def _with_what_came_back(content: bytes, last: bytes | None) -> bytes:
    """Outputs with those that the file holds in the end: the commits of competition 0's pods
    overtook each other, so one may be missing for the time of a commit.
    """
    try:
        now, end = json.loads(content), json.loads(last or b"{}")
    except (ValueError, RecursionError):
        return content
    both = isinstance(now, dict) and isinstance(end, dict)
    return json.dumps({**end, **now}).encode() if both else content


def _moves_the_state(this_round: EditionRound, version: Version) -> bool:
    return any(state.index == version.index for state, _, _ in this_round.state_numbers)


def _stepped_in(this_round: EditionRound, path: str, since: int, until: int) -> bool:
    """Whether a person changed the file, or set the state, between two commits."""
    return any(
        since <= version.index < until and this_round.who(version) == "a person"
        for each in (path, STATE)
        for version in this_round.history.versions(each)
    )


def missing_shared(this_round: EditionRound) -> Iterator[tuple[str, str]]:
    """(asset, path) of the files that all rounds share and that were there once and are not."""
    if not this_round.is_newest:
        return
    for asset, path in (("state", STATE), ("config", CONFIG), ("leader", LEADERS)):
        last = this_round.history.last(path)
        if last is not None and last.blob is None:
            yield asset, path
