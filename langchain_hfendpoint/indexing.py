"""Documents in, vectors stored: `langchain_core.indexing.index` with everything overlapped.

The same parameters, counts and final state as langchain-core's function, which embeds a batch,
waits, upserts it, waits. Here reading, looking up, embedding, upserting and recording go on at the
same time, nothing is embedded twice, and a run that was killed continues where it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from langchain_core.indexing import DocumentIndex, RecordManager
from langchain_core.vectorstores import VectorStore

from langchain_hfendpoint._engine.loop import engine_loop
from langchain_hfendpoint._indexing.calls import InCallersThread, in_worker_thread
from langchain_hfendpoint._indexing.heap import resting_heap
from langchain_hfendpoint._indexing.interrupt import finish_on_interrupt
from langchain_hfendpoint._indexing.keys import KeyEncoder, key_function
from langchain_hfendpoint._indexing.ledger import Cleanup
from langchain_hfendpoint._indexing.pipeline import Options, Pipeline
from langchain_hfendpoint._indexing.plan import MetadataConverter, Planner, SourceIdKey
from langchain_hfendpoint._indexing.records import AsyncRecords, SyncRecords
from langchain_hfendpoint._indexing.report import FailedDocument, IndexingReport
from langchain_hfendpoint._indexing.sources import (
    DocumentSource,
    EmbeddedSource,
    known_length,
    read_chunks,
)
from langchain_hfendpoint._indexing.unchanged import Repetition, Signature
from langchain_hfendpoint._indexing.vectors import OnError
from langchain_hfendpoint._progress import ProgressBar, progress_bar
from langchain_hfendpoint._sinks.choice import open_sink
from langchain_hfendpoint._sinks.documents import DeletionError
from langchain_hfendpoint.errors import ConfigurationError

__all__ = ["DeletionError", "FailedDocument", "IndexingReport", "aindex", "index"]


def index(
    docs_source: DocumentSource,
    record_manager: RecordManager,
    vector_store: VectorStore | DocumentIndex,
    *,
    batch_size: int = 100,
    cleanup: Cleanup = None,
    source_id_key: SourceIdKey = None,
    cleanup_batch_size: int = 1_000,
    force_update: bool = False,
    key_encoder: KeyEncoder = "uuid",
    upsert_kwargs: dict[str, Any] | None = None,
    convert_metadata: MetadataConverter | None = None,
    on_error: OnError = "raise",
    upserts_in_flight: int | None = None,
    progress: bool | None = False,
) -> IndexingReport:
    """Index documents into a vector store, embedding only what is new.

    A drop-in for `langchain_core.indexing.index`. A document is recorded only after the store has
    confirmed it, so a run that ends for any reason is continued by the same call.

    On Ctrl-C, finishes and records what is in flight, tells on stderr what was done, and raises
    `KeyboardInterrupt`; a second Ctrl-C stops at once.

    Args:
        docs_source: A document loader, an iterable of documents, or an embedded data set, whose
            vectors are taken as they are. Read once, batch by batch; not at all if its
            `fingerprint()`, a string or `None`, is what it was at the end of the latest run with
            this `SQLiteRecordManager` and the same options, as nothing can be new then.
        record_manager: Remembers what is indexed; a `SQLiteRecordManager` survives the process.
        vector_store: Where documents go, with the vectors of its own embeddings. A
            `PineconeVectorStore` is written to directly, any other through its `add_documents`.
        batch_size: Documents looked up together (a `SQLiteRecordManager` may look up more, if they
            come fast and `cleanup` allows), and given to `add_documents` of other stores.
        cleanup: What to delete. `"incremental"`: older documents of the sources seen, batch by
            batch; `"scoped_full"`: the same at the end; `"full"`: whatever the source no longer
            has; `None`: nothing. A source with failed documents is left as it is.
        source_id_key: Metadata key of a document's source, or a function from a document to it.
        cleanup_batch_size: Documents in a deletion.
        force_update: Whether to embed and store again what is recorded already.
        key_encoder: How ids are made of text and metadata: `"uuid"`, or langchain-core's
            `"sha256"`, `"sha512"`, `"blake2b"` or `"sha1"`, or a function. Keep to one per index.
        upsert_kwargs: Further arguments of the store's `add_documents` or `upsert`; for Pinecone,
            `namespace`.
        convert_metadata: Makes the metadata that are stored, for dates and nested values. The
            document's own are left alone.
        on_error: With `"skip"`, documents that cannot be embedded or stored are listed in the
            result's `failed`; with `"raise"`, the first of them ends the run. A service that does
            not answer ends it in any case.
        upserts_in_flight: Writes to the store in flight; by default 16 for Pinecone, 4 for stores
            known to have a server, and 1 for others, which may not be thread-safe.
        progress: Whether to show a progress bar on stderr; `None` for "if it is a terminal".

    Returns:
        The counts that langchain-core returns; as attributes, what was embedded, reused and failed,
        and how long each stage had something to do.

    Raises:
        ConfigurationError: If an option cannot work, or a document has no source where one is
            needed.
        MetadataError: If Pinecone cannot hold a document's metadata.
        ProvenanceMismatchError: If the index holds vectors of other embeddings.
        EndpointError: If the endpoint fails for good.
        PineconeError: If Pinecone does.
        DeletionError: If another store fails to delete.
        KeyboardInterrupt: After Ctrl-C.

    Example:
        ```python
        from langchain_core.documents import Document
        from langchain_core.embeddings import DeterministicFakeEmbedding
        from langchain_core.vectorstores import InMemoryVectorStore

        from langchain_hfendpoint import SQLiteRecordManager, index

        store = InMemoryVectorStore(DeterministicFakeEmbedding(size=8))
        records = SQLiteRecordManager("memory/example", ":memory:")
        result = index([Document("A man inspects a uniform.")], records, store)
        assert result["num_added"] == 1
        ```
    """
    calls = InCallersThread()
    pipeline, bar = _prepare(
        docs_source,
        record_manager,
        vector_store,
        calls=calls,
        batch_size=batch_size,
        cleanup=cleanup,
        source_id_key=source_id_key,
        cleanup_batch_size=cleanup_batch_size,
        force_update=force_update,
        key_encoder=key_encoder,
        upsert_kwargs=upsert_kwargs or {},
        convert_metadata=convert_metadata,
        on_error=on_error,
        upserts_in_flight=upserts_in_flight,
        progress=progress,
    )
    loop = engine_loop()
    running = asyncio.run_coroutine_threadsafe(pipeline.run(), loop)
    try:
        with (
            resting_heap(),
            finish_on_interrupt(lambda: loop.call_soon_threadsafe(pipeline.stop)) as interrupt,
        ):
            report = calls.serve_until(running)
    except BaseException:
        running.cancel()
        raise
    finally:
        bar.close()
    if interrupt.happened:
        interrupt.tell(report, total=known_length(docs_source))
        raise KeyboardInterrupt
    return report


async def aindex(
    docs_source: DocumentSource,
    record_manager: RecordManager,
    vector_store: VectorStore | DocumentIndex,
    *,
    batch_size: int = 100,
    cleanup: Cleanup = None,
    source_id_key: SourceIdKey = None,
    cleanup_batch_size: int = 1_000,
    force_update: bool = False,
    key_encoder: KeyEncoder = "uuid",
    upsert_kwargs: dict[str, Any] | None = None,
    convert_metadata: MetadataConverter | None = None,
    on_error: OnError = "raise",
    upserts_in_flight: int | None = None,
    progress: bool | None = False,
) -> IndexingReport:
    """Index documents into a vector store, embedding only what is new.

    As `index`, through the async methods of record manager, store and embeddings, on the running
    event loop. Takes async iterables too. Being cancelled ends it at once, like a kill: what is
    recorded stays so, and the same call continues.

    Args:
        docs_source: As `index`, or an async iterable of documents.
        record_manager: As `index`.
        vector_store: As `index`.
        batch_size: As `index`.
        cleanup: As `index`.
        source_id_key: As `index`.
        cleanup_batch_size: As `index`.
        force_update: As `index`.
        key_encoder: As `index`.
        upsert_kwargs: As `index`.
        convert_metadata: As `index`.
        on_error: As `index`.
        upserts_in_flight: As `index`.
        progress: As `index`.

    Returns:
        As `index`.

    Raises:
        HFEndpointError: As `index`.
    """
    pipeline, bar = _prepare(
        docs_source,
        record_manager,
        vector_store,
        calls=None,
        batch_size=batch_size,
        cleanup=cleanup,
        source_id_key=source_id_key,
        cleanup_batch_size=cleanup_batch_size,
        force_update=force_update,
        key_encoder=key_encoder,
        upsert_kwargs=upsert_kwargs or {},
        convert_metadata=convert_metadata,
        on_error=on_error,
        upserts_in_flight=upserts_in_flight,
        progress=progress,
    )
    try:
        with resting_heap():
            return await pipeline.run()
    finally:
        bar.close()


def _prepare(
    docs_source: DocumentSource,
    record_manager: RecordManager,
    vector_store: VectorStore | DocumentIndex,
    *,
    calls: InCallersThread | None,
    batch_size: int,
    cleanup: Cleanup,
    source_id_key: SourceIdKey,
    cleanup_batch_size: int,
    force_update: bool,
    key_encoder: KeyEncoder,
    upsert_kwargs: Mapping[str, Any],
    convert_metadata: MetadataConverter | None,
    on_error: OnError,
    upserts_in_flight: int | None,
    progress: bool | None,
) -> tuple[Pipeline, ProgressBar]:
    """Check the options and put the parts together; `calls` is `None` for the async face."""
    by_source = cleanup in ("incremental", "scoped_full")
    if cleanup not in ("incremental", "full", "scoped_full", None):
        raise ConfigurationError(
            f"cleanup={cleanup!r} is not known: use 'incremental', 'full', 'scoped_full' or None."
        )
    if by_source and source_id_key is None:
        # Worded as langchain-core does, for whoever matches on it.
        raise ConfigurationError(
            "Source id key is required when cleanup mode is incremental or scoped_full: pass "
            f"source_id_key=, or use another cleanup than {cleanup!r}."
        )
    for name, number in {
        "batch_size": batch_size,
        "cleanup_batch_size": cleanup_batch_size,
        "upserts_in_flight": 1 if upserts_in_flight is None else upserts_in_flight,
    }.items():
        if number < 1:
            raise ConfigurationError(f"{name}={number} must be at least 1.")
    planner = Planner(
        key_function(key_encoder),
        equal_keys_mean_equal_documents=not callable(key_encoder),
        source_id_key=source_id_key,
        source_required=by_source,
        convert_metadata=convert_metadata,
    )
    sink = open_sink(
        vector_store,
        provenance=docs_source.provenance if isinstance(docs_source, EmbeddedSource) else None,
        calls=calls,
        batch_size=batch_size,
        upsert_kwargs=upsert_kwargs,
        in_flight=upserts_in_flight,
    )
    bar = progress_bar(
        "Indexing", total=known_length(docs_source), unit=" documents", show=progress
    )
    pipeline = Pipeline(
        read_chunks(docs_source, batch_size, calls=calls),
        planner=planner,
        records=AsyncRecords(record_manager)
        if calls is None
        else SyncRecords(record_manager, calls),
        sink=sink,
        options=Options(
            cleanup=cleanup,
            cleanup_batch_size=cleanup_batch_size,
            force_update=force_update,
            on_error=on_error,
            native_async=calls is None,
        ),
        repetition=Repetition(
            Signature(
                docs_source,
                key_encoder=key_encoder,
                source_id_key=source_id_key,
                convert_metadata=convert_metadata,
                cleanup=cleanup,
            ),
            record_manager,
            calls or in_worker_thread,
        ),
        bar=bar,
    )
    return pipeline, bar
