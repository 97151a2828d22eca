"""The whole way: loader, endpoint, index(), Pinecone, retriever; against exact search in NumPy."""

import numpy as np
import pytest
from langchain_core.indexing import InMemoryRecordManager

from langchain_hfendpoint import HFEndpointEmbeddings, SNLILoader, index, open_pinecone
from langchain_hfendpoint.local import LocalEndpoint, LocalPinecone

TOP_K = 5


@pytest.fixture
def embeddings(local_endpoint: LocalEndpoint) -> HFEndpointEmbeddings:
    return HFEndpointEmbeddings(endpoint_url=local_endpoint.url)


def test_the_retriever_answers_200_queries_as_exact_search_does(
    embeddings: HFEndpointEmbeddings, local_pinecone: LocalPinecone
) -> None:
    store = open_pinecone("exact", embeddings)
    loader = SNLILoader("sample", column="hypothesis", unique=True, limit=3_000)
    result = index(loader, InMemoryRecordManager("exact"), store)
    assert result["num_added"] == 3_000

    documents = list(loader.lazy_load())
    premises = SNLILoader("sample", column="premise", unique=True, limit=200)
    queries = [document.page_content for document in premises.lazy_load()]
    assert len(queries) == 200
    texts = np.array([document.page_content for document in documents], dtype=object)
    vectors = embeddings.embed_array(texts.tolist())
    scores = embeddings.embed_array(queries) @ vectors.T

    retriever = store.as_retriever(search_kwargs={"k": TOP_K})
    row_of = {text: row for row, text in enumerate(texts)}
    for query, exact in zip(queries, scores, strict=True):
        found = [row_of[document.page_content] for document in retriever.invoke(query)]
        assert len(set(found)) == TOP_K
        best = np.sort(exact)[::-1][:TOP_K]
        # Comparing scores, not rows: texts may tie to the last float32 digit.
        np.testing.assert_allclose(exact[found], best, atol=2e-6)


async def test_the_async_retriever_answers_as_the_sync_one(
    embeddings: HFEndpointEmbeddings, local_pinecone: LocalPinecone
) -> None:
    store = open_pinecone("twins", embeddings)
    loader = SNLILoader("sample", column="hypothesis", unique=True, limit=500)
    index(loader, InMemoryRecordManager("twins"), store)
    retriever = store.as_retriever(search_kwargs={"k": TOP_K})
    for query in ("a man on a horse", "people eat dinner", "a dog runs on the beach"):
        assert await retriever.ainvoke(query) == retriever.invoke(query)
