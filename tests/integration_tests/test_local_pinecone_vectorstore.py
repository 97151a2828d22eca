"""langchain-tests' standard suite, run through PineconeVectorStore on the local server."""

from collections.abc import Iterator

import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings
from langchain_pinecone import PineconeVectorStore
from langchain_tests.integration_tests import VectorStoreIntegrationTests
from pinecone import Pinecone, ServerlessSpec

from langchain_hfendpoint.local.pinecone import LocalPinecone

MUTATES = "langchain-pinecone 0.2.13 writes its text key into the caller's metadata"


class FakeEmbedding(DeterministicFakeEmbedding):
    """langchain-core's fake, with builtin floats: pinecone 7 refuses NumPy's."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [[float(x) for x in row] for row in super().embed_documents(texts)]

    def embed_query(self, text: str) -> list[float]:
        return [float(x) for x in super().embed_query(text)]


@pytest.fixture(scope="module")
def server() -> Iterator[LocalPinecone]:
    with LocalPinecone() as running:
        yield running


class TestPineconeVectorStore(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(
        self, server: LocalPinecone, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[PineconeVectorStore]:
        monkeypatch.setenv("PINECONE_CONTROLLER_HOST", server.host)
        monkeypatch.setenv("PINECONE_API_KEY", server.api_key)
        client = Pinecone()
        client.create_index(
            "standard", dimension=6, spec=ServerlessSpec(cloud="aws", region="us-east-1")
        )
        # An empty namespace exists from the first write on; deleting there is 404, as in the cloud.
        client.Index("standard").upsert([("first", [1.0] * 6)])
        client.Index("standard").delete(ids=["first"])
        yield PineconeVectorStore(index_name="standard", embedding=self.get_embeddings())
        client.delete_index("standard")

    @staticmethod
    def get_embeddings() -> Embeddings:
        return FakeEmbedding(size=6)

    @property
    def has_get_by_ids(self) -> bool:
        return False

    @pytest.mark.xfail(reason=MUTATES, strict=True)
    def test_add_documents(self, vectorstore: PineconeVectorStore) -> None:
        super().test_add_documents(vectorstore)

    @pytest.mark.xfail(reason=MUTATES, strict=True)
    async def test_add_documents_async(self, vectorstore: PineconeVectorStore) -> None:
        await super().test_add_documents_async(vectorstore)
