"""Any LangChain vector store or document index, through its own public methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.documents import Document
from langchain_core.indexing import DocumentIndex
from langchain_core.indexing.api import IndexingException
from langchain_core.vectorstores import VectorStore

from langchain_hfendpoint._indexing.calls import Calls, in_worker_thread
from langchain_hfendpoint._sinks.base import E, Entry, Refused, Row, Write, document_with_id
from langchain_hfendpoint.errors import ConfigurationError, IndexingError

_IN_FLIGHT = 4
NOT_THREAD_SAFE = frozenset(
    {"FAISS", "SKLearnVectorStore", "SQLiteVec", "SQLiteVSS", "DocArrayInMemorySearch", "USearch"}
)
"""Stores inside the process whose `add_documents` must not run twice at once, or that are bound to
the thread that made them. These are written to by the caller's thread, one batch at a time."""


class DeletionError(IndexingError, IndexingException):
    """A store failed to delete; caught as langchain-core's `IndexingException` too."""


class DocumentSink:
    """Hands documents to a store that embeds by itself.

    Args:
        store: The store.
        calls: How blocking calls are made in the caller's thread; `None` to use async methods.
        batch_size: What `add_documents` is told.
        upsert_kwargs: Further arguments of `add_documents` or `upsert`.
        in_flight: Batches in flight; by default 4, and 1 for stores known not to be thread-safe.

    Raises:
        ConfigurationError: If the store cannot delete.
    """

    takes_vectors = False
    retries = 0

    def __init__(
        self,
        store: VectorStore | DocumentIndex,
        *,
        calls: Calls | None,
        batch_size: int,
        upsert_kwargs: Mapping[str, Any],
        in_flight: int | None,
    ) -> None:
        if isinstance(store, VectorStore) and not _can_delete(store, use_async=calls is None):
            raise ConfigurationError(
                f"{type(store).__name__} does not implement delete(), which indexing needs to "
                "replace documents by id. Use another vector store."
            )
        self._store = store
        self._calls = calls
        self._batch_size = batch_size
        self._upsert_kwargs = dict(upsert_kwargs)
        alone = any(kind.__name__ in NOT_THREAD_SAFE for kind in type(store).__mro__)
        self.in_flight = in_flight or (1 if alone else _IN_FLIGHT)
        # The caller's thread does one thing at a time; only several in flight need others.
        self._write_calls = calls if self.in_flight == 1 else in_worker_thread

    def check(self, key: str, document: Document) -> bytes:  # noqa: ARG002 (the protocol)
        """Accept every document: what it can hold is the store's own business."""
        return b""

    async def verify(self) -> None:
        """Accept: a store that embeds by itself has embeddings that fit it."""

    def writes(self, entries: Sequence[E]) -> Sequence[Write[E]]:
        """Hand all over at once, as langchain-core does."""
        return [Write(entries)]

    def enough(self, entries: Sequence[Entry]) -> bool:  # noqa: ARG002 (the protocol)
        """Never wait for more than one batch of the source."""
        return True

    async def write(self, write: Write[E]) -> Sequence[Refused[E]]:
        """Have the store embed and keep the documents."""
        documents = [document_with_id(entry.document, entry.key) for entry in write.entries]
        keys = [entry.key for entry in write.entries]
        if isinstance(self._store, VectorStore):
            store = self._store
            kwargs = {"ids": keys, "batch_size": self._batch_size, **self._upsert_kwargs}
            if self._calls is None:
                await store.aadd_documents(documents, **kwargs)
            else:
                await self._write_call(lambda: store.add_documents(documents, **kwargs))
            return []
        index = self._store
        if self._calls is None:
            response = await index.aupsert(documents, **self._upsert_kwargs)
        else:
            response = await self._write_call(
                lambda: index.upsert(documents, **self._upsert_kwargs)
            )
        failed = set(response["failed"])
        error = IndexingError("The document index says that it failed to store this document.")
        return [Refused(entry, error) for entry in write.entries if entry.key in failed]

    async def fetch(self, keys: Sequence[str]) -> dict[str, Row]:  # noqa: ARG002 (the protocol)
        """Know no vectors."""
        return {}

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete documents by key.

        Raises:
            DeletionError: If the store says that it failed.
        """
        store, ids = self._store, list(keys)
        if isinstance(store, VectorStore):
            done = (
                await store.adelete(ids)
                if self._calls is None
                else await self._calls(lambda: store.delete(ids))
            )
            failed = done is False
        else:
            response = (
                await store.adelete(ids)
                if self._calls is None
                else await self._calls(lambda: store.delete(ids))
            )
            failed = response.get("num_failed", 0) > 0
        if failed:
            raise DeletionError(
                f"The store failed to delete {len(ids)} outdated documents; they stay recorded, "
                "so that the next run tries again."
            )

    async def close(self) -> None:
        """Leave the store as it is: it belongs to the caller."""

    async def _write_call(self, function: Any) -> Any:
        assert self._write_calls is not None  # noqa: S101 (only without async methods)
        return await self._write_calls(function)


def _can_delete(store: VectorStore, *, use_async: bool) -> bool:
    kind = type(store)
    if kind.delete is not VectorStore.delete:
        return True
    return use_async and kind.adelete is not VectorStore.adelete
