"""The control plane's bodies in three API versions, tags, names, and injected faults."""

from typing import Any

import pytest

from langchain_hfendpoint.errors import ConfigurationError
from langchain_hfendpoint.local._pinecone.config import IndexConfig
from langchain_hfendpoint.local._pinecone.control import (
    describe,
    merge_tags,
    read_changes,
    read_new_index,
)
from langchain_hfendpoint.local._pinecone.faults import Faults
from langchain_hfendpoint.local._pinecone.fields import Fields
from langchain_hfendpoint.local._pinecone.wire import WireError

SPEC = {"serverless": {"cloud": "gcp", "region": "europe-west4"}}
OLD = {"name": "an-index", "dimension": 3, "metric": "euclidean", "spec": SPEC}


def test_old_and_new_bodies_make_the_same_index() -> None:
    new = {
        "name": "an-index",
        "schema": {
            "fields": {"_values": {"type": "dense_vector", "dimension": 3, "metric": "euclidean"}}
        },
        "deployment": {"deployment_type": "managed", "cloud": "gcp", "region": "europe-west4"},
    }
    made = read_new_index(Fields(OLD), "2025-04")
    assert made == read_new_index(Fields(new), "2026-07")
    assert made == IndexConfig("an-index", "euclidean", 3, cloud="gcp", region="europe-west4")


def test_each_version_gets_the_description_it_knows() -> None:
    config = read_new_index(Fields(OLD), "2025-04")
    host = "http://127.0.0.1:1/i/an-index"
    first, second, third = (
        describe(config, host=host, version=version)
        for version in ("2025-04", "2025-10", "2026-07")
    )
    assert first["spec"] == SPEC
    assert (first["dimension"], first["metric"], first["host"]) == (3, "euclidean", host)
    assert second["spec"]["serverless"]["read_capacity"]["mode"] == "OnDemand"
    assert third["schema"]["fields"]["_values"]["dimension"] == 3
    assert third["deployment"]["cloud"] == "gcp"
    assert "spec" not in third


def test_a_sparse_index_has_no_dimension() -> None:
    config = read_new_index(Fields({"name": "s", "vector_type": "sparse", "spec": SPEC}), "2025-04")
    assert (config.sparse, config.metric) == (True, "dotproduct")
    assert "dimension" not in describe(config, host="", version="2025-10")
    new = describe(config, host="", version="2026-07")
    assert list(new["schema"]["fields"]) == ["_sparse_values"]


@pytest.mark.parametrize(
    ("changes", "status", "text"),
    [
        ({"name": None}, 422, "missing field `name`"),
        ({"name": "x" * 46}, 400, "between 1 and 45"),
        ({"name": ""}, 400, "between 1 and 45"),
        ({"name": "-x"}, 400, "lowercase alphanumeric"),
        ({"name": "x_y"}, 400, "lowercase alphanumeric"),
        ({"dimension": None}, 422, "missing field `dimension`"),
        ({"dimension": 0}, 400, "between 1 and 20000"),
        ({"dimension": 20_001}, 400, "between 1 and 20000"),
        ({"dimension": "3"}, 400, "expected an integer"),
        ({"metric": "manhattan"}, 400, "Invalid metric 'manhattan'"),
        ({"spec": None}, 422, "missing field `spec`"),
        ({"spec": {"pod": {"environment": "x"}}}, 400, "Only serverless"),
        ({"spec": {"serverless": {"cloud": "aws"}}}, 422, "missing field `region`"),
        ({"vector_type": "odd"}, 400, "dense or sparse"),
        (
            {"vector_type": "sparse", "dimension": None},
            400,
            r"^Sparse vector indexes must use the metric dotproduct\.$",
        ),
        ({"vector_type": "sparse", "metric": "dotproduct"}, 400, "must not have a dimension"),
        ({"deletion_protection": "maybe"}, 400, "enabled or disabled"),
        ({"tags": {"a": 1}}, 400, "an object of strings"),
        ({"tags": {"a b": "x"}}, 400, "Tag key 'a b'"),
        ({"tags": {"a": "x" * 121}}, 400, "Tag value of 'a'"),
    ],
)
def test_an_index_that_breaks_a_rule_is_not_made(
    changes: dict[str, Any], status: int, text: str
) -> None:
    with pytest.raises(WireError, match=text) as refusal:
        read_new_index(Fields({**OLD, **changes}), "2025-10")
    body = refusal.value.control_body()
    assert (refusal.value.status, body["status"]) == (status, status)


def test_documents_are_not_stored() -> None:
    body = {"name": "docs", "schema": {"fields": {"title": {"type": "string"}}}}
    with pytest.raises(WireError, match="stores vectors, not documents"):
        read_new_index(Fields(body), "2026-07")


def test_tags_are_merged_and_an_empty_value_removes_one() -> None:
    assert merge_tags({"a": "1", "b": "2"}, {"a": "", "c": "3"}) == {"b": "2", "c": "3"}
    with pytest.raises(WireError, match="at most 20 tags, but got 21"):
        merge_tags({f"t{n}": "x" for n in range(20)}, {"one-more": "x"})


def test_a_change_leaves_what_it_does_not_name() -> None:
    config = IndexConfig("i", "cosine", 3, tags={"a": "1"}, deletion_protected=True)
    assert read_changes(Fields({"tags": {"b": "2"}}), config).deletion_protected
    assert read_changes(Fields({"deletion_protection": "disabled"}), config).tags == {"a": "1"}
    with pytest.raises(WireError, match="pods"):
        read_changes(Fields({"spec": {"pod": {"replicas": 2}}}), config)


def test_faults_strike_at_their_shares() -> None:
    faults = Faults.parse(["429=0.25", "503=0.5"])
    struck = [faults.strike(n / 100) for n in range(100)]
    statuses = [None if error is None else error.status for error in struck]
    assert statuses == [429] * 25 + [503] * 50 + [None] * 25


@pytest.mark.parametrize("text", ["429", "x=1", "200=0.5", "429=1.5", "429=-1", "429=nan"])
def test_an_impossible_fault_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        Faults.parse([text])
    with pytest.raises(ConfigurationError):
        Faults.parse([], latency=-1)
