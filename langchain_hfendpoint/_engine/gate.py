"""Let requests through as the limiter decides, in order of arrival; runs on the engine's loop."""

from __future__ import annotations

import asyncio
from collections import deque

from langchain_hfendpoint._engine.flow import Limiter, Ticket


class Gate:
    """A queue before an endpoint.

    Args:
        limiter: Decides how much may be in flight. Whoever changes its state calls `open()`.
    """

    def __init__(self, limiter: Limiter) -> None:
        self.limiter = limiter
        self._waiting: deque[tuple[int, asyncio.Future[Ticket]]] = deque()
        self._alarm: asyncio.TimerHandle | None = None

    async def enter(self, texts: int, *, urgent: bool) -> Ticket:
        """Wait until some texts may be sent.

        Args:
            texts: How many.
            urgent: Whether somebody waits for just these (a query): before all bulk work.

        Returns:
            What to give back to the limiter.
        """
        loop = asyncio.get_running_loop()
        if not self._waiting and self.limiter.may_start(texts, loop.time()):
            return self.limiter.start(texts)
        place: asyncio.Future[Ticket] = loop.create_future()
        if urgent:
            self._waiting.appendleft((texts, place))
        else:
            self._waiting.append((texts, place))
        self.open()
        try:
            return await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.limiter.release(place.result())
            self.open()
            raise

    def open(self) -> None:
        """Let through whoever may go now."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        while self._waiting:
            texts, place = self._waiting[0]
            if not place.done():
                if not self.limiter.may_start(texts, now):
                    break
                place.set_result(self.limiter.start(texts))
            self._waiting.popleft()
        closed = self.limiter.closed_until
        if self._waiting and closed > now and self._alarm is None:
            self._alarm = loop.call_at(closed, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self.open()
