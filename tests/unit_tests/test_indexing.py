"""index(): sources, failures, order, memory; beside parity and the stores' own tests."""

from __future__ import annotations

import asyncio
import gc
import re
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from langchain_core.document_loaders import BaseLoader
from langchain_core.documents import Document
from langchain_core.indexing import InMemoryRecordManager, RecordManager
from langchain_core.indexing.api import IndexingException
from langchain_core.vectorstores import InMemoryVectorStore

from langchain_hfendpoint import SNLILoader, SQLiteRecordManager, aindex, index
from langchain_hfendpoint._indexing import pipeline
from langchain_hfendpoint._provenance import Provenance
from langchain_hfendpoint.errors import (
    ConfigurationError,
    IndexingError,
    MetadataError,
    ProvenanceMismatchError,
)
from tests.support.indexing import (
    CountingEmbeddings,
    TickingRecordManager,
    documents,
    stored,
    vector_of,
)


@pytest.fixture
def store() -> InMemoryVectorStore:
    return InMemoryVectorStore(CountingEmbeddings())


@pytest.fixture
def records() -> TickingRecordManager:
    return TickingRecordManager()


def texts_of(store: InMemoryVectorStore) -> list[str]:
    return sorted(text for text, _ in stored(store).values())


class LazyLoader(BaseLoader):
    def lazy_load(self) -> Iterator[Document]:
        yield from documents("a", "b", "c")


class AsyncLoader(BaseLoader):
    async def alazy_load(self) -> AsyncIterator[Document]:
        for document in documents("a", "b", "c"):
            yield document


class EagerLoader(BaseLoader):
    def load(self) -> list[Document]:
        return documents("a", "b", "c")


async def an_async_generator() -> AsyncIterator[Document]:
    for document in documents("a", "b", "c"):
        yield document


SOURCES = {
    "lazy loader": LazyLoader,
    "async loader": AsyncLoader,
    "list": lambda: documents("a", "b", "c"),
    "generator": lambda: (document for document in documents("a", "b", "c")),
    "async generator": an_async_generator,
}


@pytest.mark.parametrize("kind", SOURCES)
def test_every_kind_of_source_is_read(
    kind: str, store: InMemoryVectorStore, records: TickingRecordManager
) -> None:
    assert index(SOURCES[kind](), records, store, batch_size=2)["num_added"] == 3
    assert texts_of(store) == ["a", "b", "c"]


@pytest.mark.parametrize("kind", SOURCES)
async def test_every_kind_of_source_is_read_by_the_async_face(
    kind: str, store: InMemoryVectorStore, records: TickingRecordManager
) -> None:
    assert (await aindex(SOURCES[kind](), records, store, batch_size=2))["num_added"] == 3
    assert texts_of(store) == ["a", "b", "c"]


def test_a_loader_that_can_only_load_everything_is_read(
    store: InMemoryVectorStore, records: TickingRecordManager
) -> None:
    assert index(EagerLoader(), records, store)["num_added"] == 3


def test_no_source_is_told_as_such(
    store: InMemoryVectorStore, records: TickingRecordManager
) -> None:
    with pytest.raises(ConfigurationError, match="no source of documents"):
        index(42, records, store)  # type: ignore[arg-type]


