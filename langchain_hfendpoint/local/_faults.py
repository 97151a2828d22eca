"""Make a local server slow or unreliable on purpose, so that clients can be tested against it.

Which request fails is a pure decision over numbers that are passed in; `--fault-seed` makes a run
repeatable.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import TypeVar

import click
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from langchain_hfendpoint.errors import ConfigurationError

_Command = TypeVar("_Command", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class Faults:
    """How unreliable a server is.

    Attributes:
        rates: Pairs of an HTTP status and the share of requests (0 to 1) that it answers.
        latency: Seconds that every answer is held back.
        seed: Start of the random numbers; `None` differs from run to run.
    """

    rates: tuple[tuple[int, float], ...] = ()
    latency: float = 0.0
    seed: int | None = None

    def __post_init__(self) -> None:
        total = sum(rate for _, rate in self.rates)
        if total > 1 + 1e-9:
            raise ConfigurationError(f"The fault rates add up to {total:g}: at most 1 is possible.")
        if self.latency < 0:
            raise ConfigurationError(f"A latency of {self.latency:g} seconds is not possible.")

    def __bool__(self) -> bool:
        return bool(self.rates) or self.latency > 0

    def status(self, draw: float) -> int | None:
        """Decide whether a request fails.

        Args:
            draw: A number from 0 (included) to 1 (excluded), evenly distributed.

        Returns:
            The HTTP status it fails with, or `None` if it is answered as usual.
        """
        reached = 0.0
        for status, rate in self.rates:
            reached += rate
            if draw < reached:
                return status
        return None

    @property
    def arguments(self) -> list[str]:
        """The command-line options that mean the same, for a supervised server."""
        arguments = [f"--fault={status}={rate!r}" for status, rate in self.rates]
        if self.latency:
            arguments.append(f"--latency={self.latency!r}")
        if self.seed is not None:
            arguments.append(f"--fault-seed={self.seed}")
        return arguments


def parse_rates(texts: Iterable[str]) -> tuple[tuple[int, float], ...]:
    """Read `STATUS=PROBABILITY` texts such as `"429=0.05"`.

    Args:
        texts: What was given, once for each status.

    Returns:
        Pairs of status and rate, as `Faults` takes them.

    Raises:
        ConfigurationError: If a text has another form, or the status is no error, or the
            probability is not from 0 to 1.
    """
    rates = []
    for text in texts:
        status, _, rate = text.partition("=")
        try:
            pair = (int(status), float(rate))
        except ValueError:
            pair = (0, 0.0)
        if not (400 <= pair[0] <= 599 and 0 <= pair[1] <= 1):
            raise ConfigurationError(
                f"{text!r} is no fault: write STATUS=PROBABILITY, such as 429=0.05, with a status "
                "from 400 to 599 and a probability from 0 to 1."
            )
        rates.append(pair)
    return tuple(rates)


def fault_middleware(
    faults: Faults, *, answer: Callable[[int], web.StreamResponse], spared: Collection[str]
) -> Middleware:
    """Make the aiohttp middleware that delays and fails requests.

    Args:
        faults: What to do how often.
        answer: Builds the server's own answer of a status, in its own words.
        spared: Paths that always work, such as health checks.

    Returns:
        The middleware; put it outside those that do the server's work.
    """
    numbers = random.Random(faults.seed)  # noqa: S311 (no secret depends on it)

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path in spared:
            return await handler(request)
        # Drawn before any wait, so that a seed gives the same faults whatever the timing.
        status = faults.status(numbers.random())
        if faults.latency:
            await asyncio.sleep(faults.latency)
        return await handler(request) if status is None else answer(status)

    return middleware


def fault_options(command: _Command) -> _Command:
    """Add `--latency`, `--fault` and `--fault-seed` to a click command.

    The command gets them as `latency: float`, `fault: tuple[str, ...]`, `fault_seed: int | None`.
    """
    for option in (
        click.option("--fault-seed", type=int, help="Make the faults repeatable."),
        click.option(
            "--fault",
            multiple=True,
            metavar="STATUS=PROBABILITY",
            help="Answer a share of the requests with an error, such as 429=0.05; repeatable.",
        ),
        click.option(
            "--latency", type=float, default=0.0, help="Seconds to hold every answer back."
        ),
    ):
        command = option(command)
    return command
