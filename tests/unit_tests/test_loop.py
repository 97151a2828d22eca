"""The engine's event loop."""

from __future__ import annotations

import asyncio
import os
import signal
import threading

import pytest

from langchain_hfendpoint._engine.loop import engine_loop, run_async, run_sync


async def _where() -> tuple[asyncio.AbstractEventLoop, threading.Thread]:
    return asyncio.get_running_loop(), threading.current_thread()


def test_every_caller_meets_the_same_loop() -> None:
    loop = run_sync(_where())[0]
    assert loop is engine_loop()
    assert asyncio.run(run_async(_where()))[0] is loop
    assert asyncio.run(run_async(_where()))[0] is loop
    found = []
    thread = threading.Thread(target=lambda: found.append(run_sync(_where())[0]))
    thread.start()
    thread.join()
    assert found == [loop]


async def test_a_sync_call_inside_a_running_loop_works() -> None:
    loop, thread = run_sync(_where())
    assert loop is not asyncio.get_running_loop()
    assert thread is not threading.current_thread()


def test_a_sync_call_on_the_engines_own_thread_says_so() -> None:
    async def nested() -> None:
        run_sync(_where())

    with pytest.raises(RuntimeError, match="own thread"):
        run_sync(nested())


def test_on_the_engines_own_loop_nothing_hops() -> None:
    async def nested() -> tuple[asyncio.AbstractEventLoop, threading.Thread]:
        return await run_async(_where())

    assert run_sync(nested())[0] is engine_loop()


def test_ctrl_c_cancels_what_is_waited_for() -> None:
    cancelled = threading.Event()

    async def work() -> None:
        main = threading.main_thread().ident
        threading.Timer(0.05, signal.pthread_kill, [main, signal.SIGINT]).start()
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    with pytest.raises(KeyboardInterrupt):
        run_sync(work())
    assert cancelled.wait(5)


async def test_cancelling_the_caller_cancels_the_work() -> None:
    begun, cancelled = threading.Event(), threading.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    task = asyncio.ensure_future(run_async(work()))
    assert await asyncio.to_thread(begun.wait, 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(cancelled.wait, 5)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_gets_a_loop_of_its_own() -> None:
    run_sync(_where())
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if run_sync(_where())[1] is not None else 1)
        except BaseException:  # noqa: BLE001 (the child must not go on as pytest)
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert run_sync(_where())[0] is engine_loop()
