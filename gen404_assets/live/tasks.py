"""asyncio tasks that live and end together."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress

_CLEARING_UP = 1.0
"""Seconds that cancelled tasks have to close what they hold, before they are cancelled again."""


class Tasks:
    """Tasks of one owner. What one of them raises is raised where the owner waits, `poll` seconds
    later at most.
    """

    def __init__(self, poll: float) -> None:
        self._poll = poll
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()

    def begin(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Begin a task."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(lambda _: self._changed.set())
        return task

    async def pause(self) -> None:
        """Until a task has ended, or a moment later."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._poll):
                await self._changed.wait()
        self._changed.clear()
        for task in [task for task in self._tasks if task.done()]:
            self._tasks.discard(task)
            if not task.cancelled():
                task.result()

    async def through(self, *works: Coroutine[None, None, None]) -> None:
        """Until all of `works` are done, or any task has failed."""
        begun = [self.begin(work) for work in works]
        while not all(task.done() for task in begun):
            await self.pause()
        for task in begun:
            task.result()

    async def stop(self) -> None:
        """Cancel all until they are gone; again, because a cancellation can be lost in a connection
        that fails.
        """
        left, again = set(self._tasks), False
        while left:
            for task in left:
                if (
                    again or not task.cancelling()
                ):  # a second time at once would cut off its clearing up
                    task.cancel()
            _, left = await asyncio.wait(left, timeout=_CLEARING_UP)
            again = True
