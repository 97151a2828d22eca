"""Vectors and ids in memory, with versions, so that every reader sees one moment.

A record is never changed: a new version gets a new row, and the old row gets the number of the
commit (LSN) at which it died. A reader holds a `Snapshot` and sees the rows born before it that
had not died at it. So readers need no lock, a half-written batch is invisible, and older moments
can be read for as long as nobody compacts them away.

Only one thread, the index's writer, calls the methods that change something.
"""

from __future__ import annotations

import bisect
import itertools
import mmap
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatRows = NDArray[np.float32]
Rows = NDArray[np.int64]

ALIVE: Final = np.iinfo(np.int64).max
"""The commit at which a living row dies: never."""

_FIRST_CAPACITY: Final = 64
_GROWTH: Final = 3
_SEGMENT_BYTES: Final = 128 * 1024 * 1024
_OWN_PAGES_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One moment of an index.

    Attributes:
        lsn: The last commit that is visible.
        next_row: The first row that is not.
    """

    lsn: int
    next_row: int


@dataclass(frozen=True, slots=True)
class Sparse:
    """A sparse vector: indices uint32 (n,), strictly ascending, and values float32 (n,)."""

    indices: NDArray[np.uint32]
    values: NDArray[np.float32]

    def pack(self) -> bytes:
        """Write it as bytes: the indices, then the values."""
        return self.indices.astype("<u4").tobytes() + self.values.astype("<f4").tobytes()

    @classmethod
    def unpack(cls, packed: bytes) -> Sparse:
        """Read it back."""
        half = len(packed) // 2
        return cls(
            np.frombuffer(packed[:half], dtype="<u4"), np.frombuffer(packed[half:], dtype="<f4")
        )


class Segment:
    """Rows that lie together: arrays of a fixed capacity, filled from the front, never moved.

    Memory that is not filled yet costs nothing: the operating system gives it on first touch.

    Attributes:
        vectors: float32 (capacity, dimension).
        norms: Euclidean lengths of the vectors, float32 (capacity,).
        rows: Row numbers, ascending.
        died: The commit at which each row died, or `ALIVE`.
        ids: Record ids.
        sparse: Sparse vectors of the rows that have one, by offset.
        filled: Rows in use; dead ones count.
        dead: How many of them are dead.
    """

    __slots__ = (
        "__weakref__",
        "dead",
        "died",
        "filled",
        "ids",
        "norms",
        "rows",
        "sparse",
        "vectors",
    )

    def __init__(self, capacity: int, dimension: int) -> None:
        self.vectors = _matrix(capacity, dimension)
        self.norms = np.empty(capacity, dtype=np.float32)
        self.rows = np.empty(capacity, dtype=np.int64)
        self.died = np.full(capacity, ALIVE, dtype=np.int64)
        self.ids: list[str] = []
        self.sparse: dict[int, Sparse] = {}
        self.filled = 0
        self.dead = 0

    @property
    def room(self) -> int:
        """How many more rows fit in."""
        return len(self.rows) - self.filled

    def append(
        self,
        rows: Rows,
        ids: Sequence[str],
        vectors: FloatRows,
        sparse: Sequence[Sparse | None] | None,
    ) -> None:
        """Take in rows, which are invisible until a snapshot includes them."""
        start, end = self.filled, self.filled + len(rows)
        self.vectors[start:end] = vectors
        self.norms[start:end] = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
        self.rows[start:end] = rows
        self.ids.extend(ids)
        if sparse is not None:
            for offset, value in enumerate(sparse, start):
                if value is not None:
                    self.sparse[offset] = value
        self.filled = end

    def take_over(self, other: Segment, offsets: Rows) -> None:
        """Copy rows of another segment, dead or alive."""
        start = self.filled
        places = offsets.tolist()
        self.append(
            other.rows[offsets],
            [other.ids[place] for place in places],
            other.vectors[offsets],
            [other.sparse.get(place) for place in places] if other.sparse else None,
        )
        self.died[start : self.filled] = other.died[offsets]
        self.dead += int(np.count_nonzero(other.died[offsets] != ALIVE))

    def bury(self, rows: Rows, *, lsn: int) -> None:
        """Let those of some rows die that lie here; ascending."""
        here = self.rows[: self.filled]
        first = np.searchsorted(rows, here[0])
        mine = rows[first : np.searchsorted(rows, here[-1], side="right")]
        self.died[np.searchsorted(here, mine)] = lsn
        self.dead += len(mine)

    def extent(self, snapshot: Snapshot) -> int:
        """Count the rows, from the front, that were born by the snapshot."""
        filled = self.filled
        if filled and self.rows[filled - 1] < snapshot.next_row:
            return filled
        return int(np.searchsorted(self.rows[:filled], snapshot.next_row))

    def visible(self, snapshot: Snapshot) -> NDArray[np.bool_]:
        """Tell, for the rows born by the snapshot, which of them live at it."""
        return self.died[: self.extent(snapshot)] > snapshot.lsn

    def visible_offsets(self, snapshot: Snapshot) -> Rows:
        """Give the offsets of the rows that live at a snapshot, ascending."""
        # Whatever died by the snapshot was counted before the snapshot was published.
        if not self.dead:
            return np.arange(self.extent(snapshot))
        return np.flatnonzero(self.visible(snapshot))


class Namespace:
    """The records of one namespace, in all versions somebody may still read.

    Attributes:
        key: Its number in the database; a namespace that is emptied or made anew gets another one.
        name: Its name, `""` for the unnamed one.
        born: The commit that made it.
        died: The commit that dropped it, or `ALIVE`.
        schema: What the request that made it said about filterable fields, if anything.
        segments: The rows, in ascending order; each three times as large as all before it, up to
            a limit.
        listing: Ids in bytewise order, and the commit they were listed at, if they were.
    """

    def __init__(
        self, key: int, name: str, *, dimension: int, born: int, expected: int = _FIRST_CAPACITY
    ) -> None:
        self.key = key
        self.name = name
        self.born = born
        self.died: int = ALIVE
        self.schema: dict[str, object] | None = None
        self.segments: tuple[Segment, ...] = ()
        self.listing: tuple[int, list[str]] | None = None
        self._dimension = dimension
        self._expected = expected
        self._cap = max(_FIRST_CAPACITY, _SEGMENT_BYTES // (4 * max(1, dimension)))
        self._current: dict[str, int] = {}
        self._former: dict[str, list[int]] = {}

    def append(
        self,
        rows: Rows,
        ids: Sequence[str],
        vectors: FloatRows,
        sparse: Sequence[Sparse | None] | None,
    ) -> None:
        """Take in new rows; the ids must be distinct and have no living row."""
        self._current.update(zip(ids, rows.tolist(), strict=True))
        start = 0
        while start < len(rows):
            if not self.segments or not self.segments[-1].room:
                self._grow()
            segment = self.segments[-1]
            end = min(len(rows), start + segment.room)
            segment.append(
                rows[start:end],
                ids[start:end],
                vectors[start:end],
                None if sparse is None else sparse[start:end],
            )
            start = end

    def living(self, ids: Sequence[str]) -> dict[str, int]:
        """Find the newest version of records.

        Args:
            ids: Record ids.

        Returns:
            Row by id, for those that exist.
        """
        current = self._current
        return {id_: current[id_] for id_ in ids if id_ in current}

    def bury(self, ids: Mapping[str, int], *, lsn: int) -> None:
        """Let rows die.

        Args:
            ids: Row by id, as `living` gave them.
            lsn: The commit at which they die.
        """
        rows = np.sort(np.fromiter(ids.values(), dtype=np.int64, count=len(ids)))
        for segment in self.segments:
            segment.bury(rows, lsn=lsn)
        for id_, row in ids.items():
            # In this order: `find` looks here after it has looked among the current ones.
            self._former.setdefault(id_, []).append(row)
            del self._current[id_]

    def find(self, id_: str, snapshot: Snapshot) -> tuple[Segment, int] | None:
        """Find the version of a record that a snapshot sees.

        Args:
            id_: Record id.
            snapshot: The moment.

        Returns:
            Segment and offset, or `None` if the record does not exist then.
        """
        current = self._current.get(id_)
        for row in (current, *self._former.get(id_, ())):
            if row is not None and row < snapshot.next_row:
                segment, offset = self._place(row)
                # A former row may just have been compacted away: then another lies there.
                if segment.rows[offset] == row and segment.died[offset] > snapshot.lsn:
                    return segment, offset
        return None

    def count(self, snapshot: Snapshot) -> int:
        """Count the records a snapshot sees."""
        return sum(int(np.count_nonzero(part.visible(snapshot))) for part in self.segments)

    def forget(self, horizon: int) -> None:
        """Give up the versions that died at or before a commit.

        Args:
            horizon: No reader will ever ask for a moment before this commit.
        """
        self._former = {
            id_: kept
            for id_, rows in self._former.items()
            if (kept := [row for row in rows if self._died(row) > horizon])
        }
        compacted: list[Segment] = []
        for worn, group in itertools.groupby(self.segments, key=self._is_worn):
            run = list(group)
            if worn and (len(run) > 1 or _mostly_dead(run[0])):
                compacted.extend(self._rewritten(run, horizon))
            else:
                compacted.extend(run)
        self.segments = tuple(compacted)

    def _grow(self) -> None:
        total = sum(len(segment.rows) for segment in self.segments)
        capacity = min(self._cap, max(_FIRST_CAPACITY, self._expected - total, _GROWTH * total))
        self.segments = (*self.segments, Segment(capacity, self._dimension))

    def _is_worn(self, segment: Segment) -> bool:
        """Tell whether a segment is better rewritten, perhaps together with its neighbours."""
        if segment is self.segments[-1]:
            return False
        return _mostly_dead(segment) or segment.filled <= self._cap // 4

    def _rewritten(self, run: Sequence[Segment], horizon: int) -> Iterator[Segment]:
        """Copy the rows of neighbours that somebody may still read, segment by segment."""
        kept = [np.flatnonzero(part.died[: part.filled] > horizon) for part in run]
        left = sum(map(len, kept))
        target: Segment | None = None
        for segment, offsets in zip(run, kept, strict=True):
            while len(offsets):
                if target is None or not target.room:
                    if target is not None:
                        yield target
                    target = Segment(min(left, self._cap), self._dimension)
                part, offsets = offsets[: target.room], offsets[target.room :]
                left -= len(part)
                target.take_over(segment, part)
        if target is not None:
            yield target

    def _died(self, row: int) -> int:
        segment, offset = self._place(row)
        return int(segment.died[offset])

    def _place(self, row: int) -> tuple[Segment, int]:
        segments = self.segments
        position = bisect.bisect_right(segments, row, key=lambda part: int(part.rows[0])) - 1
        segment = segments[position]
        offset = int(np.searchsorted(segment.rows[: segment.filled], row))
        return segment, min(offset, segment.filled - 1)


def _matrix(rows: int, columns: int) -> FloatRows:
    """Make room for float32 rows.

    NumPy asks for huge pages, whose first touch can take seconds where a virtual machine has to
    get them from its host; scanning is no faster for them. Large matrices get small pages.
    """
    size = 4 * rows * columns
    if size < _OWN_PAGES_BYTES or os.name != "posix":
        return np.empty((rows, columns), dtype=np.float32)
    pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return np.frombuffer(pages, dtype=np.float32).reshape(rows, columns)


def _mostly_dead(segment: Segment) -> bool:
    return segment.dead * 2 >= segment.filled
