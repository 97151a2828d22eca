"""Every wire form, replayed from recordings of real servers (`cassettes/`).

Record them again with `pytest tests/unit_tests/test_embeddings_cassettes.py --vcr-record=all`. That
starts the local endpoint; `HFENDPOINT_RECORD_URL` (and `HF_TOKEN`) records from an endpoint in the
cloud instead, `-k` chooses the forms it speaks. Host names and tokens do not get into a cassette.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

import numpy as np
import pytest
from langchain_tests.integration_tests import EmbeddingsIntegrationTests
from numpy.typing import NDArray
from pytest_socket import enable_socket

from langchain_hfendpoint._engine import shared
from langchain_hfendpoint._engine.loop import run_sync
from langchain_hfendpoint.embeddings import HFEndpointEmbeddings
from langchain_hfendpoint.errors import InputTooLongError
from langchain_hfendpoint.local.endpoint import LocalEndpoint

HOST = "endpoint.test"
URL = f"http://{HOST}"
TEXTS = ["First text", "Hi!", "I love Sentence Transformers"]
FIRST = [
    [-0.01706981, 0.05439235, 0.00906055],
    [-0.08946919, 0.03267909, 0.01558172],
    [-0.09226393, -0.01157228, 0.00867325],
]
KEPT_HEADERS = {"content-type", "x-queue-time", "x-process-time"}

Flavor = Literal["tei", "toolkit", "hf-serve"]


def _without_host(request: Any) -> Any:
    request.uri = urlunsplit(urlsplit(request.uri)._replace(scheme="http", netloc=HOST))
    request.headers = {"Content-Type": "application/json"}
    return request


def _without_traces(response: Any) -> Any:
    headers = response["headers"]
    kept = {name: value for name, value in headers.items() if name.lower() in KEPT_HEADERS}
    return {**response, "headers": kept, "url": ""}


recorded = pytest.mark.vcr(
    before_record_request=_without_host, before_record_response=_without_traces
)


@pytest.fixture(scope="session")
def local_urls(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """Where to record from; nowhere when playing."""
    elsewhere = os.environ.get("HFENDPOINT_RECORD_URL")
    if request.config.getoption("--vcr-record") in ("none", None):
        yield {}
    elif elsewhere:
        yield dict.fromkeys(("tei", "toolkit", "hf-serve"), elsewhere)
    else:
        enable_socket()
        tei, toolkit = LocalEndpoint(flavor="tei"), LocalEndpoint(flavor="toolkit")
        with tei, toolkit, LocalEndpoint(flavor="hf-serve") as hf_serve:
            yield {"tei": tei.url, "toolkit": toolkit.url, "hf-serve": hf_serve.url}


@pytest.fixture
def make(local_urls: dict[str, str]) -> Any:
    """Make embeddings for a kind of server: the recorded one, or the real one."""
    if local_urls:
        enable_socket()
    # Every test asks the server what it is, whatever tests came before.
    run_sync(shared._close_all())
    shared._by_loop.clear()

    def make(flavor: Flavor, **options: Any) -> HFEndpointEmbeddings:
        return HFEndpointEmbeddings(endpoint_url=local_urls.get(flavor, URL), **options)

    return make


FORMS: dict[str, tuple[Flavor, dict[str, Any]]] = {
    "tei-openai-base64": ("tei", {}),
    "tei-embed": ("tei", {"truncate": True}),
    "tei-embed-raw": ("tei", {"normalize": False}),
    "tei-embed-left": ("tei", {"truncate": True, "truncation_direction": "left"}),
    # The router's route takes what TEI takes at its root.
    "serverless": ("tei", {"protocol": "hf-inference"}),
    "toolkit": ("toolkit", {}),
    "hf-serve-openai-base64": ("hf-serve", {}),
    "hf-serve-native": ("hf-serve", {"normalize": False}),
}


def _unit(rows: NDArray[np.floating]) -> NDArray[np.floating]:
    unit: NDArray[np.floating] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


@recorded
@pytest.mark.parametrize("form", FORMS)
def test_the_published_numbers_come_back(form: str, make: Any) -> None:
    flavor, options = FORMS[form]
    rows = make(flavor, **options).embed_array(TEXTS)
    assert rows.shape == (3, 384)
    assert np.allclose(_unit(rows)[:, :3], FIRST, atol=1e-5)


@recorded
@pytest.mark.parametrize("form", FORMS)
def test_the_async_face_asks_the_same(form: str, make: Any) -> None:
    flavor, options = FORMS[form]
    rows = asyncio.run(make(flavor, **options).aembed_documents(TEXTS))
    assert np.allclose(_unit(np.array(rows))[:, :3], FIRST, atol=1e-5)


@recorded
@pytest.mark.parametrize("flavor", ["tei", "toolkit", "hf-serve"])
def test_fewer_dimensions_are_those_of_the_whole_vector(flavor: Flavor, make: Any) -> None:
    rows = make(flavor, dimensions=64).embed_array(TEXTS)
    assert rows.shape == (3, 64)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    expected = np.array(FIRST)[:, 0] / np.array(FIRST)[:, 1]
    assert np.allclose(rows[:, 0] / rows[:, 1], expected, rtol=1e-3)


@recorded
def test_a_text_that_is_too_long_is_named(make: Any) -> None:
    embeddings = make("tei", truncate=False)
    with pytest.raises(InputTooLongError) as caught:
        embeddings.embed_documents(["short", "long " * 600])
    assert caught.value.indices == (1,)


@recorded
class TestStandard(EmbeddingsIntegrationTests):
    @property
    def embeddings_class(self) -> type[HFEndpointEmbeddings]:
        return HFEndpointEmbeddings

    @pytest.fixture
    def model(self, make: Any) -> HFEndpointEmbeddings:
        embeddings: HFEndpointEmbeddings = make("tei")
        return embeddings
