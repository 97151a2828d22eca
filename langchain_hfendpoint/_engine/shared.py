"""What all users of one endpoint in this process share: connections, limits, what it is.

Two pipelines that each adapt to an endpoint would fight over its permits; so concurrency, the
retry budget and the answer to "what server is this" belong to the endpoint, not to an instance.
"""

from __future__ import annotations

import asyncio
import weakref

from langchain_hfendpoint._engine.flow import Limiter
from langchain_hfendpoint._engine.gate import Gate
from langchain_hfendpoint._engine.loop import on_exit
from langchain_hfendpoint._engine.protocols import ServerInfo
from langchain_hfendpoint._engine.retry import RetryBudget
from langchain_hfendpoint._engine.transport import Transport

_DEFAULT_BATCH = 32
_DEFAULT_PERMITS = 64 * _DEFAULT_BATCH
_LARGEST_BATCH = 128
_LEAST_BATCHES_IN_FLIGHT = 8
# Half of TEI's default limit, and below the megabyte from which aiohttp warns.
_DEFAULT_SIZE = 1_000_000


class SharedEndpoint:
    """State of one endpoint; lives on the engine's loop.

    Attributes:
        transport: Its connections.
        budget: Its retry budget.
        server: What it is, once known.
        detecting: Held while finding that out, so that only one asks.
        max_size: Bytes of texts that a request may have, as learned.
        answered: Whether it has ever given vectors.
        users: Who has used it and not closed it.
    """

    def __init__(self) -> None:
        self.transport = Transport()
        self.budget = RetryBudget()
        self.server: ServerInfo | None = None
        self.detecting = asyncio.Lock()
        self.max_size = _DEFAULT_SIZE
        self.answered = False
        self.users: weakref.WeakSet[object] = weakref.WeakSet()
        self._max_batch: int | None = None
        self._gate: Gate | None = None

    def recognized(self, server: ServerInfo) -> None:
        """Take the server's limits over."""
        self.server = server
        self._max_batch = server.max_batch

    @property
    def batch(self) -> int:
        """Texts to put into a request."""
        permits = (self.server and self.server.permits) or _DEFAULT_PERMITS
        fair = max(1, permits // _LEAST_BATCHES_IN_FLIGHT)
        return min(self._max_batch or _DEFAULT_BATCH, fair, _LARGEST_BATCH)

    @property
    def max_batch(self) -> int | None:
        """Texts a request may have, if the server has told."""
        return self._max_batch

    def learn_max_batch(self, texts: int) -> None:
        """Remember that a request may have no more texts than this."""
        self._max_batch = min(texts, self._max_batch or texts)

    @property
    def gate(self) -> Gate:
        """The queue before the endpoint."""
        if self._gate is None:
            permits = self.server.permits if self.server else None
            # A server that tells its permits can be trusted with more at once.
            limiter = Limiter(
                batch=self.batch,
                ceiling=permits or _DEFAULT_PERMITS,
                start=8 if permits else 4,
            )
            self._gate = Gate(limiter)
        return self._gate


_by_loop: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, SharedEndpoint]] = (
    weakref.WeakKeyDictionary()
)


def shared_endpoint(url: str) -> SharedEndpoint:
    """Give the state of an endpoint; to be called on the engine's loop.

    Args:
        url: The endpoint's base URL.

    Returns:
        The same object for the same URL.
    """
    loop = asyncio.get_running_loop()
    if loop not in _by_loop:
        _by_loop[loop] = {}
        on_exit(_close_all)
    endpoints = _by_loop[loop]
    if url not in endpoints:
        endpoints[url] = SharedEndpoint()
    return endpoints[url]


async def _close_all() -> None:
    for endpoint in _by_loop.get(asyncio.get_running_loop(), {}).values():
        await endpoint.transport.close()
