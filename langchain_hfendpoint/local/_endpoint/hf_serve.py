"""hf-serve, the toolkit's successor: FastAPI's manners, pooled embeddings, no limits.

Observed on hf-serve 0.1.3 and read in 0.1.5. Its oddities are kept: `normalize` has no effect,
`dimensions` cuts without normalizing again on `/` but not on `/v1/embeddings`, and `[]` is refused
on `/` but gives one empty vector on `/v1/embeddings`. Requests are computed one at a time; unlike
there, health checks need not wait for them.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from time import perf_counter, time
from typing import Annotated, Literal, TypeVar
from uuid import uuid4

import numpy as np
from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import AfterValidator, AliasChoices, AliasPath, BaseModel, Field, ValidationError

from langchain_hfendpoint.local._endpoint.answers import json_answer
from langchain_hfendpoint.local._endpoint.engine import Embedded, Engine
from langchain_hfendpoint.local._endpoint.runtime import Float32, normalize
from langchain_hfendpoint.local._endpoint.tokenizing import TextInput


def _not_empty(texts: str | list[str]) -> str | list[str]:
    if texts == "":
        raise ValueError("When `sentences` is provided as a string, it must not be empty")
    if texts == []:
        raise ValueError("When `sentences` is provided as a list, it must not be empty")
    if "" in texts and isinstance(texts, list):
        raise ValueError(
            "When `sentences` is provided as a list, all the items must be non-empty strings"
        )
    return texts


class PredictBody(BaseModel):
    """Body of `POST /`; `normalize` is read and has no effect, as there."""

    sentences: Annotated[str | list[str], AfterValidator(_not_empty)] = Field(
        validation_alias=AliasChoices("sentences", "inputs", AliasPath("inputs", "sentences"))
    )
    normalize: bool = Field(
        default=True,
        validation_alias=AliasChoices("normalize", AliasPath("parameters", "normalize")),
    )
    dimensions: int | None = Field(
        default=None,
        validation_alias=AliasChoices("dimensions", AliasPath("parameters", "dimensions")),
    )
    prompt_name: str | None = Field(
        default=None,
        validation_alias=AliasChoices("prompt_name", AliasPath("parameters", "prompt_name")),
    )
    truncate: bool | None = None
    truncation_direction: Literal["left", "Left", "right", "Right"] | None = None


class OpenAIBody(BaseModel):
    """Body of `POST /v1/embeddings`; unlike with TEI, `model` is required."""

    input: str | list[str]
    model: str
    dimensions: int | None = None
    encoding_format: Literal["float", "base64"] = "float"
    user: str | None = None


_Body = TypeVar("_Body", PredictBody, OpenAIBody)


class _FailedError(Exception):
    """A `ValueError` inside the model, which is answered with its text."""


class HFServe:
    """The routes of hf-serve over one engine.

    Args:
        engine: What embeds.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._model = engine.model
        self._turn = asyncio.Lock()
        self._created = int(time())

    def application(self) -> web.Application:
        """Make the web application."""
        app = web.Application(middlewares=[_manners], client_max_size=0)
        app.router.add_get("/health", self._health)
        app.router.add_get("/v1/models", self._models)
        predict = self._reading(PredictBody, self._predict)
        for path in ("/", "/predict"):
            app.router.add_post(path, predict)
        app.router.add_post("/v1/embeddings", self._reading(OpenAIBody, self._openai))
        return app

    @staticmethod
    def fault(status: int) -> web.Response:
        """Answer an injected fault."""
        return json_answer({"detail": "injected fault"}, status=status)

    def _reading(self, kind: type[_Body], route: Callable[[_Body], Awaitable[object]]) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            body = await request.read()
            if body and request.content_type != "application/json":
                return web.Response(status=500, text="Internal Server Error")
            try:
                content = json.loads(body) if body else None
            except ValueError as error:
                return _not_json(error)
            if isinstance(content, list):
                return web.Response(status=500, text="Internal Server Error")
            if content is None:
                missing = {"type": "missing", "loc": ["body"], "msg": "Field required"}
                return json_answer(
                    {"detail": [missing | {"input": None}], "body": None}, status=422
                )
            try:
                parsed = kind.model_validate(content)
            except ValidationError as error:
                return json_answer({"detail": _details(error), "body": content}, status=422)
            try:
                async with self._turn:
                    return json_answer(await route(parsed))
            except _FailedError as error:
                return json_answer({"detail": str(error)}, status=400)

        return handle

    async def _health(self, _: web.Request) -> web.Response:
        return json_answer({"status": "ok"})

    async def _models(self, _: web.Request) -> web.Response:
        name = self._model.source.model_id
        owner = name.split("/")[0] if "/" in name else None
        model = {"id": name, "object": "model", "created": self._created, "owned_by": owner}
        return json_answer({"object": "list", "data": [model]})

    async def _predict(self, body: PredictBody) -> object:
        texts = [body.sentences] if isinstance(body.sentences, str) else body.sentences
        rows, _ = await self._embed(texts, prompt=self._prompt(body.prompt_name))
        cut = body.dimensions if body.dimensions and body.dimensions > 0 else None
        return {"embeddings": np.ascontiguousarray(rows[:, :cut])}

    async def _openai(self, body: OpenAIBody) -> object:
        texts = [body.input] if isinstance(body.input, str) else body.input
        vectors: list[object] = [[]]
        tokens = 0
        if texts:
            rows, embedded = await self._embed(texts)
            rows = normalize(np.ascontiguousarray(rows[:, : body.dimensions or None]))
            vectors, tokens = list(rows), embedded.tokens
            if body.encoding_format == "base64":
                vectors = [base64.b64encode(row.astype("<f4").tobytes()).decode() for row in rows]
        elif body.encoding_format == "base64":
            vectors = [""]
        return {
            "object": "list",
            "data": [
                {"object": "embedding", "embedding": vector, "index": index}
                for index, vector in enumerate(vectors)
            ],
            "model": body.model,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }

    async def _embed(self, texts: list[str], *, prompt: str = "") -> tuple[Float32, Embedded]:
        embedded = await self._engine.embed([TextInput(prompt + text) for text in texts])
        normalizes = self._model.normalizes
        rows: Float32 = np.stack(embedded.unit_rows if normalizes else embedded.rows)
        return rows, embedded

    def _prompt(self, name: str | None) -> str:
        if name is None:
            return ""
        # sentence-transformers gives every model these two.
        prompts = {"query": "", "document": "", **self._model.prompts}
        if name not in prompts:
            raise _FailedError(
                f"Prompt name '{name}' not found in the configured prompts dictionary with keys "
                f"{list(prompts)!r}."
            )
        return prompts[name]


