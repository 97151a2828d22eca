"""What can be done to an index: each operation runs in one transaction, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from langchain_hfendpoint.local._pinecone.database import read_metadata
from langchain_hfendpoint.local._pinecone.filters import Filter
from langchain_hfendpoint.local._pinecone.index import Batch, Transaction
from langchain_hfendpoint.local._pinecone.memory import FloatRows, Namespace, Segment, Sparse
from langchain_hfendpoint.local._pinecone.metadata import Metadata, decode_metadata, encode_metadata
from langchain_hfendpoint.local._pinecone.reading import select
from langchain_hfendpoint.local._pinecone.wire import WireError

_CHUNK = 4_096


def upsert(namespace: str, batch: Batch) -> Callable[[Transaction], None]:
    """Store records, in a namespace that is made if it is missing."""

    def operation(transaction: Transaction) -> None:
        transaction.put(transaction.find(namespace) or transaction.create(namespace), batch)

    return operation


def delete_ids(namespace: str, ids: Sequence[str]) -> Callable[[Transaction], None]:
    """Delete records by id; ids that do not exist are ignored."""

    def operation(transaction: Transaction) -> None:
        transaction.remove(transaction.existing(namespace), ids)

    return operation


def delete_all(namespace: str) -> Callable[[Transaction], None]:
    """Delete all records of a namespace, which stays."""

    def operation(transaction: Transaction) -> None:
        full = transaction.existing(namespace)
        transaction.drop(full)
        transaction.create(namespace, full.schema)

    return operation


def delete_matching(namespace: str, filter_: Filter) -> Callable[[Transaction], None]:
    """Delete the records that satisfy a filter."""

    def operation(transaction: Transaction) -> None:
        found = transaction.existing(namespace)
        ids = [
            segment.ids[offset]
            for segment, offsets in _matching(transaction, found, filter_)
            for offset in offsets
        ]
        transaction.remove(found, ids)

    return operation


def update_one(
    namespace: str,
    id_: str,
    *,
    values: FloatRows | None,
    sparse: Sparse | None,
    metadata: Metadata,
) -> Callable[[Transaction], None]:
    """Change one record; nothing happens if it does not exist."""

    def operation(transaction: Transaction) -> None:
        found = transaction.existing(namespace)
        place = found.find(id_, transaction.moment.snapshot)
        if place is not None:
            segment, offset = place
            batch = _versions(transaction, segment, [offset], metadata)
            transaction.put(
                found,
                Batch(
                    batch.ids,
                    batch.vectors if values is None else values,
                    batch.sparse if sparse is None else [sparse],
                    batch.metadata,
                ),
            )

    return operation


def update_matching(
    namespace: str, filter_: Filter, metadata: Metadata, *, dry_run: bool
) -> Callable[[Transaction], int]:
    """Set metadata of the records that satisfy a filter; gives their number."""

    def operation(transaction: Transaction) -> int:
        found = transaction.existing(namespace)
        matching = _matching(transaction, found, filter_)
        if not dry_run:
            batches = [
                _versions(transaction, segment, offsets[start : start + _CHUNK], metadata)
                for segment, offsets in matching
                for start in range(0, len(offsets), _CHUNK)
            ]
            for batch in batches:
                transaction.put(found, batch)
        return sum(len(offsets) for _, offsets in matching)

    return operation


def create_namespace(name: str, schema: dict[str, object] | None) -> Callable[[Transaction], None]:
    """Make an empty namespace."""

    def operation(transaction: Transaction) -> None:
        if transaction.find(name) is not None:
            raise WireError(409, "ALREADY_EXISTS", f"Namespace {name} already exists")
        transaction.create(name, schema)

    return operation


def drop_namespace(name: str) -> Callable[[Transaction], None]:
    """Delete a namespace with all its records."""

    def operation(transaction: Transaction) -> None:
        transaction.drop(transaction.existing(name))

    return operation


def _matching(
    transaction: Transaction, namespace: Namespace, filter_: Filter
) -> list[tuple[Segment, list[int]]]:
    return [
        (segment, offsets.tolist())
        for segment, offsets in select(namespace, transaction.moment, filter_)
    ]


def _versions(
    transaction: Transaction, segment: Segment, offsets: list[int], metadata: Metadata
) -> Batch:
    """Copy records, with some metadata set."""
    rows = segment.rows[np.array(offsets)].tolist()
    encoded = read_metadata(transaction.moment.connection, rows)
    return Batch(
        [segment.ids[offset] for offset in offsets],
        segment.vectors[np.array(offsets)],
        [segment.sparse.get(offset) for offset in offsets] if segment.sparse else None,
        [encode_metadata({**decode_metadata(encoded.get(row)), **metadata}) for row in rows],
    )
