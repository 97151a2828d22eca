"""The Pinecone writer against the local Pinecone: stored as `PineconeVectorStore` would."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import langchain_core.indexing as core
import numpy as np
import numpy.typing as npt
import pytest
from langchain_core.documents import Document
from langchain_core.indexing import InMemoryRecordManager
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_pinecone import PineconeVectorStore

from langchain_hfendpoint import SQLiteRecordManager, index, open_pinecone
from langchain_hfendpoint._provenance import Provenance
from langchain_hfendpoint.errors import MetadataError, PineconeError, ProvenanceMismatchError
from langchain_hfendpoint.indexing import aindex
from langchain_hfendpoint.local.pinecone import LocalPinecone
from langchain_hfendpoint.local.testing import local_pinecone  # noqa: F401 (a fixture)
from tests.support.indexing import CountingEmbeddings, vector_of


@pytest.fixture
def embeddings() -> CountingEmbeddings:
    return CountingEmbeddings()


@pytest.fixture
def store(
    local_pinecone: LocalPinecone,  # noqa: F811 (the fixture)
    embeddings: CountingEmbeddings,
) -> PineconeVectorStore:
    return open_pinecone(f"test-{uuid.uuid4().hex[:8]}", embeddings)


@pytest.fixture
def records() -> SQLiteRecordManager:
    return SQLiteRecordManager("tests", ":memory:")


def everything(store: PineconeVectorStore, *, namespace: str = "") -> dict[str, Any]:
    """All records of a namespace by id, as the stock client reads them."""
    found: dict[str, Any] = {}
    for ids in store.index.list(namespace=namespace):
        found.update(store.index.fetch(ids=ids, namespace=namespace).vectors)
    return found


def test_what_is_stored_is_what_the_stock_store_stores(
    store: PineconeVectorStore, records: SQLiteRecordManager
) -> None:
    documents = [
        Document("A man inspects a uniform.", metadata={"label": 2, "split": "train", "ok": True}),
        Document("Zwei Männer äßen 你好.", metadata={"tags": ["a", "b"], "score": 0.25}),
        Document(" two  spaces\nand a line ", metadata={}),
    ]
    result = index(documents, records, store)
    assert result["num_added"] == 3
    ours = {one.metadata["text"]: one for one in everything(store).values()}
    theirs_ids = store.add_documents(
        [Document(one.page_content, metadata=dict(one.metadata)) for one in documents],
        namespace="stock",
        async_req=False,
    )
    theirs = {one.metadata["text"]: one for one in everything(store, namespace="stock").values()}
    assert len(theirs_ids) == 3
    assert ours.keys() == theirs.keys()
    for text, record in ours.items():
        assert record.metadata == theirs[text].metadata
        assert record.values == theirs[text].values
        assert np.asarray(record.values, dtype=np.float32).tolist() == vector_of(text)


def test_the_stock_store_finds_and_reads_back_what_was_indexed(
    store: PineconeVectorStore, records: SQLiteRecordManager
) -> None:
    index([Document(f"sentence {n}", metadata={"row": n}) for n in range(50)], records, store)
    (found,) = store.similarity_search("sentence 7", k=1)
    assert found.page_content == "sentence 7"
    assert found.metadata == {"row": 7.0}
    assert records.exists([found.id or ""]) == [True]


def test_the_callers_documents_are_left_alone(
    store: PineconeVectorStore, records: SQLiteRecordManager
) -> None:
    shared = {"source": "a", "none": None}
    documents = [Document("one", metadata=shared), Document("two", metadata=shared)]
    index(documents, records, store)
    assert shared == {"source": "a", "none": None}
    assert documents[0].id is None
    assert sorted(one.metadata["text"] for one in everything(store).values()) == ["one", "two"]


def test_text_key_and_namespace_of_the_store_are_honored(
    local_pinecone: LocalPinecone,  # noqa: F811 (the fixture)
    embeddings: CountingEmbeddings,
    records: SQLiteRecordManager,
) -> None:
    store = open_pinecone("keyed", embeddings, namespace="nli", text_key="sentence")
    index([Document("one", metadata={"text": "mine"})], records, store)
    (record,) = everything(store, namespace="nli").values()
    assert record.metadata == {"sentence": "one", "text": "mine"}
    index([], records, store, cleanup="full")
    assert everything(store, namespace="nli") == {}


def test_a_namespace_in_upsert_kwargs_wins(
    store: PineconeVectorStore, records: SQLiteRecordManager
) -> None:
    index([Document("one")], records, store, upsert_kwargs={"namespace": "other"})
    assert len(everything(store, namespace="other")) == 1
    assert everything(store) == {}


@pytest.mark.parametrize("cleanup", [None, "incremental", "full", "scoped_full"])
async def test_counts_and_end_are_those_of_langchain_core(
    store: PineconeVectorStore, records: SQLiteRecordManager, cleanup: Any
) -> None:
    memory, theirs = InMemoryVectorStore(CountingEmbeddings()), InMemoryRecordManager("theirs")
    runs = [
        [Document(f"text {n % 40}", metadata={"source": str(n % 3)}) for n in range(150)],
        [Document(f"text {n}", metadata={"source": str(n % 2)}) for n in range(20, 60)],
        [],
        [Document("text 1", metadata={"source": "0"})],
    ]
    for position, documents in enumerate(runs):
        options: dict[str, Any] = {
            "cleanup": cleanup,
            "source_id_key": "source",
            "key_encoder": "sha256",
            "batch_size": 16,
        }
        expected = core.index(documents, theirs, memory, **options)
        if position % 2:
            result = await aindex(documents, records, store, **options)
        else:
            result = index(documents, records, store, **options)
        assert result == expected
        assert everything(store).keys() == memory.store.keys()
        assert sorted(records.list_keys()) == sorted(theirs.list_keys())


def test_equal_texts_are_embedded_once(
    store: PineconeVectorStore, embeddings: CountingEmbeddings, records: SQLiteRecordManager
) -> None:
    documents = [Document(f"premise {n // 3}", metadata={"pair": n}) for n in range(600)]
    result = index(documents, records, store)
    assert result["num_added"] == 600
    assert (result.embedded, result.reused) == (200, 400)
    assert set(embeddings.asked.values()) == {1}
    assert len(everything(store)) == 600


def test_changed_metadata_take_their_vector_from_the_store(
    store: PineconeVectorStore, embeddings: CountingEmbeddings, records: SQLiteRecordManager
) -> None:
    texts = [f"sentence {n}" for n in range(300)]
    index([Document(text, metadata={"version": 1}) for text in texts], records, store)
    embeddings.asked.clear()
    changed = [Document(text, metadata={"version": 2}) for text in texts]
    result = index(changed, records, store, cleanup="full")
    assert result == {"num_added": 300, "num_updated": 0, "num_deleted": 300, "num_skipped": 0}
    assert (result.embedded, result.reused) == (0, 300)
    assert not embeddings.asked
    for record in everything(store).values():
        assert record.metadata["version"] == 2
        vector = np.asarray(record.values, dtype=np.float32).tolist()
        assert vector == vector_of(record.metadata["text"])


def test_a_vector_that_the_store_lost_is_embedded_again(
    store: PineconeVectorStore, records: SQLiteRecordManager
) -> None:
    index([Document("one", metadata={"version": 1})], records, store)
    store.index.delete(delete_all=True)
    result = index([Document("one", metadata={"version": 2})], records, store)
    assert result.embedded == 1
    assert len(everything(store)) == 1


def test_force_update_embeds_everything_again(
    store: PineconeVectorStore, embeddings: CountingEmbeddings, records: SQLiteRecordManager
) -> None:
    documents = [Document(f"sentence {n}") for n in range(30)]
    index(documents, records, store)
    result = index(documents, records, store, force_update=True)
    assert result == {"num_added": 0, "num_updated": 30, "num_deleted": 0, "num_skipped": 0}
    assert set(embeddings.asked.values()) == {2}


def test_metadata_that_pinecone_cannot_hold_cost_nothing(
    store: PineconeVectorStore, embeddings: CountingEmbeddings, records: SQLiteRecordManager
) -> None:
    bad = Document("bad", metadata={"when": {"year": 2026}})
    embeddings.asked.clear()
    with pytest.raises(MetadataError, match=r"'when'.*'bad'"):
        index([bad], records, store)
    assert not embeddings.asked
    documents = [Document("good"), bad, Document("never reached")]
    with pytest.raises(MetadataError, match=r"'when'.*'bad'"):
        index(documents, records, store)
    assert embeddings.asked == {"good": 1}, "what came before is stored, and not embedded again"
    result = index(documents, records, store, on_error="skip")
    assert (result["num_added"], result["num_skipped"]) == (1, 1)
    assert embeddings.asked["good"] == 1
    (failed,) = result.failed
    assert "'when'" in failed.reason
    assert records.exists([failed.id]) == [False]


def test_a_converter_makes_metadata_that_pinecone_can_hold(
    store: PineconeVectorStore, records: SQLiteRecordManager
) -> None:
    document = Document("one", metadata={"when": {"year": 2026}})
    index([document], records, store, convert_metadata=lambda one: {"year": one["when"]["year"]})
    (record,) = everything(store).values()
    assert record.metadata == {"text": "one", "year": 2026}
    assert document.metadata == {"when": {"year": 2026}}


def test_a_record_that_pinecone_refuses_is_named_and_the_others_arrive(
    store: PineconeVectorStore, embeddings: CountingEmbeddings, records: SQLiteRecordManager
) -> None:
    class Zero(CountingEmbeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            rows = super().embed_documents(texts)
            return [[0.0] * 8 if "zero" in t else row for t, row in zip(texts, rows, strict=True)]

    store._embedding = Zero()
    documents = [Document(f"sentence {n}") for n in range(40)] + [Document("zero")]
    result = index(documents, records, store, on_error="skip")
    assert result["num_added"] == 40
    (failed,) = result.failed
    assert "400" in failed.reason
    assert len(everything(store)) == 40
    with pytest.raises(PineconeError, match="400"):
        index(documents, records, store)


def test_another_dimension_is_refused_before_anything_is_embedded(
    store: PineconeVectorStore, records: SQLiteRecordManager
) -> None:
    wrong = CountingEmbeddings(dimension=16)
    store._embedding = wrong
    with pytest.raises(ProvenanceMismatchError, match=r"8.*16"):
        index([Document(str(n)) for n in range(500)], records, store)
    assert not wrong.asked
    assert records.list_keys() == []


def test_a_wrong_key_is_told_as_such(
    store: PineconeVectorStore, embeddings: CountingEmbeddings, records: SQLiteRecordManager
) -> None:
    other = PineconeVectorStore(
        embedding=embeddings, pinecone_api_key="wrong-key", host=store._index_host
    )
    with pytest.raises(PineconeError) as caught:
        index([Document("one")], records, other)
    assert "API key" in str(caught.value)
    assert "wrong-key" not in str(caught.value)


def test_wide_vectors_are_sent_in_bodies_that_pinecone_takes(
    local_pinecone: LocalPinecone,  # noqa: F811 (the fixture)
    records: SQLiteRecordManager,
) -> None:
    store = open_pinecone("wide", CountingEmbeddings(dimension=3_072))
    result = index([Document(f"sentence {n}") for n in range(150)], records, store)
    assert result["num_added"] == 150
    assert store.index.describe_index_stats().total_vector_count == 150


class Embedded:
    """An embedded data set: documents that bring their vectors."""

    def __init__(self, dimension: int) -> None:
        self.provenance = Provenance(dimension=dimension)

    def lazy_load_vectors(
        self,
    ) -> Iterator[tuple[Sequence[Document], npt.NDArray[np.float32]]]:
        for start in range(0, 500, 250):
            some = [Document(f"row {n}") for n in range(start, start + 250)]
            rows = [vector_of(one.page_content, self.provenance.dimension) for one in some]
            yield some, np.asarray(rows, dtype=np.float32)


def test_an_embedded_data_set_is_stored_as_it_is_and_nothing_is_embedded(
    store: PineconeVectorStore, embeddings: CountingEmbeddings, records: SQLiteRecordManager
) -> None:
    result = index(Embedded(8), records, store)
    assert (result["num_added"], result.embedded, result.reused) == (500, 0, 500)
    assert not embeddings.asked
    for record in everything(store).values():
        vector = np.asarray(record.values, dtype=np.float32)
        assert vector.tolist() == vector_of(record.metadata["text"])
    assert index(Embedded(8), records, store)["num_skipped"] == 500


def test_an_embedded_data_set_of_another_dimension_is_refused(
    store: PineconeVectorStore, records: SQLiteRecordManager
) -> None:
    with pytest.raises(ProvenanceMismatchError, match=r"8.*4"):
        index(Embedded(4), records, store)
