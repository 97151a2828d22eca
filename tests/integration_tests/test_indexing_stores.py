"""Other people's vector stores end as with langchain-core's index(); absent ones are skipped."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import langchain_core.indexing as core
import numpy as np
import numpy.typing as npt
import pytest
from langchain_core.documents import Document
from langchain_core.vectorstores import InMemoryVectorStore, VectorStore

from langchain_hfendpoint import SQLiteRecordManager, aindex, index
from langchain_hfendpoint._provenance import Provenance
from tests.support.indexing import DIMENSION, CountingEmbeddings, TickingRecordManager, vector_of


def in_memory() -> VectorStore:
    return InMemoryVectorStore(CountingEmbeddings())


def faiss() -> VectorStore:
    library = pytest.importorskip("faiss")
    stores = pytest.importorskip("langchain_community.vectorstores")
    docstore = pytest.importorskip("langchain_community.docstore.in_memory")
    store: VectorStore = stores.FAISS(
        CountingEmbeddings(), library.IndexFlatIP(DIMENSION), docstore.InMemoryDocstore(), {}
    )
    return store


def chroma() -> VectorStore:
    stores = pytest.importorskip("langchain_chroma")
    store: VectorStore = stores.Chroma(
        f"test-{uuid.uuid4().hex}", embedding_function=CountingEmbeddings()
    )
    return store


def qdrant() -> VectorStore:
    stores = pytest.importorskip("langchain_qdrant")
    client = pytest.importorskip("qdrant_client").QdrantClient(":memory:")
    models = pytest.importorskip("qdrant_client.models")
    size = models.VectorParams(size=DIMENSION, distance=models.Distance.COSINE)
    client.create_collection("test", vectors_config=size)
    store: VectorStore = stores.QdrantVectorStore(client, "test", embedding=CountingEmbeddings())
    return store


class Embedded:
    """An embedded data set of a few texts."""

    def __init__(self, texts: int) -> None:
        self.provenance = Provenance(DIMENSION)
        self._texts = [f"text {n}" for n in range(texts)]

    def lazy_load_vectors(self) -> Iterator[tuple[list[Document], npt.NDArray[np.float32]]]:
        rows = [vector_of(text) for text in self._texts]
        yield [Document(text) for text in self._texts], np.array(rows, dtype=np.float32)


STORES = [in_memory, faiss, chroma, qdrant]
RUNS = [
    [Document(f"text {n % 70}", metadata={"source": str(n % 3)}) for n in range(200)],
    [Document(f"text {n}", metadata={"source": str(n % 2)}) for n in range(40, 110)],
    [Document("text 41", metadata={"source": "1"})],
]


def found_in(store: VectorStore) -> list[tuple[str, str]]:
    """Texts and sources of all documents."""
    documents = store.similarity_search("text 1", k=500)
    return sorted((one.page_content, one.metadata["source"]) for one in documents)


@pytest.mark.parametrize("make", STORES, ids=lambda make: make.__name__)
@pytest.mark.parametrize("cleanup", [None, "incremental", "full", "scoped_full"])
@pytest.mark.parametrize("face", ["sync", "async"])
async def test_it_counts_and_ends_as_with_langchain_core(
    make: Callable[[], VectorStore], cleanup: Any, face: str
) -> None:
    mine, my_records = make(), TickingRecordManager()
    theirs, their_records = in_memory(), TickingRecordManager()
    for documents in RUNS:
        options = {"cleanup": cleanup, "source_id_key": "source", "batch_size": 10}
        expected = core.index(documents, their_records, theirs, key_encoder="sha256", **options)
        if face == "sync":
            result = index(documents, my_records, mine, **options)
        else:
            result = await aindex(documents, my_records, mine, **options)
        assert result == expected
        assert found_in(mine) == found_in(theirs)


@pytest.mark.parametrize("make", STORES, ids=lambda make: make.__name__)
def test_an_embedded_data_set_goes_in_without_a_text_embedded(
    make: Callable[[], VectorStore],
) -> None:
    store = make()
    embeddings = store.embeddings
    assert isinstance(embeddings, CountingEmbeddings)
    report = index(Embedded(250), SQLiteRecordManager("embedded", ":memory:"), store)
    assert (report["num_added"], report.embedded, report.reused) == (250, 0, 250)
    assert not embeddings.asked
    assert store.embeddings is embeddings, "the store has its own back"
    [nearest] = store.similarity_search("text 41", k=1)
    assert nearest.page_content == "text 41"
