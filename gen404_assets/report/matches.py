"""What a match's page shows: every duel with pictures, penalties, the judge's words, evidence."""

from collections.abc import Iterator
from dataclasses import dataclass

from gen404_assets.competition.duels import DRAW_WITHIN, Duel, MatchReport, Outcome, Play
from gen404_assets.competition.prompts import picture_key
from gen404_assets.competition.round import Round
from gen404_assets.frames import Row, duel_row
from gen404_assets.report.addresses import Objects

_NEAR = 0.5
"""A duel is close where half a point of a penalty would have changed it."""


@dataclass(frozen=True, slots=True)
class Side:
    """One side's picture and 3D file; `shown…` are the addresses by which the page loads them,
    None where it only links to them.
    """

    picture: str | None
    model: str | None
    shown_picture: str | None
    shown_model: str | None
    penalty: float | None
    digest: str | None


@dataclass(frozen=True, slots=True)
class Shown:
    """A duel as the page shows it. `answers`: (which order, attempt, model, the raw text)."""

    row: Row
    prompt: str
    shown_prompt: str | None
    left: Side
    right: Side
    close: bool
    answers: list[tuple[str, int, str, str]]
    prompt_digest: str | None
    question: str


def duels(current: Round, play: MatchReport | Play, objects: Objects, up: str) -> Iterator[Shown]:
    """The duels of a play, in the report's order. `up`: what leads from the page to the report's
    folder.
    """
    for duel in play.duels:
        yield _shown(current, duel, objects, up)


def _shown(current: Round, duel: Duel, objects: Objects, up: str) -> Shown:
    row = duel_row(current.number, None, duel)
    evidence = duel.evidence
    left = _side(row, "left", duel, objects, up)
    right = _side(row, "right", duel, objects, up)
    question = (
        f"model {evidence.model}, prompt version {evidence.prompt_version}, seed {evidence.seed}"
        if evidence
        else ""
    )
    return Shown(
        row,
        duel.prompt,
        prompt_picture(current, duel.prompt, objects, up),
        left,
        right,
        _is_close(duel, left.penalty, right.penalty),
        list(_answers(duel)),
        evidence.prompt if evidence else None,
        question,
    )


def prompt_picture(current: Round, prompt: str, objects: Objects, up: str) -> str | None:
    """The address by which a page shows a prompt: its own, or that of the store's copy, which
    rounds have whose seed names its block.
    """
    own = objects.shown(prompt, up)
    if own is not None or objects.host is None or current.seed is None:
        return own
    if current.seed.block is None:
        return None
    return objects.shown(f"{objects.host.rstrip('/')}/{picture_key(current.number, prompt)}", up)


def _side(row: Row, side: str, duel: Duel, objects: Objects, up: str) -> Side:
    picture = getattr(duel, f"{side}_png")
    model = getattr(duel, f"{side}_glb") or getattr(duel, f"{side}_ply")
    digest = getattr(duel.evidence, side) if duel.evidence else None
    return Side(
        picture,
        model,
        objects.shown(picture, up),
        objects.shown(model, up),
        row.get(f"{side}_penalty"),
        digest,
    )


def _is_close(duel: Duel, left: float | None, right: float | None) -> bool:
    if left is None or right is None or duel.winner is Outcome.SKIPPED:
        return False
    return abs(abs(left - right) - DRAW_WITHIN) <= _NEAR


def _answers(duel: Duel) -> Iterator[tuple[str, int, str, str]]:
    if duel.evidence is None:
        return
    names = ("as they stand", "sides exchanged")
    for order, attempts in zip(names, duel.evidence.attempts(), strict=True):
        for number, stored in enumerate(attempts, 1):
            yield order, number, stored.model, stored.text