def _details(error: ValidationError) -> list[dict[str, object]]:
    details: list[dict[str, object]] = []
    for one in error.errors(include_url=False):
        loc = ["body", *one["loc"]]
        detail = {"type": one["type"], "loc": loc, "msg": one["msg"], "input": one["input"]}
        if "ctx" in one:
            # FastAPI writes an exception as an empty object.
            detail["ctx"] = {"error": {}} if one["type"] == "value_error" else one["ctx"]
        details.append(detail)
    return details


def _not_json(error: ValueError) -> web.Response:
    position = getattr(error, "pos", 0)
    detail = {
        "type": "json_invalid",
        "loc": ["body", position],
        "msg": "JSON decode error",
        "input": {},
        "ctx": {"error": getattr(error, "msg", str(error))},
    }
    return json_answer({"detail": [detail], "body": getattr(error, "doc", None)}, status=422)


@web.middleware
async def _manners(request: web.Request, handler: Handler) -> web.StreamResponse:
    start = perf_counter()
    response: web.StreamResponse
    try:
        response = await handler(request)
    except web.HTTPNotFound:
        response = json_answer({"detail": "Not Found"}, status=404)
    except web.HTTPMethodNotAllowed:
        response = json_answer({"detail": "Method Not Allowed"}, status=405)
    crashed = response.status == HTTPStatus.INTERNAL_SERVER_ERROR
    if request.path != "/health" and not crashed:
        response.headers["X-Request-Id"] = request.headers.get("X-Request-Id") or uuid4().hex
        response.headers["X-Process-Time"] = f"{(perf_counter() - start) * 1000:.2f}ms"
    return response
