"""The filter language: what it means, and that columns decide as a plain evaluation does."""

import sqlite3
from operator import ge, gt, le, lt
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_hfendpoint.local._pinecone.columns import ColumnCache
from langchain_hfendpoint.local._pinecone.filters import compile_filter, matches
from langchain_hfendpoint.local._pinecone.memory import Segment
from langchain_hfendpoint.local._pinecone.metadata import clean_metadata, encode_metadata
from langchain_hfendpoint.local._pinecone.wire import WireError

RECORD = {"genre": "drama", "year": 2020.0, "seen": True, "tags": ["long", "sad"]}


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        ({}, True),
        ({"genre": {}}, True),
        ({"genre": {"$in": []}}, False),
        ({"genre": "drama"}, True),
        ({"genre": {"$eq": "comedy"}}, False),
        ({"genre": {"$ne": "comedy"}}, True),
        ({"year": {"$gt": 2019, "$lt": 2021}}, True),
        ({"year": {"$gte": 2020}, "genre": {"$in": ["comedy", "drama"]}}, True),
        ({"year": {"$gt": 2020}}, False),
        ({"year": "2020"}, False),
        ({"year": 2020}, True),
        ({"genre": {"$gt": 1}}, False),
        ({"seen": True}, True),
        ({"seen": 1}, False),
        ({"year": {"$in": [2019, 2020]}}, True),
        ({"genre": {"$nin": ["drama"]}}, False),
        ({"tags": "sad"}, True),
        ({"tags": {"$in": ["short", "long"]}}, True),
        ({"tags": {"$ne": "sad"}}, False),
        ({"tags": {"$nin": ["short"]}}, True),
        ({"missing": {"$exists": False}}, True),
        ({"genre": {"$exists": True}}, True),
        ({"missing": {"$ne": "x"}}, True),
        ({"missing": {"$lt": 5}}, False),
        ({"$or": [{"genre": "comedy"}, {"year": {"$gte": 2020}}]}, True),
        ({"$and": [{"genre": "drama"}, {"$or": [{"seen": False}, {"tags": "long"}]}]}, True),
        ({"$and": [{"genre": "drama"}, {"seen": False}]}, False),
    ],
)
def test_a_filter_means_what_pinecone_documents(filter_: dict[str, Any], expected: bool) -> None:
    assert matches(compile_filter(filter_), RECORD) is expected


@pytest.mark.parametrize(
    ("filter_", "text"),
    [
        ({"$eq": "drama"}, "is not a valid operator at this position"),
        ({"genre": {"$like": "dra%"}}, "\\$like is not a valid operator"),
        ({"genre": {"eq": "a"}}, r'^illegal condition for field genre, got {"eq":"a"}$'),
        ({"genre": {"$in": "drama"}}, r"\$in operator must be followed by a list"),
        ({"genre": {"$in": [["drama"]]}}, r"\$in operator must be followed by a list"),
        (
            {"year": {"$nin": [True]}},
            r"^the \$nin operator must be followed by a list of strings or a list of numbers, got",
        ),
        ({"genre": {"$in": ["drama", 1]}}, r"\$in operator must be followed by a list"),
        ({"genre": {"$eq": ["drama"]}}, r"\$eq operator must be followed by"),
        (
            {"genre": None},
            r"^the \$eq operator must be followed by a string, boolean or a number, got null inst",
        ),
        ({"year": {"$gt": "2020"}}, r"\$gt operator must be followed by a number"),
        ({"year": {"$gt": True}}, r"\$gt operator must be followed by a number"),
        ({"year": {"$exists": 1}}, r"\$exists operator must be followed by a boolean"),
        ({"$and": {"genre": "drama"}}, r"\$and operator must be followed by a list"),
        ({"$or": []}, r"\$or operator must be followed by a list"),
        ([], "Filter must be an object"),
    ],
)
def test_what_is_no_filter_is_refused_with_the_reason(filter_: object, text: str) -> None:
    with pytest.raises(WireError, match=text) as refusal:
        compile_filter(filter_)
    assert refusal.value.status == 400


