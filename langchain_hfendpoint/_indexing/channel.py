"""A bounded way from one stage to the next that can be closed, emptied and waited on."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Channel(Generic[T]):
    """Passes things on in order, and makes the sender wait while too much is waiting.

    Args:
        limit: Weight above which senders wait.
        weigh: Weight of a thing; by default each weighs 1.
    """

    def __init__(self, limit: int, *, weigh: Callable[[T], int] = lambda _: 1) -> None:
        self._limit = limit
        self._weigh = weigh
        self._waiting: deque[T] = deque()
        self._weight = 0
        self._closed = False
        self._hurried = False
        self._arrival = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    async def put(self, thing: T) -> None:
        """Send a thing; one that is heavier than the limit goes through when nothing waits."""
        await self._room.wait()
        self._waiting.append(thing)
        self._count(self._weigh(thing))
        self._arrival.set()

    def close(self) -> None:
        """Say that nothing more will come."""
        self._closed = True
        self._arrival.set()

    def clear(self) -> None:
        """Throw away what waits."""
        self._waiting.clear()
        self._count(-self._weight)

    def hurry(self, hurried: bool) -> None:
        """Say whether somebody waits for what has been taken, so that nobody waits for more."""
        self._hurried = hurried
        self._arrival.set()

    async def get(self, *, patience: float | None = None) -> T | None:
        """Take the next thing.

        Args:
            patience: Seconds to wait for it, none when hurried; `None` is for ever.

        Returns:
            The thing, or `None` if nothing came, or nothing more will.
        """
        loop = asyncio.get_running_loop()
        deadline = None if patience is None else loop.time() + patience
        while not self._waiting and not self._closed:
            if deadline is not None and (self._hurried or loop.time() >= deadline):
                return None
            self._arrival.clear()
            # wait_for() would make a task for each wait.
            alarm = None if deadline is None else loop.call_at(deadline, self._arrival.set)
            try:
                await self._arrival.wait()
            finally:
                if alarm is not None:
                    alarm.cancel()
        if not self._waiting:
            return None
        thing = self._waiting.popleft()
        self._count(-self._weigh(thing))
        return thing

    def _count(self, weight: int) -> None:
        self._weight += weight
        if self._weight < self._limit:
            self._room.set()
        else:
            self._room.clear()
