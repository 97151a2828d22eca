"""From a source to shards: embedding and writing overlap, in the memory of a few shards."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path

import pyarrow as pa
from langchain_core.embeddings import Embeddings

from langchain_hfendpoint._engine.results import EmbeddedBatch
from langchain_hfendpoint._hub.card import write_card
from langchain_hfendpoint._hub.encoding import Dtype, check_dtype
from langchain_hfendpoint._hub.layout import MANIFEST, exclusive_use, shard_files, shard_path
from langchain_hfendpoint._hub.manifest import (
    Manifest,
    Origin,
    describe_shard,
    read_manifest,
    write_manifest,
)
from langchain_hfendpoint._hub.ranges import Gathering, Ranges, check_vectors
from langchain_hfendpoint._hub.rows import Columns, align
from langchain_hfendpoint._hub.shards import (
    ShardHeader,
    read_header,
    read_schema,
    unify_shard,
    write_shard,
)
from langchain_hfendpoint._hub.sources import Opened, Source, open_source
from langchain_hfendpoint._indexing.calls import Calls
from langchain_hfendpoint._indexing.sources import read_chunks
from langchain_hfendpoint._indexing.vectors import OnError, embed_stream
from langchain_hfendpoint._progress import ProgressBar, complete, progress_bar
from langchain_hfendpoint._provenance import Provenance, provenance_of
from langchain_hfendpoint.embeddings import HFEndpointEmbeddings
from langchain_hfendpoint.errors import (
    ConfigurationError,
    EmbeddedDatasetError,
    ProvenanceMismatchError,
)
from langchain_hfendpoint.vectorstores import check_same_provenance

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be made, and how.

    Attributes:
        folder: Where.
        provenance: How the embeddings make vectors.
        dtype: How they are stored.
        rows_per_shard: Most rows in a shard.
        origin: What is embedded.
        embedded_with: Who makes the vectors, in words.
        on_error: Whether a text that cannot be embedded ends the run, or is left out.
    """

    folder: Path
    provenance: Provenance
    dtype: Dtype
    rows_per_shard: int
    origin: Origin
    embedded_with: str
    on_error: OnError


class Creation:
    """One run; used once.

    Args:
        job: What is to be made.
        source: What is embedded.
        bar: Told of each text that is done.

    Raises:
        EmbeddedDatasetError: If the folder holds a shard that is damaged or a stranger.
        ProvenanceMismatchError: If it holds vectors of other embeddings.
    """

    def __init__(self, job: Job, source: Opened, *, bar: ProgressBar) -> None:
        self._job = job
        self._source = source
        self._bar = bar
        whole = _whole_shards(job)
        self._columns = Columns(declared=source.schemas, seen=[read_schema(path) for path in whole])
        self._ranges = Ranges(
            list(whole.values()),
            rows_per_shard=job.rows_per_shard,
            dimension=job.provenance.dimension,
        )
        self._waiting: dict[int, tuple[Gathering, int]] = {}
        self._unwritten: list[Gathering] = []
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hfendpoint-shards")
        self._writing: Future[None] | None = None
        self._in_hand: Gathering | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopped = False

    async def run(self, embeddings: Embeddings, *, calls: Calls | None, native_async: bool) -> None:
        """Embed what has no vector yet, and write it.

        Whatever ends the run early, leading rows that have their vectors by then are kept.

        Args:
            embeddings: What makes the vectors.
            calls: How the source is read; `None`: on the running loop.
            native_async: Whether foreign embeddings are awaited, or called in a thread.

        Raises:
            EndpointError: If the endpoint fails for good.
            EmbeddedDatasetError: If the source is not the one whose vectors are here already.
        """
        self._task = asyncio.current_task()
        try:
            if self._stopped:
                raise asyncio.CancelledError
            stream = embed_stream(
                embeddings,
                self._texts(calls),
                native_async=native_async,
                on_error=self._job.on_error,
            )
            async with contextlib.aclosing(stream) as batches:
                async for batch in batches:
                    self._take(batch)
                    await self._write_complete()
            await self._write_complete()
            await self._last_write()
        except BaseException:
            self._save_what_is_done()
            raise
        finally:
            self._writer.shutdown()

    def stop(self) -> None:
        """End early; to be called on the loop that runs it."""
        self._stopped = True
        if self._task is not None:
            self._task.cancel()

    def complete(self) -> Manifest:
        """Give all shards the same columns, and write card and manifest.

        Returns:
            The manifest.

        Raises:
            EmbeddedDatasetError: If there is nothing in it.
        """
        job = self._job
        if (job.folder / MANIFEST).exists():  # every new shard removes it
            before = read_manifest(job.folder)
            if before.origin == job.origin:
                return before
        paths = shard_files(job.folder)
        if not paths:
            raise EmbeddedDatasetError("The source gave no documents: there is nothing to embed.")
        for path in paths:
            unify_shard(path, self._columns.schema, features=self._source.features)
        manifest = Manifest(
            provenance=job.provenance,
            dtype=job.dtype,
            origin=job.origin,
            embedded_with=job.embedded_with,
            shards=tuple(describe_shard(job.folder, path, read_header(path)) for path in paths),
        )
        write_card(job.folder, manifest)
        write_manifest(job.folder, manifest)
        return manifest

    async def _texts(self, calls: Calls | None) -> AsyncIterator[str]:
        """Give the texts that need a vector, noting the place of each; check metadata first."""
        index = 0
        for part in self._source.parts:
            async for chunks in read_chunks(part.documents, _CHUNK, calls=calls):
                together = chain.from_iterable(chunk.documents for chunk in chunks)
                for split, same in groupby(together, key=part.split_of):
                    documents = list(same)
                    runs = self._ranges.place(split, documents)
                    for run in runs:
                        run.gathering.tables.append(self._columns.table(run.documents, run.ids))
                        if run.gathering not in self._unwritten:
                            self._unwritten.append(run.gathering)
                    fresh = sum(len(run.documents) for run in runs)
                    self._bar.update(len(documents) - fresh)
                    for run in runs:
                        for row, document in enumerate(run.documents, run.first):
                            self._waiting[index] = run.gathering, row
                            index += 1
                            yield document.page_content
        self._ranges.finish()

    def _take(self, batch: EmbeddedBatch) -> None:
        if batch.indices:
            check_vectors(batch.vectors, self._job.provenance.dimension)
        for index, vector in zip(batch.indices, batch.vectors, strict=True):
            gathering, row = self._waiting.pop(index)
            gathering.fill(row, vector)
        for failure in batch.failures:
            gathering, row = self._waiting.pop(failure.index)
            gathering.fail(row, str(failure.error))
        self._bar.update(len(batch.indices) + len(batch.failures))

    async def _write_complete(self) -> None:
        """Write what is complete, in a thread, one shard at a time."""
        while (ready := self._next_complete()) is not None:
            await self._last_write()
            self._in_hand = ready
            self._writing = self._writer.submit(self._write, ready)

    def _next_complete(self) -> Gathering | None:
        # A copy, because the writing thread takes out what it has written.
        for gathering in list(self._unwritten):
            if gathering.complete and gathering is not self._in_hand:
                return gathering
        return None

    async def _last_write(self) -> None:
        if self._writing is not None:
            await asyncio.wrap_future(self._writing)

    def _save_what_is_done(self) -> None:
        """Write the leading rows of unfinished shards: embeddings are dear."""
        self._writer.shutdown()
        for gathering in list(self._unwritten):
            if gathering.cut():
                with contextlib.suppress(OSError):  # what ended the run is the better story
                    self._write(gathering)

    def _write(self, gathering: Gathering) -> None:
        job = self._job
        rows, vectors = gathering.kept()
        table = pa.concat_tables(gathering.tables, promote_options="permissive")
        table = align(table.take(rows), self._columns.schema)
        header = ShardHeader(
            split=gathering.split,
            start=gathering.start,
            stop=gathering.stop,
            digest=gathering.digest(),
            dtype=job.dtype,
            provenance=job.provenance,
            failed=gathering.failures(),
        )
        (job.folder / MANIFEST).unlink(missing_ok=True)
        path = job.folder / shard_path(header.split, header.start)
        write_shard(path, table, vectors, header, features=self._source.features)
        self._unwritten.remove(gathering)


