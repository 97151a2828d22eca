"""One background event loop a process, for all network traffic of the engine.

Connections, concurrency limits and retry state belong to an event loop. With one loop on a thread
of its own they are shared by sync callers, by every thread and by every event loop of the caller
(Jupyter, FastAPI, `asyncio.run` again and again), and sync methods work inside a running loop.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_EXIT_SECONDS = 2.0


class _Background:
    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.cleanups: list[Callable[[], Awaitable[None]]] = []
        self.thread = threading.Thread(target=self._run, name="hfendpoint-engine", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    async def _clean_up(self) -> None:
        for cleanup in self.cleanups:
            await cleanup()

    def stop(self) -> None:
        cleaning = asyncio.run_coroutine_threadsafe(self._clean_up(), self.loop)
        with contextlib.suppress(Exception):
            cleaning.result(_EXIT_SECONDS)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(_EXIT_SECONDS)


_lock = threading.Lock()
_background: _Background | None = None
# A forked child inherits the parent's loop without its thread. Dropping the object would close
# what the parent still uses (its epoll registrations), so the child keeps it and never looks at it.
_inherited: list[_Background] = []


def _get() -> _Background:
    global _background
    with _lock:
        if _background is None:
            _background = _Background()
        return _background


def _after_fork_in_child() -> None:
    global _background, _lock
    _lock = threading.Lock()
    if _background is not None:
        _inherited.append(_background)
        _background = None


def _at_exit() -> None:
    if _background is not None:
        _background.stop()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
atexit.register(_at_exit)


def engine_loop() -> asyncio.AbstractEventLoop:
    """Give the engine's event loop, starting its thread if need be."""
    return _get().loop


def on_exit(cleanup: Callable[[], Awaitable[None]]) -> None:
    """Run `cleanup` on the engine's loop before the process ends."""
    _get().cleanups.append(cleanup)


def run_sync(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the engine's loop and wait for it.

    An interrupt (Ctrl-C) while waiting cancels the coroutine.

    Args:
        coroutine: What to run.

    Returns:
        Its result.

    Raises:
        RuntimeError: If called on the engine's own thread, which would wait for itself for ever.
    """
    background = _get()
    if threading.current_thread() is background.thread:
        coroutine.close()
        raise RuntimeError(
            "A sync method of the engine was called on the engine's own thread (from a callback "
            "or a rate limiter, say), where it would wait for itself. Await the async method."
        )
    future = asyncio.run_coroutine_threadsafe(coroutine, background.loop)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


async def run_async(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the engine's loop and await it from any loop.

    Cancelling the caller cancels the coroutine.

    Args:
        coroutine: What to run.

    Returns:
        Its result.
    """
    loop = engine_loop()
    if asyncio.get_running_loop() is loop:
        return await coroutine
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, loop))
