"""Records: each operation from its request to its answer, without any network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from langchain_hfendpoint.local._pinecone import operations, reading
from langchain_hfendpoint.local._pinecone.calls import (
    Answer,
    Call,
    Write,
    page_limit,
    paged,
    read_token,
)
from langchain_hfendpoint.local._pinecone.fields import Fields
from langchain_hfendpoint.local._pinecone.filters import Filter, compile_filter
from langchain_hfendpoint.local._pinecone.index import Index
from langchain_hfendpoint.local._pinecone.memory import Namespace, Snapshot, Sparse
from langchain_hfendpoint.local._pinecone.metadata import clean_metadata
from langchain_hfendpoint.local._pinecone.reading import Record
from langchain_hfendpoint.local._pinecone.requests import (
    dense_rows,
    record_id,
    record_ids,
    require_nonzero,
    sparse_vector,
    stored_namespace,
    top_k,
    upsert_batch,
)
from langchain_hfendpoint.local._pinecone.search import Query
from langchain_hfendpoint.local._pinecone.wire import (
    MAX_PAGE,
    MAX_RESULT_BYTES,
    UNNAMED_NAMESPACE,
    invalid,
)

_USAGE = {"readUnits": 1}


def upsert(call: Call) -> Write:
    """`POST /vectors/upsert`."""
    body = Fields.parse(call.body)
    namespace = stored_namespace(body.text("namespace"))
    batch, count = upsert_batch(body, call.index.config)
    return Write(operations.upsert(namespace, batch), lambda _: {"upsertedCount": count})


def query(call: Call) -> Answer:
    """`POST /query`."""
    body = Fields.parse(call.body)
    name = body.text("namespace")
    stored = stored_namespace(name)
    limit = top_k(body.number("topK"))
    filter_ = _filter(body)
    wanted = _wanted(body, call.index)
    with call.index.reading() as moment:
        namespace = call.index.namespace(stored, moment.snapshot)
        matches: list[Record] = []
        if namespace is not None:
            search = _query(call.index, namespace, moment.snapshot, wanted, limit)
            if search is not None:
                matches = reading.search(
                    namespace,
                    moment,
                    search,
                    filter_=filter_,
                    with_values=body.flag("includeValues"),
                    with_metadata=body.flag("includeMetadata"),
                )
    return Answer(
        {
            "results": [],
            "matches": [{**_record(match), "score": match.score} for match in matches],
            "namespace": name,
            "usage": _USAGE,
        },
        moment.snapshot.lsn,
    )


def fetch(call: Call) -> Answer:
    """`GET /vectors/fetch`."""
    name = call.parameter("namespace")
    stored = stored_namespace(name)
    ids = record_ids(call.query.get("ids", ()))
    if not ids:
        raise invalid("Invalid request: at least one ID is required")
    with call.index.reading() as moment:
        namespace = call.index.namespace(stored, moment.snapshot)
        records = [] if namespace is None else reading.fetch(namespace, moment, ids)
    return Answer(_vectors(records, name), moment.snapshot.lsn)


def fetch_by_metadata(call: Call) -> Answer:
    """`POST /vectors/fetch_by_metadata`."""
    body = Fields.parse(call.body)
    name = body.text("namespace")
    stored = stored_namespace(name)
    filter_ = _required_filter(body)
    limit = body.number("limit")
    limit = MAX_PAGE if limit is None else limit
    if not 1 <= limit <= 10_000:
        raise invalid(f"Invalid request: limit must be between 1 and 10000, but got {limit}")
    after = read_token(body.text("paginationToken"))
    with call.index.reading() as moment:
        namespace = call.index.namespace(stored, moment.snapshot)
        records: list[Record] = []
        end = None
        if namespace is not None:
            records, end = reading.fetch_matching(
                namespace,
                moment,
                filter_,
                limit=limit,
                after=_row(after),
            )
    return Answer(
        paged(_vectors(records, name), None if end is None else str(end)), moment.snapshot.lsn
    )


def list_vectors(call: Call) -> Answer:
    """`GET /vectors/list`."""
    name = call.parameter("namespace")
    stored = stored_namespace(name)
    limit = page_limit(call)
    after = read_token(call.parameter("paginationToken"))
    with call.index.reading() as moment:
        namespace = call.index.namespace(stored, moment.snapshot)
        ids: list[str] = []
        more = False
        if namespace is not None:
            ids, more = reading.list_ids(
                namespace, moment, prefix=call.parameter("prefix"), after=after, limit=limit
            )
    body = {"vectors": [{"id": id_} for id_ in ids], "namespace": name, "usage": _USAGE}
    return Answer(paged(body, ids[-1] if more else None), moment.snapshot.lsn)


def update(call: Call) -> Write:
    """`POST /vectors/update`."""
    body = Fields.parse(call.body)
    namespace = stored_namespace(body.text("namespace"))
    raw_metadata = body.get("setMetadata")
    metadata = {} if raw_metadata is None else clean_metadata(raw_metadata)
    values, raw_sparse = body.items("values"), body.inner("sparseValues")
    if body.get("filter") is not None:
        if body.get("id") is not None:
            raise invalid("Cannot provide both 'ID' and 'filter' at the same time")
        if values or raw_sparse is not None:
            raise invalid("Only metadata can be updated by filter")
        return Write(
            operations.update_matching(
                namespace, _required_filter(body), metadata, dry_run=body.flag("dryRun")
            ),
            lambda matched: {"matchedRecords": matched},
        )
    config = call.index.config
    if values and config.sparse:
        raise invalid("Index configuration does not support dense values")
    id_ = record_id(body.get("id"))
    dense = dense_rows([values], config.dimension) if values else None
    if dense is not None:
        require_nonzero(dense, [id_])
    return Write(
        operations.update_one(
            namespace,
            id_,
            values=dense,
            sparse=None if raw_sparse is None else sparse_vector(raw_sparse),
            metadata=metadata,
        )
    )


def delete(call: Call) -> Write:
    """`POST /vectors/delete`."""
    body = Fields.parse(call.body)
    namespace = stored_namespace(body.text("namespace"))
    ids, everything = body.items("ids"), body.flag("deleteAll")
    filtered = body.get("filter") is not None
    if (bool(ids) + everything + filtered) != 1:
        raise invalid("Invalid request: provide exactly one of ids, delete_all and filter")
    if ids:
        return Write(operations.delete_ids(namespace, record_ids(ids)))
    if everything:
        return Write(operations.delete_all(namespace))
    return Write(operations.delete_matching(namespace, _required_filter(body)))


def describe_index_stats(call: Call) -> Answer:
    """`POST /describe_index_stats`."""
    filter_ = _filter(Fields.parse(call.body or b"{}"))
    config = call.index.config
    with call.index.reading() as moment:
        total = 0
        namespaces: dict[str, dict[str, int]] = {}
        for namespace in call.index.namespaces(moment.snapshot):
            count = namespace.count(moment.snapshot)
            total += count
            if filter_ is not None:
                count = sum(
                    len(offsets) for _, offsets in reading.select(namespace, moment, filter_)
                )
            unnamed = "" if call.version < "2025-10" else UNNAMED_NAMESPACE
            namespaces[namespace.name or unnamed] = {"vectorCount": count}
    body: dict[str, Any] = {
        "namespaces": namespaces,
        "indexFullness": 0.0,
        "totalVectorCount": total,
        "metric": config.metric,
        "vectorType": "sparse" if config.sparse else "dense",
        "memory_fullness": 0.0,
        "storage_fullness": 0.0,
    }
    if not config.sparse:
        body["dimension"] = config.dimension
    return Answer(body, moment.snapshot.lsn)


def encode(body: Mapping[str, Any]) -> bytes:
    """Serialize an answer; float32 rows are written in their shortest exact form.

    Raises:
        WireError: If it is larger than an answer may be.
    """
    encoded = orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
    if len(encoded) > MAX_RESULT_BYTES and "matches" in body:
        raise invalid(
            f"Query result is {len(encoded)} bytes, which exceeds the limit of {MAX_RESULT_BYTES} "
            "bytes; ask for fewer matches, or without values or metadata"
        )
    return encoded


def _wanted(body: Fields, index: Index) -> tuple[str | None, list[object] | None, Sparse | None]:
    """Check which of id, vector and sparse vector a query brings."""
    id_, vector, raw_sparse = body.get("id"), body.items("vector"), body.inner("sparseVector")
    config = index.config
    if id_ is not None and vector:
        raise invalid("Cannot provide both 'ID' and 'vector' at the same time.")
    if id_ is not None and raw_sparse is not None:
        raise invalid("Cannot provide both 'ID' and 'sparse_vector' at the same time.")
    if config.sparse and vector:
        raise invalid("Index configuration does not support dense values")
    if config.sparse and id_ is None and raw_sparse is None:
        raise invalid("Either 'sparse_vector' or 'ID' must be provided")
    if not config.sparse and not vector and id_ is None:
        if raw_sparse is not None:
            raise invalid("Cannot query index with dense 'vector_type' with only sparse vector")
        raise invalid("Either 'vector' or 'ID' must be provided")
    if raw_sparse is not None and config.metric != "dotproduct":
        raise invalid("Index configuration does not support sparse values")
    return (
        None if id_ is None else record_id(id_),
        vector or None,
        None if raw_sparse is None else sparse_vector(raw_sparse),
    )


def _query(
    index: Index,
    namespace: Namespace,
    snapshot: Snapshot,
    wanted: tuple[str | None, list[object] | None, Sparse | None],
    limit: int,
) -> Query | None:
    id_, raw_vector, sparse = wanted
    config = index.config
    if id_ is not None:
        place = namespace.find(id_, snapshot)
        if place is None:
            return None
        segment, offset = place
        sparse = segment.sparse.get(offset) if config.metric == "dotproduct" else None
        return Query(config.metric, segment.vectors[offset], sparse, limit)
    vector = dense_rows([raw_vector or []], config.dimension)[0]
    if config.metric == "cosine" and not vector.any():
        raise invalid("Dense vectors must contain at least one non-zero value")
    return Query(config.metric, vector, sparse, limit)


def _record(record: Record) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": record.id,
        "values": [] if record.values is None else np.ascontiguousarray(record.values),
    }
    if record.sparse is not None:
        body["sparseValues"] = {"indices": record.sparse.indices, "values": record.sparse.values}
    if record.metadata is not None:
        body["metadata"] = orjson.Fragment(record.metadata)
    return body


def _vectors(records: list[Record], name: str) -> dict[str, Any]:
    return {
        "vectors": {record.id: _record(record) for record in records},
        "namespace": name,
        "usage": _USAGE,
    }


def _filter(body: Fields) -> Filter | None:
    raw = body.get("filter")
    return None if raw is None or raw == {} else compile_filter(raw)


def _required_filter(body: Fields) -> Filter:
    filter_ = _filter(body)
    if filter_ is None:
        raise invalid("Invalid request: filter must not be empty")
    return filter_


def _row(token: str) -> int:
    if not re.fullmatch("[0-9]{0,18}", token):
        raise invalid("Invalid pagination token")
    return int(token or 0)
