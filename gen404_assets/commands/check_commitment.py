"""`gen404 check --commitment TEXT`: texts as the opening of a round would read them."""

from collections.abc import Sequence

from gen404_assets.commands.checking import Finding
from gen404_assets.competition.commitments import parse_commitment, read_submissions
from gen404_assets.competition.schedule import Schedule

_ANYBODY = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
"""The well-known test address of Substrate ("Alice"): a text is read the same under any hotkey."""


def check_commitments(texts: Sequence[str], hotkey: str | None) -> Finding:
    """What the texts, revealed one after the other by `hotkey`, are as a submission."""
    name = hotkey or _ANYBODY
    last = len(texts) - 1
    schedule = Schedule(
        earliest_reveal_block=0, latest_reveal_block=last, generation_deadline_block=last
    )
    reading = read_submissions({name: enumerate(texts)}, schedule, "a round")
    notes = [
        f"text {number} holds {', '.join(parse_commitment(text)) or 'no field that counts'}"
        for number, text in enumerate(texts, 1)
    ]
    subject = hotkey or ("the commitments" if last else "the commitment")
    if name in reading.refused:
        return Finding(subject, reading.refused[name], notes=notes)
    submission = reading.submissions[name]
    notes += [
        f"repo       {submission.repo}",
        f"commit     {submission.commit}",
        f"cdn_url    {submission.cdn_url}",
    ]
    return Finding(subject, notes=notes)
