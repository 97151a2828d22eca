"""The pinecone 7.3 client, sync and async, against the local server."""

import json
import urllib.request
from collections.abc import Iterator
from email.message import Message

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


def test_a_thousand_long_ids_can_be_fetched_at_once(client: Pinecone) -> None:
    index = make(client, "long-ids")
    ids = [f"{n:04d}" + "x" * 500 for n in range(1_000)]
    for start in range(0, 1_000, 500):
        index.upsert([(id_, [1.0, 2.0, 3.0]) for id_ in ids[start : start + 500]])
    assert len(index.fetch(ids).vectors) == 1_000


def test_a_request_over_2_mb_is_read_to_its_end_and_refused_with_its_size(client: Pinecone) -> None:
    index = make(client, "too-large", dimension=1_000)
    vectors = [(f"{n}", [0.123456789] * 1_000) for n in range(200)]
    with pytest.raises(PineconeApiException, match="message length too large") as refusal:
        index.upsert(vectors, _check_type=False)
    assert refusal.value.status == 400
    assert "limit is: 2097152 bytes" in refusal.value.body


def test_protection_tags_and_conflicts_are_as_in_the_cloud(client: Pinecone) -> None:
    make(client, "guarded")
    client.configure_index("guarded", tags={"a": "1", "b": "2"}, deletion_protection="enabled")
    client.configure_index("guarded", tags={"a": "", "c": "3"})
    assert client.describe_index("guarded").tags.to_dict() == {"b": "2", "c": "3"}
    with pytest.raises(PineconeApiException, match="Deletion protection is enabled") as refusal:
        client.delete_index("guarded")
    assert refusal.value.status == 403
    with pytest.raises(PineconeApiException, match="Resource already exists") as refusal:
        make(client, "guarded")
    assert refusal.value.status == 409
    client.configure_index("guarded", deletion_protection="disabled")
    with pytest.raises(PineconeApiException, match="lowercase alphanumeric") as refusal:
        make(client, "Upper-Case")
    assert refusal.value.status == 400
    with pytest.raises(NotFoundException, match="not found"):
        client.describe_index("nobody")


async def test_the_asyncio_client_works_too(server: LocalPinecone, client: Pinecone) -> None:
    make(client, "async")
    async with client.IndexAsyncio(host=client.describe_index("async").host) as index:
        await index.upsert([("a", [1.0, 2.0, 3.0])])
        assert (await index.query(id="a", top_k=1)).matches[0].score == 1.0


def test_injected_faults_reach_the_client_at_the_given_share() -> None:
    with LocalPinecone(faults={429: 0.5}) as server:
        index = make(Pinecone(api_key=server.api_key, host=server.host), "faulty")
        refused = sum(is_refused(index) for _ in range(60))
        assert 10 <= refused <= 50  # by chance outside of it once in 10 million runs


def is_refused(index: object) -> bool:
    try:
        index.describe_index_stats()
    except PineconeApiException as error:
        return error.status == 429
    return False


def test_lsn_headers_tell_when_a_write_can_be_read(server: LocalPinecone, client: Pinecone) -> None:
    index = make(client, "lsn")
    host = client.describe_index("lsn").host
    headers = {"Api-Key": server.api_key}
    written = post(
        f"{host}/vectors/upsert", headers, {"vectors": [{"id": "a", "values": [1, 2, 3]}]}
    )
    read = post(f"{host}/query", headers, {"id": "a", "topK": 1})
    assert int(read["x-pinecone-max-indexed-lsn"]) >= int(written["x-pinecone-request-lsn"]) > 0
    assert index.fetch(["a"]).vectors


def post(url: str, headers: dict[str, str], body: dict) -> Message:
    request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")
    with urllib.request.urlopen(request) as answer:
        return answer.headers
