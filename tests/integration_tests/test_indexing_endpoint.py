"""index() through the engine, against a simulated endpoint."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from langchain_core.documents import Document
from langchain_core.indexing import InMemoryRecordManager
from langchain_core.vectorstores import InMemoryVectorStore

from benchmarks.simulated_endpoint import Shape, SimulatedEndpoint, row_of, vector_table
from langchain_hfendpoint import HFEndpointEmbeddings, aindex, index
from langchain_hfendpoint.errors import EndpointConnectionError, InputRejectedError
from tests.support.indexing import documents

DIMENSION = 16


@pytest.fixture(scope="module")
def endpoint() -> Iterator[SimulatedEndpoint]:
    with SimulatedEndpoint(Shape(dimension=DIMENSION, service_seconds=0.005)) as running:
        yield running


@pytest.fixture
def store(endpoint: SimulatedEndpoint) -> InMemoryVectorStore:
    return InMemoryVectorStore(HFEndpointEmbeddings(endpoint_url=endpoint.url))


def assert_each_has_its_vector(store: InMemoryVectorStore, count: int) -> None:
    table = vector_table(DIMENSION)
    assert len(store.store) == count
    for one in store.store.values():
        assert one["vector"] == table[row_of(one["text"])].tolist()


def test_every_document_gets_its_own_vector(
    endpoint: SimulatedEndpoint, store: InMemoryVectorStore
) -> None:
    before = endpoint.stats()["texts"]
    some = [Document(f"premise {n // 3}", metadata={"pair": n}) for n in range(3_000)]
    result = index(some, InMemoryRecordManager("sync"), store)
    assert (result.embedded, result.reused) == (1_000, 2_000)
    assert endpoint.stats()["texts"] - before <= 1_003
    assert_each_has_its_vector(store, 3_000)


async def test_the_async_face_does_the_same_on_any_loop(store: InMemoryVectorStore) -> None:
    async def source() -> AsyncIterator[Document]:
        for number in range(2_000):
            if number % 500 == 0:
                await asyncio.sleep(0.01)
            yield Document(f"sentence {number}")

    result = await aindex(source(), InMemoryRecordManager("async"), store)
    assert result.embedded == 2_000
    assert_each_has_its_vector(store, 2_000)


def test_texts_that_the_endpoint_refuses_are_named_one_by_one(store: InMemoryVectorStore) -> None:
    records = InMemoryRecordManager("skip")
    some = documents(*(f"good {n}" for n in range(100)), "")
    with pytest.raises(InputRejectedError):
        index(some, InMemoryRecordManager("raise"), store)
    result = index(some, records, store, on_error="skip")
    assert result["num_added"] == 100
    (failed,) = result.failed
    assert records.exists([failed.id]) == [False]
    assert "" not in {one["text"] for one in store.store.values()}


def test_an_endpoint_that_goes_away_leaves_what_was_stored_recorded() -> None:
    records = InMemoryRecordManager("gone")
    with SimulatedEndpoint(Shape(dimension=DIMENSION)) as mortal:
        store = InMemoryVectorStore(
            HFEndpointEmbeddings(endpoint_url=mortal.url, retry_deadline=1.0)
        )
        index(documents(*(f"early {n}" for n in range(200))), records, store)
    with pytest.raises(EndpointConnectionError):
        index(documents(*(f"late {n}" for n in range(200))), records, store)
    assert sorted(records.list_keys()) == sorted(store.store)
    assert len(store.store) == 200
