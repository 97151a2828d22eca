"""Which rows of a source go into which shard: pure bookkeeping, one document at a time.

A shard holds a range of positions of its split. Positions that a whole shard covers are skipped,
and only compared; the others are gathered into new shards of up to `rows_per_shard` rows, which end
where a whole one begins. So any set of whole shards can be continued, in whatever order a killed
run left them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from langchain_core.documents import Document

from langchain_hfendpoint._engine.results import Vectors
from langchain_hfendpoint._hub.rows import document_id, row_digest
from langchain_hfendpoint._hub.shards import FailedText, ShardHeader, range_digest
from langchain_hfendpoint.errors import DimensionMismatchError, EmbeddedDatasetError


class Gathering:
    """Rows on their way into a shard, some of them with their vectors.

    Args:
        split: The split.
        start: Position of the first row.
        limit: Most rows.
        dimension: Numbers in a vector.

    Attributes:
        tables: Arrow tables of the rows' other columns, in order; whoever places rows adds them.
    """

    def __init__(self, split: str, start: int, *, limit: int, dimension: int) -> None:
        self.split = split
        self.start = start
        self.tables: list[Any] = []
        self._limit = limit
        self._ids: list[str] = []
        self._digests: list[bytes] = []
        self._failed: dict[int, str] = {}
        self._closed = False
        # Untouched pages of it cost nothing, so a short last shard is no waste.
        self._vectors: Vectors = np.empty((limit, dimension), dtype=np.float32)
        self._done = np.zeros(limit, dtype=np.bool_)
        self._missing = 0

    @property
    def closed(self) -> bool:
        """Whether no row will be added."""
        return self._closed

    @property
    def complete(self) -> bool:
        """Whether all its rows are here and none waits for its vector."""
        return self._closed and self._missing == 0

    @property
    def stop(self) -> int:
        """Position after the last row."""
        return self.start + len(self._ids)

    def add(self, identifier: str, digest: bytes) -> int:
        """Take a row, and close if it was the last there is room for.

        Returns:
            The row's number.
        """
        self._ids.append(identifier)
        self._digests.append(digest)
        self._missing += 1
        self._closed = len(self._ids) == self._limit
        return len(self._ids) - 1

    def close(self) -> None:
        """Take no more rows."""
        self._closed = True

    def fill(self, row: int, vector: Vectors) -> None:
        """Take a row's vector."""
        self._vectors[row] = vector
        self._done[row] = True
        self._missing -= 1

    def fail(self, row: int, reason: str) -> None:
        """Take note that a row will have no vector."""
        self._failed[row] = reason
        self._done[row] = True
        self._missing -= 1

    def cut(self) -> bool:
        """Close after the leading rows that are done, letting go of the others.

        Returns:
            Whether any row is left.
        """
        done = self._done[: len(self._ids)]
        whole = len(done) if bool(done.all()) else int(np.argmin(done))
        del self._ids[whole:], self._digests[whole:]
        self._failed = {row: reason for row, reason in self._failed.items() if row < whole}
        self._closed, self._missing = True, 0
        return whole > len(self._failed)

    def kept(self) -> tuple[npt.NDArray[np.intp], Vectors]:
        """Give the numbers of the rows that have a vector, and float32 (n, dimension) vectors."""
        rows = np.array([row for row in range(len(self._ids)) if row not in self._failed], np.intp)
        whole = self._vectors[: len(self._ids)]
        return rows, whole if not self._failed else whole[rows]

    def digest(self) -> str:
        """Hash all its rows."""
        return range_digest(self._digests)

    def failures(self) -> tuple[FailedText, ...]:
        """List the rows without a vector."""
        return tuple(
            FailedText(self._ids[row], self.start + row, reason)
            for row, reason in sorted(self._failed.items())
        )


@dataclass(frozen=True, slots=True)
class Run:
    """Documents that follow each other in a shard.

    Attributes:
        gathering: The shard.
        first: The row of the first of them.
        documents: The documents.
        ids: Their ids.
    """

    gathering: Gathering
    first: int
    documents: list[Document]
    ids: list[str]


class _Cursor:
    """How far one split has been read."""

    def __init__(self, split: str, whole: Sequence[ShardHeader]) -> None:
        self.split = split
        self.position = 0
        self.whole = sorted(whole, key=lambda header: header.start)
        self.digests: list[bytes] = []
        self.gathering: Gathering | None = None


