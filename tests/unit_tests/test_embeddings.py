"""`HFEndpointEmbeddings` without a network: LangChain's own suite, options, secrets."""

from __future__ import annotations

import copy
import pickle
import types
from typing import Any

import pytest
from langchain_tests.unit_tests import EmbeddingsUnitTests
from pydantic import ValidationError

from langchain_hfendpoint.embeddings import HFEndpointEmbeddings

URL = "http://127.0.0.1:8080"
SECRET = "hf_TopSecretOfTests"

pytestmark = pytest.mark.usefixtures("_no_environment")


@pytest.fixture
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_TOKEN", "HUGGINGFACEHUB_API_TOKEN", "HF_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)


class TestStandard(EmbeddingsUnitTests):
    @property
    def embeddings_class(self) -> type[HFEndpointEmbeddings]:
        return HFEndpointEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"endpoint_url": URL}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return (
            {"HF_TOKEN": SECRET, "HF_ENDPOINT_URL": URL},
            {},
            {"api_key": SECRET, "endpoint_url": URL},
        )


def test_the_first_variable_that_is_set_gives_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUGGINGFACEHUB_API_TOKEN", "second")
    assert _key(HFEndpointEmbeddings(endpoint_url=URL)) == "second"
    monkeypatch.setenv("HF_TOKEN", "first")
    assert _key(HFEndpointEmbeddings(endpoint_url=URL)) == "first"


def test_an_address_that_is_given_wins_over_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_ENDPOINT_URL", "http://elsewhere")
    assert HFEndpointEmbeddings(endpoint_name="mine").endpoint_url is None
    assert HFEndpointEmbeddings(model="org/model").endpoint_url is None
    assert HFEndpointEmbeddings(endpoint_url=URL).endpoint_url == URL


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "HF_ENDPOINT_URL"),
        ({"endpoint_url": "org/model"}, "`model`"),
        ({"endpoint_url": f"http://user:{SECRET}@host"}, "api_key"),
        ({"endpoint_url": f"http://host?token={SECRET}"}, "api_key"),
        ({"endpoint_url": URL, "query_prompt_name": "q", "query_prefix": "q: "}, "not both"),
        ({"endpoint_url": URL, "document_prompt_name": "d", "document_prefix": "d: "}, "not both"),
        ({"endpoint_url": URL, "batch_size": 0}, "batch_size"),
        ({"endpoint_url": URL, "dimensions": -1}, "dimensions"),
        ({"endpoint_url": URL, "timeout": 0}, "timeout"),
        ({"endpoint_url": URL, "truncation_direction": "up"}, "truncation_direction"),
        ({"endpoint_url": URL, "batchsize": 8}, "batchsize"),
    ],
)
def test_an_option_that_cannot_work_is_refused_without_repeating_secrets(
    options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValidationError, match=words) as caught:
        HFEndpointEmbeddings(**options)
    assert SECRET not in str(caught.value)


def test_no_secret_is_shown_or_pickled() -> None:
    embeddings = HFEndpointEmbeddings(
        endpoint_url=URL, api_key=SECRET, extra_headers={"X-Key": SECRET}
    )
    shown = [repr(embeddings), str(embeddings), str(embeddings.model_dump())]
    shown += [embeddings.model_dump_json(), repr(vars(embeddings)), f"{embeddings._session()!r}"]
    shown += [repr(embeddings._settings()), repr(embeddings._address())]
    for text in shown:
        assert SECRET not in text
    assert SECRET.encode() not in pickle.dumps(embeddings)


def test_a_pickle_takes_its_token_from_where_it_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    pickled = pickle.dumps(HFEndpointEmbeddings(endpoint_url=URL, api_key=SECRET, batch_size=7))
    assert pickle.loads(pickled).api_key is None
    monkeypatch.setenv("HF_TOKEN", "of_the_worker")
    loaded = pickle.loads(pickled)
    assert (_key(loaded), loaded.batch_size) == ("of_the_worker", 7)
    assert loaded._address().given_token is None


def test_a_pickle_keeps_its_secrets_if_asked_to() -> None:
    embeddings = HFEndpointEmbeddings(
        endpoint_url=URL, api_key=SECRET, extra_headers={"X-Key": "1"}, pickle_secrets=True
    )
    loaded = pickle.loads(pickle.dumps(embeddings))
    assert _key(loaded) == SECRET
    assert loaded._address().given_token == SECRET
    assert loaded.extra_headers["X-Key"].get_secret_value() == "1"


def test_copies_keep_the_token_and_changed_options_count() -> None:
    embeddings = HFEndpointEmbeddings(endpoint_url=URL, api_key=SECRET)
    session = embeddings._session()
    assert _key(copy.deepcopy(embeddings)) == SECRET
    assert copy.deepcopy(embeddings)._session() is session
    assert embeddings.model_copy(update={"normalize": False})._session() is not session
    embeddings.dimensions = 64
    assert embeddings._session() is not session


def test_an_inference_endpoint_object_tells_everything() -> None:
    endpoint = types.SimpleNamespace(
        name="mine", url=URL, namespace="me", repository="org/model", revision="abc"
    )
    embeddings = HFEndpointEmbeddings.from_endpoint(endpoint, dimensions=64)
    assert (embeddings.endpoint_url, embeddings.endpoint_name) == (URL, "mine")
    assert (embeddings.namespace, embeddings.model) == ("me", "org/model")
    assert (embeddings.revision, embeddings.dimensions) == ("abc", 64)


def test_one_string_is_not_taken_for_a_list_of_letters() -> None:
    embeddings = HFEndpointEmbeddings(endpoint_url=URL)
    with pytest.raises(TypeError, match="list"):
        embeddings.embed_documents("one string")  # type: ignore[arg-type]


def test_no_texts_need_no_endpoint() -> None:
    embeddings = HFEndpointEmbeddings(endpoint_url=URL)
    assert embeddings.embed_documents([]) == []
    assert embeddings.embed_array([]).shape == (0, 0)
    assert list(embeddings.embed_batches([])) == []


def _key(embeddings: HFEndpointEmbeddings) -> str | None:
    return None if embeddings.api_key is None else embeddings.api_key.get_secret_value()
