"""Where documents come from, read chunk by chunk and never as a whole."""

from __future__ import annotations

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
) -> AsyncIterator[Chunk]:
    """Read a source in chunks.

    Args:
        source: The source.
        size: Documents in a chunk; the last one may be smaller.
        calls: How blocking calls are made; `None` for the async face, which prefers async methods.

    Yields:
        The chunks, in the source's order.

    Raises:
        ConfigurationError: If it is no source of documents.
    """
    prefer_async = calls is None
    calls = calls or in_worker_thread
    if isinstance(source, EmbeddedSource):
        batches = _rechunk(source.lazy_load_vectors(), size)
        while (embedded := await calls(lambda: next(batches, None))) is not None:
            yield embedded
        return
    if isinstance(source, AsyncIterable):
        async for chunk in _gather(source, size):
            yield chunk
        return
    if isinstance(source, BaseLoader):
        if _is_async_at_heart(source) and (prefer_async or not _is_sync_at_heart(source)):
            async for chunk in _gather(source.alazy_load(), size):
                yield chunk
            return
        documents = await calls(lambda: _iterate(source))
    elif isinstance(source, Iterable):
        documents = iter(source)
    else:
        raise ConfigurationError(
            f"A {type(source).__name__} is no source of documents: give a document loader, an "
            "iterable or async iterable of documents, or an embedded data set."
        )
    while some := await calls(lambda: list(islice(documents, size))):
        yield Chunk(some)


def _iterate(loader: BaseLoader) -> Iterator[Document]:
    try:
        return iter(loader.lazy_load())
    except NotImplementedError:
        return iter(loader.load())


def _is_async_at_heart(loader: BaseLoader) -> bool:
    return type(loader).alazy_load is not BaseLoader.alazy_load


def _is_sync_at_heart(loader: BaseLoader) -> bool:
    kind = type(loader)
    return kind.lazy_load is not BaseLoader.lazy_load or kind.load is not BaseLoader.load


async def _gather(documents: AsyncIterable[Document], size: int) -> AsyncIterator[Chunk]:
    some: list[Document] = []
    async for document in documents:
        some.append(document)
        if len(some) == size:
            yield Chunk(some)
            some = []
    if some:
        yield Chunk(some)


def _rechunk(batches: Iterable[tuple[Sequence[Document], Matrix]], size: int) -> Iterator[Chunk]:
    for documents, vectors in batches:
        for start in range(0, len(documents), size):
            part = slice(start, start + size)
            yield Chunk(documents[part], vectors[part])
