"""One line on stderr that follows an endpoint's state while somebody waits."""

from __future__ import annotations

import sys
import time

import click

from langchain_hfendpoint.endpoints import Endpoint


class StateLine:
    """Show states as they come: rewriting a line in a terminal, a line for each change elsewhere.

    Call it with every look; it is meant for `on_state=`.
    """

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._live = sys.stderr.isatty()
        self._last: str | None = None

    def __call__(self, endpoint: Endpoint) -> None:
        seconds = time.monotonic() - self._start
        line = f"{endpoint.name}: {endpoint.state} ({seconds:.0f} s)"
        if self._live:
            click.echo(f"\r\x1b[K{line}", nl=False, err=True)
        elif endpoint.state != self._last:
            click.echo(line, err=True)
        self._last = endpoint.state

    def end(self) -> None:
        """Leave the line, so that what follows begins on a new one."""
        if self._live and self._last is not None:
            click.echo(err=True)
