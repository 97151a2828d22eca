"""Where documents come from, read chunk by chunk and never as a whole."""

from __future__ import annotations

import time
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Sequence, Sized
from itertools import islice
from typing import Protocol, TypeVar, Union, runtime_checkable

import numpy as np
import numpy.typing as npt
from langchain_core.document_loaders import BaseLoader
from langchain_core.documents import Document

from langchain_hfendpoint._indexing.calls import Calls, in_worker_thread
from langchain_hfendpoint._provenance import Provenance
from langchain_hfendpoint.errors import ConfigurationError

T = TypeVar("T")
_READ_AHEAD_DOCUMENTS = 1_000
_READ_AHEAD_SECONDS = 0.02

Matrix = npt.NDArray[np.float32]


@runtime_checkable
class EmbeddedSource(Protocol):
    """Documents that have their vectors already, such as an embedded data set."""

    @property
    def provenance(self) -> Provenance:
        """How the vectors were made."""

    def lazy_load_vectors(self) -> Iterator[tuple[Sequence[Document], Matrix]]:
        """Give documents in batches, each with its float32 (n, dimension) vectors."""


DocumentSource = Union[  # noqa: UP007 (a runtime alias, and Python 3.10 has no `|` for all of these)
    BaseLoader, Iterable[Document], AsyncIterable[Document], EmbeddedSource
]


class Chunk:
    """Some documents, with their vectors if those are known."""

    __slots__ = ("documents", "vectors")

    def __init__(self, documents: Sequence[Document], vectors: Matrix | None = None) -> None:
        self.documents = documents
        self.vectors = vectors


@runtime_checkable
class CountsAhead(Protocol):
    """A source that knows how many documents it will give at most (`SNLILoader` does)."""

    def max_documents(self) -> int | None:
        """Tell how many, if that costs little."""


def known_length(source: DocumentSource) -> int | None:
    """Tell how many documents a source has (at most), if it knows."""
    if isinstance(source, Sized):
        return len(source)
    return source.max_documents() if isinstance(source, CountsAhead) else None


async def read_chunks(
    source: DocumentSource, size: int, *, calls: Calls | None
) -> AsyncIterator[Sequence[Chunk]]:
    """Read a source in chunks.

    Args:
        source: The source.
        size: Documents in a chunk; the last one may be smaller.
        calls: How blocking calls are made; `None` for the async face, which prefers async methods.

    Yields:
        The chunks, in the source's order: those together that came at once.

    Raises:
        ConfigurationError: If it is no source of documents.
    """
    documents = _as_async(source, prefer_async=calls is None)
    if documents is not None:
        async for chunk in _gather(documents, size):
            yield [chunk]
        return
    calls = calls or in_worker_thread
    chunks = await calls(lambda: _cut(source, size))
    while True:
        some, error = await calls(lambda: _read_ahead(chunks))
        if some:
            yield some
        if error is not None:
            raise error
        if not some:
            return


def _as_async(source: DocumentSource, *, prefer_async: bool) -> AsyncIterable[Document] | None:
    if isinstance(source, AsyncIterable):
        return source
    if isinstance(source, BaseLoader):
        kind = type(source)
        has_async = kind.alazy_load is not BaseLoader.alazy_load
        has_sync = not (kind.lazy_load is BaseLoader.lazy_load and kind.load is BaseLoader.load)
        if has_async and (prefer_async or not has_sync):
            return source.alazy_load()
    return None


async def _gather(documents: AsyncIterable[Document], size: int) -> AsyncIterator[Chunk]:
    some: list[Document] = []
    async for document in documents:
        some.append(document)
        if len(some) == size:
            yield Chunk(some)
            some = []
    if some:
        yield Chunk(some)


def _cut(source: DocumentSource, size: int) -> Iterator[Chunk]:
    """Begin to read a source, chunk by chunk."""
    if isinstance(source, EmbeddedSource):
        return _cut_embedded(source.lazy_load_vectors(), size)
    if isinstance(source, BaseLoader):
        try:
            documents = iter(source.lazy_load())
        except NotImplementedError:
            documents = iter(source.load())
    elif isinstance(source, Iterable):
        documents = iter(source)
    else:
        raise ConfigurationError(
            f"A {type(source).__name__} is no source of documents: give a document loader, an "
            "iterable or async iterable of documents, or an embedded data set."
        )
    return map(Chunk, iter(lambda: list(islice(documents, size)), []))


def _cut_embedded(
    batches: Iterable[tuple[Sequence[Document], Matrix]], size: int
) -> Iterator[Chunk]:
    for documents, vectors in batches:
        for start in range(0, len(documents), size):
            part = slice(start, start + size)
            yield Chunk(documents[part], vectors[part])


def _read_ahead(chunks: Iterator[Chunk]) -> tuple[list[Chunk], Exception | None]:
    """Read a chunk, and more as long as that takes next to no time: each visit costs some.

    What was read before the source failed is not to be lost, so its error comes beside it.
    """
    some: list[Chunk] = []
    read = 0
    until = time.monotonic() + _READ_AHEAD_SECONDS
    try:
        for chunk in chunks:
            some.append(chunk)
            read += len(chunk.documents)
            if read >= _READ_AHEAD_DOCUMENTS or time.monotonic() > until:
                break
    except Exception as error:  # noqa: BLE001 (raised by read_chunks)
        return some, error
    return some, None
