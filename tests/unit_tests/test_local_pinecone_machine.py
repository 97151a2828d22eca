"""Random operations, restarts and crashes, compared with a plain dictionary."""

import logging
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from langchain_hfendpoint.local._pinecone import data_plane as plane
from langchain_hfendpoint.local._pinecone import index as index_module
from langchain_hfendpoint.local._pinecone import namespaces
from langchain_hfendpoint.local._pinecone.config import IndexConfig
from langchain_hfendpoint.local._pinecone.directory import Directory
from langchain_hfendpoint.local._pinecone.filters import compile_filter, matches
from langchain_hfendpoint.local._pinecone.wire import WireError
from tests.support.pinecone_calls import ask

NAMESPACES = st.sampled_from(["", "n1", "n2"])
IDS = st.sampled_from([f"id-{n}" for n in range(12)])
NUMBERS = st.integers(-3, 3).map(float)
METADATA = st.dictionaries(
    st.sampled_from(["a", "b"]), st.one_of(NUMBERS, st.sampled_from(["x", "y"]), st.booleans())
)
VECTORS = st.lists(NUMBERS, min_size=2, max_size=2).filter(any)
FILTERS = st.sampled_from(
    [{"a": {"$gte": 0}}, {"a": "x"}, {"b": {"$exists": True}}, {"a": {"$ne": "y"}}, {"b": True}]
)
RECORDS = st.lists(st.tuples(IDS, VECTORS, METADATA), min_size=1, max_size=6)

Record = tuple[list[float], dict[str, Any]]


