"""Documents as columns: types are learned, and refused where they cannot agree."""

import datetime as dt

import pyarrow as pa
import pytest
from langchain_core.documents import Document

from langchain_hfendpoint._hub.rows import Columns, align, document_id, row_digest
from langchain_hfendpoint.errors import EmbeddedDatasetError


def _table(columns: Columns, *metadata: dict[str, object]) -> pa.Table:
    documents = [Document(f"text {n}", metadata=one) for n, one in enumerate(metadata)]
    return columns.table(documents, [f"id {n}" for n in range(len(documents))])


def test_metadata_become_columns_of_their_own_type() -> None:
    when = dt.datetime(2026, 11, 20, tzinfo=dt.timezone.utc)
    row = {"label": 1, "score": 0.5, "tags": ["a"], "when": when, "good": True}
    table = _table(Columns(), row)
    assert table.column_names == ["id", "text", *row]
    assert table.select(list(row)).to_pylist() == [row]


def test_a_missing_key_is_null() -> None:
    assert _table(Columns(), {"a": 1}, {"b": "x"}).column("a").to_pylist() == [1, None]


def test_decimals_that_come_after_integers_are_kept() -> None:
    columns = Columns()
    first = _table(columns, {"score": 1})
    second = _table(columns, {"score": 2.5})
    both = pa.concat_tables([align(first, columns.schema), align(second, columns.schema)])
    assert both.column("score").to_pylist() == [1.0, 2.5]


def test_a_key_that_comes_late_is_null_in_what_came_before() -> None:
    columns = Columns()
    first = _table(columns, {"a": 1})
    _table(columns, {"late": "x", "a": 2})
    aligned = align(first, columns.schema)
    assert aligned.column_names == ["id", "text", "a", "late"]
    assert aligned.column("late").to_pylist() == [None]


def test_two_types_for_one_key_are_refused_naming_key_and_document() -> None:
    with pytest.raises(EmbeddedDatasetError, match=r"'page' of document 'id 2'"):
        _table(Columns(), {"page": 1}, {"page": 2}, {"page": "iii"})


def test_two_types_for_one_key_are_refused_even_far_apart() -> None:
    columns = Columns()
    _table(columns, {"page": 1})
    with pytest.raises(EmbeddedDatasetError, match=r"page.*int64 vs string"):
        _table(columns, {"page": "iii"})


@pytest.mark.parametrize("key", ["id", "text", "embedding", "embedding_scale"])
def test_a_key_that_is_taken_is_refused(key: str) -> None:
    with pytest.raises(EmbeddedDatasetError, match=f"'{key}'.*Rename it"):
        _table(Columns(), {key: 1})


def test_what_no_column_can_hold_is_refused_naming_the_document() -> None:
    with pytest.raises(EmbeddedDatasetError, match=r"'thing' of document 'id 0'"):
        _table(Columns(), {"thing": object()})


def test_a_text_that_is_no_unicode_is_refused_naming_the_document() -> None:
    with pytest.raises(EmbeddedDatasetError, match="'text' of document 'x'"):
        Columns().table([Document("\ud800")], ["x"])


def test_a_type_the_source_declares_is_kept() -> None:
    columns = Columns(declared=[pa.schema({"label": pa.int8()})])
    assert _table(columns, {"label": 1}).schema.field("label").type == pa.int8()


def test_a_document_keeps_its_id_or_gets_one_from_all_it_is() -> None:
    assert document_id(Document("a", id="mine")) == "mine"
    made = document_id(Document("a", metadata={"x": 1}))
    assert made == document_id(Document("a", metadata={"x": 1}))
    assert made != document_id(Document("a", metadata={"x": 2}))


@pytest.mark.parametrize(
    "other",
    [
        Document("another", id="1", metadata={"x": 1}),
        Document("text", id="2", metadata={"x": 1}),
        Document("text", id="1", metadata={"x": 2}),
    ],
)
def test_a_digest_tells_rows_apart(other: Document) -> None:
    row = Document("text", id="1", metadata={"x": 1})
    assert row_digest(row, "1") != row_digest(other, other.id or "")
