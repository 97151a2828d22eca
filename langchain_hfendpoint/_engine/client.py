"""One endpoint as one caller uses it: finds out what it is, sends batches, repeats, halves.

A shell: what to do is decided in `retry`, `failures`, `flow` and `batching`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

from langchain_hfendpoint._engine.batching import Item, Limits, size_of, split
from langchain_hfendpoint._engine.detection import PROBES, Probe, recognize
from langchain_hfendpoint._engine.explain import to_error
from langchain_hfendpoint._engine.failures import Failure, Kind, read_failure
from langchain_hfendpoint._engine.flow import Limiter, Ticket
from langchain_hfendpoint._engine.protocols import (
    BadAnswer,
    ServerInfo,
    WireOptions,
    WireProtocol,
    parse_vectors,
    wire_form,
)
from langchain_hfendpoint._engine.results import TextFailure, Vectors
from langchain_hfendpoint._engine.retry import Deadlines, Next
from langchain_hfendpoint._engine.shared import SharedEndpoint, shared_endpoint
from langchain_hfendpoint._engine.transport import BASE_HEADERS, Reply, TransportError
from langchain_hfendpoint._engine.trouble import Trouble, WakeUpNotice
from langchain_hfendpoint._engine.vectors import NO_VECTORS, DimensionGuard, finish, stack
from langchain_hfendpoint._retry_after import parse_retry_after
from langchain_hfendpoint.errors import EndpointError

_LOG = logging.getLogger("langchain_hfendpoint")
# A short text costs a server more than its letters: special tokens, and the work around it.
_COST_OF_ANY_TEXT = 32
_SERVERLESS = ServerInfo("hf-inference", "hf-inference")
_UNKNOWN = ServerInfo("inference-toolkit")
# These come from the proxy, or from before the server looked at the path.
_NO_ANSWER_TO_A_PROBE = frozenset(
    {Kind.AUTHENTICATION, Kind.NOT_RUNNING, Kind.OVERLOADED, Kind.UNAVAILABLE, Kind.TIMEOUT}
)
# So says a server of one kind that has taken the place of one of another.
_NO_SUCH_ROUTE = frozenset({404, 405})

T = TypeVar("T")


class RateLimiter(Protocol):
    """The part of langchain_core's `BaseRateLimiter` that is used."""

    async def aacquire(self, *, blocking: bool = True) -> bool:
        """Wait for leave to send one request."""


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """How one caller uses an endpoint.

    Attributes:
        documents: What is asked for documents.
        queries: What is asked for queries.
        timeout: Seconds an answer may take.
        deadlines: How long to go on in trouble.
        url: The endpoint's base URL.
        name: The Inference Endpoint's name, if known.
        protocol: How to speak to it; `None` finds out.
        token: What to authenticate with, if anything.
        headers: Further headers.
        batch_size: Texts in a request; `None` leaves it to the server's limits.
        max_concurrency: Requests in flight of this caller.
        rate_limiter: Asked once before each request.
        show_progress: Whether a line tells of a cold start; `None` shows it on terminals.
    """

    documents: WireOptions
    queries: WireOptions
    timeout: float
    deadlines: Deadlines
    url: str = ""
    name: str | None = None
    protocol: WireProtocol | None = None
    token: str | None = field(default=None, repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    batch_size: int | None = None
    max_concurrency: int | None = None
    rate_limiter: RateLimiter | None = None
    show_progress: bool | None = None


@dataclass(slots=True)
class Outcome:
    """What became of a batch.

    Attributes:
        items: The items that were embedded.
        vectors: float32, one row an item.
        failures: Texts that failed for good.
    """

    items: list[Item]
    vectors: Vectors
    failures: list[TextFailure] = field(default_factory=list)


class EndpointClient:
    """Send batches to an endpoint; every method runs on the engine's loop.

    Args:
        settings: How to use the endpoint.
        check_running: Asked while the endpoint does not wake up; raises if it never will.
    """

    def __init__(
        self,
        settings: ClientSettings,
        *,
        check_running: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.settings = settings
        self._check_running = check_running
        self._guard = DimensionGuard()
        self._slots: asyncio.Semaphore | None = None
        if settings.max_concurrency is not None:
            self._slots = asyncio.Semaphore(settings.max_concurrency)
        self._headers = dict(BASE_HEADERS)
        if settings.token is not None:
            self._headers["Authorization"] = f"Bearer {settings.token}"
        hold = max(1, int(min(settings.timeout * 0.9, settings.deadlines.cold_start)))
        # The proxy of a scaled-to-zero endpoint holds the request so long instead of answering 503.
        self._headers["X-Scale-Up-Timeout"] = str(hold)
        self._headers.update(settings.headers)

    @property
    def shared(self) -> SharedEndpoint:
        """What all users of this endpoint share."""
        shared = shared_endpoint(self.settings.url)
        shared.users.add(self)
        return shared

    @property
    def dimension(self) -> int | None:
        """Numbers in a vector, once one was seen."""
        return self._guard.dimension

    async def server(self) -> ServerInfo:
        """Tell what the endpoint is; asks it the first time.

        Raises:
            EndpointError: If it does not answer, refuses the token, or cannot embed.
        """
        shared, protocol = self.shared, self.settings.protocol
        if protocol == "hf-inference":
            return _SERVERLESS
        server = shared.server
        if server is None:
            async with shared.detecting:
                server = shared.server or await self._detect()
        if protocol is None or protocol == server.protocol:
            return server
        return ServerInfo(protocol, model=server.model)

    async def close(self) -> None:
        """Close the connections unless others use them; the next use opens new ones."""
        shared = self.shared
        shared.users.discard(self)
        if not shared.users:
            await shared.transport.close()

    async def limits(self) -> Limits:
        """Tell what a request may have."""
        await self.server()
        shared, wanted = self.shared, self.settings.batch_size
        texts = shared.batch if wanted is None else min(wanted, shared.max_batch or wanted)
        return Limits(texts, shared.max_size)

    async def embed(self, batch: list[Item], *, query: bool = False, skip: bool = False) -> Outcome:
        """Embed a batch, in parts if need be.

        Args:
            batch: At least one item.
            query: Whether it is a query, which goes before bulk work.
            skip: Whether texts that fail alone are reported instead of raised.

        Returns:
            What became of it.

        Raises:
            EndpointError: If it failed for good; `indices` names the texts.
            ConfigurationError: If this server cannot do what is asked.
        """
        options = self.settings.queries if query else self.settings.documents
        server = await self.server()
        form = wire_form(server, options)
        body = form.body([item.text for item in batch])
        trouble = self._trouble(len(batch))
        step = Next.REPEAT
        while step is Next.REPEAT:
            try:
                reply = await self._send(form.path, body, batch, urgent=query)
                # Whoever was let through now sends first; decoding can wait, the server should not.
                await asyncio.sleep(0)
                vectors = finish(parse_vectors(reply.body, len(batch)), options)
            except (TransportError, BadAnswer) as error:  # noqa: PERF203 (beside a network call)
                failure = error.failure
                if failure.status in _NO_SUCH_ROUTE and await self._is_another_server_than(server):
                    return await self.embed(batch, query=query, skip=skip)
                step = await trouble.after(failure)
            else:
                self.shared.answered = True
                self.shared.budget.earn()
                return Outcome(batch, self._guard.check(vectors))
        if step is Next.SPLIT:
            return await self._embed_parts(batch, failure, query=query, skip=skip)
        return self._give_up(failure, batch, trouble.retries, skip=skip)

    async def _embed_parts(
        self, batch: list[Item], failure: Failure, *, query: bool, skip: bool
    ) -> Outcome:
        if failure.kind is Kind.TOO_MANY and failure.batch_limit:
            self.shared.learn_max_batch(failure.batch_limit)
        elif failure.kind is Kind.TOO_LARGE:
            self.shared.max_size = min(self.shared.max_size, max(size_of(batch) // 2, 1))
        parts = split(batch, failure)
        outcomes = await _all_or_none(self.embed(part, query=query, skip=skip) for part in parts)
        return Outcome(
            [item for outcome in outcomes for item in outcome.items],
            stack([outcome.vectors for outcome in outcomes]),
            [failure for outcome in outcomes for failure in outcome.failures],
        )

    def _give_up(self, failure: Failure, batch: list[Item], retries: int, *, skip: bool) -> Outcome:
        indices = sorted(index for item in batch for index in item.indices)
        error = self._explain(failure, indices, retries)
        # To skip a text is right only if it failed alone, and by itself.
        if not skip or len(batch) > 1 or failure.is_an_outage:
            raise error
        return Outcome([], NO_VECTORS, [TextFailure(index, error) for index in indices])

    async def _send(self, path: str, body: bytes, batch: list[Item], *, urgent: bool) -> Reply:
        """Make one attempt when the limiter lets it, and teach it what came of it."""
        gate, rate_limiter = self.shared.gate, self.settings.rate_limiter
        async with self._slots or contextlib.nullcontext():
            if rate_limiter is not None:
                await rate_limiter.aacquire()
            self._refuse_to_wait_longer_than_the_deadline(gate.limiter)
            ticket = await gate.enter(len(batch), urgent=urgent)
            try:
                reply = await self._exchange("POST", path, body)
            except TransportError as error:
                _learn_failure(gate.limiter, ticket, error.failure)
                raise
            except BaseException:
                gate.limiter.release(ticket)
                raise
            else:
                cost = len(body) + _COST_OF_ANY_TEXT * len(batch)
                gate.limiter.succeed(
                    ticket, seconds=reply.seconds, cost=cost, queue_share=_queue_share(reply)
                )
                return reply
            finally:
                gate.open()

    def _refuse_to_wait_longer_than_the_deadline(self, limiter: Limiter) -> None:
        closed = limiter.closed_until - asyncio.get_running_loop().time()
        if closed > self.settings.deadlines.retry:
            words = f"it asked others to wait, and {closed:.0f} s are left"
            raise TransportError(Failure(Kind.OVERLOADED, words, retry_after=closed))

    async def _exchange(self, method: str, path: str, body: bytes | None = None) -> Reply:
        """Send one request; raise unless the answer is a 200."""
        reply = await self._ask(method, path, body)
        if reply.status == 200:
            return reply
        raise TransportError(
            read_failure(
                reply.status,
                reply.body,
                request_id=reply.request_id,
                retry_after=parse_retry_after(reply.headers.get("retry-after"), now=time.time()),
            )
        )

    async def _ask(self, method: str, path: str, body: bytes | None = None) -> Reply:
        settings = self.settings
        reply = await self.shared.transport.exchange(
            method,
            settings.url + path,
            headers=self._headers,
            body=body,
            timeout=settings.timeout,
        )
        # A server that repeats the token must not bring it into an error message.
        secret = (settings.token or "").encode()
        if secret and secret in reply.body:
            reply = replace(reply, body=reply.body.replace(secret, b"***"))
        return reply

    async def _detect(self) -> ServerInfo:
        settings = self.settings
        notice = WakeUpNotice(
            settings.url, patience=settings.deadlines.cold_start, show=settings.show_progress
        )
        async with notice:
            for path in PROBES:
                reply = await self._probe(path)
                headers = {name.lower(): value for name, value in reply.headers.items()}
                server = recognize(Probe(path, reply.status, reply.body, headers))
                if server is not None:
                    break
        self.shared.recognized(server or _UNKNOWN)
        _LOG.info("The endpoint %s is %s", settings.url, server or _UNKNOWN)
        return server or _UNKNOWN

    async def _is_another_server_than(self, server: ServerInfo) -> bool:
        """Ask what the endpoint is by now, unless somebody else has or the caller has said."""
        if self.settings.protocol is not None:
            return False
        shared = self.shared
        async with shared.detecting:
            if shared.server is server:
                await self._detect()
        return shared.server != server

    async def _probe(self, path: str) -> Reply:
        """Ask the endpoint about itself; an answer of the server, even a refusal, is an answer."""
        trouble = self._trouble(1)
        while True:
            try:
                reply = await self._ask("GET", path)
                if reply.status == 200:
                    return reply
                failure = read_failure(reply.status, reply.body, request_id=reply.request_id)
                if failure.kind not in _NO_ANSWER_TO_A_PROBE:
                    return reply
            except TransportError as error:
                failure = error.failure
            if await trouble.after(failure) is not Next.REPEAT:
                raise self._explain(failure, (), trouble.retries)

    def _trouble(self, texts: int) -> Trouble:
        return Trouble(texts, self.shared, self.settings.deadlines, self._check_running)

    def _explain(self, failure: Failure, indices: Sequence[int], retries: int) -> EndpointError:
        return to_error(
            failure,
            endpoint=self.settings.url,
            name=self.settings.name,
            with_token=self.settings.token is not None,
            indices=indices,
            retries=retries,
        )


def _queue_share(reply: Reply) -> float | None:
    """Read the share of the request's time that it waited in TEI's queue."""
    queued = reply.headers.get("x-queue-time")
    if queued is None or not queued.isdecimal() or reply.seconds <= 0:
        return None
    return min(1.0, int(queued) / 1000 / reply.seconds)


def _learn_failure(limiter: Limiter, ticket: Ticket, failure: Failure) -> None:
    if failure.kind is Kind.OVERLOADED:
        limiter.overloaded(ticket)
    elif failure.kind in (Kind.UNAVAILABLE, Kind.UNREACHABLE, Kind.TIMEOUT):
        limiter.unavailable(ticket)
    else:
        limiter.release(ticket)
    if failure.retry_after is not None:
        limiter.close_until(asyncio.get_running_loop().time() + failure.retry_after)


async def _all_or_none(coroutines: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Run all at once; if one fails, cancel the others."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