@dataclass(frozen=True, slots=True)
class Maker:
    """Who makes the vectors.

    Attributes:
        provenance: How.
        description: Class of the embeddings, and what the endpoint is if they know.
    """

    provenance: Provenance
    description: str

    @classmethod
    def of(cls, embeddings: Embeddings) -> Maker:
        """Find out about embeddings, asking the endpoint if need be."""
        description = type(embeddings).__name__
        if isinstance(embeddings, HFEndpointEmbeddings):
            server = embeddings.server_info()
            software = " ".join(filter(None, (server.software, server.version)))
            description += f" ({', '.join(filter(None, (server.protocol, software)))})"
        return cls(provenance_of(embeddings), description)


@contextmanager
def open_creation(
    source: Source,
    maker: Maker,
    folder: Path,
    *,
    dtype: str,
    rows_per_shard: int,
    text_column: str,
    id_column: str | None,
    origin: Origin | None,
    on_error: OnError,
    progress: bool | None,
) -> Iterator[Creation]:
    """Check the options, take the folder for oneself and put the parts together.

    The other arguments are those of `langchain_hfendpoint.hub.EmbeddedDataset.create`.

    Yields:
        A run, ready to be made.
    """
    if rows_per_shard < 1:
        raise ConfigurationError(f"rows_per_shard={rows_per_shard} must be at least 1.")
    opened = open_source(source, text_column=text_column, id_column=id_column)
    job = Job(
        folder=folder,
        provenance=maker.provenance,
        dtype=check_dtype(dtype),
        rows_per_shard=rows_per_shard,
        origin=origin or opened.origin,
        embedded_with=maker.description,
        on_error=on_error,
    )
    with exclusive_use(folder):
        bar = progress_bar("Embedding", total=opened.total, show=progress)
        try:
            yield Creation(job, opened, bar=bar)
            complete(bar)
        finally:
            bar.close()


def _whole_shards(job: Job) -> dict[Path, ShardHeader]:
    """Find the shards that an earlier run left, and refuse to mix them with other vectors."""
    headers = {path: read_header(path) for path in shard_files(job.folder)}
    for path, header in headers.items():
        check_same_provenance(f"The shard {path}", header.provenance, job.provenance)
        if header.dtype != job.dtype:
            raise ProvenanceMismatchError(
                f"The shard {path} holds {header.dtype} vectors, not {job.dtype}. Keep to one "
                "dtype, or choose another folder."
            )
    return headers
