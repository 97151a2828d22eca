"""Any LangChain vector store or document index, through its own methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from langchain_core.documents import Document
from langchain_core.indexing import DocumentIndex
from langchain_core.indexing.api import IndexingException
from langchain_core.vectorstores import VectorStore

from langchain_hfendpoint._indexing.calls import Calls, in_worker_thread
from langchain_hfendpoint._provenance import Provenance, provenance_of
from langchain_hfendpoint._sinks.base import E, Entry, Refused, Row, Write, document_with_id
from langchain_hfendpoint._sinks.lending import Borrower
from langchain_hfendpoint.errors import ConfigurationError, IndexingError
from langchain_hfendpoint.vectorstores import check_same_provenance

_IN_FLIGHT = 4
SERVED = frozenset(
    {
        "AstraDBVectorStore",
        "AzureSearch",
        "Chroma",
        "ElasticsearchStore",
        "Milvus",
        "MongoDBAtlasVectorSearch",
        "OpenSearchVectorSearch",
        "PGVector",
        "PGVectorStore",
        "RedisVectorStore",
        "WeaviateVectorStore",
    }
)
"""Stores whose server (or lock) sorts out writes that come at once. Others may live inside the
process: FAISS and Qdrant's local mode lose documents when two threads write, SQLite ones are bound
to their thread. Those are written to one batch at a time, by the caller's thread."""


class DeletionError(IndexingError, IndexingException):
    """A store failed to delete; caught as langchain-core's `IndexingException` too."""


class DocumentSink:
    """Hands documents to a store, lending it their vectors if it lets us.

    Args:
        store: The store.
        calls: How blocking calls are made in the caller's thread; `None` to use async methods.
        batch_size: What `add_documents` is told.
        upsert_kwargs: Further arguments of `add_documents` or `upsert`.
        in_flight: Batches in flight; by default 4 for stores with a server, and 1 for others.
        provenance: How ready-made vectors were made; `None` if the store's embeddings make them.
        lend: Whether to lend the store vectors; else it embeds by itself.

    Raises:
        ConfigurationError: If the store cannot delete, or cannot be lent ready-made vectors.
    """

    retries = 0

    def __init__(
        self,
        store: VectorStore | DocumentIndex,
        *,
        calls: Calls | None,
        batch_size: int,
        upsert_kwargs: Mapping[str, Any],
        in_flight: int | None,
        provenance: Provenance | None,
        lend: bool = True,
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
        self._provenance = provenance
        self._borrower = Borrower.of(store) if lend and isinstance(store, VectorStore) else None
        if provenance is not None and self._borrower is None:
            raise ConfigurationError(
                f"A {type(store).__name__} cannot be given the vectors of an embedded data set: it "
                "has no embeddings, or hides them. Use another store, or index plain documents."
            )
        self.takes_vectors = self._borrower is not None
        self.embeddings = None if self._borrower is None else self._borrower.embeddings
        served = any(kind.__name__ in SERVED for kind in type(store).__mro__)
        self.in_flight = in_flight or (_IN_FLIGHT if served else 1)
        # The caller's thread does one thing at a time; only several in flight need others.
        alone = calls is None or self.in_flight == 1
        self._write_calls: Calls | None = calls if alone else in_worker_thread

    def check(self, key: str, document: Document) -> bytes:  # noqa: ARG002 (the protocol)
        """Accept every document: what it can hold is the store's own business."""
        return b""

    async def verify(self) -> None:
        """Compare ready-made vectors with the store's embeddings, and begin to stand in for those.

        Raises:
            ProvenanceMismatchError: If queries would be embedded in another way.
        """
        borrower, stored = self._borrower, self._provenance
        if borrower is None:
            return
        if stored is not None:
            asked = await in_worker_thread(lambda: provenance_of(borrower.embeddings))
            check_same_provenance("The embedded data set", stored, asked)
        borrower.begin()

    def writes(self, entries: Sequence[E]) -> Sequence[Write[E]]:
        """Divide entries into batches, such as langchain-core hands over."""
        size = self._batch_size
        return [Write(entries[start : start + size]) for start in range(0, len(entries), size)]

    def enough(self, entries: Sequence[Entry]) -> bool:
        """Tell whether there is a batch; what the store embeds itself comes in batches already."""
        return not self.takes_vectors or len(entries) >= self._batch_size

    async def write(self, write: Write[E]) -> Sequence[Refused[E]]:
        """Have the store keep a batch; it is the store's business whether it keeps part of one."""
        documents = [document_with_id(entry.document, entry.key) for entry in write.entries]
        try:
            if isinstance(self._store, VectorStore):
                rows = {
                    entry.document.page_content: entry.row
                    for entry in write.entries
                    if entry.row is not None
                }
                with nullcontext() if self._borrower is None else self._borrower.lend(rows):
                    await self._add(self._store, documents)
                return []
            failed = await self._upsert(self._store, documents)
        except Exception as error:  # noqa: BLE001 (raised, or reported, as the caller asks)
            return [Refused(entry, error) for entry in write.entries]
        refusal = IndexingError("The document index says that it failed to store this document.")
        return [Refused(entry, refusal) for entry in write.entries if entry.key in failed]

    async def fetch(self, keys: Sequence[str]) -> dict[str, Row]:  # noqa: ARG002 (the protocol)
        """Know no vectors."""
        return {}

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete documents by key.

        Raises:
            DeletionError: If the store says that it failed.
        """
        store, ids = self._store, list(keys)
        if self._calls is None:
            response = await store.adelete(ids)
        else:
            response = await self._calls(lambda: store.delete(ids))
        failed = response.get("num_failed", 0) if isinstance(response, dict) else response is False
        if failed:
            raise DeletionError(
                f"The store failed to delete {len(ids)} outdated documents; they stay recorded, "
                "so that the next run tries again."
            )

    async def close(self) -> None:
        """Give the store its embeddings back."""
        if self._borrower is not None:
            self._borrower.end()

    async def _add(self, store: VectorStore, documents: list[Document]) -> None:
        keys = [document.id for document in documents]
        kwargs = {"ids": keys, "batch_size": self._batch_size, **self._upsert_kwargs}
        if self._write_calls is None:
            await store.aadd_documents(documents, **kwargs)
        else:
            await self._write_calls(lambda: store.add_documents(documents, **kwargs))

    async def _upsert(self, index: DocumentIndex, documents: list[Document]) -> set[str]:
        """Give the keys that failed."""
        if self._write_calls is None:
            response = await index.aupsert(documents, **self._upsert_kwargs)
        else:
            response = await self._write_calls(
                lambda: index.upsert(documents, **self._upsert_kwargs)
            )
        return set(response["failed"])


def _can_delete(store: VectorStore, *, use_async: bool) -> bool:
    kind = type(store)
    if kind.delete is not VectorStore.delete:
        return True
    return use_async and kind.adelete is not VectorStore.adelete
