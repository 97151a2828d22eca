"""Texts in, finished batches out: with look-ahead and back-pressure, in constant memory.

A stream is fed by its caller, in the caller's own thread and event loop, with as many texts as it
has room for; the batches are embedded on the engine's loop. So neither the caller's iterator nor
its event loop is ever touched by another thread.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Iterator, Sequence
from itertools import islice

import numpy as np

from langchain_hfendpoint._engine.batching import Item, Refusal, encode, iter_texts, plan
from langchain_hfendpoint._engine.client import EndpointClient, Outcome
from langchain_hfendpoint._engine.explain import refuse
from langchain_hfendpoint._engine.loop import run_async, run_sync
from langchain_hfendpoint._engine.results import EmbeddedBatch, TextFailure
from langchain_hfendpoint._engine.vectors import NO_VECTORS

_LEAST_AHEAD = 1024
_LIMITS_AHEAD = 4
# A source that is slower than the endpoint must not hold back what it has already given.
_LINGER_SECONDS = 0.05


class BatchStream:
    """Batches on their way; its coroutines run on the engine's loop.

    Args:
        client: The endpoint.
        skip: Whether texts that fail alone are reported instead of raised.
    """

    def __init__(self, client: EndpointClient, *, skip: bool) -> None:
        self._client = client
        self._skip = skip
        self._ahead = _LEAST_AHEAD
        self._open = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._done: asyncio.Queue[tuple[int, EmbeddedBatch | Exception]] = asyncio.Queue()

    @property
    def room(self) -> int:
        """How many texts it takes now: none until half of what it had is handed out."""
        return self._ahead - self._open if self._open <= self._ahead // 2 else 0

    @property
    def is_idle(self) -> bool:
        """Whether nothing is on its way."""
        return self._open == 0

    async def feed(self, items: Sequence[Item], refused: Sequence[Refusal] = ()) -> None:
        """Take texts to embed.

        Args:
            items: The texts.
            refused: Texts that are not to be sent.

        Raises:
            InputRejectedError: If there are such texts and failures are not to be skipped.
            EndpointError: If the endpoint cannot be used at all.
        """
        if refused:
            if not self._skip:
                raise refuse(refused)
            failures = tuple(TextFailure(text.index, refuse([text])) for text in refused)
            self._open += len(refused)
            self._done.put_nowait((len(refused), EmbeddedBatch((), NO_VECTORS, failures)))
        if not items:
            return
        self._open += len(items)
        limits = await self._client.limits()
        permitted = int(self._client.shared.gate.limiter.limit)
        self._ahead = max(_LEAST_AHEAD, _LIMITS_AHEAD * permitted)
        for batch in plan(items, limits):
            task = asyncio.ensure_future(self._embed(batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def next(self) -> EmbeddedBatch | None:
        """Wait for a batch.

        Returns:
            The next that is done; `None` if nothing is open.

        Raises:
            EndpointError: If texts failed for good and failures are not to be skipped.
        """
        if self._open == 0:
            return None
        size, batch = await self._done.get()
        self._open -= size
        if isinstance(batch, Exception):
            raise batch
        return batch

    async def close(self) -> None:
        """Cancel what is still on its way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _embed(self, batch: list[Item]) -> None:
        result: EmbeddedBatch | Exception
        try:
            result = _spread(await self._client.embed(batch, skip=self._skip))
        except Exception as error:  # noqa: BLE001 (raised again by next())
            result = error
        self._done.put_nowait((len(batch), result))


def embed_batches(
    client: EndpointClient, texts: Iterable[str], *, prefix: str, skip: bool
) -> Iterator[EmbeddedBatch]:
    """Embed texts, pulled as needed, from any thread but the engine's.

    Args:
        client: The endpoint.
        texts: The texts.
        prefix: What to put before each.
        skip: Whether texts that fail alone are reported instead of raised.

    Yields:
        Batches as they finish, in any order.
    """
    stream, source, position = BatchStream(client, skip=skip), iter_texts(texts), 0
    try:
        while True:
            while (room := stream.room) and (chunk := list(islice(source, room))):
                items, refused = encode(chunk, first=position, prefix=prefix)
                position += len(chunk)
                run_sync(stream.feed(items, refused))
            batch = run_sync(stream.next())
            if batch is None:
                return
            yield batch
    finally:
        run_sync(stream.close())


