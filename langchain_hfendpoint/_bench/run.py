"""A whole benchmark, within its time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from langchain_hfendpoint._bench.load import LoadGenerator, measure_auto
from langchain_hfendpoint._bench.points import (
    AutoRun,
    BenchReport,
    Point,
    advise,
    find_saturation,
    next_load,
    price_per_million,
)
from langchain_hfendpoint._bench.texts import sentences
from langchain_hfendpoint._engine.detection import base_url
from langchain_hfendpoint._engine.loop import run_sync
from langchain_hfendpoint._engine.protocols import ServerInfo
from langchain_hfendpoint._engine.tokens import choose_token, token_from_environment
from langchain_hfendpoint.embeddings import HFEndpointEmbeddings
from langchain_hfendpoint.errors import ConfigurationError, EndpointOverloadedError

_BATCH_SIZES = (1, 8, 32)
_DEFAULT_MAX_BATCH = 32
_AUTO_SECONDS = 2.0


class _Budget:
    """Time that is left for measuring."""

    def __init__(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds
        self.exceeded = False

    def has(self, seconds: float) -> bool:
        """Say whether something of this length still fits in, remembering if it did not."""
        fits = time.monotonic() + seconds <= self._deadline
        self.exceeded = self.exceeded or not fits
        return fits


def benchmark(
    embeddings: HFEndpointEmbeddings,
    *,
    batch_sizes: Sequence[int] = (),
    loads: Sequence[int] = (),
    most_in_flight: int = 64,
    seconds: float = 1.5,
    budget: float = 90.0,
    hourly_price: float | None = None,
    on_point: Callable[[Point], None] | None = None,
) -> BenchReport:
    """Load an endpoint in steps, and tell where it saturates and what auto mode makes of it.

    Args:
        embeddings: Embeddings by the endpoint's URL, with no option about batches.
        batch_sizes: Texts in a request to try; by default 1, 8, 32 and what the server allows.
        loads: Requests in flight to try; by default doubling until more does not help.
        most_in_flight: Requests in flight that are never exceeded.
        seconds: How long each load is given.
        budget: Seconds within which no further load is begun.
        hourly_price: US dollars an hour of the endpoint.
        on_point: Called with each point when it is measured.

    Returns:
        The report.

    Raises:
        ConfigurationError: If the server does not take a batch size, or there was no time for a
            single load.
        EndpointOverloadedError: If it refuses every request for overload.
        EndpointError: If it fails otherwise.
    """
    left = _Budget(budget)
    server = embeddings.server_info()
    sizes = _choose_batch_sizes(server, batch_sizes)
    url = base_url(embeddings.endpoint_url or "")
    texts = sentences()
    key = embeddings.api_key if "api_key" in embeddings.model_fields_set else None
    points = run_sync(
        _measure_all(
            LoadGenerator(
                url,
                token=choose_token(
                    url,
                    given=None if key is None else key.get_secret_value(),
                    ambient=token_from_environment(),
                ),
                server=server,
                texts=texts,
                timeout=embeddings.timeout,
            ),
            sizes,
            loads,
            permits=server.permits,
            most_in_flight=most_in_flight,
            seconds=seconds,
            left=left,
            on_point=on_point,
        )
    )
    if not points:
        raise ConfigurationError(
            f"A budget of {budget:g} s is too short for one load of {seconds:g} s."
        )
    best, saturation = find_saturation(points)
    if not best.texts_per_second:
        raise EndpointOverloadedError(
            f"The endpoint {url} refused every request for overload (429 or 503). Others may be "
            "using it, or it is still starting: try again later."
        )
    auto: AutoRun | None = None
    auto_seconds = _AUTO_SECONDS * seconds
    if left.has(auto_seconds):
        auto = run_sync(measure_auto(embeddings, url=url, texts=texts, seconds=auto_seconds))
    return BenchReport(
        url=url,
        software=" ".join(filter(None, (server.software, server.version))) or server.protocol,
        points=tuple(sorted(points, key=lambda point: (point.batch_size, point.in_flight))),
        best=best,
        saturation=saturation,
        auto=auto,
        complete=not left.exceeded,
        usd_per_million_texts=(
            None if hourly_price is None else price_per_million(hourly_price, best.texts_per_second)
        ),
        advice=advise(best, saturation, auto),
    )


def _choose_batch_sizes(server: ServerInfo, wanted: Sequence[int]) -> list[int]:
    most = server.max_batch
    too_large = [size for size in wanted if most is not None and size > most]
    if too_large:
        raise ConfigurationError(
            f"The endpoint takes at most {most} texts in a request, not {too_large[0]}. "
            "Deploy it with MAX_CLIENT_BATCH_SIZE to raise that."
        )
    if wanted:
        return sorted(set(wanted), reverse=True)
    largest = most or _DEFAULT_MAX_BATCH
    # The largest first: if the time is over early, it has told most.
    return sorted({size for size in (*_BATCH_SIZES, largest) if size <= largest}, reverse=True)


async def _measure_all(
    generator: LoadGenerator,
    batch_sizes: Iterable[int],
    loads: Sequence[int],
    *,
    permits: int | None,
    most_in_flight: int,
    seconds: float,
    left: _Budget,
    on_point: Callable[[Point], None] | None,
) -> list[Point]:
    points: list[Point] = []
    try:
        for batch_size in batch_sizes:
            most = min(most_in_flight, max(1, (permits or 1_000_000) // batch_size))
            done: list[Point] = []
            for in_flight in _loads(loads, done, most=most):
                if not left.has(seconds):
                    return points
                point = await generator.measure(
                    batch_size=batch_size, in_flight=in_flight, seconds=seconds
                )
                done.append(point)
                points.append(point)
                if on_point is not None:
                    on_point(point)
    finally:
        await generator.close()
    return points


def _loads(fixed: Sequence[int], done: Sequence[Point], *, most: int) -> Iterator[int]:
    """Give the loads to try, looking at what those so far came to."""
    if fixed:
        yield from (load for load in sorted(set(fixed)) if load <= most)
        return
    while (load := next_load(done, most=most)) is not None:
        yield load
