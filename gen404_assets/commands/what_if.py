"""`gen404 replay` with a change: what would have been, as a difference from what was."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from gen404_assets.commands.refused import Refused
from gen404_assets.competition.config import Config
from gen404_assets.competition.hotkeys import named
from gen404_assets.competition.matches import Pair
from gen404_assets.competition.settings import VERSIONS, Rules
from gen404_assets.competition_repository import open_repository
from gen404_assets.replay.what_if import Change, Course, WhatIf


def change_of(
    settings: Sequence[str], without: Sequence[str], order: Sequence[str], versions: Sequence[str]
) -> Change | None:
    """The change that options ask for; None where they ask for none. `settings`: KEY=VALUE of
    `config.json` or of the rules; `versions`: RULE=VERSION. Raises Refused.
    """
    if not (settings or without or order):
        return None
    config: dict[str, Any] = {}
    rules: dict[str, Any] = {}
    for choice in versions:
        rule, _, name = choice.partition("=")
        rules |= next(each.change for each in VERSIONS[rule] if each.name == name)
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise Refused(f"--set takes KEY=VALUE, such as win_margin=0.03, and not {setting!r}")
        if key in Config.model_fields:
            config[key] = _value(value)
        elif key in Rules.model_fields:
            rules[key] = _value(value)
        else:
            known = ", ".join([*Config.model_fields, *Rules.model_fields])
            raise Refused(f"there is no {key} to set; there are {known}")
    return Change(config, rules, without, order)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def what_if_text(outcomes: Sequence[WhatIf]) -> str:
    """Round by round what would have been otherwise."""
    return "\n".join(line for each in outcomes for line in _lines(each))


def _lines(each: WhatIf) -> Iterator[str]:
    yield f"round {each.number}"
    was, would = each.was, each.would
    decided = "the winner" if would.winner else "the winner, not certain"
    sides = [
        (decided, _names([was.winner]), _names([would.winner])),
        ("qualified", _names(was.qualified), _names(would.qualified)),
        ("the line", _names(was.line), _names(would.line)),
        ("rejected", _names(was.rejected), _names(would.rejected)),
        ("audited", _names(was.audited), _names(would.audited)),
    ]
    differs = False
    for what, before, after in sides:
        if before != after:
            differs = True
            yield f"  {what:<12} was {before}, would have been {after}"
    for hotkey in would.audited:
        if hotkey in was.audited and was.audited[hotkey] != would.audited[hotkey]:
            differs = True
            before, after = (", ".join(side[hotkey]) for side in (was.audited, would.audited))
            yield (
                f"  critical prompts of {named(hotkey)}: were {before or 'none'}, would have been "
                f"{after or 'none'}"
            )
    for pair, margin in would.margins.items():
        if pair in was.margins and was.margins[pair] != margin:
            differs = True
            yield f"  match {_pair(pair)}: was {was.margins[pair]:+.4f}, would be {margin:+.4f}"
    for pair in each.unplayed:
        yield f"  to be played {_pair(pair)}: it never was, and what follows depends on it"
    for hotkey in each.unaudited:
        yield f"  to be audited {named(hotkey)}: there is no verdict on it that approves it"
    if not differs:
        yield "  nothing would have been otherwise"
    yield ""


def what_if_json(outcomes: Sequence[WhatIf]) -> Mapping[str, Any]:
    """The same for programs."""
    return {
        "rounds": [
            {
                "round": each.number,
                "was": _course(each.was),
                "would": _course(each.would),
                "unplayed": [list(pair) for pair in each.unplayed],
                "unaudited": list(each.unaudited),
                "files": sorted(each.files),
            }
            for each in outcomes
        ]
    }


def _course(course: Course) -> Mapping[str, Any]:
    return {
        "winner": course.winner,
        "qualified": list(course.qualified),
        "line": list(course.line),
        "rejected": list(course.rejected),
        "audited": {hotkey: list(prompts) for hotkey, prompts in course.audited.items()},
        "margins": [[*pair, margin] for pair, margin in course.margins.items()],
    }


def write_branch(url: str, branch: str, name: str, outcomes: Sequence[WhatIf]) -> str:
    """Write the files as they would have been to a new branch, which begins at the head of
    `branch`; the commit. Raises Refused where there is nothing to write.
    """
    files = {path: content for each in outcomes for path, content in each.files.items()}
    if not files:
        raise Refused("nothing would have been otherwise, so there is nothing to write")
    repository = open_repository(url, branch)
    repository.refresh()
    repository.branch_off(name)
    numbers = ", ".join(str(each.number) for each in outcomes)
    message = f"What would have been in round {numbers}"
    return open_repository(url, name).publish(message, lambda _: files).sha


def _names(hotkeys: Iterable[str | None]) -> str:
    return ", ".join("open" if hotkey is None else named(hotkey) for hotkey in hotkeys) or "nobody"


def _pair(pair: Pair) -> str:
    return f"{named(pair[0])} against {named(pair[1])}"
