"""Blocking calls from asyncio, each in a thread of its own that keeps nothing from ending."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from gen404_assets.competition.faults import InfrastructureFault
from resources.deadlines import in_background

P = ParamSpec("P")
T = TypeVar("T")

PATIENCE = 600.0
"""Seconds for which an infrastructure fault is borne, before it ends a regeneration."""
_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
"""Seconds between two tries: at first, and at most."""


async def in_thread(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `call` returns or raises. Cancelled, the call runs on in its daemon thread, and nobody
    hears of it.
    """
    return await asyncio.wrap_future(in_background(call, *args, **kwargs))


async def steadily(
    call: Callable[..., T], *args: object, say: Callable[[str], None], patience: float = PATIENCE
) -> T:
    """What `call` returns, tried again while the infrastructure is at fault; its fault after
    `patience` seconds.
    """
    loop = asyncio.get_running_loop()
    began, pause = loop.time(), _PAUSE
    while True:
        try:
            return await in_thread(call, *args)
        except InfrastructureFault as fault:
            if loop.time() - began >= patience:
                raise
            say(f"tried again in {pause:g} s: {fault}")
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
