"""A small embedding server that answers with any fault it is told to; real HTTP on loopback."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from aiohttp import web
from numpy.typing import NDArray

DIMENSION = 8

Fault = Callable[[web.Request, list[str]], Awaitable[web.StreamResponse]]


def vector(text: str) -> NDArray[np.float32]:
    """The vector of a text: of length 1, and unlike that of any other text."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    raw = np.frombuffer(digest, dtype="<i4").astype(np.float64)
    unit: NDArray[np.float32] = (raw / np.linalg.norm(raw)).astype(np.float32)
    return unit


def vectors(texts: Sequence[str]) -> NDArray[np.float32]:
    return np.array([vector(text) for text in texts], dtype=np.float32).reshape(-1, DIMENSION)


@dataclass
class FaultServer:
    """What the server does; change it while it runs.

    Attributes:
        flavor: `"tei"`, `"openai"`, `"toolkit"`, `"bare"` (toolkit without health) or `"llama"`.
        faults: For the next embedding requests, one each; then it answers rightly.
        poison: Texts that make every request with them fail, and how.
        always: Fault of every embedding request, if any.
        version: What TEI's `/info` says.
        max_batch: Texts a request may have; what `/info` says.
        permits: Texts that may be in flight.
        told_batch: Whether `/info` tells `max_batch`.
        seconds: What a request takes.
        key: Key that is asked for, if any.
        seen: Bodies of the embedding requests.
        paths: All paths asked for.
        headers: Headers of all requests.
        peak: Most texts in flight.
    """

    flavor: str = "tei"
    faults: list[Fault] = field(default_factory=list)
    poison: dict[str, Fault] = field(default_factory=dict)
    always: Fault | None = None
    version: str = "1.9.3"
    max_batch: int = 32
    permits: int = 512
    told_batch: bool = True
    seconds: float = 0.0
    key: str | None = None
    info_faults: list[Fault] = field(default_factory=list)
    seen: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    in_flight: int = 0
    peak: int = 0
    url: str = ""

    def sent(self) -> list[list[str]]:
        """The texts of every embedding request."""
        return [texts_of(body) for body in self.seen]

    @contextlib.contextmanager
    def running(self) -> Iterator[FaultServer]:
        """Serve from a thread."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()

        async def start() -> web.AppRunner:
            app = web.Application(client_max_size=2**26)
            app.router.add_route("*", "/{path:.*}", self._handle)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            return runner

        async def stop() -> None:
            await runner.cleanup()
            hanging = asyncio.all_tasks() - {asyncio.current_task()}
            for task in hanging:
                task.cancel()
            await asyncio.gather(*hanging, return_exceptions=True)

        runner = asyncio.run_coroutine_threadsafe(start(), loop).result()
        self.url = "http://127.0.0.1:{1}".format(*runner.addresses[0])
        try:
            yield self
        finally:
            asyncio.run_coroutine_threadsafe(stop(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.paths.append(f"{request.method} {request.path}")
        self.headers.append(dict(request.headers))
        if self.key is not None and request.headers.get("Authorization") != f"Bearer {self.key}":
            return web.Response(status=401)
        if request.method == "GET":
            if self.info_faults:
                return await self.info_faults.pop(0)(request, [])
            return self._about(request.path)
        body = await request.json()
        texts = texts_of(body)
        self.seen.append(body)
        self.in_flight += len(texts)
        self.peak = max(self.peak, self.in_flight)
        try:
            return await self._embed(request, body, texts)
        finally:
            self.in_flight -= len(texts)

    def _about(self, path: str) -> web.Response:
        if self.flavor == "tei" and path == "/info":
            info: dict[str, Any] = {
                "model_id": "test/model",
                "model_sha": "abc",
                "model_type": {"embedding": {"pooling": "mean"}},
                "max_concurrent_requests": self.permits,
                "version": self.version,
            }
            if self.told_batch:
                info["max_client_batch_size"] = self.max_batch
            return web.json_response(info)
        if self.flavor == "openai" and path == "/v1/models":
            return web.json_response({"object": "list", "data": [{"id": "m", "owned_by": "vllm"}]})
        if self.flavor == "toolkit" and path == "/health":
            return web.Response(text="Ok")
        return web.Response(status=404, text="Not Found")

    async def _embed(
        self, request: web.Request, body: dict[str, Any], texts: list[str]
    ) -> web.StreamResponse:
        if self.faults:
            return await self.faults.pop(0)(request, texts)
        if self.always is not None:
            return await self.always(request, texts)
        if len(texts) > self.max_batch:
            words = f"batch size {len(texts)} > maximum allowed batch size {self.max_batch}"
            return web.json_response({"error": words, "error_type": "Validation"}, status=422)
        if self.in_flight > self.permits:
            overloaded = {"error": "Model is overloaded", "error_type": "Overloaded"}
            return web.json_response(overloaded, status=429)
        for text in texts:
            if text in self.poison:
                return await self.poison[text](request, texts)
        if self.seconds:
            await asyncio.sleep(self.seconds)
        return answer(request.path, body, texts, self.flavor)


def texts_of(body: dict[str, Any]) -> list[str]:
    texts = body["inputs"] if "inputs" in body else body["input"]
    return [texts] if isinstance(texts, str) else list(texts)


def answer(path: str, body: dict[str, Any], texts: list[str], flavor: str) -> web.Response:
    """The right answer, in the form that the request asks for."""
    rows = vectors(texts)
    if path.endswith("/embeddings"):
        coded = body.get("encoding_format") == "base64"
        data = [
            {
                "object": "embedding",
                "index": index,
                "embedding": base64.b64encode(row.tobytes()).decode() if coded else row.tolist(),
            }
            for index, row in enumerate(rows)
        ]
        return web.json_response({"object": "list", "data": data[::-1], "model": "m"})
    if flavor in ("toolkit", "bare"):
        return web.json_response({"embeddings": rows.tolist()})
    return web.json_response(rows.tolist())


def status(code: int, body: object = None, **headers: str) -> Fault:
    """Answer with a status; a string is sent as plain text, anything else as JSON."""

    async def fault(request: web.Request, texts: list[str]) -> web.StreamResponse:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is None or isinstance(body, str):
            return web.Response(status=code, text=body or "", headers=names)
        return web.json_response(body, status=code, headers=names)

    return fault


def says(body: object) -> Fault:
    """Answer 200 with any JSON; text is sent as it is."""

    async def fault(request: web.Request, texts: list[str]) -> web.StreamResponse:
        text = body if isinstance(body, str) else json.dumps(body)
        return web.Response(text=text, content_type="application/json")

    return fault


def rows(change: Callable[[list[list[float]]], object]) -> Fault:
    """Answer with changed rows."""

    async def fault(request: web.Request, texts: list[str]) -> web.StreamResponse:
        changed = change(vectors(texts).tolist())
        return web.Response(text=json.dumps(changed), content_type="application/json")

    return fault


async def reset(request: web.Request, texts: list[str]) -> web.StreamResponse:
    """Break the connection without an answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def cut_short(request: web.Request, texts: list[str]) -> web.StreamResponse:
    """Break the connection in the middle of the body."""
    response = web.StreamResponse(headers={"Content-Length": "100000"})
    await response.prepare(request)
    await response.write(b"[[0.1, 0.2")
    assert request.transport is not None
    request.transport.abort()
    return response


async def drip(request: web.Request, texts: list[str]) -> web.StreamResponse:
    """Send a byte now and then, for ever."""
    response = web.StreamResponse()
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.05)
    return response


def after(seconds: float, fault: Fault) -> Fault:
    """Wait before a fault."""

    async def slow(request: web.Request, texts: list[str]) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return await fault(request, texts)

    return slow