class Machine(RuleBasedStateMachine):
    """The server's index on one side, dictionaries on the other."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.copies = 0
        self.model: dict[str, dict[str, Record]] = {}
        self.patience = index_module._TIDY_ROWS
        index_module._TIDY_ROWS = 5  # tidy up often, also between operations
        self.directory = Directory(self.root / "0")
        self.complaints: list[logging.LogRecord] = []
        self.listener = logging.Handler()
        self.listener.emit = self.complaints.append  # type: ignore[method-assign]
        logging.getLogger(index_module.__name__).addHandler(self.listener)

    @initialize(metric=st.sampled_from(["cosine", "dotproduct", "euclidean"]))
    def create(self, metric: Any) -> None:
        self.metric = metric
        self.directory.create(IndexConfig("index", metric, 2))

    @property
    def index(self) -> index_module.Index:
        return self.directory.get("index")

    @rule(namespace=NAMESPACES, records=RECORDS)
    def upsert(self, namespace: str, records: list[tuple[str, list[float], Any]]) -> None:
        vectors = [{"id": i, "values": v, "metadata": m} for i, v, m in records]
        answer = ask(plane.upsert, self.index, {"namespace": namespace, "vectors": vectors})
        assert answer == {"upsertedCount": len(records)}
        self.model.setdefault(namespace, {}).update({i: (v, m) for i, v, m in records})

    @rule(namespace=NAMESPACES, id_=IDS, values=st.none() | VECTORS, metadata=METADATA)
    def update(self, namespace: str, id_: str, values: Any, metadata: dict[str, Any]) -> None:
        body = {"namespace": namespace, "id": id_, "values": values, "setMetadata": metadata}
        if self.refused(plane.update, namespace, body):
            return
        record = self.model[namespace].get(id_)
        if record is not None:
            self.model[namespace][id_] = (values or record[0], {**record[1], **metadata})

    @rule(namespace=NAMESPACES, filter_=FILTERS, metadata=METADATA, dry_run=st.booleans())
    def update_by_filter(
        self, namespace: str, filter_: Any, metadata: dict[str, Any], dry_run: bool
    ) -> None:
        body = {"namespace": namespace, "filter": filter_, "setMetadata": metadata}
        if self.refused(plane.update, namespace, {**body, "dryRun": dry_run}):
            return
        if not dry_run:
            for id_ in self.matching(namespace, filter_):
                values, old = self.model[namespace][id_]
                self.model[namespace][id_] = (values, {**old, **metadata})

    @rule(namespace=NAMESPACES, ids=st.lists(IDS, min_size=1, max_size=4))
    def delete(self, namespace: str, ids: list[str]) -> None:
        if not self.refused(plane.delete, namespace, {"namespace": namespace, "ids": ids}):
            for id_ in ids:
                self.model[namespace].pop(id_, None)

    @rule(namespace=NAMESPACES, filter_=FILTERS)
    def delete_by_filter(self, namespace: str, filter_: Any) -> None:
        if not self.refused(plane.delete, namespace, {"namespace": namespace, "filter": filter_}):
            for id_ in self.matching(namespace, filter_):
                del self.model[namespace][id_]

    @rule(namespace=NAMESPACES)
    def delete_all(self, namespace: str) -> None:
        if not self.refused(plane.delete, namespace, {"namespace": namespace, "deleteAll": True}):
            self.model[namespace] = {}

    @rule(namespace=NAMESPACES)
    def delete_namespace(self, namespace: str) -> None:
        try:
            ask(namespaces.delete_namespace, self.index, path={"namespace": namespace})
        except WireError as error:
            assert (error.status, namespace in self.model) == (404, False)  # noqa: PT017
        else:
            del self.model[namespace]

    @rule()
    def reopen(self) -> None:
        self.directory.close()
        self.directory = Directory(self.root / str(self.copies))

    @rule()
    def crash(self) -> None:
        """Go on with what lay on the disk, as after kill -9."""
        for _ in range(2):  # the second is answered when nothing is left to tidy up
            self.index.write(lambda _: None).result()
        self.copies += 1
        old, new = self.root / str(self.copies - 1), self.root / str(self.copies)
        shutil.copytree(old, new)
        self.directory.close()
        shutil.rmtree(old)
        self.directory = Directory(new)

    @invariant()
    def everything_is_as_in_the_model(self) -> None:
        if not hasattr(self, "metric"):
            return
        stats = ask(plane.describe_index_stats, self.index, version="2025-04")
        assert stats["namespaces"] == {
            name: {"vectorCount": len(records)} for name, records in self.model.items()
        }
        for name, records in self.model.items():
            listed = ask(plane.list_vectors, self.index, namespace=name)["vectors"]
            assert [item["id"] for item in listed] == sorted(records)
            if records:
                fetched = ask(plane.fetch, self.index, ids=list(records), namespace=name)
                assert {
                    id_: (vector["values"], vector.get("metadata", {}))
                    for id_, vector in fetched["vectors"].items()
                } == records

    @precondition(lambda self: self.model)
    @rule(data=st.data(), vector=VECTORS, top_k=st.integers(1, 15), filter_=st.none() | FILTERS)
    def query(self, data: Any, vector: list[float], top_k: int, filter_: Any) -> None:
        namespace = data.draw(st.sampled_from(sorted(self.model)))
        body = {"namespace": namespace, "vector": vector, "topK": top_k, "filter": filter_}
        found = ask(plane.query, self.index, {**body, "includeMetadata": True})["matches"]
        wanted = self.matching(namespace, filter_ or {})
        scores = {id_: self.score(vector, self.model[namespace][id_][0]) for id_ in wanted}
        best = sorted(scores.values(), reverse=self.metric != "euclidean")[:top_k]
        assert [match["score"] for match in found] == pytest.approx(best, abs=1e-6)
        for match in found:
            assert match["score"] == pytest.approx(scores[match["id"]], abs=1e-6)
            assert match.get("metadata", {}) == self.model[namespace][match["id"]][1]

    def matching(self, namespace: str, filter_: dict[str, Any]) -> list[str]:
        compiled = compile_filter(filter_)
        records = self.model[namespace].items()
        return [id_ for id_, (_, metadata) in records if matches(compiled, metadata)]

    def score(self, one: list[float], other: list[float]) -> float:
        a, b = np.array(one), np.array(other)
        if self.metric == "euclidean":
            return float(((a - b) ** 2).sum())
        product = float(a @ b)
        return product if self.metric == "dotproduct" else product / float(np.sqrt(a @ a * (b @ b)))

    def refused(self, operation: Any, namespace: str, body: dict[str, Any]) -> bool:
        """Run a write; tell whether it was refused because the namespace is unknown."""
        try:
            ask(operation, self.index, body)
        except WireError as error:
            assert (error.status, namespace in self.model) == (404, False)  # noqa: PT017
            return True
        assert namespace in self.model
        return False

    def teardown(self) -> None:
        self.directory.close()
        logging.getLogger(index_module.__name__).removeHandler(self.listener)
        assert not self.complaints
        index_module._TIDY_ROWS = self.patience
        shutil.rmtree(self.root)


TestMachine = Machine.TestCase
TestMachine.settings = settings(
    max_examples=30,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
