"""Routes, keys and headers: the only part that knows of HTTP.

Requests are parsed and read in threads, so that the event loop stays free; writes are awaited
until the index's own thread has them on disk.
"""

from __future__ import annotations

import asyncio
import gc
import hmac
import logging
import random
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from langchain_hfendpoint.local._pinecone import control, data_plane, namespaces
from langchain_hfendpoint.local._pinecone.calls import Answer, Call, Write
from langchain_hfendpoint.local._pinecone.directory import Directory
from langchain_hfendpoint.local._pinecone.faults import Faults
from langchain_hfendpoint.local._pinecone.fields import Fields
from langchain_hfendpoint.local._pinecone.wire import MAX_REQUEST_BYTES, WireError, not_found

T = TypeVar("T")
R = TypeVar("R")

_LOG = logging.getLogger(__name__)
_DEFAULT_VERSION: Final = "2025-10"
_THREADS: Final = 4
_DRAIN_BYTES: Final = 64 * 1024 * 1024
_GARBAGE_OBJECTS: Final = 50_000
"""How many objects may come into being before Python looks for cycles among them. An upsert makes
thousands, all of which go by themselves; looking through their vectors took a tenth of its time."""

_READS: Final[dict[tuple[str, str], Callable[[Call], Answer]]] = {
    ("POST", "/query"): data_plane.query,
    ("GET", "/vectors/fetch"): data_plane.fetch,
    ("POST", "/vectors/fetch_by_metadata"): data_plane.fetch_by_metadata,
    ("GET", "/vectors/list"): data_plane.list_vectors,
    ("POST", "/describe_index_stats"): data_plane.describe_index_stats,
    ("GET", "/describe_index_stats"): data_plane.describe_index_stats,
    ("GET", "/namespaces"): namespaces.list_namespaces,
    ("GET", "/namespaces/{namespace}"): namespaces.describe_namespace,
}
_WRITES: Final[dict[tuple[str, str], Callable[[Call], Write]]] = {
    ("POST", "/vectors/upsert"): data_plane.upsert,
    ("POST", "/vectors/update"): data_plane.update,
    ("POST", "/vectors/delete"): data_plane.delete,
    ("POST", "/namespaces"): namespaces.create_namespace,
    ("DELETE", "/namespaces/{namespace}"): namespaces.delete_namespace,
}


def build_app(
    directory: Directory, *, api_key: str | None, faults: Faults | None = None
) -> web.Application:
    """Make the application.

    Args:
        directory: The indexes; the caller closes them when the application has ended.
        api_key: Key that clients must send, or `None` to accept any.
        faults: What shall go wrong on the data plane.

    Returns:
        The application.
    """
    plane = _Plane(directory, api_key, faults or Faults())
    app = web.Application(middlewares=[plane.guard], client_max_size=0)
    app.cleanup_ctx.append(plane.lifetime)
    app.router.add_get("/indexes", plane.list_indexes)
    app.router.add_post("/indexes", plane.create_index)
    app.router.add_get("/indexes/{name}", plane.describe_index)
    app.router.add_patch("/indexes/{name}", plane.configure_index)
    app.router.add_delete("/indexes/{name}", plane.delete_index)
    for (method, path), read in _READS.items():
        app.router.add_route(method, "/i/{index}" + path, plane.reading(read))
    for (method, path), write in _WRITES.items():
        app.router.add_route(method, "/i/{index}" + path, plane.writing(write))
    return app


