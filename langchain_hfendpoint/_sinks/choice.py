"""Choose the sink that serves a store best."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.indexing import DocumentIndex
from langchain_core.vectorstores import VectorStore

from langchain_hfendpoint._indexing.calls import Calls
from langchain_hfendpoint._provenance import Provenance
from langchain_hfendpoint._sinks.base import Sink
from langchain_hfendpoint._sinks.documents import DocumentSink
from langchain_hfendpoint.errors import ConfigurationError


def open_sink(
    store: VectorStore | DocumentIndex,
    *,
    provenance: Provenance | None,
    calls: Calls | None,
    batch_size: int,
    upsert_kwargs: Mapping[str, Any],
    in_flight: int | None,
) -> Sink:
    """Choose how documents are written.

    Args:
        store: Where documents go.
        provenance: How ready-made vectors were made; `None` if the store's embeddings make them.
        calls: How blocking calls are made in the caller's thread; `None` to use async methods.
        batch_size: What `add_documents` is told.
        upsert_kwargs: Further arguments of the store's method.
        in_flight: Writes in flight; `None` for the sink's default.

    Returns:
        The sink.

    Raises:
        ConfigurationError: If it is no store of documents, or cannot do what is asked.
    """
    if _is_named_pinecone(store):
        from langchain_pinecone import PineconeVectorStore

        from langchain_hfendpoint._sinks.pinecone import PineconeSink

        # A subclass that adds texts in its own way (the sparse store does) is to go on doing so,
        # and what it embeds need not be one dense vector a text.
        if isinstance(store, PineconeVectorStore) and (
            type(store).add_texts is PineconeVectorStore.add_texts
        ):
            _check_pinecone_kwargs(upsert_kwargs)
            return PineconeSink(
                store,
                provenance=provenance,
                namespace=upsert_kwargs.get("namespace"),
                in_flight=in_flight,
            )
    if not isinstance(store, (VectorStore, DocumentIndex)):
        raise ConfigurationError(
            f"A {type(store).__name__} is no vector store and no document index of LangChain."
        )
    return DocumentSink(
        store,
        calls=calls,
        batch_size=batch_size,
        upsert_kwargs=upsert_kwargs,
        in_flight=in_flight,
        provenance=provenance,
        lend=not _is_named_pinecone(store),
    )


def _is_named_pinecone(store: object) -> bool:
    # By name first, so that other stores do not need the extra.
    return any(kind.__name__ == "PineconeVectorStore" for kind in type(store).__mro__)


def _check_pinecone_kwargs(upsert_kwargs: Mapping[str, Any]) -> None:
    unknown = sorted(set(upsert_kwargs) - {"namespace"})
    if unknown:
        raise ConfigurationError(
            f"upsert_kwargs {unknown} mean nothing to the Pinecone writer, which sizes its own "
            "requests: only 'namespace' does."
        )
