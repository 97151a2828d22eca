"""The pinecone 7.3 client, sync and async, against the local server."""

from collections.abc import Iterator

import pytest
from pinecone import Pinecone, ServerlessSpec
from pinecone.exceptions import NotFoundException, PineconeApiException

from langchain_hfendpoint.local.pinecone import LocalPinecone


@pytest.fixture(scope="module")
def server() -> Iterator[LocalPinecone]:
    with LocalPinecone() as running:
        yield running


@pytest.fixture
def client(server: LocalPinecone) -> Iterator[Pinecone]:
    client = Pinecone(api_key=server.api_key, host=server.host)
    yield client
    for name in client.list_indexes().names():
        client.delete_index(name)


def make(client: Pinecone, name: str, *, metric: str = "cosine", dimension: int = 3):
    client.create_index(
        name,
        dimension=dimension,
        metric=metric,
        spec=ServerlessSpec(cloud="aws", region="us-east-1"),
    )
    return client.Index(name)


def test_what_is_upserted_is_found_fetched_listed_and_counted(client: Pinecone) -> None:
    index = make(client, "round-trip")
    index.upsert([("a", [1.0, 0.0, 0.0], {"page": 0, "tags": ["x"]}), ("b", [0.0, 1.0, 0.0], {})])
    match = index.query(vector=[1.0, 0.0, 0.0], top_k=1, include_metadata=True).matches[0]
    assert (match.id, match.score, match.metadata) == ("a", 1.0, {"page": 0.0, "tags": ["x"]})
    assert index.fetch(["a", "b", "c"]).vectors.keys() == {"a", "b"}
    assert list(index.list()) == [["a", "b"]]
    assert index.describe_index_stats().total_vector_count == 2


def test_deleting_in_a_namespace_that_is_not_there_is_404(client: Pinecone) -> None:
    index = make(client, "unknown-namespace")
    with pytest.raises(NotFoundException, match="Namespace not found"):
        index.delete(ids=["a"], namespace="nowhere")


def test_a_wrong_key_is_refused_on_both_planes(server: LocalPinecone, client: Pinecone) -> None:
    make(client, "locked")
    stranger = Pinecone(api_key="wrong", host=server.host)
    with pytest.raises(PineconeApiException, match="401"):
        stranger.list_indexes()
    host = client.describe_index("locked").host
    with pytest.raises(PineconeApiException, match="Wrong API key"):
        stranger.Index(host=host).describe_index_stats()
