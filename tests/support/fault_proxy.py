"""A proxy that spoils a share of the requests that pass through it, the same ones on every run."""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections import Counter
from types import TracebackType

import aiohttp
from aiohttp import web
from typing_extensions import Self

FAULTS = (
    "429",
    "429-retry-after",
    "500",
    "503",
    "reset",
    "reset-after",
    "truncated",
    "slow",
    "partial",
)
"""`reset` loses the request, `reset-after` and `truncated` only the answer to it; `partial` lets
half of an upsert through and answers 503."""

_SLOW_SECONDS = 1.5


class FaultProxy:
    """Forwards to a server on loopback, from a thread of its own; a context manager.

    Args:
        target: URL of the server.
        rate: Share of the requests to spoil, from 0 to 1.
        seed: Which ones.
        faults: What may happen to them.
    """

    def __init__(
        self, target: str, *, rate: float = 0.2, seed: int = 0, faults: tuple[str, ...] = FAULTS
    ) -> None:
        self.target = target.rstrip("/")
        self.url = ""
        self.spoiled: Counter[str] = Counter()
        self.passed = 0
        self._rate = rate
        self._faults = faults
        self._random = random.Random(seed)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _start(self) -> None:
        self._session = aiohttp.ClientSession(auto_decompress=False)
        app = web.Application(client_max_size=64_000_000)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _stop(self) -> None:
        await self._session.close()
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        fault = self._choose()
        if fault is None:
            self.passed += 1
        else:
            self.spoiled[fault] += 1
        if fault == "reset":
            return self._drop(request)
        if fault in ("429", "500", "503"):
            return web.json_response({"message": "spoiled on purpose"}, status=int(fault))
        if fault == "429-retry-after":
            return web.json_response(
                {"message": "spoiled on purpose"}, status=429, headers={"Retry-After": "0.2"}
            )
        if fault == "partial":
            return await self._forward_half(request, body)
        if fault == "slow":
            await asyncio.sleep(_SLOW_SECONDS)
        status, headers, answer = await self._forward(request, body)
        if fault == "reset-after":
            return self._drop(request)
        response = web.StreamResponse(status=status, headers=headers)
        response.content_length = len(answer)
        await response.prepare(request)
        if fault == "truncated":
            await response.write(answer[: len(answer) // 2])
            return self._drop(request)
        await response.write(answer)
        return response

    async def _forward_half(self, request: web.Request, body: bytes) -> web.Response:
        if request.path.endswith("/vectors/upsert"):
            upsert = json.loads(body)
            upsert["vectors"] = upsert["vectors"][::2]
            await self._forward(request, json.dumps(upsert).encode())
        return web.json_response({"message": "half of it got through"}, status=503)

    async def _forward(
        self, request: web.Request, body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        kept = ("Content-Type", "Api-Key", "Authorization", "X-Pinecone-API-Version")
        headers = {name: request.headers[name] for name in kept if name in request.headers}
        async with self._session.request(
            request.method, self.target + request.path_qs, data=body or None, headers=headers
        ) as answer:
            back = {"Content-Type": answer.headers.get("Content-Type", "application/json")}
            return answer.status, back, await answer.read()

    def _choose(self) -> str | None:
        if self._random.random() >= self._rate:
            return None
        return self._random.choice(self._faults)

    def _drop(self, request: web.Request) -> web.Response:
        if request.transport is not None:
            request.transport.abort()
        return web.Response()
