"""TEI's limit on what is on its way at the same time: one permit a text."""

from __future__ import annotations

import asyncio
from collections import deque

from langchain_hfendpoint.local._endpoint.refusals import overloaded


class Permits:
    """A number of permits; used from one event loop.

    Args:
        total: How many there are.
        batches_wait: Whether requests of several texts wait for permits, as TEI did before 1.9.0,
            instead of being refused at once.
    """

    def __init__(self, total: int, *, batches_wait: bool = False) -> None:
        self._free = total
        self._batches_wait = batches_wait
        self._queue: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def acquire(self, count: int, *, batch: bool) -> None:
        """Take permits for a request, all or none.

        Args:
            count: Number of its texts.
            batch: Whether they came as a list.

        Raises:
            RefusalError: If there are not enough and the request must not wait.
        """
        if count <= self._free and not self._queue:
            self._free -= count
            return
        if not (batch and self._batches_wait):
            raise overloaded()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((count, turn))
        await turn

    def release(self, count: int) -> None:
        """Give permits back, and wake whoever waits for them."""
        self._free += count
        while self._queue and self._queue[0][0] <= self._free:
            needed, turn = self._queue.popleft()
            if not turn.done():
                self._free -= needed
                turn.set_result(None)
