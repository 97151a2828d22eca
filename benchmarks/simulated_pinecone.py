"""A remote Pinecone index, simulated: it takes upserts at a fixed pace and stores nothing.

It serves from a process of its own, and keeps time by appointment, as `simulated_endpoint` does: an
upsert of n records gets the slot that is free first and is answered 30 + 0.3 n ms later, up to 16
at a time. Its limits are Pinecone's: 1,000 records and 2 MB, else 400 and 413.

Run it with `python -m benchmarks.simulated_pinecone --port 0`: it prints `{"url": ...}` and serves
until its standard input ends.
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import json
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType

import orjson
from aiohttp import web
from typing_extensions import Self

MAX_RECORDS = 1_000
MAX_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What is simulated.

    Attributes:
        request_seconds: Seconds an upsert takes at least.
        record_seconds: Seconds more for each record.
        slots: Upserts served at a time.
        dimension: Dimension of the index.
    """

    request_seconds: float = 0.030
    record_seconds: float = 0.0003
    slots: int = 16
    dimension: int = 384


class SimulatedPinecone:
    """Run a simulated index in a process of its own; a context manager.

    Args:
        shape: What is simulated.
    """

    def __init__(self, shape: Shape | None = None) -> None:
        self.shape = shape or Shape()
        self.url = ""
        self._process: subprocess.Popen[bytes] | None = None

    def stats(self) -> dict[str, int]:
        """Ask for the counts so far: requests, records, bytes, refused, peak (upserts at once)."""
        with urllib.request.urlopen(f"{self.url}/stats") as answer:
            counts: dict[str, int] = json.load(answer)
        return counts

    def __enter__(self) -> Self:
        options = [
            f"--{field.name.replace('_', '-')}={getattr(self.shape, field.name)}"
            for field in fields(Shape)
        ]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.simulated_pinecone", "--port=0", *options],
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
        self._free_at = [0.0] * shape.slots
        self._in_flight = 0
        self.stats = {"requests": 0, "records": 0, "bytes": 0, "refused": 0, "peak": 0}

    async def upsert(self, request: web.Request) -> web.Response:
        """Answer `/vectors/upsert`."""
        arrived = time.monotonic()
        body = await request.read()
        # Counting is enough, and costs this process nothing that would slow down the client.
        records = body.count(b'"values"')
        if len(body) > MAX_BYTES or records > MAX_RECORDS:
            self.stats["refused"] += 1
            status = 413 if len(body) > MAX_BYTES else 400
            return web.json_response({"code": 11, "message": "too large"}, status=status)
        self._in_flight += 1
        self.stats["peak"] = max(self.stats["peak"], self._in_flight)
        self.stats["requests"] += 1
        self.stats["records"] += records
        self.stats["bytes"] += len(body)
        service = self._shape.request_seconds + self._shape.record_seconds * records
        end = max(arrived, heapq.heappop(self._free_at)) + service
        heapq.heappush(self._free_at, end)
        try:
            await asyncio.sleep(max(0.0, end - time.monotonic()))
        finally:
            self._in_flight -= 1
        return web.Response(
            body=orjson.dumps({"upsertedCount": records}), content_type="application/json"
        )

    async def describe(self, _: web.Request) -> web.Response:
        """Answer `/describe_index_stats`."""
        return web.json_response(
            {
                "namespaces": {"": {"vectorCount": self.stats["records"]}},
                "dimension": self._shape.dimension,
                "indexFullness": 0,
                "totalVectorCount": self.stats["records"],
                "metric": "cosine",
                "vectorType": "dense",
            }
        )

    async def show_stats(self, _: web.Request) -> web.Response:
        """Answer `/stats`."""
        return web.json_response(self.stats)


async def _serve(shape: Shape, port: int) -> None:
    simulation = _Simulation(shape)
    app = web.Application(client_max_size=4 * MAX_BYTES)
    app.router.add_post("/vectors/upsert", simulation.upsert)
    app.router.add_post("/describe_index_stats", simulation.describe)
    app.router.add_get("/stats", simulation.show_stats)
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
    arguments = vars(parser.parse_args())
    port = arguments.pop("port")
    asyncio.run(_serve(Shape(**arguments), port))


if __name__ == "__main__":
    main()
