"""One answer for all who ask the same thing at the same time."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from time import monotonic
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")


class SingleFlightCache(Generic[Key, Answer]):
    """Answers under way are joined, finished ones are kept for a while; failures go only to those who wait.

    Args:
        keep_seconds: how long a finished answer serves.
        most: answers kept; the oldest leave first.
        clock: monotonic seconds.
    """

    def __init__(self, keep_seconds: float, most: int = 512, clock: Callable[[], float] = monotonic) -> None:
        self._keep_seconds = keep_seconds
        self._most = most
        self._clock = clock
        self._tasks: OrderedDict[Key, tuple[float, asyncio.Task[Answer]]] = OrderedDict()

    async def get(self, key: Key, compute: Callable[[], Awaitable[Answer]]) -> Answer:
        """The answer for a key, computed at most once at a time.

        The work continues when one viewer leaves, because others may wait for it.
        """
        self._expire()
        known = self._tasks.get(key)
        if known is None:
            task = asyncio.ensure_future(_run(compute))
            self._tasks[key] = (self._clock(), task)
            task.add_done_callback(lambda done: self._drop_failure(key, done))
        else:
            task = known[1]
        return await asyncio.shield(task)

    def _expire(self) -> None:
        oldest = self._clock() - self._keep_seconds
        while self._tasks:
            key, (since, task) = next(iter(self._tasks.items()))
            if since >= oldest and len(self._tasks) <= self._most:
                return
            if not task.done():
                return
            del self._tasks[key]

    def _drop_failure(self, key: Key, task: asyncio.Task[Answer]) -> None:
        failed = task.cancelled() or task.exception() is not None
        known = self._tasks.get(key)
        if failed and known is not None and known[1] is task:
            del self._tasks[key]

    def forget(self) -> None:
        """Keep no finished answer; what is under way continues."""
        for key in [key for key, (_, task) in self._tasks.items() if task.done()]:
            del self._tasks[key]

    def __len__(self) -> int:
        return len(self._tasks)

    async def close(self) -> None:
        tasks = [task for _, task in self._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()


async def _run(compute: Callable[[], Awaitable[Answer]]) -> Answer:
    return await compute()
