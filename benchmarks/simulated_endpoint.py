"""A remote endpoint, simulated: TEI's wire format, permits and `/info`, but no model.

It serves from a process of its own, and keeps time by appointment: a request gets the worker that
is free first, and is answered when that worker would have finished. So the capacity is exactly
`workers x 32 / service_seconds`, however busy this machine is. Vectors are rows of a fixed table,
chosen by the text, so that a client's order can be checked.

Run it with `python -m benchmarks.simulated_endpoint --port 0`: it prints `{"url": ...}` and serves
until its standard input ends.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import heapq
import json
import random
import subprocess
import sys
import time
import urllib.request
import zlib
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType

import numpy as np
import orjson
from aiohttp import web
from numpy.typing import NDArray
from typing_extensions import Self

ROWS = 251
"""Size of the table of vectors; a prime, so that texts spread over it."""

_TOO_MANY = b'{"error":"batch size %d > maximum allowed batch size %d","error_type":"Validation"}'
_OVERLOADED = b'{"error":"Model is overloaded","error_type":"Overloaded"}'


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What is simulated.

    Attributes:
        round_trip: Seconds on the wire, both ways together.
        service_seconds: Seconds a worker needs for 32 texts; linear in the number of texts.
        workers: Requests served at a time.
        permits: Texts in flight above which the answer is 429.
        max_batch: Texts a request may have.
        dimension: Numbers in a vector.
        noise: Standard deviation of the logarithm of every delay; 0 is exact.
    """

    round_trip: float = 0.020
    service_seconds: float = 0.040
    workers: int = 8
    permits: int = 512
    max_batch: int = 32
    dimension: int = 384
    noise: float = 0.0

    @property
    def capacity(self) -> float:
        """Texts a second with all workers busy."""
        return self.workers * 32 / self.service_seconds


def vector_table(dimension: int) -> NDArray[np.float32]:
    """Make the table of unit vectors that every simulated endpoint of this dimension serves."""
    rows = np.random.default_rng(dimension).standard_normal((ROWS, dimension)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def row_of(text: str) -> int:
    """Say which row of the table a text gets."""
    return zlib.crc32(text.encode()) % ROWS


class SimulatedEndpoint:
    """Run a simulated endpoint in a process of its own; a context manager.

    Args:
        shape: What is simulated.

    Example:
        ```python
        with SimulatedEndpoint(Shape(workers=2)) as endpoint:
            print(endpoint.url)
        ```
    """

    def __init__(self, shape: Shape | None = None) -> None:
        self.shape = shape or Shape()
        self.url = ""
        self._process: subprocess.Popen[bytes] | None = None

    def stats(self) -> dict[str, int]:
        """Ask for the counts so far: requests, texts, rejected, peak (texts in flight)."""
        with urllib.request.urlopen(f"{self.url}/stats") as answer:
            counts: dict[str, int] = json.load(answer)
        return counts

    def __enter__(self) -> Self:
        options = [
            f"--{field.name.replace('_', '-')}={getattr(self.shape, field.name)}"
            for field in fields(Shape)
        ]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.simulated_endpoint", "--port=0", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).resolve().parents[1],
        )
        assert self._process.stdout is not None
        self.url = json.loads(self._process.stdout.readline())["url"]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._process is not None
        self._process.communicate()


