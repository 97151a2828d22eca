"""What can be read of an index at one moment."""

from __future__ import annotations

import bisect
import itertools
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from langchain_hfendpoint.local._pinecone.columns import ColumnCache
from langchain_hfendpoint.local._pinecone.database import read_metadata
from langchain_hfendpoint.local._pinecone.filters import Filter
from langchain_hfendpoint.local._pinecone.memory import (
    FloatRows,
    Namespace,
    Segment,
    Snapshot,
    Sparse,
)
from langchain_hfendpoint.local._pinecone.search import Offsets, Query, top_k


@dataclass(frozen=True, slots=True)
class Moment:
    """What a reader holds.

    Attributes:
        snapshot: The moment it sees.
        connection: Reads metadata.
        columns: Metadata fields that filters have asked for before.
    """

    snapshot: Snapshot
    connection: sqlite3.Connection
    columns: ColumnCache


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it is answered.

    Attributes:
        id: Its id.
        values: float32 (dimension,), or `None` if not asked for.
        sparse: Its sparse vector, if it has one and it is asked for.
        metadata: Encoded metadata, if it has any and they are asked for.
        score: How near it is, in the answer to a query.
    """

    id: str
    values: FloatRows | None
    sparse: Sparse | None
    metadata: bytes | None
    score: float = 0.0


def select(
    namespace: Namespace, moment: Moment, filter_: Filter | None
) -> Iterator[tuple[Segment, Offsets]]:
    """Go through the records that satisfy a filter.

    Args:
        namespace: Where to look.
        moment: The moment.
        filter_: The filter, or `None` for all records.

    Yields:
        Segments with the ascending offsets of the records found in them.
    """
    for segment in namespace.segments:
        if filter_ is None:
            offsets = segment.visible_offsets(moment.snapshot)
        else:
            found = segment.visible(moment.snapshot)
            if found.any():
                found &= moment.columns.decide(filter_, segment, len(found), moment.connection)
            offsets = np.flatnonzero(found)
        if len(offsets):
            yield segment, offsets


def search(
    namespace: Namespace,
    moment: Moment,
    query: Query,
    *,
    filter_: Filter | None,
    with_values: bool,
    with_metadata: bool,
) -> list[Record]:
    """Find the nearest records; the nearest comes first."""
    found = top_k(select(namespace, moment, filter_), query)
    rows = [int(match.segment.rows[match.offset]) for match in found]
    encoded = read_metadata(moment.connection, rows) if with_metadata else {}
    return [
        _record(
            match.segment,
            match.offset,
            encoded.get(row),
            with_values=with_values,
            score=match.score,
        )
        for match, row in zip(found, rows, strict=True)
    ]


def fetch(namespace: Namespace, moment: Moment, ids: Sequence[str]) -> list[Record]:
    """Read records by id, whole; those that do not exist are left out."""
    places = [
        place for id_ in dict.fromkeys(ids) if (place := namespace.find(id_, moment.snapshot))
    ]
    return _whole(places, moment)


def fetch_matching(
    namespace: Namespace,
    moment: Moment,
    filter_: Filter,
    *,
    limit: int,
    after: int,
) -> tuple[list[Record], int | None]:
    """Read a page of the records that satisfy a filter, in the order of their last change.

    Args:
        namespace: Where to look.
        moment: The moment.
        filter_: The filter.
        limit: Records in a page.
        after: Where the page before ended; 0 for the first.

    Returns:
        The records, and where the page ends if there are more.
    """
    places: list[tuple[Segment, int]] = []
    for segment, offsets in select(namespace, moment, filter_):
        later = offsets[segment.rows[offsets] > after]
        places.extend((segment, offset) for offset in later[: limit + 1 - len(places)].tolist())
        if len(places) > limit:
            break
    page = places[:limit]
    more = len(places) > limit
    return _whole(page, moment), int(page[-1][0].rows[page[-1][1]]) if more else None


def list_ids(
    namespace: Namespace, moment: Moment, *, prefix: str, after: str, limit: int
) -> tuple[list[str], bool]:
    """Read a page of ids in bytewise order.

    Args:
        namespace: Where to look.
        moment: The moment.
        prefix: How the ids begin.
        after: The last id of the page before; `""` for the first.
        limit: Ids in a page.

    Returns:
        The ids, and whether there are more.
    """
    ids = _sorted_ids(namespace, moment)
    start = max(bisect.bisect_right(ids, after), bisect.bisect_left(ids, prefix))
    some = itertools.islice(ids, start, start + limit + 1)
    found = list(itertools.takewhile(lambda id_: id_.startswith(prefix), some))
    return found[:limit], len(found) > limit


def _sorted_ids(namespace: Namespace, moment: Moment) -> list[str]:
    """Sort all ids, once for each commit: whoever lists a namespace asks page by page."""
    listing = namespace.listing
    if listing is None or listing[0] != moment.snapshot.lsn:
        ids = sorted(
            id_
            for segment, offsets in select(namespace, moment, None)
            for id_ in map(segment.ids.__getitem__, offsets.tolist())
        )
        listing = namespace.listing = (moment.snapshot.lsn, ids)
    return listing[1]


def _whole(places: list[tuple[Segment, int]], moment: Moment) -> list[Record]:
    rows = [int(segment.rows[offset]) for segment, offset in places]
    encoded = read_metadata(moment.connection, rows)
    return [
        _record(segment, offset, encoded.get(row), with_values=True)
        for (segment, offset), row in zip(places, rows, strict=True)
    ]


def _record(
    segment: Segment,
    offset: int,
    metadata: bytes | None,
    *,
    with_values: bool,
    score: float = 0.0,
) -> Record:
    return Record(
        segment.ids[offset],
        segment.vectors[offset] if with_values else None,
        segment.sparse.get(offset) if with_values else None,
        metadata,
        score,
    )
