"""How blocking calls are made while the pipeline runs on an event loop.

`index()` makes them in the thread that called it, as `langchain_core.indexing.index` does: record
managers over SQLite connections, generators and vector stores may be bound to their thread.
`aindex()` has worker threads for what has no async form.
"""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Protocol, TypeVar

T = TypeVar("T")


class Calls(Protocol):
    """Makes a blocking call without blocking the event loop."""

    def __call__(self, function: Callable[[], T], /) -> Awaitable[T]:
        """Call it somewhere else and await its result."""


class InCallersThread:
    """Makes blocking calls in the thread that waits for the pipeline."""

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()

    async def __call__(self, function: Callable[[], T], /) -> T:
        """Have the serving thread call the function."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def settle(result: T | None, error: BaseException | None) -> None:
            if answer.cancelled():
                return
            if error is None:
                answer.set_result(result)  # type: ignore[arg-type]
            else:
                answer.set_exception(error)

        def call() -> None:
            if answer.cancelled():
                return
            try:
                result = function()
            except BaseException as error:  # noqa: BLE001 (belongs to whoever asked for the call)
                # A StopIteration would not come through a future.
                if isinstance(error, StopIteration):
                    error = RuntimeError("the source raised StopIteration")
                loop.call_soon_threadsafe(settle, None, error)
            else:
                loop.call_soon_threadsafe(settle, result, None)

        self._waiting.put(call)
        return await answer

    def serve_until(self, pipeline: Future[T]) -> T:
        """Make calls until the pipeline is done.

        Args:
            pipeline: The pipeline, running on another thread's event loop.

        Returns:
            Its result.
        """
        pipeline.add_done_callback(lambda _: self._waiting.put(None))
        while (call := self._waiting.get()) is not None:
            call()
        return pipeline.result()


async def in_worker_thread(function: Callable[[], T], /) -> T:
    """Make a blocking call in a worker thread."""
    return await asyncio.to_thread(function)
