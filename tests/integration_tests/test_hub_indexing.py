"""From an endpoint to a folder to Pinecone: real servers, and no text embedded twice."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from langchain_hfendpoint import (
    EmbeddedDataset,
    HFEndpointEmbeddings,
    SNLILoader,
    SQLiteRecordManager,
    index,
    open_pinecone,
)
from langchain_hfendpoint._hub.stored import StoredEmbeddings
from langchain_hfendpoint.errors import ConfigurationError, ProvenanceMismatchError
from langchain_hfendpoint.local import LocalEndpoint, LocalPinecone
from tests.support.embeddings import HashEmbeddings


@pytest.fixture(scope="module")
def embeddings() -> Iterator[HFEndpointEmbeddings]:
    with (
        LocalEndpoint() as endpoint,
        HFEndpointEmbeddings(endpoint_url=endpoint.url) as embeddings,
    ):
        yield embeddings


@pytest.fixture(scope="module")
def embedded(
    embeddings: HFEndpointEmbeddings, tmp_path_factory: pytest.TempPathFactory
) -> EmbeddedDataset:
    loader = SNLILoader("sample", unique=True, limit=300)
    folder = tmp_path_factory.mktemp("embedded")
    return EmbeddedDataset.create(loader, embeddings, folder, rows_per_shard=128)


@pytest.fixture
def pinecone() -> Iterator[LocalPinecone]:
    with LocalPinecone() as server:
        yield server


def test_each_document_lies_with_its_own_vector(
    embedded: EmbeddedDataset, embeddings: HFEndpointEmbeddings
) -> None:
    assert embedded.provenance == embeddings.provenance()
    assert "text-embeddings-inference" in embedded.manifest.embedded_with
    for documents, vectors in embedded.lazy_load_vectors():
        [first] = embeddings.embed_array([documents[0].page_content])
        assert np.allclose(first, vectors[0], atol=1e-6)


def test_indexing_asks_no_endpoint_and_searching_finds(
    embedded: EmbeddedDataset, embeddings: HFEndpointEmbeddings, pinecone: LocalPinecone
) -> None:
    records = SQLiteRecordManager("pinecone/test", ":memory:")
    without = open_pinecone(
        "test",
        StoredEmbeddings(embedded.provenance),
        api_key=pinecone.api_key,
        controller_host=pinecone.host,
    )
    report = index(embedded, records, without)
    assert (report["num_added"], report.embedded) == (300, 0)
    assert index(embedded, records, without)["num_skipped"] == 300

    store = open_pinecone(
        "test", embeddings, api_key=pinecone.api_key, controller_host=pinecone.host
    )
    document = next(iter(embedded.as_documents()))
    [(found, score)] = store.similarity_search_with_score(document.page_content, k=1)
    assert found.page_content == document.page_content
    assert score == pytest.approx(1, abs=1e-5)


def test_an_index_of_another_model_is_refused_with_both_values(
    embedded: EmbeddedDataset, pinecone: LocalPinecone
) -> None:
    store = open_pinecone(
        "other",
        HashEmbeddings(dimension=384, model="other-model"),
        api_key=pinecone.api_key,
        controller_host=pinecone.host,
    )
    with pytest.raises(ProvenanceMismatchError, match=r"other-model.*all-MiniLM-L6-v2"):
        index(embedded, SQLiteRecordManager("pinecone/other", ":memory:"), store)
    assert store.index.describe_index_stats().total_vector_count == 0


def test_embeddings_that_are_only_known_do_not_embed(embedded: EmbeddedDataset) -> None:
    with pytest.raises(ConfigurationError, match="there is no endpoint here"):
        StoredEmbeddings(embedded.provenance).embed_query("text")


def test_a_text_the_endpoint_refuses_is_left_out_and_named(
    embeddings: HFEndpointEmbeddings, tmp_path: Path
) -> None:
    documents = list(SNLILoader("sample", unique=True, limit=40).lazy_load())
    documents[7].page_content = ""
    made = EmbeddedDataset.create(documents, embeddings, tmp_path, on_error="skip")
    assert len(made) == 39
    [failed] = made.manifest.failed
    assert (failed.position, failed.id) == (7, documents[7].id)
