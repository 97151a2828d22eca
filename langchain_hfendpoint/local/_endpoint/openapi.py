"""The server's own description in OpenAPI 3.1, written down as data."""

from __future__ import annotations

from collections.abc import Mapping

from langchain_hfendpoint.local._endpoint.settings import Task, TEISettings

_Schema = dict[str, object]

_TOKEN_ID: _Schema = {"type": "integer", "minimum": 0, "maximum": 4_294_967_295}
_IDS: _Schema = {"type": "array", "items": _TOKEN_ID}
_TEXT: _Schema = {"type": "string"}
_INPUT: _Schema = {
    "anyOf": [_TEXT, _IDS, {"type": "array", "items": {"anyOf": [_TEXT, _IDS]}}],
}
_FLAG: _Schema = {"type": "boolean"}
_MAYBE_FLAG: _Schema = {"type": ["boolean", "null"]}
_MAYBE_TEXT: _Schema = {"type": ["string", "null"]}
_MAYBE_COUNT: _Schema = {"type": ["integer", "null"], "minimum": 0}
_VECTORS: _Schema = {"type": "array", "items": {"type": "array", "items": {"type": "number"}}}


def describe_api(settings: TEISettings, *, task: Task) -> _Schema:
    """Describe the routes, the requests they take and every answer they give.

    Args:
        settings: How TEI is configured.
        task: What `POST /` does.

    Returns:
        An OpenAPI document.
    """
    directions = ["Left", "Right"] + (["left", "right"] if settings.since_1_9 else [])
    cutting: _Schema = {
        "truncate": _MAYBE_FLAG,
        "truncation_direction": {"type": "string", "enum": directions},
        "prompt_name": _MAYBE_TEXT,
    }
    embed = _object(
        {"inputs": _INPUT, "normalize": _FLAG, "dimensions": _MAYBE_COUNT, **cutting}, "inputs"
    )
    openai = _object(
        {
            "input": _INPUT,
            "model": _MAYBE_TEXT,
            "user": _MAYBE_TEXT,
            "encoding_format": {"type": "string", "enum": ["float", "base64"]},
            "dimensions": _MAYBE_COUNT,
        },
        "input",
    )
    sentences: _Schema = {"type": "array", "items": _TEXT}
    similarity = _object(
        {
            "inputs": _object(
                {"source_sentence": _TEXT, "sentences": sentences}, "source_sentence", "sentences"
            ),
            "parameters": {"anyOf": [_object(cutting), {"type": "null"}]},
        },
        "inputs",
    )
    tokenize = _object(
        {
            "inputs": {"anyOf": [_TEXT, sentences]},
            "add_special_tokens": _FLAG,
            "prompt_name": _MAYBE_TEXT,
        },
        "inputs",
    )
    decode = _object(
        {"ids": {"anyOf": [_IDS, {"type": "array", "items": _IDS}]}, "skip_special_tokens": _FLAG},
        "ids",
    )
    anything: _Schema = {"type": "object"}
    posts: Mapping[str, tuple[_Schema, _Schema]] = {
        "/": (similarity if task == "sentence-similarity" else embed, {}),
        "/embed": (embed, _VECTORS),
        "/embed_all": (embed, {"type": "array", "items": _VECTORS}),
        "/v1/embeddings": (openai, anything),
        "/embeddings": (openai, anything),
        "/similarity": (similarity, {"type": "array", "items": {"type": "number"}}),
        "/tokenize": (tokenize, {"type": "array", "items": {"type": "array"}}),
        "/decode": (decode, {"type": "array", "items": _TEXT}),
        "/vertex": (
            _object({"instances": {"type": "array", "items": embed}}, "instances"),
            anything,
        ),
    }
    paths: dict[str, _Schema] = {
        path: {"post": _post(body, answer, settings)} for path, (body, answer) in posts.items()
    }
    paths.setdefault("/", {})["get"] = _get("Health", {})
    paths["/health"] = {"get": _get("Health", {})}
    paths["/info"] = {"get": _get("The model and the limits", anything)}
    paths["/metrics"] = {"get": _get("Figures for Prometheus", _TEXT, kind="text/plain")}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Local endpoint", "version": settings.version},
        "paths": paths,
        "components": {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
    }


def _object(properties: _Schema, *required: str) -> _Schema:
    return {"type": "object", "properties": properties, "required": list(required)}


def _content(schema: _Schema, kind: str = "application/json") -> _Schema:
    return {"content": {kind: {"schema": schema}}}


def _post(body: _Schema, answer: _Schema, settings: TEISettings) -> _Schema:
    refusal = {"content": {"application/json": {"schema": {"type": "object"}}}}
    either = {"content": {**refusal["content"], "text/plain": {"schema": _TEXT}}}
    texts = {"content": {"text/plain": {"schema": _TEXT}}}
    return {
        "requestBody": {"required": True, **_content(body)},
        "responses": {
            "200": {"description": "Success", **_content(answer)},
            "400": {"description": "An empty text, or no JSON", **either},
            "401": {"description": "The key is missing or wrong"},
            "413": {"description": f"More than {settings.payload_limit} bytes", **either},
            "415": {"description": "Not application/json", **texts},
            "422": {"description": "A request that cannot be served", **either},
            "424": {"description": "The model failed, or is of another kind", **refusal},
            "429": {"description": "All permits are taken", **refusal},
        },
    }


def _get(description: str, schema: _Schema, *, kind: str = "application/json") -> _Schema:
    answer = {"description": description, **(_content(schema, kind) if schema else {})}
    return {"responses": {"200": answer, "401": {"description": "The key is missing or wrong"}}}
