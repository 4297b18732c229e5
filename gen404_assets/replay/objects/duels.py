"""A judged duel in the store: the pictures that the judge was shown, by their digests, and its
answers as they are kept.
"""

import json
from collections.abc import Iterator
from typing import Any

from gen404_assets.competition.evidence import Evidence, StoredReply
from gen404_assets.competition.judgement import answer_key, asked
from gen404_assets.competition.prompts import picture_key
from gen404_assets.replay.objects.means import Check, Fault, Means
from gen404_assets.replay.objects.named import NamedDuel


def check_duel(named: NamedDuel, means: Means) -> list[Fault]:
    """What is wrong with the pictures and answers of a duel."""
    check = Check(named.path, f"{named.place}.evidence", means)
    shown = pictures_of(named, means)
    for key, url in shown.items():
        digest = check.had(key, url, means.store.digest)
        recorded = getattr(named.evidence, key)
        if digest is not None:
            means.count("digests")
        if digest is not None and digest != recorded:
            check.differs(key, recorded, digest, str(url))
    for place, question, reply in _answers(named.evidence):
        _check_answer(check, place, question, reply)
    return check.faults


def pictures_of(named: NamedDuel, means: Means) -> dict[str, str | None]:
    """The URLs of what the judge was shown: the round's own copy of the prompt's picture, and both
    sides' previews.
    """
    return {
        "prompt": means.store.url(picture_key(means.round, named.duel.prompt)),
        "left": named.duel.left_png,
        "right": named.duel.right_png,
    }


def _answers(evidence: Evidence) -> Iterator[tuple[str, dict[str, Any], StoredReply]]:
    """Each answer with its place in the evidence and the question that was asked."""
    orders = zip(evidence.digests(), evidence.attempts(), strict=True)
    for side, (pictures, attempts) in enumerate(orders):
        for number, reply in enumerate(attempts):
            last = number == len(attempts) - 1
            place = f"answers[{side}]" if last else f"unusable[{side}][{number}]"
            question = asked(
                evidence.model, evidence.prompt_version, evidence.seed, pictures, number
            )
            yield place, question, reply


def _check_answer(check: Check, place: str, question: dict[str, Any], reply: StoredReply) -> None:
    """Hold what the store keeps under the question's key against the question and the answer."""
    store = check.means.store
    key = answer_key(question)
    content = check.had(place, store.url(key), store.read)
    if content is None:
        return
    check.means.count("answers")
    try:
        kept = json.loads(content)
    except (ValueError, RecursionError):
        kept = None
    if not isinstance(kept, dict):
        check.differs(place, "an answer", "no JSON object", store.url(key))
        return
    recorded = {
        **question,
        "answered_by": reply.model,
        "answer": reply.text,
        "finish_reason": reply.finish_reason,
    }
    for name, value in recorded.items():
        if kept.get(name) != value:
            check.differs(f"{place}.{name}", value, kept.get(name), store.url(key))
