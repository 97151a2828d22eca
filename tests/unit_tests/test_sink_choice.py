"""Which sink serves which store."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.vectorstores import InMemoryVectorStore, VectorStore
from langchain_pinecone import PineconeVectorStore

from langchain_hfendpoint._sinks.base import Sink
from langchain_hfendpoint._sinks.choice import open_sink
from langchain_hfendpoint._sinks.documents import DocumentSink
from langchain_hfendpoint._sinks.pinecone import PineconeSink
from langchain_hfendpoint.errors import ConfigurationError
from tests.support.indexing import CountingEmbeddings


def sink_for(store: VectorStore, **upsert_kwargs: Any) -> Sink:
    return open_sink(
        store,
        provenance=None,
        calls=None,
        batch_size=100,
        upsert_kwargs=upsert_kwargs,
        in_flight=None,
    )


def pinecone(kind: type[PineconeVectorStore] = PineconeVectorStore) -> PineconeVectorStore:
    return kind(embedding=CountingEmbeddings(), pinecone_api_key="key", host="http://127.0.0.1:1")


def test_pinecone_has_its_own_writer() -> None:
    assert isinstance(sink_for(pinecone()), PineconeSink)


def test_a_plain_subclass_of_the_pinecone_store_has_it_too() -> None:
    class Named(PineconeVectorStore):
        pass

    assert isinstance(sink_for(pinecone(Named)), PineconeSink)


def test_a_subclass_that_adds_texts_in_its_own_way_goes_on_doing_so() -> None:
    class Sparse(PineconeVectorStore):
        def add_texts(self, *arguments: Any, **options: Any) -> list[str]:
            return super().add_texts(*arguments, **options)

    sink = sink_for(pinecone(Sparse))
    assert isinstance(sink, DocumentSink)
    assert not sink.takes_vectors


def test_other_stores_are_written_to_by_their_own_method() -> None:
    assert isinstance(sink_for(InMemoryVectorStore(CountingEmbeddings())), DocumentSink)


def test_arguments_that_the_pinecone_writer_does_not_have_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="pool_threads"):
        sink_for(pinecone(), namespace="a", pool_threads=4)
