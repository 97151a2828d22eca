"""Keep a number of requests in flight at an endpoint and time the answers.

Requests are those that the engine sends, but without its limiter: here it is the load that is
given, and the endpoint that is measured. Runs on the engine's loop.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

import orjson

from langchain_hfendpoint._bench.points import AutoRun, Point, percentile, steady_rate
from langchain_hfendpoint._engine.explain import to_error
from langchain_hfendpoint._engine.failures import Kind, read_failure
from langchain_hfendpoint._engine.protocols import (
    BadAnswer,
    ServerInfo,
    WireOptions,
    parse_vectors,
    wire_form,
)
from langchain_hfendpoint._engine.shared import shared_endpoint
from langchain_hfendpoint._engine.transport import BASE_HEADERS, Transport, TransportError
from langchain_hfendpoint.embeddings import HFEndpointEmbeddings

_PATIENCE = 5
_ANSWERS_EACH = 4
_AFTER_REJECTION = 0.05


@dataclass(slots=True)
class _Tally:
    """Answers as they come: (when, how long it took), and refusals."""

    answers: list[tuple[float, float]] = field(default_factory=list)
    rejected: int = 0


class LoadGenerator:
    """Give loads to an endpoint.

    Args:
        url: Its base URL.
        token: Token to send, if any.
        server: What it is.
        texts: Texts without end.
        timeout: Seconds an answer may take.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None,
        server: ServerInfo,
        texts: Iterator[str],
        timeout: float,
    ) -> None:
        self._url = url
        self._form = wire_form(server, WireOptions(model=server.model))
        self._headers = dict(BASE_HEADERS)
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        self._with_token = token is not None
        self._texts = texts
        self._timeout = timeout
        self._transport = Transport()

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def measure(self, *, batch_size: int, in_flight: int, seconds: float) -> Point:
        """Give one load for a while.

        Lasts until every request in flight has been answered four times on average, though at
        most five times as long as asked for.

        Args:
            batch_size: Texts in a request.
            in_flight: Requests to keep in flight.
            seconds: How long.

        Returns:
            What came of it.

        Raises:
            EndpointError: If the endpoint fails otherwise than by refusing for overload.
        """
        tally = _Tally()
        began = time.perf_counter()

        def is_over() -> bool:
            taken = time.perf_counter() - began
            enough = len(tally.answers) >= _ANSWERS_EACH * in_flight or tally.rejected
            return taken >= _PATIENCE * seconds or (taken >= seconds and bool(enough))

        async def keep_asking() -> None:
            while not is_over():
                await self._ask(batch_size, tally)

        workers = [asyncio.ensure_future(keep_asking()) for _ in range(in_flight)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
        return _summarize(tally, batch_size=batch_size, in_flight=in_flight, began=began)

    async def _ask(self, batch_size: int, tally: _Tally) -> None:
        body = self._form.body([orjson.dumps(text) for text in islice(self._texts, batch_size)])
        sent = time.perf_counter()
        try:
            reply = await self._transport.exchange(
                "POST",
                self._url + self._form.path,
                headers=self._headers,
                body=body,
                timeout=self._timeout,
            )
            if reply.status != 200:
                raise TransportError(
                    read_failure(reply.status, reply.body, request_id=reply.request_id)
                )
            if not tally.answers:
                parse_vectors(reply.body, batch_size)
        except (TransportError, BadAnswer) as error:
            if error.failure.kind not in (Kind.OVERLOADED, Kind.UNAVAILABLE):
                raise to_error(
                    error.failure, endpoint=self._url, name=None, with_token=self._with_token
                ) from error
            tally.rejected += 1
            await asyncio.sleep(_AFTER_REJECTION)
        else:
            now = time.perf_counter()
            tally.answers.append((now, now - sent))


def _summarize(tally: _Tally, *, batch_size: int, in_flight: int, began: float) -> Point:
    answers = sorted(tally.answers)
    latencies = [latency for _, latency in answers] or [math.inf]
    return Point(
        batch_size=batch_size,
        in_flight=in_flight,
        texts_per_second=steady_rate(
            [(when, batch_size) for when, _ in answers], ramp=in_flight, began=began
        ),
        p50=percentile(latencies, 0.5),
        p90=percentile(latencies, 0.9),
        p99=percentile(latencies, 0.99),
        answers=len(answers),
        rejected=tally.rejected,
    )


async def measure_auto(
    embeddings: HFEndpointEmbeddings, *, url: str, texts: Iterator[str], seconds: float
) -> AutoRun:
    """Let the package embed as it does by itself; the first half is for learning.

    Args:
        embeddings: With no option about batches or concurrency.
        url: Base URL of its endpoint.
        texts: Texts without end.
        seconds: How long.

    Returns:
        What came of it.

    Raises:
        EndpointError: If the endpoint fails.
    """
    shared = shared_endpoint(url)
    began = time.perf_counter()
    answers: list[tuple[float, int]] = []
    batches = embeddings.aembed_batches(texts)
    try:
        async for batch in batches:
            now = time.perf_counter()
            answers.append((now, len(batch.indices)))
            in_flight = shared.gate.limiter.limit / shared.batch
            enough = len(answers) >= 2 * _ANSWERS_EACH * in_flight
            taken = now - began
            if taken >= _PATIENCE * seconds or (taken >= seconds and enough):
                break
    finally:
        await batches.aclose()
    return AutoRun(
        batch_size=shared.batch,
        in_flight=shared.gate.limiter.limit / shared.batch,
        texts_per_second=steady_rate(answers, ramp=len(answers) // 2, began=began),
    )
