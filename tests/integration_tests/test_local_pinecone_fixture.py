"""The pytest fixture that users import, and what it sets."""

from pinecone import Pinecone, ServerlessSpec

from langchain_hfendpoint.local.pinecone import LocalPinecone
from langchain_hfendpoint.local.testing import local_pinecone  # noqa: F401


def test_the_fixture_points_the_client_at_a_fresh_server(
    local_pinecone: LocalPinecone,  # noqa: F811
) -> None:
    client = Pinecone()
    assert client.list_indexes().names() == []
    client.create_index("fresh", dimension=2, spec=ServerlessSpec(cloud="aws", region="us-east-1"))
    assert client.describe_index("fresh").host == f"{local_pinecone.host}/i/fresh"


async def test_the_server_is_an_async_context_manager_too() -> None:
    async with LocalPinecone(consistency_delay=3_600.0) as server:
        client = Pinecone(api_key=server.api_key, host=server.host)
        client.create_index(
            "later", dimension=2, spec=ServerlessSpec(cloud="aws", region="us-east-1")
        )
        index = client.Index("later")
        index.upsert([("a", [1.0, 2.0])])
        assert index.fetch(["a"]).vectors == {}
