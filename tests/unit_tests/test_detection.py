"""Which kind of server an endpoint is."""

from __future__ import annotations

import json

import pytest

from langchain_hfendpoint._engine.detection import Probe, base_url, is_serverless, recognize
from langchain_hfendpoint._engine.tokens import choose_token, is_hugging_face
from langchain_hfendpoint.errors import ConfigurationError, EndpointError

INFO = {
    "model_id": "/repository",
    "model_sha": None,
    "model_type": {"embedding": {"pooling": "mean"}},
    "max_concurrent_requests": 512,
    "max_input_length": 384,
    "max_client_batch_size": 64,
    "served_model_name": "org/model",
    "version": "1.9.3",
}


def probe(path: str, body: object, status: int = 200, **headers: str) -> Probe:
    raw = body if isinstance(body, str) else json.dumps(body)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Probe(path, status, raw.encode(), names)


def test_tei_tells_its_limits() -> None:
    server = recognize(probe("/info", INFO))
    assert server is not None
    assert (server.protocol, server.model, server.version) == ("tei", "org/model", "1.9.3")
    assert (server.max_batch, server.permits, server.max_tokens) == (64, 512, 384)


@pytest.mark.parametrize(
    ("found", "software", "path"),
    [
        (
            probe("/v1/models", {"data": [{"id": "m", "owned_by": "vllm"}]}),
            "vllm",
            "/v1/embeddings",
        ),
        (
            probe("/v1/models", {"data": [{"id": "m", "owned_by": None}]}, x_process_time="1ms"),
            "hf-serve",
            "/v1/embeddings",
        ),
        (
            probe("/models", {"data": [{"id": "m", "owned_by": "infinity"}]}),
            "infinity",
            "/embeddings",
        ),
        (probe("/health", "Ok"), "inference-toolkit", "/v1/embeddings"),
    ],
)
def test_servers_are_told_apart(found: Probe, software: str, path: str) -> None:
    server = recognize(found)
    assert server is not None
    assert (server.software, server.openai_path) == (software, path)


@pytest.mark.parametrize(
    "found",
    [
        probe("/info", "", 404),
        probe("/info", "<html>hello</html>"),
        probe("/info", {"name": "my api"}),
        probe("/info", []),
        probe("/v1/models", {"data": []}),
        probe("/v1/models", {"data": "x"}),
        probe("/health", {"status": "ok"}),
        probe("/health", ""),
    ],
)
def test_an_answer_that_tells_nothing_tells_nothing(found: Probe) -> None:
    assert recognize(found) is None


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ({"classifier": {"id2label": {}}}, "classifier"),
        ({"reranker": {}}, "reranker"),
        ({"embedding": {"pooling": "splade"}}, "SPLADE"),
    ],
)
def test_a_model_that_does_not_embed_is_refused_at_once(kind: object, words: str) -> None:
    with pytest.raises(EndpointError, match=words):
        recognize(probe("/info", {**INFO, "model_type": kind}))


@pytest.mark.parametrize(
    ("version", "wanted", "expected"),
    [
        ("1.9.3", (1, 8), True),
        ("1.8.0", (1, 8), True),
        ("1.7.4", (1, 8), False),
        ("1.10.0", (1, 8), True),
        ("1.8.0-rc1", (1, 8), True),
    ],
)
def test_versions_are_compared_as_numbers(
    version: str, wanted: tuple[int, ...], expected: bool
) -> None:
    server = recognize(probe("/info", {**INFO, "version": version}))
    assert server is not None
    assert server.is_at_least(*wanted) is expected


@pytest.mark.parametrize(
    "url",
    [
        "http://h:8080",
        "http://h:8080/",
        "http://h:8080/embed",
        "http://h:8080/v1",
        "http://h:8080/v1/",
        "http://h:8080/v1/embeddings",
        "http://h:8080/embeddings",
        " http://h:8080/ ",
    ],
)
def test_the_route_in_a_url_does_not_matter(url: str) -> None:
    assert base_url(url) == "http://h:8080"


def test_any_other_path_is_kept() -> None:
    assert base_url("https://h/a/b/embed") == "https://h/a/b"
    assert base_url("https://h/predict") == "https://h/predict"
    assert is_serverless("https://h/hf-inference/models/m/pipeline/feature-extraction")


@pytest.mark.parametrize(
    "url", ["org/model", "", "ftp://h", "http://", "http://u:p@h", "http://h?token=x", "http://h#x"]
)
def test_what_is_no_plain_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        base_url(url)


@pytest.mark.parametrize(
    ("url", "trusted"),
    [
        ("https://x.endpoints.huggingface.cloud", True),
        ("https://x.us-east-1.aws.endpoints.huggingface.cloud/embed", True),
        ("https://router.huggingface.co/hf-inference", True),
        ("https://me-space.hf.space", True),
        ("https://HUGGINGFACE.CO", True),
        ("http://x.endpoints.huggingface.cloud", False),
        ("https://huggingface.co.evil.com", False),
        ("https://evilhuggingface.co", False),
        ("https://evil.com/huggingface.co", False),
        ("https://huggingface.co@evil.com", False),
        ("http://127.0.0.1:8080", False),
    ],
)
def test_an_ambient_token_goes_to_hugging_face_only(url: str, trusted: bool) -> None:
    assert is_hugging_face(url) is trusted
    assert choose_token(url, given=None, ambient="hf_x") == ("hf_x" if trusted else None)
    assert choose_token(url, given="hf_y", ambient="hf_x") == "hf_y"


def test_a_token_is_stripped_but_not_bent() -> None:
    assert choose_token("http://h", given=" hf_x\n", ambient=None) == "hf_x"
    with pytest.raises(ConfigurationError) as caught:
        choose_token("http://h", given="hf_x\r\nEvil: yes", ambient=None)
    assert "hf_x" not in str(caught.value)


@pytest.mark.parametrize(
    "path", ["/models/intfloat/e5-small", "/pipeline/feature-extraction/intfloat/e5-small"]
)
def test_the_old_serverless_host_is_refused_with_the_new_way(path: str) -> None:
    with pytest.raises(ConfigurationError, match=r"answered 410 .* use `model`"):
        base_url(f"https://api-inference.huggingface.co{path}")
