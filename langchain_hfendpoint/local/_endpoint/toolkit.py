"""The inference toolkit: what endpoints ran before hf-serve, and many still do.

Observed on huggingface-inference-toolkit 0.5.6: one request at a time, no limits, parameters
without effect, every error a 400 with `{"error": ...}`. Text pairs are not supported here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np
import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from langchain_hfendpoint.local._endpoint.answers import json_answer
from langchain_hfendpoint.local._endpoint.engine import Engine
from langchain_hfendpoint.local._endpoint.runtime import Float32, normalize
from langchain_hfendpoint.local._endpoint.settings import Task
from langchain_hfendpoint.local._endpoint.tokenizing import TextInput

_CONTENT_TYPES = ("application/json", "application/json; charset=UTF-8")
_ACCEPTED = ("*/*", "application/json")


class _FailedError(Exception):
    """Whatever the toolkit's Python code raises; its text is the answer."""


class Toolkit:
    """The routes of the toolkit over one engine.

    Args:
        engine: What embeds.
        task: What the endpoint was created for.
    """

    def __init__(self, engine: Engine, *, task: Task) -> None:
        self._engine = engine
        self._task = task
        self._turn = asyncio.Lock()
        self._queued = 0

    def application(self) -> web.Application:
        """Make the web application."""
        app = web.Application(middlewares=[_plain_errors], client_max_size=0)
        for path in ("/", "/health"):
            app.router.add_get(path, self._health)
        app.router.add_get("/metrics", self._metrics)
        for path in ("/", "/predict"):
            app.router.add_post(path, self._predict)
        return app

    @staticmethod
    def fault(status: int) -> web.Response:
        """Answer an injected fault."""
        return json_answer({"error": "injected fault"}, status=status)

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response(text="Ok")

    async def _metrics(self, _: web.Request) -> web.Response:
        running = int(self._turn.locked())
        waiting = max(0, self._queued - running)
        return web.Response(text=f"inf_batch_current_size {running}\ninf_queue_size {waiting}\n")

    async def _predict(self, request: web.Request) -> web.Response:
        self._queued += 1
        try:
            inputs = _inputs(request.headers.get("content-type"), await request.read())
            async with self._turn:
                answer = await self._answer(inputs)
            _check_accept(request.headers.get("accept"))
        except _FailedError as error:
            return json_answer({"error": str(error)}, status=400)
        finally:
            self._queued -= 1
        return json_answer(answer)

    async def _answer(self, inputs: object) -> object:
        if self._task == "feature-extraction":
            return await self._extract(inputs)
        if self._task == "sentence-similarity":
            return {"similarities": await self._compare(inputs)}
        if isinstance(inputs, dict):
            if set(inputs) != {"sentences"}:
                wrong = next(iter(inputs.keys() - {"sentences"}), "")
                raise _FailedError(
                    "SentenceEmbeddingPipeline.__call__() got an unexpected keyword argument "
                    f"'{wrong}'"
                )
            inputs = inputs["sentences"]
        if isinstance(inputs, str):
            return {"embeddings": (await self._embed([inputs]))[0]}
        texts = _texts(inputs)
        return {"embeddings": await self._embed(texts) if texts else []}

    async def _compare(self, inputs: object) -> Float32:
        if not isinstance(inputs, dict) or "sentences" not in inputs:
            raise _FailedError(
                "SentenceSimilarityPipeline.__call__() missing 1 required positional argument: "
                "'sentences'"
            )
        rows = await self._embed(
            [*_texts([inputs.get("source_sentence")]), *_texts(inputs["sentences"])]
        )
        scores: Float32 = normalize(rows[1:]) @ normalize(rows[:1])[0]
        return scores

    async def _extract(self, inputs: object) -> list[object]:
        texts = [inputs] if isinstance(inputs, str) else _texts(inputs)
        if not texts:
            return []
        embedded = await self._engine.embed([TextInput(text) for text in texts], every_token=True)
        tokens = [[row] for row in embedded.rows]
        return list(tokens[0]) if isinstance(inputs, str) else list(tokens)

    async def _embed(self, texts: Sequence[str]) -> Float32:
        embedded = await self._engine.embed([TextInput(text) for text in texts])
        normalizes = self._engine.model.normalizes
        rows: Float32 = np.stack(embedded.unit_rows if normalizes else embedded.rows)
        return rows


def _inputs(content_type: str | None, body: bytes) -> object:
    if content_type not in _CONTENT_TYPES:
        raise _FailedError(
            f'\n            Content type "{content_type}" not supported.\n            '
            f"Supported content types are:\n            {', '.join(_CONTENT_TYPES)}\n            "
        )
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _FailedError(str(error)) from None
    if not isinstance(content, dict) or "inputs" not in content:
        raise _FailedError(f"Body needs to provide a inputs key, received: {body!r}")
    return content["inputs"]


def _check_accept(accept: str | None) -> None:
    # The toolkit finds this out only after the model has run.
    if accept is not None and accept not in _ACCEPTED:
        raise _FailedError(
            f'\n            Accept type "{accept}" not supported.\n            '
            f"Supported accept types are:\n            {', '.join(_ACCEPTED)}\n            "
        )


def _texts(inputs: object) -> list[str]:
    if inputs is None:
        raise _FailedError("'NoneType' object is not subscriptable")
    if not isinstance(inputs, list) or not all(isinstance(text, str) for text in inputs):
        raise _FailedError("text input must be of type `str` or `list[str]`")
    return inputs


@web.middleware
async def _plain_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPNotFound:
        return web.Response(status=404, text="Not Found")
    except web.HTTPMethodNotAllowed:
        return web.Response(status=405, text="Method Not Allowed")
