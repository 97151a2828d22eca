"""Writes to a Pinecone index over its REST interface, past the client's serializer.

langchain-pinecone holds the client at 7.x, whose upsert costs 80 ms of processor time for 100
vectors of 384 numbers (one Python call a number) and a third more bytes. Here orjson writes the
shortest text of each float32, bit-exact, in under 1 ms: whole bodies at a time, which costs two
thirds of record after record. What is stored is what
`PineconeVectorStore` stores: the text under its text key, in its namespace.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import aiohttp
import numpy as np
import orjson
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings

from langchain_hfendpoint._indexing.calls import in_worker_thread
from langchain_hfendpoint._provenance import Provenance, provenance_of
from langchain_hfendpoint._retry_after import parse_retry_after
from langchain_hfendpoint._sinks import upserts
from langchain_hfendpoint._sinks.base import E, Entry, Refused, Row, Write
from langchain_hfendpoint._sinks.metadata import check_id, encode_metadata
from langchain_hfendpoint._sinks.upserts import Verdict
from langchain_hfendpoint.errors import PineconeError
from langchain_hfendpoint.vectorstores import check_same_provenance, stored_provenance

if TYPE_CHECKING:
    from langchain_pinecone import PineconeVectorStore

_API_VERSION = "2025-04"
_IN_FLIGHT = 16
_TARGET_RECORDS = 200
_TIMEOUT = aiohttp.ClientTimeout(total=60, sock_connect=10)
_RETRY_SECONDS = 120.0
_VERIFY_SECONDS = 10.0
_URL_BYTES = 6_000


class PineconeSink:
    """Stores vectors in the index of a `PineconeVectorStore`.

    Args:
        store: The store.
        provenance: How the vectors were made, if they come ready-made; else the store's embeddings
            make them.
        namespace: Namespace to write to; by default the store's.
        in_flight: Upserts in flight; by default 16.
        retry_seconds: How long a request is repeated before it has failed.
    """

    takes_vectors = True

    def __init__(
        self,
        store: PineconeVectorStore,
        *,
        provenance: Provenance | None = None,
        namespace: str | None = None,
        in_flight: int | None = None,
        retry_seconds: float = _RETRY_SECONDS,
    ) -> None:
        self._store = store
        self._provenance = provenance
        self._namespace = (store._namespace if namespace is None else namespace) or ""
        self._text_key: str = store._text_key
        self._rate = upserts.RateWindow()
        self._retry_seconds = retry_seconds
        self._session: aiohttp.ClientSession | None = None
        self.embeddings: Embeddings = store._embedding
        self.in_flight = in_flight or _IN_FLIGHT
        self.retries = 0

    def check(self, key: str, document: Document) -> bytes:
        """Refuse what Pinecone cannot hold, and encode what it will hold."""
        check_id(key, text=document.page_content)
        return encode_metadata(
            document.metadata, text=document.page_content, text_key=self._text_key
        )

    async def verify(self) -> None:
        """Compare how the stored vectors were made with how the new ones are.

        Raises:
            ProvenanceMismatchError: If they differ in dimension, model, revision, normalization or
                document prompt.
            PineconeError: If Pinecone does not tell, asked again for some seconds.
        """
        asked = self._provenance

        def compare() -> None:
            check_same_provenance(
                "The Pinecone index",
                stored_provenance(self._store),
                asked if asked is not None else provenance_of(self.embeddings),
            )

        # The client repeats little by itself: a 429 at this moment would end the run.
        deadline = time.monotonic() + min(_VERIFY_SECONDS, self._retry_seconds)
        attempt = 0
        while True:
            try:
                return await in_worker_thread(compare)
            except PineconeError as error:
                attempt += 1
                delay = upserts.retry_delay(attempt, retry_after=None, jitter=random.random())  # noqa: S311
                hopeless = upserts.judge(error.status, records=1) is not Verdict.RETRY
                if hopeless or time.monotonic() + delay > deadline:
                    raise
                self.retries += 1
            await asyncio.sleep(delay)

    def writes(self, entries: Sequence[E]) -> Sequence[Write[E]]:
        """Encode entries and divide them into bodies within Pinecone's limits."""
        slices = upserts.pack(
            _expected_bytes(entries),
            max_records=upserts.MAX_RECORDS,
            max_bytes=upserts.MAX_BODY_BYTES,
        )
        return [write for cut in slices for write in self._fitting(entries[cut])]

    def enough(self, entries: Sequence[Entry]) -> bool:
        """Tell whether a body would be reasonably full: 200 records, or most of 2 MB."""
        if not entries or entries[0].row is None:
            return False
        (size,) = _expected_bytes(entries[:1])
        return len(entries) >= min(_TARGET_RECORDS, max(1, upserts.MAX_BODY_BYTES // size))

    async def write(self, write: Write[E]) -> Sequence[Refused[E]]:
        """Upsert one body, again and in halves if need be.

        Raises:
            PineconeError: If Pinecone cannot be reached or does not let us in.
        """
        records = len(write.entries)
        status, answer = await self._request(
            "POST", "/vectors/upsert", body=write.body, records=records
        )
        verdict = upserts.judge(status, records=records)
        if verdict is Verdict.DONE:
            return []
        if verdict is Verdict.SPLIT:
            refused: list[Refused[E]] = []
            for cut in upserts.halves(records):
                for half in self._fitting(write.entries[cut]):
                    refused += await self.write(half)
            return refused
        if verdict is Verdict.FAIL and status in (400, 413, 422):
            (entry,) = write.entries
            return [Refused(entry, self._error(_name(entry), status, answer))]
        raise self._error("an upsert", status, answer)

    async def fetch(self, keys: Sequence[str]) -> dict[str, Row]:
        """Give the vectors that are stored under these keys."""
        found: dict[str, Row] = {}
        # The ids stand in the URL, so its length is what limits a request.
        longest = max((len(key) for key in keys), default=1)
        step = max(1, min(upserts.MAX_IDS, _URL_BYTES // (longest + 5)))
        for start in range(0, len(keys), step):
            query = [("ids", key) for key in keys[start : start + step]]
            if self._namespace:
                query.append(("namespace", self._namespace))
            status, answer = await self._request("GET", "/vectors/fetch", query=query)
            if status is None or status >= 300:
                raise self._error("a fetch", status, answer)
            for key, record in orjson.loads(answer).get("vectors", {}).items():
                values = record.get("values")
                if values:
                    found[key] = np.asarray(values, dtype=np.float32)
        return found

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete records; a namespace that does not exist holds none of them.

        Raises:
            PineconeError: If Pinecone refuses.
        """
        for start in range(0, len(keys), upserts.MAX_IDS):
            request: dict[str, object] = {"ids": list(keys[start : start + upserts.MAX_IDS])}
            if self._namespace:
                request["namespace"] = self._namespace
            status, answer = await self._request(
                "POST", "/vectors/delete", body=orjson.dumps(request)
            )
            if status is None or (status >= 300 and status != 404):
                raise self._error("a delete", status, answer)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _fitting(self, entries: Sequence[E]) -> list[Write[E]]:
        """Encode entries as one body, or as several if it turns out too large."""
        body = upserts.encode_body(
            [
                {"id": entry.key, "values": entry.row, "metadata": orjson.Fragment(entry.encoded)}
                for entry in entries
            ],
            namespace=self._namespace,
        )
        if len(body) <= upserts.MAX_BODY_BYTES or len(entries) == 1:
            return [Write(entries, body)]
        halves = upserts.halves(len(entries))
        return [write for cut in halves for write in self._fitting(entries[cut])]

    async def _request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        query: Sequence[tuple[str, str]] = (),
        records: int = 1,
    ) -> tuple[int | None, bytes]:
        """Send a request, repeating it while that may help; `None` is "no answer"."""
        deadline = time.monotonic() + self._retry_seconds
        attempt = 0
        while True:
            await asyncio.sleep(self._rate.reserve(time.monotonic()))
            status, answer, retry_after = await self._send(method, path, body, query)
            attempt += 1
            if upserts.judge(status, records=records) is not Verdict.RETRY:
                return status, answer
            delay = upserts.retry_delay(
                attempt,
                retry_after=parse_retry_after(retry_after, now=time.time()),
                jitter=random.random(),  # noqa: S311 (no secret)
            )
            if time.monotonic() + delay > deadline:
                return status, answer
            self.retries += 1
            await asyncio.sleep(delay)

    async def _send(
        self, method: str, path: str, body: bytes | None, query: Sequence[tuple[str, str]]
    ) -> tuple[int | None, bytes, str | None]:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers={
                    "Api-Key": self._store._pinecone_api_key.get_secret_value(),
                    "X-Pinecone-API-Version": _API_VERSION,
                    "Content-Type": "application/json",
                },
                connector=aiohttp.TCPConnector(limit=self.in_flight + 4),
                timeout=_TIMEOUT,
            )
        try:
            async with self._session.request(
                method, self._url(path), data=body, params=list(query), allow_redirects=False
            ) as response:
                answer = await response.read()
                return response.status, answer, response.headers.get("Retry-After")
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            return None, str(error).encode() or type(error).__name__.encode(), None

    def _url(self, path: str) -> str:
        host: str = self._store._index_host
        scheme = "" if host.startswith(("http://", "https://")) else "https://"
        return f"{scheme}{host.rstrip('/')}{path}"

    def _error(self, what: str, status: int | None, answer: bytes) -> PineconeError:
        said = " ".join(_message(answer).split())[:300]
        if status is None:
            return PineconeError(
                f"Pinecone did not answer {what} for {self._retry_seconds:g} s: {said}. Check the "
                "network and run again: what is stored is recorded."
            )
        remedy = {
            401: "Check the API key.",
            403: "Check the API key.",
            404: "Check the index.",
            429: "Run again later: what is stored is recorded.",
        }.get(status, "")
        return PineconeError(
            f"Pinecone refused {what} ({status}): {said} {remedy}".strip(), status=status
        )


def _expected_bytes(entries: Sequence[Entry]) -> list[int]:
    """Estimate the size of each record; all vectors of an index have the same length."""
    row = entries[0].row
    numbers = 0 if row is None else row.size
    fixed = upserts.RECORD_BYTES + upserts.NUMBER_BYTES * numbers
    return [fixed + len(entry.encoded) for entry in entries]


def _name(entry: Entry) -> str:
    text = entry.document.page_content
    start = text if len(text) <= 60 else text[:57] + "..."
    return f"the record {entry.key!r} (document {start!r})"


def _message(answer: bytes) -> str:
    try:
        parsed: Any = orjson.loads(answer)
        error = parsed.get("error", parsed)
        return str(error.get("message", error) if isinstance(error, dict) else error)
    except (orjson.JSONDecodeError, AttributeError):
        return answer.decode(errors="replace")
