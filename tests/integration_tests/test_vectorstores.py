"""open_pinecone against a real local Pinecone, through the real client."""

import pytest
from langchain_core.documents import Document
from pinecone import Pinecone, ServerlessSpec

from langchain_hfendpoint import open_pinecone
from langchain_hfendpoint._provenance import Provenance
from langchain_hfendpoint.errors import (
    ConfigurationError,
    IndexNotFoundError,
    PineconeError,
    ProvenanceMismatchError,
)
from langchain_hfendpoint.local import LocalPinecone
from langchain_hfendpoint.vectorstores import stored_provenance
from tests.support.embeddings import HashEmbeddings


@pytest.fixture
def client(local_pinecone: LocalPinecone) -> Pinecone:
    return Pinecone(api_key=local_pinecone.api_key, host=local_pinecone.host)


def _create(client: Pinecone, name: str, *, dimension: int = 8, metric: str = "cosine") -> None:
    spec = ServerlessSpec(cloud="aws", region="us-east-1")
    client.create_index(name=name, dimension=dimension, metric=metric, spec=spec)


def test_a_missing_index_is_created_with_the_probed_dimension(client: Pinecone) -> None:
    open_pinecone("books", HashEmbeddings(dimension=13, model="m"))
    description = client.describe_index("books")
    assert (description.dimension, description.metric) == (13, "cosine")
    assert description.tags.to_dict()["hfendpoint-model"] == "m"


def test_what_was_added_is_found_through_the_retriever(local_pinecone: LocalPinecone) -> None:
    store = open_pinecone("books", HashEmbeddings(), namespace="shelf")
    store.add_documents([Document("one", metadata={"page": 1}), Document("two")], ids=["1", "2"])
    (found,) = store.as_retriever(search_kwargs={"k": 1}).invoke("two")
    assert (found.id, found.page_content) == ("2", "two")


def test_an_index_is_opened_again_by_the_same_model(local_pinecone: LocalPinecone) -> None:
    open_pinecone("books", HashEmbeddings(model="m"))
    again = open_pinecone("books", HashEmbeddings(model="m"))
    assert stored_provenance(again) == Provenance(8, model="m")


def test_an_index_of_another_model_is_refused_with_both_names(
    local_pinecone: LocalPinecone,
) -> None:
    open_pinecone("books", HashEmbeddings(model="old"))
    with pytest.raises(ProvenanceMismatchError, match=r"model 'old' there, 'new' here"):
        open_pinecone("books", HashEmbeddings(model="new"))


def test_an_index_of_another_dimension_is_refused_with_both_numbers(client: Pinecone) -> None:
    _create(client, "books", dimension=5)
    with pytest.raises(ProvenanceMismatchError, match="dimension 5 there, 8 here"):
        open_pinecone("books", HashEmbeddings())


def test_an_index_of_another_metric_is_refused_only_if_one_was_asked_for(client: Pinecone) -> None:
    _create(client, "books", metric="dotproduct")
    with pytest.raises(ConfigurationError, match="'dotproduct', not 'cosine'"):
        open_pinecone("books", HashEmbeddings(), metric="cosine")
    open_pinecone("books", HashEmbeddings())


def test_an_empty_index_without_provenance_gets_it(client: Pinecone) -> None:
    _create(client, "books")
    open_pinecone("books", HashEmbeddings(model="m"))
    assert client.describe_index("books").tags.to_dict()["hfendpoint-model"] == "m"


def test_a_filled_index_without_provenance_gets_none(client: Pinecone) -> None:
    _create(client, "books")
    vector = HashEmbeddings().embed_query("somebody else's")
    client.Index("books").upsert(vectors=[("1", vector)])
    store = open_pinecone("books", HashEmbeddings(model="m"))
    assert client.describe_index("books").tags.to_dict() == {}
    assert stored_provenance(store) == Provenance(8)


def test_a_missing_index_that_is_not_to_be_created_names_those_there_are(client: Pinecone) -> None:
    _create(client, "films")
    with pytest.raises(IndexNotFoundError, match=r"no index 'books'. There are: films"):
        open_pinecone("books", HashEmbeddings(), create=False)


def test_a_wrong_key_is_one_sentence_without_the_key(local_pinecone: LocalPinecone) -> None:
    with pytest.raises(PineconeError, match="does not accept the API key") as caught:
        open_pinecone("books", HashEmbeddings(), api_key="wrong-key-7")
    assert caught.value.status == 401
    assert "wrong-key-7" not in str(caught.value)


def test_a_bad_index_name_is_refused_in_pinecones_words(local_pinecone: LocalPinecone) -> None:
    with pytest.raises(PineconeError, match="'No_Such_Name'") as caught:
        open_pinecone("No_Such_Name", HashEmbeddings())
    assert caught.value.status == 400


def test_without_any_key_the_local_server_is_pointed_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PINECONE_API_KEY", raising=False)
    with pytest.raises(ConfigurationError, match=r"PINECONE_API_KEY.*LocalPinecone"):
        open_pinecone("books", HashEmbeddings())
