"""Text Embeddings Inference: its routes, answers and refusals, to the letter of version 1.9.

Protocol facts come from TEI's sources (`router/src/http/server.rs`, `core/src/infer.rs`,
`router/src/lib.rs`). Checks are made in TEI's order: key, content type, body size, JSON, empty
list, number of texts, permits, and then text by text.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
from collections.abc import Awaitable, Callable
from http.client import responses
from time import perf_counter

import numpy as np
from aiohttp import web
from aiohttp.typedefs import Handler

from langchain_hfendpoint.local._endpoint import refusals, wire
from langchain_hfendpoint.local._endpoint.answers import info, json_answer, measured
from langchain_hfendpoint.local._endpoint.engine import Embedded, Engine
from langchain_hfendpoint.local._endpoint.metrics import Metrics
from langchain_hfendpoint.local._endpoint.openapi import describe_api
from langchain_hfendpoint.local._endpoint.permits import Permits
from langchain_hfendpoint.local._endpoint.refusals import RefusalError
from langchain_hfendpoint.local._endpoint.runtime import Dtype, Float32, normalize
from langchain_hfendpoint.local._endpoint.serde import Fields, Inputs, Text, UnreadableError
from langchain_hfendpoint.local._endpoint.settings import Task, TEISettings
from langchain_hfendpoint.local._endpoint.tokenizing import TextInput

_CHARACTERS_PER_TOKEN = 250
_JSON = "application/json"
_OPENAI_PATHS = frozenset({"/v1/embeddings", "/embeddings"})
_PUBLIC_PATHS = frozenset({"/health", "/ping", "/metrics", "/docs", "/api-doc/openapi.json"})
_FAULTS = {
    424: refusals.backend_failed("injected fault"),
    429: refusals.overloaded(),
    503: RefusalError("Unhealthy", "unhealthy"),
}
_CORS = {
    "access-control-allow-origin": "*",
    "vary": "origin, access-control-request-method, access-control-request-headers",
}
_PREFLIGHT = {
    "access-control-allow-methods": "GET,POST",
    "access-control-allow-headers": "content-type",
}


class TEI:
    """The routes of TEI over one engine.

    Args:
        engine: What embeds.
        settings: How TEI is configured.
        task: `"sentence-similarity"` makes `POST /` compare sentences instead of embedding.
        api_key: Key that requests must carry, if any.
        dtype: Precision of the model, for `/info`.
        workers: Number of workers, for `/info`.
    """

    def __init__(
        self,
        engine: Engine,
        settings: TEISettings,
        *,
        task: Task,
        api_key: str | None,
        dtype: Dtype,
        workers: int,
    ) -> None:
        self._engine = engine
        self._model = engine.model
        self._settings = settings
        self._task = task
        self._authorization = None if api_key is None else f"Bearer {api_key}".encode()
        self._info = info(engine.model, settings, dtype=dtype, workers=workers)
        self._metrics = Metrics(engine.batch_sizes)
        self._permits = Permits(
            settings.max_concurrent_requests, batches_wait=not settings.since_1_9
        )

    def application(self) -> web.Application:
        """Make the web application."""
        app = web.Application(
            middlewares=[self._guard], client_max_size=self._settings.payload_limit
        )
        for path in ("/", "/health", "/ping"):
            app.router.add_get(path, self._health)
        app.router.add_get("/info", self._show_info)
        app.router.add_get("/metrics", self._show_metrics)
        app.router.add_get("/docs", self._show_docs)
        app.router.add_get("/api-doc/openapi.json", self._show_openapi)
        routes: dict[str, Callable[[bytes], Awaitable[web.Response]]] = {
            "/embed": self._embed,
            "/embed_all": self._embed_all,
            "/v1/embeddings": self._openai,
            "/embeddings": self._openai,
            "/similarity": self._similarity,
            "/tokenize": self._tokenize,
            "/decode": self._decode,
            "/vertex": self._vertex,
            "/embed_sparse": self._other_model("not an embedding model with SPLADE pooling"),
            "/predict": self._other_model("not a classifier model"),
            "/rerank": self._other_model("not a re-ranker model"),
        }
        main = "/similarity" if self._task == "sentence-similarity" else "/embed"
        routes["/"] = routes["/invocations"] = routes[main]
        for path, route in routes.items():
            app.router.add_post(path, self._reading(path, route))
        return app

    @staticmethod
    def fault(status: int) -> web.Response:
        """Answer an injected fault: TEI's own where it has one, else as a proxy before it does."""
        refusal = _FAULTS.get(status)
        if refusal is None:
            return web.Response(
                status=status, text=f"{status} {responses.get(status, '')}".rstrip()
            )
        body = {"error": refusal.message, "error_type": refusal.error_type}
        return json_answer(body, status=status)

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Check the key, and give the framework's own errors axum's empty bodies."""
        response: web.StreamResponse
        if request.method == "OPTIONS":
            response = web.Response(headers=_PREFLIGHT)
        elif not self._may(request):
            response = web.Response(status=401)
        else:
            try:
                response = await handler(request)
            except (web.HTTPNotFound, web.HTTPMethodNotAllowed) as error:
                response = web.Response(status=error.status)
                if isinstance(error, web.HTTPMethodNotAllowed):
                    response.headers["allow"] = error.headers["allow"].replace(" ", "")
        response.headers.update(_CORS)
        return response

    def _may(self, request: web.Request) -> bool:
        if self._authorization is None:
            return True
        if self._settings.health_is_public and (
            request.path in _PUBLIC_PATHS or (request.path == "/" and request.method == "GET")
        ):
            return True
        given = request.headers.get("authorization", "").encode()
        return hmac.compare_digest(given, self._authorization)

    def _reading(self, path: str, route: Callable[[bytes], Awaitable[web.Response]]) -> Handler:
        """Make the handler that reads a body as axum does, and puts refusals into words."""
        openai = path in _OPENAI_PATHS

        async def handle(request: web.Request) -> web.Response:
            if not _is_json(request.content_type):
                text = "Expected request with `Content-Type: application/json`"
                return web.Response(status=415, text=text)
            try:
                if (request.content_length or 0) > self._settings.payload_limit:
                    raise web.HTTPRequestEntityTooLarge(self._settings.payload_limit)
                body = await request.read()
            except web.HTTPRequestEntityTooLarge:
                text = "Failed to buffer the request body: length limit exceeded"
                return web.Response(status=413, text=text)
            try:
                return await route(body)
            except UnreadableError as error:
                return web.Response(status=error.status, text=error.message)
            except RefusalError as refusal:
                return self._refuse(refusal, openai=openai)

        return handle

    def _refuse(self, refusal: RefusalError, *, openai: bool) -> web.Response:
        self._metrics.failure(refusal.error_type)
        status = self._settings.status(refusal.error_type)
        if openai:
            body = {"message": refusal.message, "code": status, "type": refusal.error_type}
        else:
            body = {"error": refusal.message, "error_type": refusal.error_type}
        return json_answer(body, status=status)

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response()

    async def _show_info(self, _: web.Request) -> web.Response:
        return json_answer(self._info)

    async def _show_metrics(self, _: web.Request) -> web.Response:
        return web.Response(text=self._metrics.render(queue_size=self._engine.waiting))

    async def _show_docs(self, _: web.Request) -> web.Response:
        page = '<!doctype html><title>API</title><a href="/api-doc/openapi.json">OpenAPI</a>'
        return web.Response(text=page, content_type="text/html")

    async def _show_openapi(self, _: web.Request) -> web.Response:
        return json_answer(describe_api(self._settings, self._model, task=self._task))

    async def _embed(self, body: bytes) -> web.Response:
        start = perf_counter()
        request = wire.read_embed(body, lower_case=self._settings.since_1_9)
        rows, embedded = await self._vectors(request)
        return json_answer(rows, headers=measured(start, request.inputs, embedded))

    async def _vectors(self, request: wire.EmbedRequest) -> tuple[list[Float32], Embedded]:
        embedded = await self._run(request.inputs, request.cutting, request.dimensions)
        return _finish(embedded, request.dimensions, normalized=request.normalize), embedded

    async def _vertex(self, body: bytes) -> web.Response:
        requests = wire.read_vertex(body, lower_case=self._settings.since_1_9)
        answers = await asyncio.gather(*map(self._vectors, requests))
        return json_answer({"predictions": [rows for rows, _ in answers]})

    def _other_model(self, what: str) -> Callable[[bytes], Awaitable[web.Response]]:
        async def refuse(body: bytes) -> web.Response:
            Fields.read(body, what="Request")
            raise refusals.backend_failed(f"model is {what}")

        return refuse

    async def _embed_all(self, body: bytes) -> web.Response:
        start = perf_counter()
        request = wire.read_embed(body, lower_case=self._settings.since_1_9)
        embedded = await self._run(request.inputs, request.cutting, every_token=True)
        return json_answer(embedded.rows, headers=measured(start, request.inputs, embedded))

    async def _openai(self, body: bytes) -> web.Response:
        start = perf_counter()
        request = wire.read_openai(body)
        embedded = await self._run(request.inputs, wire.Cutting(), request.dimensions)
        rows = _finish(embedded, request.dimensions, normalized=True)
        if request.encoding == "base64":
            little = (row.astype("<f4", copy=False) for row in rows)
            vectors: list[object] = [base64.b64encode(row.tobytes()).decode() for row in little]
        else:
            vectors = [*rows]
        answer = {
            "object": "list",
            "data": [
                {"object": "embedding", "embedding": vector, "index": index}
                for index, vector in enumerate(vectors)
            ],
            "model": self._model.source.model_id,
            "usage": {"prompt_tokens": embedded.tokens, "total_tokens": embedded.tokens},
        }
        return json_answer(answer, headers=measured(start, request.inputs, embedded))

    async def _similarity(self, body: bytes) -> web.Response:
        start = perf_counter()
        request = wire.read_similarity(body, lower_case=self._settings.since_1_9)
        if not request.sentences:
            raise refusals.empty("inputs.sentences", core=False)
        inputs = Inputs((request.source, *request.sentences), batch=True)
        embedded = await self._run(inputs, request.cutting)
        rows: Float32 = np.stack(embedded.unit_rows)
        return json_answer(rows[1:] @ rows[0], headers=measured(start, inputs, embedded))

    async def _tokenize(self, body: bytes) -> web.Response:
        request = wire.read_tokenize(body)
        if not request.inputs.texts:
            raise refusals.empty(core=False)
        self._check_size(request.inputs)
        prompt = self._prompt(request.prompt_name)

        def work() -> list[list[dict[str, object]]]:
            return [
                self._engine.tokenizer.tokens(
                    prompt + text, add_special_tokens=request.add_special_tokens
                )
                for text in request.inputs.texts
                if isinstance(text, str)
            ]

        if not all(request.inputs.texts):
            raise refusals.empty()
        return json_answer(await asyncio.to_thread(work))

    async def _decode(self, body: bytes) -> web.Response:
        request = wire.read_decode(body)
        limit = self._settings.max_client_batch_size
        if len(request.sequences) > limit:
            raise refusals.batch_too_large(len(request.sequences), limit=limit)
        if not all(request.sequences):
            raise refusals.empty("input_ids")

        def work() -> list[str]:
            return [
                self._engine.tokenizer.decode(ids, skip_special_tokens=request.skip_special_tokens)
                for ids in request.sequences
            ]

        return json_answer(await asyncio.to_thread(work))

    async def _run(
        self,
        inputs: Inputs,
        cutting: wire.Cutting,
        dimensions: int | None = None,
        *,
        every_token: bool = False,
    ) -> Embedded:
        """Embed the texts of a request after TEI's checks, in TEI's order."""
        start = perf_counter()
        self._metrics.request(batch=inputs.batch)
        self._check_size(inputs)
        count = len(inputs.texts)
        await self._permits.acquire(count, batch=inputs.batch)
        try:
            if dimensions == 0:
                raise refusals.invalid("`dimensions` should be positive")
            texts = [self._prepare(text, cutting) for text in inputs.texts]
            embedded = await self._engine.embed(texts, every_token=every_token)
        finally:
            self._permits.release(count)
        if dimensions is not None and dimensions > self._model.dimension:
            raise refusals.invalid(
                "`dimensions` should be smaller than the maximum embedding dimension."
            )
        self._metrics.success(batch=inputs.batch, seconds=perf_counter() - start)
        return embedded

    def _check_size(self, inputs: Inputs) -> None:
        limit = self._settings.max_client_batch_size
        if len(inputs.texts) > limit:
            raise refusals.batch_too_large(len(inputs.texts), limit=limit)

    def _prepare(self, text: Text, cutting: wire.Cutting) -> TextInput:
        if not text:
            raise refusals.empty()
        truncate = self._settings.cuts_by_default if cutting.truncate is None else cutting.truncate
        prompt = self._prompt(cutting.prompt_name)
        if isinstance(text, str):
            text = prompt + text
            limit = _CHARACTERS_PER_TOKEN * self._model.max_input_length
            if len(text) > limit:
                if not truncate:
                    raise refusals.too_many_characters(len(text), limit=limit)
                text = text[-limit:] if cutting.from_left else text[:limit]
        return TextInput(text, truncate=truncate, from_left=cutting.from_left)

    def _prompt(self, name: str | None) -> str:
        name = self._settings.default_prompt_name if name is None else name
        if name is None:
            return ""
        if name not in self._model.prompts:
            raise refusals.unknown_prompt(name, self._model.prompts)
        return self._model.prompts[name]


def _finish(embedded: Embedded, dimensions: int | None, *, normalized: bool) -> list[Float32]:
    """Cut first, then normalize, as TEI does."""
    if dimensions is None:
        return embedded.unit_rows if normalized else embedded.rows
    rows: Float32 = np.stack(embedded.rows)[:, :dimensions]
    return list(normalize(rows) if normalized else np.ascontiguousarray(rows))


def _is_json(content_type: str) -> bool:
    return content_type == _JSON or (
        content_type.startswith("application/") and content_type.endswith("+json")
    )
