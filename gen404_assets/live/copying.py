"""The opening's copies of the prompts' pictures: which of them can't be had in time."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from gen404_assets.competition.faults import InfrastructureFault
from gen404_assets.live.pictures import LONGEST_TRY
from gen404_assets.live.work import Work
from gpu.unpacking import NoPicture

_SHORTEST_TRY = 10.0
"""Seconds that a try may take even at the end of the patience, so that one is made at all."""
_FIRST_DELAY, _LONGEST_DELAY = 1.0, 30.0
"""Seconds between two tries of what failed: at first, and at most."""


def copy_pictures(work: Work, prompts: Sequence[str]) -> Mapping[str, str]:
    """Copy the pictures of a round's prompts into the store; those that are there already stay.

    What fails is tried again, with ever longer pauses, for `PROMPT_PATIENCE_SECONDS`. Returns the
    prompts whose picture can't be had, in order, with the reason. Raises InfrastructureFault where
    this machine's network, disk or store is at fault for any: nothing can be said of that one.
    """
    pictures, pace = work.outside.pictures, work.pace
    deadline = time.monotonic() + pace.prompt_patience_seconds

    def attempt(prompt: str) -> Exception | None:
        seconds = max(_SHORTEST_TRY, min(LONGEST_TRY, deadline - time.monotonic()))
        try:
            pictures.copy(work.number, prompt, seconds)
        except (NoPicture, InfrastructureFault) as fault:
            return fault
        return None

    failed: dict[str, Exception] = {}
    left, delay = list(prompts), _FIRST_DELAY
    with ThreadPoolExecutor(pace.max_concurrent_downloads) as pool:
        while True:
            faults = zip(left, pool.map(attempt, left), strict=True)
            failed = {prompt: fault for prompt, fault in faults if fault is not None}
            left = list(failed)
            if not left or time.monotonic() + delay > deadline:
                break
            work.say(
                f"{len(left)} of {len(prompts)} prompts have no picture yet; tried again in "
                f"{delay:g} s"
            )
            time.sleep(delay)
            delay = min(2 * delay, _LONGEST_DELAY)
    for prompt, fault in failed.items():
        if isinstance(fault, InfrastructureFault):
            raise InfrastructureFault(
                f"the picture of {prompt} can't be copied: {fault}"
            ) from fault
    return {prompt: str(fault) for prompt, fault in failed.items()}
