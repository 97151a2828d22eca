"""A local server in a process of its own, which ends with the process that started it.

The parent runs `hfendpoint local ... --supervised`. The child binds its port, prints one JSON line
with its URL, and serves until its standard input ends: so it stops when it is asked to, and also
when the parent is killed with SIGKILL, on every platform.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from types import TracebackType

from aiohttp import web
from typing_extensions import Self

from langchain_hfendpoint.errors import LocalServerError

API_KEY_VARIABLE = "HFENDPOINT_LOCAL_API_KEY"
"""How a supervised server gets its key: an argument would show in the list of processes."""

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_STOP_SECONDS = 10.0
_DRAIN_SECONDS = 5.0
_MAX_LINE_BYTES = 1024 * 1024
"""A request line may name a thousand ids (Pinecone's fetch); aiohttp's own limit is 8 KB."""


class SupervisedServer:
    """Start and stop one server process; a sync and async context manager.

    Args:
        arguments: What follows `hfendpoint local`, without `--supervised`.
        api_key: Key the server asks for, if any.
        start_timeout: Seconds until the server must have announced its URL.
    """

    def __init__(
        self, arguments: Sequence[str], *, api_key: str | None = None, start_timeout: float = 120.0
    ) -> None:
        self._arguments = list(arguments)
        self._api_key = api_key
        self._start_timeout = start_timeout
        self._process: subprocess.Popen[bytes] | None = None
        self._url: str | None = None

    @property
    def url(self) -> str:
        """Where the server listens, as `http://127.0.0.1:PORT`.

        Raises:
            LocalServerError: If the server is not running.
        """
        if self._url is None:
            raise LocalServerError(
                "The local server is not running: use it in a `with` statement, or call start()."
            )
        return self._url

    @property
    def pid(self) -> int | None:
        """Process id of the server, or `None` while it is not running."""
        return None if self._process is None else self._process.pid

    def start(self) -> Self:
        """Start the server and wait until it listens.

        Returns:
            Itself.

        Raises:
            LocalServerError: If it ends, or has not announced itself within the start timeout.
        """
        if self._process is not None:
            raise LocalServerError(f"The local server is already running at {self._url}.")
        command = [sys.executable, "-m", "langchain_hfendpoint", "local", *self._arguments]
        environment = dict(os.environ)
        environment.pop(API_KEY_VARIABLE, None)
        if self._api_key is not None:
            environment[API_KEY_VARIABLE] = self._api_key
        with tempfile.TemporaryFile() as log:
            process = subprocess.Popen(
                [*command, "--supervised"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
            )
            assert process.stdout is not None  # noqa: S101 (it was asked for above)
            alarm = threading.Timer(self._start_timeout, process.kill)
            alarm.start()
            try:
                announcement = process.stdout.readline()
            except BaseException:
                process.kill()
                raise
            finally:
                alarm.cancel()
            if not announcement:
                code = process.wait()
                log.seek(0)
                raise LocalServerError(_why_it_ended(self._arguments, code, log.read()))
        self._process = process
        self._url = str(json.loads(announcement)["url"])
        return self

    def stop(self) -> None:
        """Stop the server, letting it finish what is in flight; harmless if it is not running."""
        process, self._process, self._url = self._process, None, None
        if process is None:
            return
        with contextlib.suppress(BrokenPipeError):
            if process.stdin is not None:
                process.stdin.close()
        try:
            process.wait(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self.stop)


def serve(
    app: web.Application,
    *,
    host: str,
    port: int,
    supervised: bool,
    banner: str,
    cancel_abandoned: bool = False,
) -> None:
    """Serve an application until it is told to stop; what a server's own command calls.

    Args:
        app: The application.
        host: Address to bind.
        port: Port to bind; 0 takes a free one.
        supervised: Announce the URL as JSON on stdout, ignore Ctrl-C (it is meant for the parent),
            and stop when standard input ends. Otherwise serve until SIGINT or SIGTERM.
        banner: What to tell a person on stderr, with `{url}` in it.
        cancel_abandoned: Cancel the handler of a request whose client has gone away.

    Raises:
        LocalServerError: If the address cannot be bound.
    """
    runner = web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=_DRAIN_SECONDS,
        max_line_size=_MAX_LINE_BYTES,
        handler_cancellation=cancel_abandoned,
    )
    # What was imported and loaded stays: the garbage collector need not look at it again and again.
    gc.freeze()
    asyncio.run(_serve(runner, host, port, supervised=supervised, banner=banner))


def require_key_beyond_loopback(host: str, api_key: str | None) -> None:
    """Refuse to listen to other machines without a key.

    Args:
        host: Address to bind.
        api_key: Key the server asks for, if any.

    Raises:
        LocalServerError: If `host` is not loopback and there is no key.
    """
    if host not in _LOOPBACK and not api_key:
        raise LocalServerError(
            f"Listening on {host} lets other machines in, so a key is needed: pass --api-key."
        )


async def _serve(
    runner: web.AppRunner, host: str, port: int, *, supervised: bool, banner: str
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    _stop_on_signals(loop, stop, ignore_interrupt=supervised)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, backlog=1024)
        try:
            await site.start()
        except OSError as error:
            raise LocalServerError(
                f"Cannot listen on {host}:{port}: {error.strerror}. Choose another --port."
            ) from error
        bound_host, bound_port = runner.addresses[0][:2]
        shown_host = f"[{bound_host}]" if ":" in bound_host else bound_host
        url = f"http://{shown_host}:{bound_port}"
        if supervised:
            sys.stdout.write(json.dumps({"url": url}) + "\n")
            sys.stdout.flush()
            threading.Thread(target=_stop_at_end_of_input, args=(loop, stop), daemon=True).start()
        else:
            sys.stderr.write(banner.format(url=url) + "\n")
        await stop.wait()
    finally:
        await runner.cleanup()


def _stop_on_signals(
    loop: asyncio.AbstractEventLoop, stop: asyncio.Event, *, ignore_interrupt: bool
) -> None:
    if ignore_interrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Windows has no signal handlers in event loops; there, Ctrl-C ends asyncio.run().
    with contextlib.suppress(NotImplementedError):
        loop.add_signal_handler(signal.SIGTERM, stop.set)
        if not ignore_interrupt:
            loop.add_signal_handler(signal.SIGINT, stop.set)


def _stop_at_end_of_input(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    with contextlib.suppress(RuntimeError):  # the loop is already closed
        loop.call_soon_threadsafe(stop.set)


def _why_it_ended(arguments: Sequence[str], code: int, log: bytes) -> str:
    said = log.decode(errors="replace").strip().removeprefix("Error: ")
    what = f"`hfendpoint local {arguments[0]}`"
    if said:
        return said if "\n" not in said else f"{what} ended with code {code}:\n{said}"
    return f"{what} ended with code {code} before it listened, and said nothing."


def api_key_from_environment() -> str | None:
    """The key a supervised server was started with, if any."""
    return os.environ.get(API_KEY_VARIABLE) or None
