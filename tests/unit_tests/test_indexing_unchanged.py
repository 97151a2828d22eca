"""A source that has not changed is not read again; whatever might have changed is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.document_loaders import BaseLoader
from langchain_core.documents import Document
from langchain_core.vectorstores import InMemoryVectorStore

from langchain_hfendpoint import SNLILoader, SQLiteRecordManager, aindex, index
from langchain_hfendpoint.errors import DataError
from tests.support.indexing import CountingEmbeddings, documents, stored
from tests.unit_tests.test_indexing_parity import Run, a_run


class Told(BaseLoader):
    """Documents with a fingerprint, which count how often they are read."""

    def __init__(self, some: list[Document]) -> None:
        self.documents = some
        self.read = 0
        self.while_reading: Callable[[], object] = lambda: None

    def lazy_load(self) -> Iterator[Document]:
        self.read += 1
        yield from self.documents
        self.while_reading()

    def fingerprint(self) -> str | None:
        return repr(self.documents)


@pytest.fixture
def store() -> InMemoryVectorStore:
    return InMemoryVectorStore(CountingEmbeddings())


@pytest.fixture
def records(tmp_path: Path) -> SQLiteRecordManager:
    return SQLiteRecordManager("tests", tmp_path / "records.sqlite")


@pytest.fixture
def source() -> Told:
    return Told([*documents("a", "b", "c", "a", source="1")])


def test_a_source_that_has_not_changed_is_not_read_again(
    source: Told, records: SQLiteRecordManager, store: InMemoryVectorStore
) -> None:
    first = index(source, records, store)
    for _ in range(2):
        again = index(source, records, store)
        assert again == {"num_added": 0, "num_updated": 0, "num_deleted": 0, "num_skipped": 4}
    assert (first["num_added"], first["num_skipped"], source.read) == (3, 1, 1)
    assert (first.unchanged, again.unchanged) == (False, True)
    assert again.embedded == 0
    assert not again.failed


async def test_aindex_does_not_read_it_again_either(
    source: Told, records: SQLiteRecordManager, store: InMemoryVectorStore
) -> None:
    await aindex(source, records, store)
    again = await aindex(source, records, store)
    assert (again["num_skipped"], source.read) == (4, 1)


def test_it_is_known_in_another_process_too(
    source: Told, records: SQLiteRecordManager, store: InMemoryVectorStore
) -> None:
    index(source, records, store)
    reopened = SQLiteRecordManager("tests", records.path)
    assert index(source, reopened, store)["num_skipped"] == 4
    assert index(source, SQLiteRecordManager("others", records.path), store)["num_added"] == 3
    assert source.read == 2


def test_its_documents_count_as_seen_by_the_run_that_did_not_read_them(
    source: Told, records: SQLiteRecordManager, store: InMemoryVectorStore
) -> None:
    index(source, records, store)
    between = records.get_time()
    index(source, records, store)
    assert records.list_keys(before=between) == []
    assert len(records.list_keys(after=between)) == 3


def test_only_its_own_documents_do(
    source: Told, records: SQLiteRecordManager, store: InMemoryVectorStore
) -> None:
    index(documents("older"), records, store)
    index(source, records, store)
    between = records.get_time()
    index(source, records, store)
    assert len(records.list_keys(before=between)) == 1


def test_a_source_that_has_changed_is_read(
    source: Told, records: SQLiteRecordManager, store: InMemoryVectorStore
) -> None:
    index(source, records, store)
    source.documents.append(Document("d"))
    assert index(source, records, store)["num_added"] == 1


def test_a_source_that_changes_while_it_is_read_is_read_the_next_time(
    source: Told, records: SQLiteRecordManager, store: InMemoryVectorStore
) -> None:
    source.while_reading = lambda: source.documents.append(Document(f"{source.read}"))
    index(source, records, store)
    source.while_reading = lambda: None
    assert index(source, records, store)["num_added"] == 1


OTHERS: dict[str, Callable[[SQLiteRecordManager, InMemoryVectorStore], object]] = {
    "a document was forgotten": lambda records, _: records.delete_keys(records.list_keys(limit=1)),
    "a document was recorded": lambda records, _: records.update(["x"]),
    "another source was indexed": lambda records, store: index(documents("d"), records, store),
    "a document was seen": lambda records, _: records.refresh(
        records.list_keys(limit=1), group_ids=[None], time_at_least=0.0
    ),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("when", ["afterwards", "meanwhile"])
def test_it_is_read_again_if_somebody_else_has_written(
    other: Callable[[SQLiteRecordManager, InMemoryVectorStore], object],
    when: str,
    source: Told,
    records: SQLiteRecordManager,
    store: InMemoryVectorStore,
) -> None:
    elsewhere = SQLiteRecordManager("tests", records.path)
    elsewhere.update(["theirs"])
    if when == "meanwhile":
        source.while_reading = lambda: other(elsewhere, store)
    index(source, records, store, batch_size=2)
    source.while_reading = lambda: None
    if when == "afterwards":
        other(elsewhere, store)
    index(source, records, store)
    assert source.read == 2
    assert {text for text, _ in stored(store).values()} >= {"a", "b", "c"}
    assert all(records.exists(list(store.store)))


def test_reading_the_records_changes_nothing(
    source: Told, records: SQLiteRecordManager, store: InMemoryVectorStore
) -> None:
    index(source, records, store)
    records.exists(records.list_keys())
    records.refresh(["unknown"], group_ids=[None], time_at_least=0.0)
    index(source, records, store)
    assert source.read == 1


@pytest.mark.parametrize(
    "options",
    [
        {"force_update": True},
        {"cleanup": "full"},
        {"key_encoder": "sha256"},
        {"source_id_key": "source"},
        {"convert_metadata": dict},
    ],
    ids=str,
)
def test_other_options_read_it_again(
    options: dict[str, Any],
    source: Told,
    records: SQLiteRecordManager,
    store: InMemoryVectorStore,
) -> None:
    index(source, records, store)
    index(source, records, store, **options)
    assert source.read == 2


def test_what_functions_do_is_not_known_so_that_it_is_always_read(
    source: Told, records: SQLiteRecordManager, store: InMemoryVectorStore
) -> None:
    for _ in range(2):
        index(source, records, store, key_encoder=lambda document: document.page_content)
    assert source.read == 2


def test_a_run_in_which_a_document_failed_is_not_remembered(
    source: Told, records: SQLiteRecordManager
) -> None:
    embeddings = CountingEmbeddings(poison="b")
    store = InMemoryVectorStore(embeddings)
    assert index(source, records, store, batch_size=1, on_error="skip").failed
    embeddings.poison = None
    index(source, records, store, batch_size=1, on_error="skip")
    assert {text for text, _ in stored(store).values()} == {"a", "b", "c"}


def test_a_run_that_broke_off_is_not_remembered(
    source: Told, records: SQLiteRecordManager, store: InMemoryVectorStore
) -> None:
    def fail() -> None:
        raise DataError("the rest cannot be read")

    source.while_reading = fail
    with pytest.raises(DataError):
        index(source, records, store)
    source.while_reading = lambda: None
    index(source, records, store)
    assert source.read == 2


def test_a_source_that_may_have_changed_is_read(
    records: SQLiteRecordManager, store: InMemoryVectorStore
) -> None:
    class Unsure(Told):
        def fingerprint(self) -> None:
            return None

    source = Unsure(documents("a"))
    for _ in range(2):
        index(source, records, store)
    assert source.read == 2


def test_writes_that_no_record_refers_to_do_not_pile_up(
    records: SQLiteRecordManager, store: InMemoryVectorStore
) -> None:
    some = documents(*"abcdefgh")
    for _ in range(5):
        index(some, records, store, batch_size=2)
    raw = records._file.query("SELECT count(*) FROM writes", ())
    assert raw[0][0] <= 4 + 1


class Side:
    """A store and its records."""

    def __init__(self) -> None:
        self.store = InMemoryVectorStore(CountingEmbeddings())
        self.records = SQLiteRecordManager("tests", ":memory:")

    def state(self) -> tuple[object, object]:
        groups = {group: sorted(self.records.list_keys(group_ids=[group])) for group in "123"}
        return stored(self.store), groups


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(pool=st.lists(a_run, min_size=1, max_size=3), data=st.data())
def test_every_sequence_of_runs_ends_as_if_all_had_been_read(pool: list[Run], data: Any) -> None:
    read, told = Side(), Side()
    runs = data.draw(st.lists(st.sampled_from(pool), max_size=6))
    for run in runs:
        started = [side.records.get_time() for side in (read, told)]
        expected = index(run.documents, read.records, read.store, **run.options())
        result = index(Told(run.documents), told.records, told.store, **run.options())
        assert told.state() == read.state()
        seen = [
            sorted(side.records.list_keys(after=time))
            for side, time in zip((read, told), started, strict=True)
        ]
        assert seen[0] == seen[1]
        if run.cleanup != "incremental":
            # That one deletes and adds again what a source's later batches still have.
            assert result == expected


def test_the_fingerprint_of_files_follows_what_is_in_them(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"premise": "A", "hypothesis": "B", "label": 0}\n')
    before = SNLILoader(path).fingerprint()
    assert before == SNLILoader(path).fingerprint()
    assert before != SNLILoader(path, unique=True).fingerprint()
    assert before != SNLILoader(path, limit=1).fingerprint()
    assert before != SNLILoader(path, include_other=True).fingerprint()
    assert before != SNLILoader(path, encoding="latin-1").fingerprint()
    assert before != SNLILoader(path).shard(0, of=2).fingerprint()
    path.write_text('{"premise": "A", "hypothesis": "C", "label": 0}\n')
    assert before != SNLILoader(path).fingerprint()


def test_the_fingerprint_of_a_folder_follows_its_files(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"premise": "A", "hypothesis": "B", "label": 0}\n')
    before = SNLILoader(tmp_path).fingerprint()
    (tmp_path / "b.jsonl").write_text('{"premise": "A", "hypothesis": "C", "label": 0}\n')
    assert before != SNLILoader(tmp_path).fingerprint()


def test_a_file_that_is_not_there_has_no_fingerprint(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        SNLILoader(tmp_path / "missing.parquet").fingerprint()


def test_only_a_commit_is_known_to_stay_what_it_is_on_the_hub() -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    assert SNLILoader("stanfordnlp/snli", revision="main").fingerprint() is None
    assert SNLILoader("stanfordnlp/snli").fingerprint() is None
    one = SNLILoader("stanfordnlp/snli", revision=commit).fingerprint()
    other = SNLILoader("stanfordnlp/snli", revision=commit, split="test").fingerprint()
    assert one is not None
    assert one != other


def test_files_elsewhere_have_none() -> None:
    with fsspec.open("memory://somewhere/pairs.jsonl", "w") as file:
        file.write('{"premise": "A", "hypothesis": "B", "label": 0}\n')
    assert SNLILoader("memory://somewhere/pairs.jsonl").fingerprint() is None


def test_the_sample_is_indexed_once(
    records: SQLiteRecordManager, store: InMemoryVectorStore
) -> None:
    loader = SNLILoader("sample", unique=True)
    added = index(loader, records, store)["num_added"]
    again = asyncio.run(aindex(loader, records, store))
    assert (again["num_skipped"], loader.report.kept) == (added, added)