async def aembed_batches(
    client: EndpointClient,
    texts: Iterable[str] | AsyncIterable[str],
    *,
    prefix: str,
    skip: bool,
) -> AsyncGenerator[EmbeddedBatch, None]:
    """Embed texts, pulled as needed, from any event loop.

    Args:
        client: The endpoint.
        texts: The texts; a plain iterable is pulled on the caller's loop.
        prefix: What to put before each.
        skip: Whether texts that fail alone are reported instead of raised.

    Yields:
        Batches as they finish, in any order.
    """
    stream, source, position = BatchStream(client, skip=skip), _Source(texts), 0
    try:
        while True:
            while (room := stream.room) and (chunk := await source.take(room, wait=stream.is_idle)):
                items, refused = encode(chunk, first=position, prefix=prefix)
                position += len(chunk)
                await run_async(stream.feed(items, refused))
            batch = await run_async(stream.next())
            if batch is None:
                return
            yield batch
    finally:
        await source.close()
        await run_async(stream.close())


async def embed_all(
    client: EndpointClient,
    items: Sequence[Item],
    *,
    take: Callable[[EmbeddedBatch], None],
) -> None:
    """Embed texts that are all there already; runs on the engine's loop.

    Args:
        client: The endpoint.
        items: The texts.
        take: Given every batch as it finishes, while others are on their way.
    """
    stream, begin = BatchStream(client, skip=False), 0
    try:
        while True:
            while (room := stream.room) and begin < len(items):
                await stream.feed(items[begin : begin + room])
                begin += room
            batch = await stream.next()
            if batch is None:
                return
            take(batch)
    finally:
        await stream.close()


class ArrayOf:
    """Put batches into one array, in the caller's order.

    Args:
        count: Number of positions in the caller's input.

    Attributes:
        vectors: float32 (count, dimension); (0, 0) for no texts.
    """

    def __init__(self, count: int) -> None:
        self.vectors = NO_VECTORS
        self._count = count

    def take(self, batch: EmbeddedBatch) -> None:
        """Put a batch in its place."""
        if self.vectors is NO_VECTORS:
            self.vectors = np.empty((self._count, batch.vectors.shape[1]), dtype=np.float32)
        self.vectors[list(batch.indices)] = batch.vectors


class ListsOf:
    """Put batches into lists of builtin floats, in the caller's order.

    Batch by batch while the next are on their way: at the end, all of it would be a second for
    each 50,000 texts, in which nothing else runs.

    Args:
        count: Number of positions in the caller's input.

    Attributes:
        rows: One list a text.
    """

    def __init__(self, count: int) -> None:
        self.rows: list[list[float]] = [[]] * count

    def take(self, batch: EmbeddedBatch) -> None:
        """Put a batch in its place."""
        for index, row in zip(batch.indices, batch.vectors.tolist(), strict=True):
            self.rows[index] = row


class _Source:
    """Pull texts from a plain or an asynchronous iterable, on the caller's loop."""

    def __init__(self, texts: Iterable[str] | AsyncIterable[str]) -> None:
        self._plain = iter_texts(texts) if isinstance(texts, Iterable) else iter(())
        self._pulled: deque[str] = deque()
        self._came, self._went, self._enough = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._pump: asyncio.Task[None] | None = None
        if isinstance(texts, AsyncIterable):
            self._pump = asyncio.ensure_future(self._pull(texts))

    async def take(self, most: int, *, wait: bool) -> list[str]:
        """Take up to `most` texts, fewer if the next is slow.

        Args:
            most: How many at most.
            wait: Whether to wait for the first; otherwise there may be none yet.

        Returns:
            The texts; none after waiting means the end.
        """
        if self._pump is None:
            return list(islice(self._plain, most))
        if wait and not self._pulled:
            await self._came.wait()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._enough.wait(), _LINGER_SECONDS)
        if self._pump.done() and not self._pulled:
            self._pump.result()
        self._came.clear()
        taken = [self._pulled.popleft() for _ in range(min(most, len(self._pulled)))]
        self._went.set()
        if not self._pump.done():
            self._enough.clear()
        if self._pulled or self._pump.done():
            self._came.set()
        return taken

    async def close(self) -> None:
        """Stop pulling."""
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)

    async def _pull(self, texts: AsyncIterable[str]) -> None:
        try:
            async for text in texts:
                self._pulled.append(text)
                self._came.set()
                if len(self._pulled) >= _LEAST_AHEAD:
                    self._enough.set()
                    self._went.clear()
                    await self._went.wait()
        finally:
            self._came.set()
            self._enough.set()


def _spread(outcome: Outcome) -> EmbeddedBatch:
    """Spread the vectors of unique texts over all the positions where they occur."""
    indices = tuple(index for item in outcome.items for index in item.indices)
    vectors = outcome.vectors
    if len(indices) > len(outcome.items):
        vectors = np.repeat(vectors, [len(item.indices) for item in outcome.items], axis=0)
    return EmbeddedBatch(indices, vectors, tuple(outcome.failures))
