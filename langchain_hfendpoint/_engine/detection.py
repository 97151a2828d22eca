"""Which kind of server an endpoint is, and what it allows: pure.

`GET /info` with a `model_type` is Text Embeddings Inference, which also tells its limits. Else
`GET /v1/models` is an OpenAI-compatible server, and `GET /models` Infinity. Else `GET /health`
with the text "Ok" is Hugging Face's inference toolkit. Anything else is taken for a server that
speaks the toolkit's form on its root, as custom handlers do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import orjson

from langchain_hfendpoint._engine.protocols import ServerInfo
from langchain_hfendpoint.errors import ConfigurationError, EndpointError

_ROUTES = ("/v1/embeddings", "/embeddings", "/embed", "/v1")
_SERVERLESS = "/pipeline/feature-extraction"
_OLD_SERVERLESS_HOST = "api-inference.huggingface.co"


@dataclass(frozen=True, slots=True)
class Probe:
    """The answer to a question about the endpoint itself.

    Attributes:
        path: Path that was asked for.
        status: HTTP status.
        body: The whole body.
        headers: The headers, with lower-case names.
    """

    path: str
    status: int
    body: bytes
    headers: Mapping[str, str]


PROBES = ("/info", "/v1/models", "/models", "/health")
"""Paths to ask for, until `recognize` knows the server."""


def base_url(url: str) -> str:
    """Bring an endpoint's URL into its base form, without the route.

    Args:
        url: The URL, with or without `/embed`, `/v1` or `/v1/embeddings`.

    Returns:
        Scheme, host, port and the path to which routes are added, without a final slash.

    Raises:
        ConfigurationError: If it is not the http(s) URL of an endpoint, or has a secret in it.
    """
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(
            "`endpoint_url` must be a URL such as https://<id>.endpoints.huggingface.cloud or "
            "http://127.0.0.1:8080. For a model of the serverless API use `model`, for the name "
            "of an Inference Endpoint `endpoint_name`."
        )
    if parts.hostname == _OLD_SERVERLESS_HOST:
        raise ConfigurationError(
            f"https://{_OLD_SERVERLESS_HOST} is gone: it has answered 410 since November 2025. "
            "For a model of the serverless API use `model`, such as "
            'model="sentence-transformers/all-MiniLM-L6-v2", without `endpoint_url`.'
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigurationError(
            "`endpoint_url` must not hold a user, a password, a query or a fragment: a token "
            "belongs into `api_key`."
        )
    path = parts.path.rstrip("/")
    for route in _ROUTES:
        if path.endswith(route):
            path = path[: -len(route)]
            break
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


def is_serverless(url: str) -> bool:
    """Say whether a URL is the serverless API's route for one model."""
    return urlsplit(url).path.rstrip("/").endswith(_SERVERLESS)


def recognize(probe: Probe) -> ServerInfo | None:
    """Recognize the server from one answer.

    Args:
        probe: The answer.

    Returns:
        What the server is, or `None` if this answer does not tell.

    Raises:
        EndpointError: If it serves a model that does not embed.
    """
    if probe.status != 200:
        return None
    if probe.path == "/health":
        toolkit = probe.body.strip() in (b"Ok", b'"Ok"')
        return ServerInfo("inference-toolkit", "inference-toolkit") if toolkit else None
    try:
        data = orjson.loads(probe.body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(data, dict):
        return None
    return _read_info(data) if probe.path == "/info" else _read_models(data, probe)


def _read_info(info: dict[str, Any]) -> ServerInfo | None:
    kind = info.get("model_type")
    if kind is None:
        return None
    if not isinstance(kind, dict) or "embedding" not in kind:
        served = next(iter(kind), "unknown") if isinstance(kind, dict) else kind
        raise EndpointError(
            f"The endpoint serves a model of the kind {served!r}, which gives no embeddings. "
            "Deploy an embedding model."
        )
    if (kind["embedding"] or {}).get("pooling") == "splade":
        raise EndpointError(
            "The endpoint pools with SPLADE, so it gives sparse vectors only. Deploy it with the "
            "pooling `mean`, `cls` or `last-token`."
        )
    return ServerInfo(
        protocol="tei",
        software="text-embeddings-inference",
        version=_text(info.get("version")),
        model=_text(info.get("served_model_name")) or _text(info.get("model_id")),
        revision=_text(info.get("model_sha")),
        max_batch=_positive(info.get("max_client_batch_size")),
        permits=_positive(info.get("max_concurrent_requests")),
        max_tokens=_positive(info.get("max_input_length")),
    )


def _read_models(listing: dict[str, Any], probe: Probe) -> ServerInfo | None:
    models = listing.get("data")
    if not isinstance(models, list) or not models or not isinstance(models[0], dict):
        return None
    owner = models[0].get("owned_by")
    # hf-serve names the model's organization as the owner; its answers carry this header.
    software = "hf-serve" if "x-process-time" in probe.headers else _text(owner)
    return ServerInfo(
        protocol="openai",
        software=software,
        model=_text(models[0].get("id")),
        openai_path=probe.path.removesuffix("/models") + "/embeddings",
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _positive(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None
