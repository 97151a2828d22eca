"""One request's way through its failures: counts, asks `retry` what to do, and waits."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable

from langchain_hfendpoint._engine.failures import Failure, Kind
from langchain_hfendpoint._engine.retry import (
    COSTLY_TO_SPLIT,
    Deadlines,
    History,
    Next,
    backoff,
    next_step,
)
from langchain_hfendpoint._engine.shared import SharedEndpoint
from langchain_hfendpoint._progress import progress_bar

_NOTICE_AFTER = 3.0


class Trouble:
    """What happened to a request so far.

    Args:
        texts: Texts in the request.
        shared: The endpoint.
        deadlines: How long to go on.
        check_running: Asked while the endpoint does not wake up; raises if it never will.

    Attributes:
        retries: How often the request was repeated.
    """

    def __init__(
        self,
        texts: int,
        shared: SharedEndpoint,
        deadlines: Deadlines,
        check_running: Callable[[], Awaitable[None]] | None,
    ) -> None:
        self.retries = 0
        self._texts = texts
        self._shared = shared
        self._deadlines = deadlines
        self._check_running = check_running
        self._began: float | None = None
        self._kind: Kind | None = None
        self._same = 0
        self._delay = 0.0

    async def after(self, failure: Failure) -> Next:
        """Decide what to do after a failure, and wait if that is what to do.

        Args:
            failure: What happened.

        Returns:
            `REPEAT`, `SPLIT` or `GIVE_UP`, when it is time for it.
        """
        now = asyncio.get_running_loop().time()
        self._began = now if self._began is None else self._began
        self._same = self._same + 1 if failure.kind is self._kind else 1
        self._kind = failure.kind
        troubled = now - self._began
        history = History(self._texts, self._same, troubled, self._shared.answered)
        step = next_step(failure, history, self._deadlines)
        costs = step is Next.REPEAT or (step is Next.SPLIT and failure.kind in COSTLY_TO_SPLIT)
        if costs and not self._shared.budget.spend():
            return Next.GIVE_UP
        if step not in (Next.WAIT, Next.REPEAT):
            return step
        if failure.kind is Kind.UNAVAILABLE and self._check_running is not None:
            await self._check_running()
        self._delay = backoff(self._delay, random.random())  # noqa: S311 (jitter is no secret)
        wait = max(self._delay, failure.retry_after or 0.0)
        if troubled + wait > self._deadlines.patience(failure.kind):
            return Next.GIVE_UP
        self.retries += 1
        await asyncio.sleep(wait)
        return Next.REPEAT


class WakeUpNotice:
    """Tell on stderr that an endpoint is waking up, if it takes longer than a moment.

    Args:
        endpoint: The endpoint's URL.
        patience: Seconds it may take.
        show: `True`, `False`, or `None` for "only if stderr is a terminal".
    """

    def __init__(self, endpoint: str, *, patience: float, show: bool | None) -> None:
        self._endpoint = endpoint
        self._patience = patience
        self._show = show
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._tell())

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _tell(self) -> None:
        await asyncio.sleep(_NOTICE_AFTER)
        bar = progress_bar(
            f"Waiting for {self._endpoint} to wake up",
            total=int(self._patience),
            unit=" s",
            show=self._show,
        )
        try:
            bar.update(_NOTICE_AFTER)
            while True:
                await asyncio.sleep(1)
                bar.update(1)
        finally:
            bar.close()