def test_a_filter_nested_without_end_is_refused() -> None:
    filter_: dict[str, Any] = {"a": 1}
    for _ in range(100):
        filter_ = {"$and": [filter_]}
    with pytest.raises(WireError, match="nested deeper"):
        compile_filter(filter_)


FIELDS = st.sampled_from(["a", "b"])
NUMBERS = st.one_of(st.integers(-2, 2), st.sampled_from([0.5, -0.0, 1e300]))
WORDS = st.sampled_from(["", "x", "y", "1", "True"])
SCALARS = st.one_of(NUMBERS, WORDS, st.booleans())
VALUES = st.one_of(SCALARS, st.lists(WORDS, max_size=3))
RECORDS = st.dictionaries(FIELDS, VALUES, max_size=2)
CONDITIONS = st.one_of(
    st.tuples(st.sampled_from(["$eq", "$ne"]), SCALARS),
    st.tuples(
        st.sampled_from(["$in", "$nin"]),
        st.one_of(st.lists(WORDS, max_size=3), st.lists(NUMBERS, max_size=3)),
    ),
    st.tuples(st.sampled_from(["$gt", "$gte", "$lt", "$lte"]), NUMBERS),
    st.tuples(st.just("$exists"), st.booleans()),
)
FILTERS = st.recursive(
    st.tuples(FIELDS, CONDITIONS).map(lambda pair: {pair[0]: {pair[1][0]: pair[1][1]}}),
    lambda inner: st.tuples(
        st.sampled_from(["$and", "$or"]), st.lists(inner, min_size=1, max_size=3)
    ).map(lambda pair: {pair[0]: pair[1]}),
    max_leaves=5,
)


def naive(filter_: dict[str, Any], record: dict[str, Any]) -> bool:
    """A second opinion, written from the documentation alone."""
    return all(naive_part(key, value, record) for key, value in filter_.items())


def naive_part(key: str, value: Any, record: dict[str, Any]) -> bool:
    if key == "$and":
        return all(naive(part, record) for part in value)
    if key == "$or":
        return any(naive(part, record) for part in value)
    ((operator, operand),) = value.items()
    if operator == "$exists":
        return (key in record) == operand
    if operator in ("$ne", "$nin"):
        positive = {"$ne": "$eq", "$nin": "$in"}[operator]
        return not naive_part(key, {positive: operand}, record)
    if key not in record:
        return False
    found = record[key] if isinstance(record[key], list) else [record[key]]
    if operator == "$eq":
        return any(type_of(v) == type_of(operand) and v == operand for v in found)
    if operator == "$in":
        return any(naive_part(key, {"$eq": item}, record) for item in operand)
    compare = {"$gt": gt, "$gte": ge, "$lt": lt, "$lte": le}[operator]
    return any(compare(v, operand) for v in found if type_of(v) == "number")


def type_of(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "string" if isinstance(value, str) else "number"


@settings(max_examples=300, deadline=None)
@given(records=st.lists(RECORDS, min_size=1, max_size=8), filter_=FILTERS, split=st.integers(0, 8))
def test_columns_and_plain_evaluation_and_a_second_opinion_agree(
    records: list[dict[str, Any]], filter_: dict[str, Any], split: int
) -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE records (row INTEGER PRIMARY KEY, metadata BLOB)")
    clean = [clean_metadata(record) for record in records]
    # Every second row belongs to another namespace.
    connection.executemany(
        "INSERT INTO records VALUES (?, ?)",
        [(2 * n, encode_metadata(metadata)) for n, metadata in enumerate(clean)]
        + [(2 * n + 1, b'{"a":"x","b":1.0}') for n in range(len(clean))],
    )
    segment = Segment(len(clean), 0)
    rows = np.arange(0, 2 * len(clean), 2)
    segment.append(rows, list(map(str, rows)), np.empty((len(clean), 0), np.float32), None)
    compiled = compile_filter(filter_)
    columns = ColumnCache()
    columns.decide(compiled, segment, min(split, len(clean)), connection)
    decided = columns.decide(compiled, segment, len(clean), connection)
    assert decided.tolist() == [matches(compiled, metadata) for metadata in clean]
    assert decided.tolist() == [naive(filter_, record) for record in records]