class _Simulation:
    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._free_at = [0.0] * shape.workers
        self._random = random.Random(7)
        table = vector_table(shape.dimension)
        self._json = [orjson.dumps(row, option=orjson.OPT_SERIALIZE_NUMPY) for row in table]
        self._base64 = [
            b'"' + base64.b64encode(row.astype("<f4").tobytes()) + b'"' for row in table
        ]
        self.in_flight = 0
        self.stats = {"requests": 0, "texts": 0, "rejected": 0, "peak": 0}

    def _blur(self, seconds: float) -> float:
        if not self._shape.noise:
            return seconds
        return seconds * self._random.lognormvariate(0.0, self._shape.noise)

    async def serve(self, texts: int) -> dict[str, str]:
        """Wait as long as the endpoint would take, and give TEI's headers."""
        shape, arrived = self._shape, time.monotonic()
        self.stats["requests"] += 1
        self.stats["texts"] += texts
        self.in_flight += texts
        self.stats["peak"] = max(self.stats["peak"], self.in_flight)
        service = self._blur(shape.service_seconds * texts / 32)
        begin = max(arrived, heapq.heappop(self._free_at))
        heapq.heappush(self._free_at, begin + service)
        try:
            await asyncio.sleep(begin + service - arrived)
        finally:
            self.in_flight -= texts
        left = begin + service + self._blur(shape.round_trip) - time.monotonic()
        await asyncio.sleep(max(0.0, left))
        return {
            "x-compute-type": "cpu",
            "x-queue-time": str(round((begin - arrived) * 1000)),
            "x-inference-time": str(round(service * 1000)),
            "x-total-time": str(round((begin - arrived + service) * 1000)),
        }

    async def embed(self, request: web.Request) -> web.Response:
        """Answer `/embed` and `/v1/embeddings`."""
        body = orjson.loads(await request.read())
        openai = "input" in body
        texts = body["input" if openai else "inputs"]
        texts = [texts] if isinstance(texts, str) else texts
        if len(texts) > self._shape.max_batch:
            return _answer(_TOO_MANY % (len(texts), self._shape.max_batch), status=422)
        if self.in_flight + len(texts) > self._shape.permits:
            self.stats["rejected"] += 1
            await asyncio.sleep(self._shape.round_trip)
            return _answer(_OVERLOADED, status=429)
        headers = await self.serve(len(texts))
        encoded = self._base64 if body.get("encoding_format") == "base64" else self._json
        rows = [encoded[row_of(text)] for text in texts]
        if not openai:
            return _answer(b"[" + b",".join(rows) + b"]", headers=headers)
        items = b",".join(
            b'{"object":"embedding","index":%d,"embedding":%s}' % item for item in enumerate(rows)
        )
        return _answer(
            b'{"object":"list","data":[%s],"model":"simulated","usage":{"prompt_tokens":1,'
            b'"total_tokens":1}}' % items,
            headers=headers,
        )

    async def info(self, _: web.Request) -> web.Response:
        """Answer `/info`."""
        return web.json_response(
            {
                "model_id": "simulated",
                "model_sha": None,
                "model_dtype": "float32",
                "served_model_name": "simulated",
                "model_type": {"embedding": {"pooling": "mean"}},
                "max_concurrent_requests": self._shape.permits,
                "max_input_length": 512,
                "max_batch_tokens": 16384,
                "max_batch_requests": None,
                "max_client_batch_size": self._shape.max_batch,
                "auto_truncate": True,
                "tokenization_workers": 4,
                "version": "1.9.3",
            }
        )

    async def show_stats(self, _: web.Request) -> web.Response:
        """Answer `/stats`."""
        return web.json_response(self.stats)


def _answer(
    body: bytes, *, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")


async def _health(_: web.Request) -> web.Response:
    return web.Response()


def _application(shape: Shape) -> web.Application:
    simulation = _Simulation(shape)
    app = web.Application(client_max_size=2_000_000)
    app.router.add_get("/info", simulation.info)
    app.router.add_get("/stats", simulation.show_stats)
    app.router.add_get("/health", _health)
    for path in ("/", "/embed", "/embeddings", "/v1/embeddings"):
        app.router.add_post(path, simulation.embed)
    return app


async def _serve(app: web.Application, port: int) -> None:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    host, bound_port = runner.addresses[0][:2]
    print(json.dumps({"url": f"http://{host}:{bound_port}"}), flush=True)
    await asyncio.to_thread(sys.stdin.buffer.read)
    await runner.cleanup()


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    for field in fields(Shape):
        default = getattr(Shape(), field.name)
        parser.add_argument(
            f"--{field.name.replace('_', '-')}", type=type(default), default=default
        )
    options = vars(parser.parse_args())
    port = options.pop("port")
    asyncio.run(_serve(_application(Shape(**options)), port))


if __name__ == "__main__":
    main()
