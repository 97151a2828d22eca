"""The rules of the data plane: limits, error texts, shapes of answers."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_hfendpoint.local._pinecone import data_plane as plane
from langchain_hfendpoint.local._pinecone import namespaces
from langchain_hfendpoint.local._pinecone.config import IndexConfig
from langchain_hfendpoint.local._pinecone.directory import Directory
from langchain_hfendpoint.local._pinecone.index import Index
from langchain_hfendpoint.local._pinecone.memory import Segment
from langchain_hfendpoint.local._pinecone.search import Query, top_k
from langchain_hfendpoint.local._pinecone.wire import WireError
from tests.support.pinecone_calls import ask


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Directory]:
    with Directory(tmp_path) as opened:
        yield opened


@pytest.fixture
def index(directory: Directory) -> Index:
    return directory.create(IndexConfig("dense", "cosine", 2))


@pytest.fixture
def hybrid(directory: Directory) -> Index:
    return directory.create(IndexConfig("hybrid", "dotproduct", 2))


@pytest.fixture
def sparse(directory: Directory) -> Index:
    return directory.create(IndexConfig("sparse", "dotproduct", 0))


def vector(**changes: Any) -> dict[str, Any]:
    return {"vectors": [{"id": "a", "values": [1.0, 2.0], **changes}]}


TERMS = {"indices": [5, 2], "values": [0.5, 1.0]}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "^Invalid request"),
        ({"vectors": []}, "^Invalid request"),
        ({"vectors": ["a"]}, "each vector must be an object"),
        ({"vectors": "a"}, "Invalid value for field 'vectors'"),
        (vector(id=""), "must not be empty"),
        (vector(id=7), "must not be empty"),
        (vector(id="é"), "^Vector ID must be ASCII, but got 'é'"),
        (vector(id="a\0"), "^Vector ID must not contain null character"),
        (vector(id="x" * 513), "at most 512 characters, but got 513"),
        (vector(values=[1.0]), "^Vector dimension 1 does not match the dimension of the index 2$"),
        (vector(values=[]), "^Vector dimension 0 does not match the dimension of the index 2$"),
        (vector(values=["1", "2"]), "must be numbers"),
        (vector(values=[1e39, 1.0]), "must be finite"),
        (
            vector(values=[0, 0]),
            r"^Dense vectors must contain at least one non-zero value\. Vector ID 'a' contains",
        ),
        (vector(metadata={"a": {"b": 1}}), "^Metadata value must be a string, number, boolean or"),
        (vector(metadata={"a": [1.5, 2]}), r"got '\[1.5,2\]' for field 'a'"),
        (vector(metadata={"$a": 1}), r"cannot start with '\$'"),
        (vector(metadata=[]), "^Metadata must be an object"),
        (
            vector(metadata={"text": "x" * 41_000}),
            "^metadata size is 41011 bytes, which exceeds the limit of 40960 bytes per vector$",
        ),
        (vector(sparseValues={"indices": [1, 1], "values": [1, 2]}), "must be unique"),
        (vector(sparseValues={"indices": [1], "values": [1, 2]}), "same number of indices"),
        (vector(sparseValues={"indices": [-1], "values": [1]}), "unsigned 32-bit"),
        (vector(sparseValues={"indices": [], "values": []}), "at least one value"),
        (
            vector(sparseValues={"indices": list(range(1001)), "values": [1] * 1001}),
            "at most 1000 values",
        ),
        ({**vector(), "namespace": "é"}, "^Namespace must be ASCII"),
        ({**vector(), "namespace": "x" * 513}, "at most 512 characters"),
        ({"vectors": vector()["vectors"] * 1_001}, "maximum of 1000 vectors, but got 1001"),
    ],
)
def test_an_upsert_that_breaks_a_rule_is_refused_whole(
    index: Index, body: dict[str, Any], text: str
) -> None:
    if body.get("vectors") and isinstance(body["vectors"], list) and len(body["vectors"]) == 1:
        body = {**body, "vectors": [{"id": "good", "values": [1, 1]}, *body["vectors"]]}
    with pytest.raises(WireError, match=text) as refusal:
        ask(plane.upsert, index, body)
    assert refusal.value.status == 400
    assert refusal.value.data_body()["code"] == 3
    assert ask(plane.describe_index_stats, index)["totalVectorCount"] == 0


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"vector": [1, 2]}, "top_k"),
        ({"vector": [1, 2], "topK": 0}, "top_k"),
        ({"vector": [1, 2], "topK": 10_001}, "at most 10000, but got 10001"),
        ({"vector": [1], "topK": 1}, "^Vector dimension 1 does not match"),
        ({"topK": 1}, "^Either 'vector' or 'ID' must be provided"),
        ({"topK": 1, "id": "a", "vector": [1, 2]}, "^Cannot provide both 'ID' and 'vector'"),
        (
            {"topK": 1, "id": "a", "sparseVector": TERMS},
            "^Cannot provide both 'ID' and 'sparse_vector' at the same time",
        ),
        (
            {"topK": 1, "sparseVector": TERMS},
            "^Cannot query index with dense 'vector_type' with only sparse vector",
        ),
        (
            {"topK": 1, "vector": [1, 2], "sparseVector": TERMS},
            "^Index configuration does not support sparse values",
        ),
        ({"topK": 1, "vector": [0, 0]}, "at least one non-zero value"),
        ({"topK": 1, "vector": [1, 2], "filter": {"a": {"$x": 1}}}, "not a valid operator"),
        ({"topK": 1, "vector": [1, 2], "includeValues": "yes"}, "expected a boolean"),
    ],
)
def test_a_query_that_breaks_a_rule_is_refused(
    index: Index, body: dict[str, Any], text: str
) -> None:
    ask(plane.upsert, index, vector())
    with pytest.raises(WireError, match=text) as refusal:
        ask(plane.query, index, body)
    assert refusal.value.status == 400


def test_sparse_indexes_take_and_ask_for_sparse_values_only(sparse: Index) -> None:
    with pytest.raises(WireError, match=r"^Index configuration does not support dense values"):
        ask(plane.upsert, sparse, vector(sparseValues=TERMS))
    with pytest.raises(WireError, match="Sparse vector must contain at least one value"):
        ask(plane.upsert, sparse, {"vectors": [{"id": "a"}]})
    with pytest.raises(WireError, match=r"^Either 'sparse_vector' or 'ID' must be provided"):
        ask(plane.query, sparse, {"topK": 1})
    with pytest.raises(WireError, match=r"^Index configuration does not support dense values"):
        ask(plane.query, sparse, {"topK": 1, "vector": [1.0]})


def test_a_sparse_query_finds_the_records_that_share_a_term(sparse: Index) -> None:
    records = {
        "a": {"indices": [2, 5], "values": [1.0, 2.0]},
        "b": {"indices": [5], "values": [4.0]},
        "c": {"indices": [9], "values": [9.0]},
    }
    upserted = [{"id": id_, "sparseValues": value} for id_, value in records.items()]
    ask(plane.upsert, sparse, {"vectors": upserted})
    query = {"topK": 5, "sparseVector": {"indices": [5, 2], "values": [1.0, 0.5]}}
    matches = ask(plane.query, sparse, {**query, "includeValues": True})["matches"]
    assert [(match["id"], match["score"]) for match in matches] == [("b", 4.0), ("a", 2.5)]
    assert matches[1]["sparseValues"] == records["a"]
    by_id = ask(plane.query, sparse, {"topK": 1, "id": "b"})["matches"]
    assert (by_id[0]["id"], by_id[0]["score"]) == ("b", 16.0)


def test_a_hybrid_query_adds_both_products(hybrid: Index) -> None:
    ask(
        plane.upsert,
        hybrid,
        {
            "vectors": [
                {"id": "both", "values": [1, 1], "sparseValues": TERMS},
                {"id": "dense", "values": [1, 2]},
            ]
        },
    )
    query = {"topK": 5, "vector": [1, 1], "sparseVector": {"indices": [5], "values": [4.0]}}
    matches = ask(plane.query, hybrid, query)["matches"]
    assert [(match["id"], match["score"]) for match in matches] == [("both", 4.0), ("dense", 3.0)]


def test_euclidean_gives_the_squared_distance_nearest_first(directory: Directory) -> None:
    index = directory.create(IndexConfig("euclid", "euclidean", 2))
    ask(
        plane.upsert,
        index,
        {"vectors": [{"id": f"{n}", "values": [n, 1.0]} for n in (5, 1, 3)]},
    )
    matches = ask(plane.query, index, {"topK": 2, "vector": [1.0, 1.0]})["matches"]
    assert [(match["id"], match["score"]) for match in matches] == [("1", 0.0), ("3", 4.0)]


def test_of_equal_ids_in_one_upsert_the_last_wins_and_all_count(index: Index) -> None:
    body = {"vectors": [{"id": "a", "values": [1, n]} for n in range(1, 4)]}
    assert ask(plane.upsert, index, body) == {"upsertedCount": 3}
    assert ask(plane.fetch, index, ids=["a"])["vectors"]["a"]["values"] == [1.0, 3.0]


def test_numbers_come_back_as_floats_and_nulls_not_at_all(index: Index) -> None:
    ask(plane.upsert, index, vector(metadata={"page": 0, "gone": None, "ok": True, "l": ["x"]}))
    metadata = ask(plane.fetch, index, ids=["a"])["vectors"]["a"]["metadata"]
    assert metadata == {"page": 0.0, "ok": True, "l": ["x"]}
    assert isinstance(metadata["page"], float)
    ask(plane.upsert, index, vector(metadata={"gone": None}))
    assert "metadata" not in ask(plane.fetch, index, ids=["a"])["vectors"]["a"]


def test_matches_carry_empty_values_unless_asked_and_metadata_only_if_asked(index: Index) -> None:
    ask(plane.upsert, index, vector(metadata={"n": 1}))
    bare = ask(plane.query, index, {"topK": 1, "id": "a"})
    assert bare["matches"] == [{"id": "a", "values": [], "score": 1.0}]
    assert bare["usage"] == {"readUnits": 1}
    whole = ask(
        plane.query, index, {"top_k": 1, "id": "a", "includeValues": True, "includeMetadata": True}
    )
    assert whole["matches"][0]["values"] == [1.0, 2.0]
    assert whole["matches"][0]["metadata"] == {"n": 1.0}


def test_the_unnamed_namespace_has_two_names_and_is_echoed_as_asked(index: Index) -> None:
    ask(plane.upsert, index, {**vector(), "namespace": "__default__"})
    assert ask(plane.fetch, index, ids=["a"])["namespace"] == ""
    named = ask(plane.fetch, index, ids=["a"], namespace="__default__")
    assert (named["namespace"], list(named["vectors"])) == ("__default__", ["a"])
    old = ask(plane.describe_index_stats, index, version="2025-04")
    new = ask(plane.describe_index_stats, index, version="2025-10")
    assert (list(old["namespaces"]), list(new["namespaces"])) == ([""], ["__default__"])
    assert ask(namespaces.list_namespaces, index)["namespaces"] == [
        {"name": "__default__", "record_count": 1}
    ]


def test_ids_are_listed_bytewise_by_prefix_and_page(index: Index) -> None:
    ids = ["b", "a#2", "a#10", "A", "a#1", "~"]
    ask(plane.upsert, index, {"vectors": [{"id": id_, "values": [1, 1]} for id_ in ids]})
    listed: list[str] = []
    token, pages = "", 0
    while True:
        page = ask(plane.list_vectors, index, limit="2", paginationToken=token)
        listed += [item["id"] for item in page["vectors"]]
        pages += 1
        if "pagination" not in page:
            break
        token = page["pagination"]["next"]
    assert (listed, pages) == (["A", "a#1", "a#10", "a#2", "b", "~"], 3)
    prefixed = ask(plane.list_vectors, index, prefix="a#")["vectors"]
    assert [item["id"] for item in prefixed] == ["a#1", "a#10", "a#2"]
    with pytest.raises(WireError, match="Invalid pagination token"):
        ask(plane.list_vectors, index, paginationToken="!")
    for limit in ("0", "101", "-1", "x", "9" * 5_000):
        with pytest.raises(WireError, match="limit must be between"):
            ask(plane.list_vectors, index, limit=limit)


def test_fetch_by_metadata_goes_page_by_page(index: Index) -> None:
    vectors = [{"id": f"{n}", "values": [1, 1], "metadata": {"n": n % 2}} for n in range(9)]
    ask(plane.upsert, index, {"vectors": vectors})
    first = ask(plane.fetch_by_metadata, index, {"filter": {"n": 0}, "limit": 3})
    token = first["pagination"]["next"]
    second = ask(
        plane.fetch_by_metadata, index, {"filter": {"n": 0}, "limit": 3, "paginationToken": token}
    )
    assert [*first["vectors"], *second["vectors"]] == ["0", "2", "4", "6", "8"]
    assert "pagination" not in second
    with pytest.raises(WireError, match="filter must not be empty"):
        ask(plane.fetch_by_metadata, index, {"filter": {}})


def test_namespaces_are_made_described_and_deleted(index: Index) -> None:
    schema = {"fields": {"genre": {"filterable": True}}}
    made = ask(namespaces.create_namespace, index, {"name": "n", "schema": schema})
    assert made == {"name": "n", "record_count": 0, "schema": schema}
    with pytest.raises(WireError) as conflict:
        ask(namespaces.create_namespace, index, {"name": "n"})
    assert conflict.value.status == 409
    assert ask(namespaces.describe_namespace, index, path={"namespace": "n"}) == made
    ask(namespaces.delete_namespace, index, path={"namespace": "n"})
    for operation in (namespaces.delete_namespace, namespaces.describe_namespace):
        with pytest.raises(WireError, match="Namespace not found") as missing:
            ask(operation, index, path={"namespace": "n"})
        assert (missing.value.status, missing.value.data_body()["code"]) == (404, 5)
    with pytest.raises(WireError, match="__default__"):
        ask(namespaces.create_namespace, index, {"name": "__default__"})


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "exactly one of"),
        ({"ids": ["a"], "deleteAll": True}, "exactly one of"),
        ({"ids": ["a"] * 1_001}, "at most 1000 are allowed"),
        ({"filter": {}}, "filter must not be empty"),
    ],
)
def test_a_delete_says_exactly_what(index: Index, body: dict[str, Any], text: str) -> None:
    ask(plane.upsert, index, vector())
    with pytest.raises(WireError, match=text):
        ask(plane.delete, index, body)


def test_an_update_cannot_make_a_vector_of_zeros(index: Index) -> None:
    ask(plane.upsert, index, vector())
    with pytest.raises(WireError, match="Vector ID 'a' contains only zeros"):
        ask(plane.update, index, {"id": "a", "values": [0, 0]})


def test_a_query_never_sees_half_a_batch(index: Index) -> None:
    def generation(number: int) -> dict[str, Any]:
        records = [
            {"id": f"{n}", "values": [1.0, n + 1.0], "metadata": {"generation": number}}
            for n in range(100)
        ]
        return {"vectors": records}

    def write() -> None:
        for number in range(1, 60):
            ask(plane.upsert, index, generation(number))

    ask(plane.upsert, index, generation(0))
    writer = threading.Thread(target=write)
    writer.start()
    seen = []
    while writer.is_alive() or not seen:
        query = {"topK": 1_000, "vector": [1.0, 1.0], "includeMetadata": True}
        matches = ask(plane.query, index, query)["matches"]
        generations = {match["metadata"]["generation"] for match in matches}
        assert (len(matches), len(generations)) == (100, 1)
        fetched = ask(plane.fetch, index, ids=[f"{n}" for n in range(100)])["vectors"]
        assert len(fetched) == 100
        assert len({vector["metadata"]["generation"] for vector in fetched.values()}) == 1
        filtered = {**query, "filter": {"generation": {"$gte": 0}}}
        assert len(ask(plane.query, index, filtered)["matches"]) == 100
        seen += sorted(generations)
    writer.join()
    assert seen == sorted(seen)


def test_what_cannot_be_quoted_is_refused_all_the_same(index: Index) -> None:
    body = orjson.dumps({"vectors": [{"id": "a", "values": [1, 2]}]}).replace(
        b'"values"', b'"metadata":{"deep":' + b"[" * 400 + b"]" * 400 + b'},"values"'
    )
    with pytest.raises(WireError, match=r"got '\.\.\.' for field 'deep'"):
        plane.upsert(plane.Call(index, "2025-10", body=body))
    with pytest.raises(WireError, match="must be ASCII") as refusal:
        ask(plane.fetch, index, ids=["a"], namespace="\udcff")
    assert orjson.dumps(refusal.value.data_body())


def test_a_write_nobody_waits_for_any_more_does_no_harm(index: Index) -> None:
    go_on = threading.Event()
    slow = index.write(lambda _: go_on.wait(timeout=30))
    given_up = index.write(lambda transaction: transaction.create("given up"))
    assert given_up.cancel()
    go_on.set()
    slow.result(timeout=30)
    ask(plane.upsert, index, vector())
    names = [item["name"] for item in ask(namespaces.list_namespaces, index)["namespaces"]]
    assert names == ["__default__"]


def test_an_update_by_filter_can_be_tried_first(index: Index) -> None:
    vectors = [{"id": f"{n}", "values": [1, 1], "metadata": {"n": n}} for n in range(4)]
    ask(plane.upsert, index, {"vectors": vectors})
    body = {"filter": {"n": {"$lt": 2}}, "setMetadata": {"old": True}}
    assert ask(plane.update, index, {**body, "dryRun": True}) == {"matchedRecords": 2}
    assert ask(plane.describe_index_stats, index, {"filter": {"old": True}})["namespaces"] == {
        "__default__": {"vectorCount": 0}
    }
    assert ask(plane.update, index, body) == {"matchedRecords": 2}
    assert list(ask(plane.fetch_by_metadata, index, {"filter": {"old": True}})["vectors"]) == [
        "0",
        "1",
    ]


def test_a_result_over_4_mb_is_refused(directory: Directory) -> None:
    index = directory.create(IndexConfig("wide", "cosine", 1_000))
    rows = np.random.default_rng(0).standard_normal((500, 1_000)).astype(np.float32)
    ask(
        plane.upsert,
        index,
        {"vectors": [{"id": f"{n}", "values": row} for n, row in enumerate(rows)]},
    )
    query = {"vector": rows[0], "topK": 500}
    assert len(ask(plane.query, index, query)["matches"]) == 500
    with pytest.raises(WireError, match="exceeds the limit of 4194304 bytes"):
        ask(plane.query, index, {**query, "includeValues": True})


@settings(max_examples=150, deadline=None)
@given(data=st.data(), metric=st.sampled_from(["cosine", "dotproduct", "euclidean"]))
def test_top_k_is_exact_also_among_near_ties(data: Any, metric: Any) -> None:
    seed = data.draw(st.integers(0, 2**32 - 1))
    count = data.draw(st.integers(1, 300))
    dimension = data.draw(st.sampled_from([1, 3, 64]))
    spread = data.draw(st.sampled_from([1.0, 1e-4, 1e-7, 0.0]))
    wanted = data.draw(st.integers(1, 20))
    generator = np.random.default_rng(seed)
    scale = data.draw(st.sampled_from([1.0, 1e3, 1e-30, 1e17]))
    center = generator.standard_normal(dimension)
    rows = scale * (center + spread * generator.standard_normal((count, dimension)))
    rows = rows.astype(np.float32)
    vector = (scale * (center + generator.standard_normal(dimension))).astype(np.float32)
    segments = []
    for start in range(0, count, 100):
        part = rows[start : start + 100]
        segment = Segment(len(part), dimension)
        numbers = np.arange(start, start + len(part))
        segment.append(numbers, [str(n) for n in numbers], part, None)
        segments.append((segment, np.arange(len(part))))
    found = top_k(segments, Query(metric, vector, None, wanted))
    a, b = rows.astype(np.float64), vector.astype(np.float64)
    if metric == "euclidean":
        exact = -((a - b) ** 2).sum(axis=1)
    else:
        exact = (a * b).sum(axis=1)
        if metric == "cosine":
            exact /= np.sqrt((a * a).sum(axis=1) * (b * b).sum())
    best = np.sort(exact.astype(np.float32))[::-1][:wanted]
    scores = np.array([-m.score if metric == "euclidean" else m.score for m in found])
    np.testing.assert_allclose(scores, best, rtol=2e-7, atol=0)
    assert len({(id(m.segment), m.offset) for m in found}) == min(wanted, count)
