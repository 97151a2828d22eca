"""Whatever is indexed, in whatever order: the same counts and end as langchain-core's index()."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Literal

import langchain_core.indexing as core
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_core.indexing.in_memory import InMemoryDocumentIndex
from langchain_core.vectorstores import InMemoryVectorStore

import langchain_hfendpoint.indexing as ours
from langchain_hfendpoint import SQLiteRecordManager
from tests.support.indexing import CountingEmbeddings, TickingRecordManager, recorded, stored


@dataclass(frozen=True)
class Run:
    documents: list[Document]
    cleanup: Literal["incremental", "full", "scoped_full"] | None
    batch_size: int
    cleanup_batch_size: int
    force_update: bool

    def options(self) -> dict[str, Any]:
        return {
            "cleanup": self.cleanup,
            "batch_size": self.batch_size,
            "cleanup_batch_size": self.cleanup_batch_size,
            "force_update": self.force_update,
            "source_id_key": "source",
        }


a_document = st.builds(
    lambda text, source, page: Document(text, metadata={"source": source, "page": page}),
    st.sampled_from("abcdef"),
    st.sampled_from("123"),
    st.integers(0, 1),
)
a_run = st.builds(
    Run,
    documents=st.lists(a_document, max_size=14),
    cleanup=st.sampled_from([None, "incremental", "full", "scoped_full"]),
    batch_size=st.integers(1, 6),
    cleanup_batch_size=st.integers(1, 5),
    force_update=st.booleans(),
)
an_encoder = st.sampled_from(
    [
        "sha256",
        "sha512",
        "blake2b",
        lambda document: document.metadata["source"] + document.page_content,
    ]
)
many_runs = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Side:
    """A store and its records, filled by one of the two implementations."""

    def __init__(self, records: TickingRecordManager | SQLiteRecordManager | None = None) -> None:
        self.store = InMemoryVectorStore(CountingEmbeddings())
        self.records = TickingRecordManager() if records is None else records

    def state(self) -> tuple[object, object]:
        return stored(self.store), recorded(self.records)


# Batches are looked up in other ways in our own record manager.
@pytest.mark.parametrize("in_a_file", [False, True])
@many_runs
@given(runs=st.lists(a_run, min_size=1, max_size=4), encoder=an_encoder)
def test_every_sequence_of_runs_counts_and_ends_as_with_langchain_core(
    in_a_file: bool, runs: list[Run], encoder: Any
) -> None:
    theirs, mine = Side(), Side(SQLiteRecordManager("mine", ":memory:") if in_a_file else None)
    for run in runs:
        expected = core.index(
            run.documents, theirs.records, theirs.store, key_encoder=encoder, **run.options()
        )
        untouched = copy.deepcopy(run.documents)
        result = ours.index(
            iter(run.documents), mine.records, mine.store, key_encoder=encoder, **run.options()
        )
        assert result == expected
        assert mine.state() == theirs.state()
        assert run.documents == untouched


@many_runs
@given(runs=st.lists(a_run, min_size=1, max_size=4), encoder=an_encoder)
def test_the_async_face_counts_and_ends_as_langchain_cores(runs: list[Run], encoder: Any) -> None:
    async def as_async(documents: list[Document]) -> AsyncIterator[Document]:
        for document in documents:
            yield document

    async def run_all() -> None:
        theirs, mine = Side(), Side()
        for run in runs:
            expected = await core.aindex(
                run.documents, theirs.records, theirs.store, key_encoder=encoder, **run.options()
            )
            result = await ours.aindex(
                as_async(run.documents),
                mine.records,
                mine.store,
                key_encoder=encoder,
                **run.options(),
            )
            assert result == expected
            assert mine.state() == theirs.state()

    asyncio.run(run_all())


@settings(max_examples=40, deadline=None)
@given(runs=st.lists(a_run, min_size=1, max_size=3))
def test_a_document_index_ends_as_with_langchain_core(runs: list[Run]) -> None:
    theirs, mine = InMemoryDocumentIndex(), InMemoryDocumentIndex()
    their_records, my_records = TickingRecordManager(), TickingRecordManager()
    for run in runs:
        options = {**run.options(), "key_encoder": "sha256"}
        expected = core.index(run.documents, their_records, theirs, **options)
        assert ours.index(run.documents, my_records, mine, **options) == expected
        assert mine.store == theirs.store
        assert recorded(my_records) == recorded(their_records)


@pytest.mark.filterwarnings("ignore:Using SHA-1")
@pytest.mark.parametrize("encoder", ["sha1", "sha256", "sha512", "blake2b"])
def test_a_named_key_encoder_gives_langchain_cores_very_keys(encoder: Any) -> None:
    theirs, mine = Side(), Side()
    documents = [Document("é", metadata={"source": "1", "b": [1, None], "a": {"x": 2.5}})]
    core.index(documents, theirs.records, theirs.store, key_encoder=encoder)
    ours.index(documents, mine.records, mine.store, key_encoder=encoder)
    assert mine.state() == theirs.state()


@pytest.mark.parametrize(
    "options",
    [
        {"cleanup": "everything"},
        {"cleanup": "incremental"},
        {"cleanup": "scoped_full"},
        {"batch_size": 0},
        {"source_id_key": 3},
        {"key_encoder": "md5"},
    ],
    ids=str,
)
def test_what_langchain_core_refuses_is_refused(options: dict[str, Any]) -> None:
    side = Side()
    documents = [Document("a", metadata={"source": "1"})]
    with pytest.raises(ValueError):
        core.index(documents, side.records, side.store, **{"key_encoder": "sha256", **options})
    with pytest.raises(ValueError):
        ours.index(documents, side.records, side.store, **options)
    assert stored(side.store) == {}


@pytest.mark.parametrize("in_a_file", [False, True])
@pytest.mark.parametrize("cleanup", ["incremental", "scoped_full"])
def test_a_document_without_source_ends_the_run_after_what_came_before_is_stored(
    cleanup: Any, in_a_file: bool
) -> None:
    documents = [Document(str(page), metadata={"source": "1"}) for page in range(4)]
    documents.append(Document("lost", metadata={"source": None}))
    theirs, mine = Side(), Side(SQLiteRecordManager("mine", ":memory:") if in_a_file else None)
    options: dict[str, Any] = {"cleanup": cleanup, "source_id_key": "source", "batch_size": 2}
    with pytest.raises(ValueError):
        core.index(documents, theirs.records, theirs.store, key_encoder="sha256", **options)
    with pytest.raises(ValueError, match="lost"):
        ours.index(documents, mine.records, mine.store, key_encoder="sha256", **options)
    assert mine.state() == theirs.state()
