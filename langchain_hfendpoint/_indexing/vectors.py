"""Texts into vectors: a stream through our engine, or batches in flight for any other class."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import aclosing
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from langchain_core.embeddings import Embeddings

from langchain_hfendpoint._engine.results import EmbeddedBatch, TextFailure
from langchain_hfendpoint._indexing.calls import in_worker_thread
from langchain_hfendpoint.errors import EndpointError

Row = npt.NDArray[np.float32]
OnError = Literal["raise", "skip"]

_FOREIGN_BATCH = 64
_NATIVE_ASYNC_IN_FLIGHT = 4
_LINGER_SECONDS = 0.02


@runtime_checkable
class StreamsBatches(Protocol):
    """Embeddings that take a stream of texts (`HFEndpointEmbeddings` does)."""

    def aembed_batches(
        self, texts: AsyncIterable[str], *, on_error: OnError
    ) -> AsyncGenerator[EmbeddedBatch, None]:
        """Embed texts as they come."""


class VectorMemory:
    """Remembers the vectors used last, by the hash of their text.

    Args:
        max_bytes: Most bytes of vectors to hold.
    """

    def __init__(self, max_bytes: int = 32_000_000) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._rows: OrderedDict[bytes, Row] = OrderedDict()

    def get(self, content: bytes) -> Row | None:
        """Give a text's vector, if it is remembered."""
        row = self._rows.get(content)
        if row is not None:
            self._rows.move_to_end(content)
        return row

    def put(self, content: bytes, row: Row) -> None:
        """Remember a text's vector, and forget those not used for longest if there is no room."""
        if content in self._rows:
            return
        self._rows[content] = row
        self._bytes += row.nbytes
        while self._bytes > self._max_bytes:
            self._bytes -= self._rows.popitem(last=False)[1].nbytes


def patience_with_texts(embeddings: Embeddings) -> float | None:
    """Tell how long a stream may wait for its next text, in seconds, before it is better ended.

    Our engine embeds what it has when nothing comes, so its streams may wait for ever (`None`).
    The batches of other classes are only sent when they are full or the stream ends.
    """
    return None if isinstance(embeddings, StreamsBatches) else _LINGER_SECONDS


async def embed_stream(
    embeddings: Embeddings, texts: AsyncIterable[str], *, native_async: bool, on_error: OnError
) -> AsyncGenerator[EmbeddedBatch, None]:
    """Embed a stream of texts.

    Args:
        embeddings: Any LangChain embeddings.
        texts: The texts; pulled only as needed.
        native_async: Whether to use `aembed_documents`, on this loop, for foreign classes.
        on_error: Whether a failure ends the stream, or is reported with its text.

    Yields:
        Batches as they finish.
    """
    if isinstance(embeddings, StreamsBatches):
        async with aclosing(embeddings.aembed_batches(texts, on_error=on_error)) as batches:
            async for batch in batches:
                yield batch
        return
    # A model in this process need not be thread-safe, so only what awaits gets several at a time.
    has_async = type(embeddings).aembed_documents is not Embeddings.aembed_documents
    in_flight = _NATIVE_ASYNC_IN_FLIGHT if native_async and has_async else 1
    running: set[asyncio.Task[EmbeddedBatch]] = set()
    try:
        async for start, some in _batched(texts):
            running.add(
                asyncio.create_task(
                    _embed_foreign(
                        embeddings, start, some, native_async=native_async, on_error=on_error
                    )
                )
            )
            if len(running) >= in_flight:
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    yield task.result()
        while running:
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                yield task.result()
    finally:
        for task in running:
            task.cancel()


async def _batched(texts: AsyncIterable[str]) -> AsyncIterator[tuple[int, list[str]]]:
    start = 0
    some: list[str] = []
    async for text in texts:
        some.append(text)
        if len(some) == _FOREIGN_BATCH:
            yield start, some
            start += len(some)
            some = []
    if some:
        yield start, some


async def _embed_foreign(
    embeddings: Embeddings, start: int, texts: list[str], *, native_async: bool, on_error: OnError
) -> EmbeddedBatch:
    indices = tuple(range(start, start + len(texts)))
    try:
        if native_async:
            rows = await embeddings.aembed_documents(texts)
        else:
            rows = await in_worker_thread(lambda: embeddings.embed_documents(texts))
    except Exception as error:
        if on_error == "raise":
            raise
        failure = EndpointError(f"{type(embeddings).__name__} failed: {error}")
        empty = np.empty((0, 0), dtype=np.float32)
        return EmbeddedBatch((), empty, tuple(TextFailure(index, failure) for index in indices))
    return EmbeddedBatch(indices, np.asarray(rows, dtype=np.float32))