class Ranges:
    """Assigns documents to shards.

    Args:
        whole: Shards that are there already.
        rows_per_shard: Most rows in a new one.
        dimension: Numbers in a vector.

    Raises:
        EmbeddedDatasetError: If two shards hold the same rows.
    """

    def __init__(
        self, whole: Sequence[ShardHeader], *, rows_per_shard: int, dimension: int
    ) -> None:
        self._rows_per_shard = rows_per_shard
        self._dimension = dimension
        by_split: dict[str, list[ShardHeader]] = {}
        for header in whole:
            by_split.setdefault(header.split, []).append(header)
        self._cursors = {split: _Cursor(split, own) for split, own in by_split.items()}
        for cursor in self._cursors.values():
            for one, other in zip(cursor.whole, cursor.whole[1:], strict=False):
                if other.start < one.stop:
                    raise EmbeddedDatasetError(
                        f"Two shards hold row {other.start:,} of the split {cursor.split!r}. "
                        "Delete the data folder and run the same command again."
                    )

    def place(self, split: str, documents: Sequence[Document]) -> list[Run]:
        """Find the places of the next documents of a split.

        Args:
            split: The split.
            documents: The documents.

        Returns:
            Those that no whole shard has, in order.

        Raises:
            EmbeddedDatasetError: If a whole shard was made from other documents.
        """
        cursor = self._cursors.get(split)
        if cursor is None:
            cursor = self._cursors[split] = _Cursor(split, ())
        runs: list[Run] = []
        for document in documents:
            identifier = document_id(document)
            digest = row_digest(document, identifier)
            position = cursor.position
            cursor.position += 1
            if cursor.whole and cursor.whole[0].start <= position:
                _compare(cursor, digest)
                continue
            gathering = self._room(cursor, position)
            row = gathering.add(identifier, digest)
            if not runs or runs[-1].gathering is not gathering:
                runs.append(Run(gathering, row, [], []))
            runs[-1].documents.append(document)
            runs[-1].ids.append(identifier)
        return runs

    def finish(self) -> None:
        """Close the last shards, the source being at its end.

        Raises:
            EmbeddedDatasetError: If there are shards of rows that the source does not have.
        """
        for cursor in self._cursors.values():
            if cursor.whole:
                raise EmbeddedDatasetError(
                    f"The source ended after {cursor.position:,} rows of the split "
                    f"{cursor.split!r}, but there are vectors for {cursor.whole[-1].stop:,}. It "
                    "is another source, or has shrunk: choose another folder."
                )
            if cursor.gathering is not None:
                cursor.gathering.close()

    def _room(self, cursor: _Cursor, position: int) -> Gathering:
        if cursor.gathering is None or cursor.gathering.closed:
            limit = self._rows_per_shard
            if cursor.whole:
                limit = min(limit, cursor.whole[0].start - position)
            cursor.gathering = Gathering(
                cursor.split, position, limit=limit, dimension=self._dimension
            )
        return cursor.gathering


def _compare(cursor: _Cursor, digest: bytes) -> None:
    """Take note of a row that a whole shard has, and compare when all its rows have been seen."""
    header = cursor.whole[0]
    cursor.digests.append(digest)
    if cursor.position < header.stop:
        return
    if range_digest(cursor.digests) != header.digest:
        raise EmbeddedDatasetError(
            f"Rows {header.start:,} to {header.stop - 1:,} of the split {cursor.split!r} are "
            "not those that were embedded into this folder: the source has changed, or is "
            "another one. Choose another folder, or delete this one."
        )
    cursor.digests = []
    cursor.whole.pop(0)


def check_vectors(vectors: Vectors, dimension: int) -> None:
    """Refuse vectors that cannot be a row of the data set.

    Args:
        vectors: float32 (n, m).
        dimension: What `m` must be.

    Raises:
        DimensionMismatchError: If it is not.
        EmbeddedDatasetError: If a number is not finite.
    """
    if vectors.ndim != 2 or vectors.shape[1] != dimension:
        raise DimensionMismatchError(
            f"The embeddings gave vectors of shape {vectors.shape}, after one of {dimension} "
            "numbers. Use embeddings of one dimension."
        )
    if not np.isfinite(vectors).all():
        raise EmbeddedDatasetError(
            "The embeddings gave a vector with a number that is not finite (NaN or infinity)."
        )
