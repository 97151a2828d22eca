"""The flavor hf-serve beside the real one: the same requests, the same answers.

`HFENDPOINT_HF_SERVE` names the program of an environment with hf-serve 0.1.5.
"""

import os
import socket
import subprocess
import time

import numpy as np
import pytest

from langchain_hfendpoint.local import LocalEndpoint
from langchain_hfendpoint.local._endpoint.locating import locate
from tests.support.http_calls import call

PROGRAM = os.environ.get("HFENDPOINT_HF_SERVE")

pytestmark = [
    pytest.mark.hf_serve,
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="needs hf-serve: HFENDPOINT_HF_SERVE"),
]
JSON = {"Content-Type": "application/json"}
REQUESTS = [
    ("/", b'{"inputs":"hello world"}', JSON),
    ("/predict", b'{"sentences":["hello world","a"],"normalize":false}', JSON),
    ("/", b'{"inputs":{"sentences":["a"]},"parameters":{"dimensions":64}}', JSON),
    ("/", b'{"inputs":"a","dimensions":0}', JSON),
    ("/", b'{"inputs":"a","truncate":true,"truncation_direction":"left"}', JSON),
    ("/", b'{"inputs":"a","truncation_direction":"up"}', JSON),
    ("/", b'{"inputs":"a","prompt_name":"nope"}', JSON),
    ("/", b'{"inputs":[]}', JSON),
    ("/", b'{"inputs":""}', JSON),
    ("/", b'{"inputs":["","a"]}', JSON),
    ("/", b'{"inputs":[1]}', JSON),
    ("/", b'{"text":"a"}', JSON),
    ("/", b"{", JSON),
    ("/", b"", JSON),
    ("/", b'["a"]', JSON),
    ("/", b'{"inputs":"a"}', {"Content-Type": "text/plain"}),
    ("/", b'{"inputs":"a"}', {"Content-Type": "application/json; charset=utf-8"}),
    ("/v1/embeddings", b'{"input":"hello world","model":"m"}', JSON),
    ("/v1/embeddings", b'{"input":["a","b"],"model":"m","dimensions":64}', JSON),
    ("/v1/embeddings", b'{"input":["a"],"model":"m","encoding_format":"base64"}', JSON),
    ("/v1/embeddings", b'{"input":[],"model":"m"}', JSON),
    ("/v1/embeddings", b'{"input":"","model":"m"}', JSON),
    ("/v1/embeddings", b'{"input":"a"}', JSON),
    ("/v1/embeddings", b'{"input":"a","model":"m","encoding_format":"hex"}', JSON),
    ("/embed", b'{"inputs":"a"}', JSON),
    ("/health", None, {}),
    ("/info", None, {}),
    ("/", None, {}),
]


@pytest.fixture(scope="module")
def real():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = ["--model-dir", str(locate().directory), "--task", "sentence-embeddings"]
    process = subprocess.Popen(
        [PROGRAM, *arguments, "--device", "cpu", "--host", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(500):
            try:
                call(url, "/health")
                break
            except OSError:
                time.sleep(0.5)
        yield url
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def ours():
    with LocalEndpoint(flavor="hf-serve") as endpoint:
        yield endpoint.url


def same(a, b):
    """Equal, but for the last digits of numbers and of what they are packed into."""
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return abs(a - b) < 1e-5
    if isinstance(a, str) and isinstance(b, str) and len(a) > 1000:
        return len(a) == len(b)
    return a == b


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("path", "body", "headers"), REQUESTS)
def test_the_same_request_gets_the_same_answer(real, ours, path, body, headers):
    theirs, answer = (call(url, path, body=body, headers=headers) for url in (real, ours))
    assert answer.status == theirs.status
    assert answer.headers["content-type"] == theirs.headers["content-type"]
    if "json" in theirs.headers["content-type"]:
        assert same(answer.json, theirs.json), (answer.text[:2000], theirs.text[:2000])
    else:
        assert answer.text == theirs.text
    assert ("x-process-time" in answer.headers) == ("x-process-time" in theirs.headers)


def test_the_vectors_are_the_same(real, ours):
    texts = ["hello world", "A man is sleeping outside.", "word " * 400]
    rows = [np.array(call(url, "/", {"inputs": texts}).json["embeddings"]) for url in (real, ours)]
    np.testing.assert_allclose(rows[0], rows[1], atol=1e-5)