def test_a_source_is_never_read_far_ahead_of_what_is_stored(records: TickingRecordManager) -> None:
    read = 0
    furthest = 0

    class Slow(CountingEmbeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            nonlocal furthest
            furthest = max(furthest, read - len(store.store))
            return super().embed_documents(texts)

    def source() -> Iterator[Document]:
        nonlocal read
        for number in range(20_000):
            read += 1
            yield Document(str(number))

    store = InMemoryVectorStore(Slow())
    assert index(source(), records, store)["num_added"] == 20_000
    assert furthest < 12_000


def test_source_and_record_manager_are_used_in_the_callers_thread(
    store: InMemoryVectorStore,
) -> None:
    threads: set[int] = set()

    class Bound(TickingRecordManager):
        def __init__(self) -> None:
            super().__init__()
            # A connection that refuses to be used by another thread.
            self.connection = sqlite3.connect(":memory:")

        def exists(self, keys: Sequence[str]) -> list[bool]:
            self.connection.execute("SELECT 1")
            return super().exists(keys)

    def source() -> Iterator[Document]:
        for document in documents("a", "b"):
            threads.add(threading.get_ident())
            yield document

    index(source(), Bound(), store)
    assert threads == {threading.get_ident()}


async def test_the_sync_face_works_inside_a_running_loop(
    store: InMemoryVectorStore, records: TickingRecordManager
) -> None:
    assert index(documents("a", "b"), records, store)["num_added"] == 2


def test_a_source_that_fails_leaves_what_came_before_stored_and_recorded(
    store: InMemoryVectorStore, records: TickingRecordManager
) -> None:
    def source() -> Iterator[Document]:
        yield from documents(*"abcd")
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        index(source(), records, store, batch_size=2)
    assert texts_of(store) == list("abcd")
    assert sorted(records.list_keys()) == sorted(store.store)


def test_a_store_that_fails_ends_the_run_and_nothing_of_that_batch_is_recorded(
    records: TickingRecordManager,
) -> None:
    store = InMemoryVectorStore(CountingEmbeddings(poison="bad"))
    with pytest.raises(ValueError, match="cannot embed 'bad'"):
        index(documents("a", "b", "bad", "c", "d", "e"), records, store, batch_size=2)
    assert sorted(records.list_keys()) == sorted(store.store)
    assert "bad" not in texts_of(store)


@pytest.mark.parametrize("kind", ["record manager", "source id"])
def test_a_failure_anywhere_comes_out_as_it_is(kind: str, store: InMemoryVectorStore) -> None:
    class Broken(TickingRecordManager):
        def update(self, *arguments: Any, **options: Any) -> None:
            raise ZeroDivisionError("broken")

    def broken(document: Document) -> str:
        raise ZeroDivisionError("broken")

    if kind == "record manager":
        with pytest.raises(ZeroDivisionError):
            index(documents(*"abcdef"), Broken(), store, batch_size=2)
    else:
        with pytest.raises(ZeroDivisionError):
            index(documents("a"), TickingRecordManager(), store, source_id_key=broken)


def test_metadata_that_cannot_be_hashed_are_told_as_such(
    store: InMemoryVectorStore, records: TickingRecordManager
) -> None:
    with pytest.raises(MetadataError, match="convert_metadata"):
        index(documents("a", odd=object()), records, store)
    result = index(
        [*documents("a", odd=object()), *documents("b")], records, store, on_error="skip"
    )
    assert result["num_added"] == 1
    assert len(result.failed) == 1


def test_the_sources_of_failed_documents_are_not_cleaned_up(
    store: InMemoryVectorStore, records: TickingRecordManager
) -> None:
    index(
        [*documents("old 1", source="1"), *documents("old 2", source="2")],
        records,
        store,
        source_id_key="source",
    )

    def without_two(document: Document) -> str:
        if document.page_content == "new 2":
            raise MetadataError("cannot be keyed")
        return document.page_content

    new = [*documents("new 1", source="1"), *documents("new 2", source="2")]
    for cleanup in ("full", "scoped_full", "incremental"):
        result = index(
            new,
            records,
            store,
            source_id_key="source",
            cleanup=cleanup,  # type: ignore[arg-type]
            key_encoder=without_two,
            on_error="skip",
        )
        assert len(result.failed) == 1
        assert result["num_deleted"] == 0
    assert "old 2" in texts_of(store)


def test_a_store_that_cannot_delete_is_refused(records: TickingRecordManager) -> None:
    class Append(InMemoryVectorStore):
        delete = InMemoryVectorStore.__mro__[1].delete  # type: ignore[attr-defined]

    with pytest.raises(ConfigurationError, match="does not implement delete"):
        index(documents("a"), records, Append(CountingEmbeddings()))


def test_a_deletion_that_fails_is_langchain_cores_exception_too(
    records: TickingRecordManager,
) -> None:
    class Stubborn(InMemoryVectorStore):
        def delete(self, ids: Any = None, **kwargs: Any) -> Any:
            return False

    store = Stubborn(CountingEmbeddings())
    index(documents("a"), records, store)
    with pytest.raises(IndexingException) as caught:
        index([], records, store, cleanup="full")
    assert isinstance(caught.value, IndexingError)
    assert len(records.list_keys()) == 1


def test_a_store_that_may_not_be_thread_safe_is_written_to_by_the_callers_thread(
    records: TickingRecordManager,
) -> None:
    threads: set[int] = set()

    class Local(InMemoryVectorStore):
        def add_documents(self, documents: list[Document], **kwargs: Any) -> list[str]:
            threads.add(threading.get_ident())
            return super().add_documents(documents, **kwargs)

    index(documents(*"abcdefgh"), records, Local(CountingEmbeddings()), batch_size=2)
    assert threads == {threading.get_ident()}


@pytest.mark.parametrize("asked_for", [None, 4])
def test_a_store_with_a_server_has_several_batches_in_flight(
    asked_for: int | None, records: TickingRecordManager
) -> None:
    together = threading.Barrier(4, timeout=30)

    class Slow(InMemoryVectorStore):
        def add_documents(self, documents: list[Document], **kwargs: Any) -> list[str]:
            together.wait()
            return super().add_documents(documents, **kwargs)

    class Chroma(Slow):
        """By name, a store that is known to have a server."""

    store = (Slow if asked_for else Chroma)(CountingEmbeddings())
    result = index(
        documents(*"abcdefgh"), records, store, batch_size=1, upserts_in_flight=asked_for
    )
    assert result["num_added"] == 8


def test_a_document_that_comes_again_does_not_wait_until_it_is_stored(
    records: TickingRecordManager,
) -> None:
    together = threading.Barrier(2, timeout=30)

    class Slow(InMemoryVectorStore):
        def add_documents(self, documents: list[Document], **kwargs: Any) -> list[str]:
            together.wait()
            return super().add_documents(documents, **kwargs)

    store = Slow(CountingEmbeddings())
    result = index(documents(*"aab"), records, store, batch_size=1, upserts_in_flight=2)
    assert dict(result) == {"num_added": 2, "num_updated": 0, "num_skipped": 1, "num_deleted": 0}


def test_only_our_own_record_manager_is_asked_about_more_than_a_batch(
    store: InMemoryVectorStore, records: TickingRecordManager, tmp_path: Path
) -> None:
    def most_keys_asked_about(manager: RecordManager) -> int:
        most = 0
        exists = manager.exists

        def watched(keys: Sequence[str]) -> list[bool]:
            nonlocal most
            most = max(most, len(keys))
            return exists(keys)

        manager.exists = watched  # type: ignore[method-assign]
        result = index(documents(*"abcdefgh"), manager, store, batch_size=2)
        assert result["num_added"] == 8
        return most

    assert most_keys_asked_about(records) == 2
    ours = SQLiteRecordManager("test", tmp_path / "records.sqlite")
    assert most_keys_asked_about(ours) == 8


def test_documents_that_only_share_a_key_follow_each_other_and_nobody_lingers(
    records: TickingRecordManager, store: InMemoryVectorStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "_LINGER_SECONDS", 3_600)
    result = index(
        documents(*"abc"),
        records,
        store,
        batch_size=1,
        key_encoder=lambda _: "the key of all",
        force_update=True,
    )
    assert (result["num_added"], result["num_updated"]) == (1, 2)
    assert texts_of(store) == ["c"]


def test_equal_texts_are_embedded_once_for_any_store(records: TickingRecordManager) -> None:
    embeddings = CountingEmbeddings()
    store = InMemoryVectorStore(embeddings)
    some = [Document(f"premise {n // 3}", metadata={"pair": n}) for n in range(300)]
    result = index(some, records, store)
    assert (result["num_added"], result.embedded, result.reused) == (300, 100, 200)
    assert set(embeddings.asked.values()) == {1}
    for one in store.store.values():
        assert one["vector"] == vector_of(one["text"])


def test_a_store_has_its_own_embeddings_again_when_the_run_is_over(
    records: TickingRecordManager,
) -> None:
    embeddings = CountingEmbeddings(poison="bad")
    store = InMemoryVectorStore(embeddings)
    index(documents("a"), records, store)
    assert store.embedding is embeddings
    with pytest.raises(ValueError, match="cannot embed"):
        index(documents("bad"), records, store)
    assert store.embedding is embeddings


def test_texts_that_cannot_be_embedded_are_named_and_the_others_arrive(
    records: TickingRecordManager,
) -> None:
    store = InMemoryVectorStore(CountingEmbeddings(poison="bad"))
    some = documents(*(f"good {n}" for n in range(64)), "bad", "worse")
    result = index(some, records, store, on_error="skip")
    # A foreign class does not say which text it was, so its batch fails together.
    assert result["num_added"] == 64
    assert len(result.failed) == 2
    assert all("cannot embed 'bad'" in failed.reason for failed in result.failed)
    assert not any(records.exists([failed.id for failed in result.failed]))


class Embedded:
    """An embedded data set of three documents."""

    provenance = Provenance(dimension=2)

    def lazy_load_vectors(
        self,
    ) -> Iterator[tuple[Sequence[Document], npt.NDArray[np.float32]]]:
        yield documents("a", "b"), np.eye(2, dtype=np.float32)
        yield documents("c"), np.ones((1, 2), dtype=np.float32)


def test_an_embedded_data_set_is_not_embedded_again_whatever_the_store(
    records: TickingRecordManager,
) -> None:
    embeddings = CountingEmbeddings(dimension=2)
    store = InMemoryVectorStore(embeddings)
    result = index(Embedded(), records, store)
    assert (result["num_added"], result.embedded) == (3, 0)
    assert not embeddings.asked
    assert {one["text"]: one["vector"] for one in store.store.values()} == {
        "a": [1.0, 0.0],
        "b": [0.0, 1.0],
        "c": [1.0, 1.0],
    }


def test_an_embedded_data_set_that_queries_would_not_fit_is_refused(
    store: InMemoryVectorStore, records: TickingRecordManager
) -> None:
    with pytest.raises(ProvenanceMismatchError, match=r"2.*8"):
        index(Embedded(), records, store)


def test_a_store_that_hides_its_embeddings_embeds_by_itself(
    records: TickingRecordManager,
) -> None:
    class Hiding(InMemoryVectorStore):
        @property
        def embeddings(self) -> None:  # type: ignore[override]
            return None

    store = Hiding(CountingEmbeddings())
    assert index(documents("a", "b"), records, store).embedded == 2
    with pytest.raises(ConfigurationError, match="embedded data set"):
        index(Embedded(), records, store)


def test_something_else_than_a_store_is_refused(records: TickingRecordManager) -> None:
    with pytest.raises(ConfigurationError, match="no vector store"):
        index(documents("a"), records, object())  # type: ignore[arg-type]


def test_a_document_is_known_again_after_a_restart(
    store: InMemoryVectorStore, tmp_path: Path
) -> None:
    path = tmp_path / "records.sqlite"
    index(documents("a", "b"), SQLiteRecordManager("x", path), store)
    result = index(documents("a", "b", "c"), SQLiteRecordManager("x", path), store)
    assert (result["num_added"], result["num_skipped"]) == (1, 2)


def test_default_keys_are_uuids_that_depend_on_text_and_metadata(
    store: InMemoryVectorStore, records: TickingRecordManager
) -> None:
    import uuid

    shuffled = [Document("a", metadata={"x": 1, "y": 2}), Document("a", metadata={"y": 2, "x": 1})]
    index([*shuffled, *documents("a", x=1), *documents("b", x=1)], records, store)
    assert len(store.store) == 3
    for key in store.store:
        assert uuid.UUID(key).version == 8
        assert str(uuid.UUID(key)) == key


async def test_cancelling_the_async_face_stops_it_and_keeps_what_is_recorded(
    store: InMemoryVectorStore, records: TickingRecordManager
) -> None:
    started = asyncio.Event()

    async def endless() -> AsyncIterator[Document]:
        number = 0
        while True:
            yield Document(str(number))
            number += 1
            if number == 500:
                started.set()
            await asyncio.sleep(0)

    task = asyncio.create_task(aindex(endless(), records, store))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert set(records.list_keys()) <= set(store.store)


def test_progress_is_shown_only_when_asked_for(
    store: InMemoryVectorStore, capfd: pytest.CaptureFixture[str]
) -> None:
    index(documents("a", "b"), InMemoryRecordManager("x"), store)
    assert capfd.readouterr() == ("", "")
    index(documents("a", "b", "c"), InMemoryRecordManager("y"), store, progress=True)
    shown = capfd.readouterr().err
    assert "Indexing" in shown
    assert "3/3" in shown


def test_the_bar_ends_at_the_end_though_duplicates_were_not_known_before(
    store: InMemoryVectorStore, capfd: pytest.CaptureFixture[str]
) -> None:
    loader = SNLILoader("sample", unique=True)
    index(loader, InMemoryRecordManager("x"), store, progress=True)
    assert loader.report.duplicates
    assert re.findall(r"(\d+)%", capfd.readouterr().err)[-1] == "100"


def test_a_batch_that_the_store_refuses_is_named_and_the_others_arrive(
    records: TickingRecordManager,
) -> None:
    class Picky(InMemoryVectorStore):
        def add_documents(self, documents: list[Document], **kwargs: Any) -> list[str]:
            if any(one.page_content == "c" for one in documents):
                raise RuntimeError("no c, please")
            return super().add_documents(documents, **kwargs)

    store = Picky(CountingEmbeddings())
    with pytest.raises(RuntimeError, match="no c, please"):
        index(documents(*"abcdef"), TickingRecordManager(), store, batch_size=2)
    result = index(
        documents(*"abcdef"), records, store, batch_size=2, on_error="skip", force_update=True
    )
    assert result["num_added"] == 4
    assert {failed.reason for failed in result.failed} == {"no c, please"}
    assert len(result.failed) == 2


def test_a_store_that_fails_ends_a_run_whose_source_has_stalled() -> None:
    gone_on = threading.Event()

    class Broken(InMemoryVectorStore):
        async def aadd_documents(self, documents: list[Document], **kwargs: Any) -> list[str]:
            raise RuntimeError("the store is broken")

    async def stalled() -> AsyncIterator[Document]:
        yield Document("a")
        yield Document("b")
        await asyncio.sleep(3_600)
        gone_on.set()

    store = Broken(CountingEmbeddings())
    run = aindex(stalled(), TickingRecordManager(), store, batch_size=2)
    with pytest.raises(RuntimeError, match="the store is broken"):
        asyncio.run(asyncio.wait_for(run, 60))
    assert not gone_on.is_set()


async def test_the_heap_rests_during_a_run_and_no_longer(
    records: TickingRecordManager, store: InMemoryVectorStore
) -> None:
    seen: list[tuple[int, int]] = []
    before = gc.get_threshold()

    def watched() -> Iterator[Document]:
        seen.append((gc.get_freeze_count(), gc.get_threshold()[0]))
        yield from documents("a", "b")

    index(watched(), records, store)
    await aindex(watched(), records, store)
    for frozen, threshold in seen:
        assert frozen > 0
        assert threshold > before[0]
    assert gc.get_freeze_count() == 0
    assert gc.get_threshold() == before


def test_what_an_application_has_frozen_stays_frozen(
    records: TickingRecordManager, store: InMemoryVectorStore
) -> None:
    gc.freeze()
    try:
        frozen = gc.get_freeze_count()
        index(documents("a"), records, store)
        assert gc.get_freeze_count() > frozen // 2
    finally:
        gc.unfreeze()


def test_a_collector_that_an_application_has_switched_off_stays_off(
    records: TickingRecordManager, store: InMemoryVectorStore
) -> None:
    seen: list[int] = []

    def watched() -> Iterator[Document]:
        seen.append(gc.get_threshold()[0])
        yield from documents("a")

    before = gc.get_threshold()
    gc.set_threshold(0)
    try:
        index(watched(), records, store)
    finally:
        gc.set_threshold(*before)
    assert seen == [0]
