"""The server's own description in OpenAPI 3.1, written down as data."""

from __future__ import annotations

from collections.abc import Mapping

from langchain_hfendpoint.local._endpoint.model import ModelDescription
from langchain_hfendpoint.local._endpoint.settings import Task, TEISettings

_Schema = dict[str, object]

_TEXT: _Schema = {"type": "string", "minLength": 1}
_FLAG: _Schema = {"type": "boolean"}
_MAYBE_FLAG: _Schema = {"type": ["boolean", "null"]}
_MAYBE_TEXT: _Schema = {"type": ["string", "null"]}
_VECTORS: _Schema = {"type": "array", "items": {"type": "array", "items": {"type": "number"}}}


def describe_api(settings: TEISettings, model: ModelDescription, *, task: Task) -> _Schema:
    """Describe the routes, the requests they take and every answer they give.

    Args:
        settings: How TEI is configured.
        model: The model.
        task: What `POST /` does.

    Returns:
        An OpenAPI document.
    """
    limit = settings.max_client_batch_size
    ids = _list(_below(model.architecture.vocabulary), limit=model.max_input_length)
    any_ids: _Schema = {"type": "array", "items": _below(1 << 32), "minItems": 1}
    inputs = {"anyOf": [_TEXT, ids, _list({"anyOf": [_TEXT, ids]}, limit=limit)]}
    dimensions = {"type": ["integer", "null"], "minimum": 1, "maximum": model.dimension}
    directions = ["Left", "Right"] + (["left", "right"] if settings.since_1_9 else [])
    prompt: _Schema = {"enum": [None, *model.prompts]}
    cutting: _Schema = {
        "truncate": _MAYBE_FLAG,
        "truncation_direction": {"type": "string", "enum": directions},
        "prompt_name": prompt,
    }
    embed_all = _object({"inputs": inputs, **cutting}, "inputs")
    embed = _object(
        {"inputs": inputs, "normalize": _FLAG, "dimensions": dimensions, **cutting}, "inputs"
    )
    openai = _object(
        {
            "input": inputs,
            "model": _MAYBE_TEXT,
            "user": _MAYBE_TEXT,
            "encoding_format": {"type": "string", "enum": ["float", "base64"]},
            "dimensions": dimensions,
        },
        "input",
    )
    similarity = _object(
        {
            "inputs": _object(
                {"source_sentence": _TEXT, "sentences": _list(_TEXT, limit=limit - 1)},
                "source_sentence",
                "sentences",
            ),
            "parameters": {"anyOf": [_object(cutting), {"type": "null"}]},
        },
        "inputs",
    )
    tokenize = _object(
        {
            "inputs": {"anyOf": [_TEXT, _list(_TEXT, limit=limit)]},
            "add_special_tokens": _FLAG,
            "prompt_name": prompt,
        },
        "inputs",
    )
    decode = _object(
        {"ids": {"anyOf": [any_ids, _list(any_ids, limit=limit)]}, "skip_special_tokens": _FLAG},
        "ids",
    )
    anything: _Schema = {"type": "object"}
    posts: Mapping[str, tuple[_Schema, _Schema]] = {
        "/": (similarity if task == "sentence-similarity" else embed, {}),
        "/embed": (embed, _VECTORS),
        "/embed_all": (embed_all, {"type": "array", "items": _VECTORS}),
        "/v1/embeddings": (openai, anything),
        "/embeddings": (openai, anything),
        "/similarity": (similarity, {"type": "array", "items": {"type": "number"}}),
        "/tokenize": (tokenize, {"type": "array", "items": {"type": "array"}}),
        "/decode": (decode, {"type": "array", "items": {"type": "string"}}),
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


def _below(bound: int) -> _Schema:
    return {"type": "integer", "minimum": 0, "maximum": bound - 1}


def _list(items: _Schema, *, limit: int) -> _Schema:
    return {"type": "array", "items": items, "minItems": 1, "maxItems": limit}


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
