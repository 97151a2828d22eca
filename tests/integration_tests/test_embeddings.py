"""`HFEndpointEmbeddings` against whole servers, by URL, by name and serverless."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import huggingface_hub
import numpy as np
import pytest
from langchain_core.rate_limiters import InMemoryRateLimiter
from langchain_tests.integration_tests import EmbeddingsIntegrationTests

from langchain_hfendpoint._engine import lookup, retry
from langchain_hfendpoint.embeddings import HFEndpointEmbeddings
from langchain_hfendpoint.errors import (
    ColdStartTimeoutError,
    EndpointAuthenticationError,
    EndpointError,
    EndpointNotRunningError,
)
from langchain_hfendpoint.local import LocalEndpoint
from tests.support.endpoints_api_server import TOKEN, USER, EndpointsAPI, stand_in_for_hugging_face
from tests.support.fault_server import FaultServer, vectors

TEXTS = ["a", "bb", "a", "ccc", "d" * 50]


class TestStandard(EmbeddingsIntegrationTests):
    @property
    def embeddings_class(self) -> type[HFEndpointEmbeddings]:
        return HFEndpointEmbeddings

    @pytest.fixture
    def model(self, local_endpoint: LocalEndpoint) -> HFEndpointEmbeddings:
        return HFEndpointEmbeddings(endpoint_url=local_endpoint.url)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer().running() as running:
        yield running


OPTIONS: list[dict[str, Any]] = [
    {},
    {"normalize": False},
    {"truncate": True},
    {"truncate": False},
    {"truncate": True, "truncation_direction": "left"},
    {"dimensions": 8},
    {"query_prompt_name": "query", "document_prompt_name": "passage"},
    {"query_prefix": "query: ", "document_prefix": "passage: "},
    {"batch_size": 2},
    {"max_concurrency": 1},
    {"protocol": "openai", "model": "m"},
    {"protocol": "tei"},
    {"extra_headers": {"X-Mine": "1"}, "api_key": "hf_mine", "bill_to": "org"},
    {"show_progress": True},
    {"timeout": 30.0, "retry_deadline": 5.0, "cold_start_timeout": 5.0},
    {"rate_limiter": InMemoryRateLimiter(requests_per_second=1e6, max_bucket_size=1e6)},
    {"revision": "abc"},
    {"pickle_secrets": True},
]
# Ways to say where the endpoint is; the two faces find it as told below.
ADDRESSES = {"endpoint_url", "endpoint_name", "namespace"}


def test_the_faces_are_compared_with_every_option() -> None:
    compared = {name for options in OPTIONS for name in options}
    assert compared | ADDRESSES == set(HFEndpointEmbeddings.model_fields)


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options) or "defaults")
def test_both_faces_ask_and_give_the_same(server: FaultServer, options: dict[str, Any]) -> None:
    embeddings = HFEndpointEmbeddings(endpoint_url=server.url, **options)
    embeddings.server_info()

    def requests() -> list[str]:
        seen = [
            f"{path} {body} {headers.get('X-Mine')} {headers.get('Authorization')}"
            for path, body, headers in zip(
                server.paths[-len(server.seen) :],
                server.seen,
                server.headers[-len(server.seen) :],
                strict=True,
            )
        ]
        server.seen.clear()
        return sorted(seen)

    documents, query = embeddings.embed_documents(TEXTS), embeddings.embed_query("q")
    array, report = embeddings.embed_array(TEXTS), embeddings.embed_report(TEXTS)
    by_sync = requests()

    async def again() -> tuple[Any, ...]:
        return (
            await embeddings.aembed_documents(TEXTS),
            await embeddings.aembed_query("q"),
            await embeddings.aembed_array(TEXTS),
            await embeddings.aembed_report(TEXTS),
            await embeddings.aprovenance(),
            await embeddings.aserver_info(),
        )

    adocuments, aquery, aarray, areport, *rest = asyncio.run(again())
    assert (adocuments, aquery) == (documents, query)
    assert np.array_equal(aarray, array)
    assert np.array_equal(areport.vectors, report.vectors)
    server.seen.pop()  # the word that provenance embeds
    assert requests() == by_sync
    assert rest == [embeddings.provenance(), embeddings.server_info()]
    assert all(type(number) is float for number in query)


def test_the_serverless_route_is_spoken_by_its_url(server: FaultServer) -> None:
    url = f"{server.url}/hf-inference/models/org/model/pipeline/feature-extraction"
    embeddings = HFEndpointEmbeddings(endpoint_url=url, api_key="hf_x", bill_to="org")
    assert np.allclose(embeddings.embed_array(TEXTS), vectors(TEXTS), atol=1e-7)
    assert set(server.paths) == {
        "POST /hf-inference/models/org/model/pipeline/feature-extraction",
    }
    assert server.headers[0]["X-HF-Bill-To"] == "org"


def test_a_model_alone_is_a_model_of_the_serverless_api(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = "huggingface_hub.constants.INFERENCE_PROXY_TEMPLATE"
    monkeypatch.setattr(template, server.url + "/{provider}")
    HFEndpointEmbeddings(model="org/model").embed_query("q")
    assert server.paths == ["POST /hf-inference/models/org/model/pipeline/feature-extraction"]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[EndpointsAPI]:
    monkeypatch.setattr(lookup, "_BETWEEN_LOOKS", 0.01)
    monkeypatch.setattr(retry, "_LONGEST_DELAY", 0.01)
    with stand_in_for_hugging_face(monkeypatch) as running:
        yield running


def test_an_endpoint_is_found_by_its_name(api: EndpointsAPI) -> None:
    api.add("mine", model="org/model")
    embeddings = HFEndpointEmbeddings(endpoint_name="mine", namespace=USER, api_key=TOKEN)
    assert len(embeddings.embed_query("q")) == 8
    assert embeddings.provenance().model == "org/model"
    assert len(api.calls("GET", "/mine")) == 1
    again = HFEndpointEmbeddings(endpoint_name="mine", namespace=USER, api_key=TOKEN)
    assert asyncio.run(again.aembed_query("q")) == embeddings.embed_query("q")
    assert asyncio.run(again.aprovenance()) == embeddings.provenance()


def test_a_starting_endpoint_is_waited_for(api: EndpointsAPI) -> None:
    endpoint = api.add("mine", "initializing")
    endpoint.course = ["initializing", "running"]
    embeddings = HFEndpointEmbeddings(endpoint_name="mine", namespace=USER, api_key=TOKEN)
    assert len(embeddings.embed_query("q")) == 8


@pytest.mark.parametrize("state", ["paused", "failed"])
def test_an_endpoint_that_will_not_wake_up_is_an_error_at_once(
    api: EndpointsAPI, state: str
) -> None:
    api.add("mine", state)
    embeddings = HFEndpointEmbeddings(endpoint_name="mine", namespace=USER, api_key=TOKEN)
    with pytest.raises(EndpointNotRunningError, match="hfendpoint endpoint resume mine"):
        embeddings.embed_query("q")


def test_an_endpoint_that_stays_without_url_ends_at_the_deadline(api: EndpointsAPI) -> None:
    api.add("mine", "pending")
    embeddings = HFEndpointEmbeddings(
        endpoint_name="mine", namespace=USER, api_key=TOKEN, cold_start_timeout=0.1
    )
    with pytest.raises(ColdStartTimeoutError, match="pending"):
        embeddings.embed_query("q")


def test_a_name_that_is_not_there_and_a_wrong_token_say_so(api: EndpointsAPI) -> None:
    options: dict[str, Any] = {"endpoint_name": "other", "namespace": USER}
    with pytest.raises(EndpointError, match="endpoint_name"):
        HFEndpointEmbeddings(**options, api_key=TOKEN).embed_query("q")
    with pytest.raises(EndpointAuthenticationError, match="api_key"):
        HFEndpointEmbeddings(**options, api_key="hf_wrong").embed_query("q")


def test_the_hubs_own_endpoint_object_will_do(api: EndpointsAPI) -> None:
    api.add("mine", model="org/model")
    endpoint = huggingface_hub.get_inference_endpoint("mine", namespace=USER, token=TOKEN)
    embeddings = HFEndpointEmbeddings.from_endpoint(endpoint, api_key=TOKEN)
    assert len(embeddings.embed_query("q")) == 8
    assert embeddings.provenance().model == "org/model"


def test_a_paused_local_endpoint_is_an_error_at_once() -> None:
    with LocalEndpoint(paused=True) as endpoint:
        embeddings = HFEndpointEmbeddings(endpoint_url=endpoint.url, endpoint_name="mine")
        with pytest.raises(EndpointNotRunningError, match="hfendpoint endpoint resume mine"):
            embeddings.embed_query("q")


def test_a_scaled_to_zero_local_endpoint_is_woken_up() -> None:
    with LocalEndpoint(cold_start=1.0) as endpoint:
        assert len(HFEndpointEmbeddings(endpoint_url=endpoint.url).embed_query("q")) == 384