@dataclass(frozen=True, slots=True)
class _Plane:
    directory: Directory
    api_key: str | None
    faults: Faults

    async def lifetime(self, app: web.Application) -> AsyncIterator[None]:
        app[_READERS] = ThreadPoolExecutor(_THREADS, thread_name_prefix="pinecone-read")
        # One is enough: parsing holds the interpreter's lock, and in parallel it only takes memory.
        app[_PARSER] = ThreadPoolExecutor(1, thread_name_prefix="pinecone-parse")
        usual = gc.get_threshold()
        gc.set_threshold(_GARBAGE_OBJECTS, *usual[1:])
        yield
        gc.set_threshold(*usual)
        app[_READERS].shutdown()
        app[_PARSER].shutdown()

    @property
    def guard(self) -> Middleware:
        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            data = request.path.startswith("/i/")
            try:
                self._authenticate(request, data=data)
                if data:
                    await self._suffer()
                return await handler(request)
            except WireError as error:
                return _refusal(error, data=data)
            except web.HTTPException as error:
                return _refusal(_from_http(error), data=data)
            except Exception:  # noqa: BLE001 (a client must get an answer, whatever happened)
                _LOG.exception("%s %s failed", request.method, request.path)
                return _refusal(WireError(500, "INTERNAL", "Internal server error"), data=data)

        return guard

    def _authenticate(self, request: web.Request, *, data: bool) -> None:
        given = request.headers.get("Api-Key", "").encode(errors="surrogateescape")
        if self.api_key is None or hmac.compare_digest(given, self.api_key.encode()):
            return
        if data:
            raise WireError(403, "PERMISSION_DENIED", "Wrong API key")
        raise WireError(401, "UNAUTHENTICATED", "Invalid API key.")

    async def _suffer(self) -> None:
        if self.faults.latency:
            await asyncio.sleep(self.faults.latency)
        error = self.faults.strike(random.random())  # noqa: S311 (no secret hangs on it)
        if error is not None:
            raise error

    # Control plane.

    async def list_indexes(self, request: web.Request) -> web.Response:
        names = self.directory.names()
        return _json({"indexes": [self._description(request, name) for name in names]})

    async def describe_index(self, request: web.Request) -> web.Response:
        return _json(self._description(request, request.match_info["name"]))

    async def create_index(self, request: web.Request) -> web.Response:
        self._writable()
        config = control.read_new_index(Fields.parse(await _body(request)), _version(request))
        await _in_thread(request.app[_READERS], self.directory.create, config)
        return _json(self._description(request, config.name), status=201)

    async def configure_index(self, request: web.Request) -> web.Response:
        self._writable()
        name = request.match_info["name"]
        index = self.directory.get(name)
        body = Fields.parse(await _body(request))
        await asyncio.wrap_future(
            index.write(
                lambda transaction: transaction.configure(
                    control.read_changes(body, transaction.config)
                )
            )
        )
        return _json(self._description(request, name), status=202)

    async def delete_index(self, request: web.Request) -> web.Response:
        self._writable()
        name = request.match_info["name"]
        await _in_thread(request.app[_READERS], self.directory.delete, name)
        return web.Response(status=202)

    def _description(self, request: web.Request, name: str) -> dict[str, Any]:
        return control.describe(
            self.directory.get(name).config,
            host=f"{request.scheme}://{request.host}/i/{name}",
            version=_version(request),
        )

    # Data plane.

    def reading(self, operation: Callable[[Call], Answer]) -> Handler:
        def answer(call: Call) -> tuple[bytes, int]:
            answer = operation(call)
            return data_plane.encode(answer.body), answer.lsn

        async def handler(request: web.Request) -> web.StreamResponse:
            readers = request.app[_READERS]
            encoded, lsn = await _in_thread(readers, answer, await self._call(request))
            return _data(encoded, {"x-pinecone-max-indexed-lsn": str(lsn)})

        return handler

    def writing(self, operation: Callable[[Call], Write]) -> Handler:
        async def handler(request: web.Request) -> web.StreamResponse:
            self._writable()
            index = self.directory.get(request.match_info["index"])
            write = await _in_thread(request.app[_PARSER], operation, await self._call(request))
            committed = await asyncio.wrap_future(index.write(write.operation))
            encoded = data_plane.encode(write.answer(committed.value))
            return _data(encoded, {"x-pinecone-request-lsn": str(committed.lsn)})

        return handler

    async def _call(self, request: web.Request) -> Call:
        return Call(
            index=self.directory.get(request.match_info["index"]),
            version=_version(request),
            path=request.match_info,
            query={name: request.query.getall(name) for name in request.query},
            body=await _body(request),
        )

    def _writable(self) -> None:
        if self.directory.read_only:
            raise WireError(
                403, "FORBIDDEN", "This local Pinecone is read-only: it was started so."
            )


_READERS: Final = web.AppKey("readers", ThreadPoolExecutor)
_PARSER: Final = web.AppKey("parser", ThreadPoolExecutor)


async def _in_thread(pool: ThreadPoolExecutor, function: Callable[[T], R], argument: T) -> R:
    return await asyncio.get_running_loop().run_in_executor(pool, function, argument)


async def _body(request: web.Request) -> bytes:
    """Read the body; one that is too large is read to its end, so that the client hears why."""
    parts: list[bytes] = []
    size = 0
    async for part in request.content.iter_any():
        size += len(part)
        if size <= MAX_REQUEST_BYTES:
            parts.append(part)
        elif size > _DRAIN_BYTES:
            break
    if size > MAX_REQUEST_BYTES:
        raise WireError(
            400,
            "OUT_OF_RANGE",
            f"Error, message length too large: found {size} bytes, "
            f"the limit is: {MAX_REQUEST_BYTES} bytes",
        )
    return b"".join(parts)


def _version(request: web.Request) -> str:
    return request.headers.get("X-Pinecone-API-Version", _DEFAULT_VERSION)


def _json(body: object, *, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


def _data(encoded: bytes, headers: dict[str, str]) -> web.Response:
    return web.Response(body=encoded, headers=headers, content_type="application/json")


def _refusal(error: WireError, *, data: bool) -> web.Response:
    body = error.data_body() if data else error.control_body()
    return _json(body, status=error.status)


def _from_http(error: web.HTTPException) -> WireError:
    if error.status == 404:
        return not_found("Not found: the local Pinecone has no such route")
    if error.status == 405:
        return WireError(405, "UNIMPLEMENTED", "Method not allowed")
    return WireError(error.status, "UNKNOWN", error.reason)
