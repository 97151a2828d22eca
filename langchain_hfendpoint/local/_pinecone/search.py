"""Exact top-k over float32 rows.

Scores are first computed in float32, at the speed of memory; every row that rounding might have
kept out of the best k is then scored again in float64. So the result is what exact arithmetic
gives, identical vectors have cosine 1, and ties are broken by age.

Scores are those of Pinecone: cosine and dot product (higher is nearer), and for `euclidean` the
squared distance (lower is nearer).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from langchain_hfendpoint.local._pinecone.memory import FloatRows, Segment, Sparse

Metric = Literal["cosine", "dotproduct", "euclidean"]
Doubles = NDArray[np.float64]
Offsets = NDArray[np.int64]

_Estimate = tuple[Offsets, NDArray[np.floating], float]
"""Rows that can be matches, their goodness (higher is nearer), and the bound of its error."""

_UNIT_ROUNDOFF: Final = 2.0**-24
_FLOAT32_SAFE: Final = (1e-15, 1e15)
"""Lengths of vectors whose products neither vanish nor overflow in float32."""
_GATHER_FRACTION: Final = 0.3
_LARGEST: Final = float(np.finfo(np.float32).max)
_RANK_BLOCK: Final = 4_096
_SCAN_BLOCK: Final = 16_384
_WORTH_A_THREAD: Final = 2_048
_CORES: Final = os.cpu_count() or 1
_SCANNERS: Final = ThreadPoolExecutor(_CORES, thread_name_prefix="pinecone-scan")
"""Scans run on all cores. BLAS itself is held to one thread: its own wait by spinning, which
doubles the time of a query on a busy machine."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for.

    Attributes:
        metric: How vectors are compared.
        vector: float32 (dimension,); dimension 0 in a sparse index.
        sparse: The sparse part, which adds its dot product.
        top_k: How many matches are wanted.
    """

    metric: Metric
    vector: FloatRows
    sparse: Sparse | None
    top_k: int


@dataclass(frozen=True, slots=True)
class Match:
    """One record found: where it lies, and its score."""

    segment: Segment
    offset: int
    score: float


def top_k(parts: Iterable[tuple[Segment, Offsets]], query: Query) -> list[Match]:
    """Find the nearest records.

    Args:
        parts: Segments with the offsets that may be found, ascending.
        query: What is searched for.

    Returns:
        At most `query.top_k` matches, the nearest first.
    """
    found = list(parts)
    size = _scan_block(sum(len(offsets) for _, offsets in found))
    blocks = [
        (segment, offsets[start : start + size])
        for segment, offsets in found
        for start in range(0, len(offsets), size)
    ]
    scans = [
        _SCANNERS.submit(_estimate, segment, offsets, query)
        if len(offsets) >= _WORTH_A_THREAD
        else None
        for segment, offsets in blocks
    ]
    candidates = _Candidates(query.top_k)
    for (segment, offsets), scan in zip(blocks, scans, strict=True):
        estimate = _estimate(segment, offsets, query) if scan is None else scan.result()
        candidates.add(segment, estimate)
    return _rank(candidates.likely(), query)


def _scan_block(rows: int) -> int:
    """Choose how many rows a thread scans at once, so that all threads end at about one time."""
    return max(_WORTH_A_THREAD, min(_SCAN_BLOCK, -(-rows // (2 * _CORES))))


class _Candidates:
    """The rows that may still be among the best k, by float32 goodness and its error margin."""

    def __init__(self, top_k: int) -> None:
        self._top_k = top_k
        self._margin = 0.0
        self._segments: list[Segment] = []
        self._owner = np.empty(0, dtype=np.int64)
        self._offsets = np.empty(0, dtype=np.int64)
        self._goodness = np.empty(0, dtype=np.float64)

    def add(self, segment: Segment, estimate: _Estimate) -> None:
        offsets, goodness, margin = estimate
        self._margin = max(self._margin, margin)
        kept = np.flatnonzero(goodness >= self._bar(goodness))
        owner = np.full(len(kept), len(self._segments), dtype=np.int64)
        self._segments.append(segment)
        self._owner = np.concatenate([self._owner, owner])
        self._offsets = np.concatenate([self._offsets, offsets[kept]])
        self._goodness = np.concatenate([self._goodness, goodness[kept].astype(np.float64)])

    def likely(self) -> list[tuple[Segment, Offsets]]:
        kept = np.flatnonzero(self._goodness >= self._bar())
        return [
            (segment, self._offsets[kept[self._owner[kept] == number]])
            for number, segment in enumerate(self._segments)
        ]

    def _bar(self, further: NDArray[np.floating] | None = None) -> float:
        """Goodness below which no row can be among the best k."""
        goodness: NDArray[np.floating] = self._goodness
        if further is not None and len(goodness) < self._top_k:
            goodness = further
        if len(goodness) < self._top_k:
            return -np.inf
        kth = float(np.partition(goodness, -self._top_k)[-self._top_k])
        return kth - 2.0 * self._margin


def _estimate(segment: Segment, offsets: Offsets, query: Query) -> _Estimate:
    """Estimate how near rows are, in float32.

    Returns:
        The rows that can be matches, their goodness (higher is nearer), and the bound of its error.
    """
    if query.sparse is not None and not query.vector.size:
        # A sparse index answers with the records that share a term, not with all the others.
        shared = _sparse_products(segment, offsets, query.sparse)
        hit = ~np.isnan(shared)
        return offsets[hit], shared[hit], 0.0
    norms = segment.norms[offsets]
    length = float(np.linalg.norm(query.vector.astype(np.float64)))
    longest = float(norms.max())
    if (
        min(length, float(norms.min())) < _FLOAT32_SAFE[0]
        or max(length, longest) > _FLOAT32_SAFE[1]
    ):
        scores = _exact(segment, offsets, query)
        return offsets, -scores if query.metric == "euclidean" else scores, 0.0
    products = _products(segment, offsets, query.vector)
    # Error of a float32 dot product of n terms, in any order of summation: n u |a| |b|.
    relative = (query.vector.size + 4) * _UNIT_ROUNDOFF
    if query.metric == "cosine":
        return offsets, products / (norms * np.float32(length)), 2.0 * relative
    if query.metric == "euclidean":
        goodness = 2.0 * products - norms * norms
        return offsets, goodness, 2.0 * relative * (longest + length) ** 2
    if query.sparse is None:
        return offsets, products, relative * longest * length
    shared = np.nan_to_num(_sparse_products(segment, offsets, query.sparse))
    return offsets, products + shared, relative * longest * length


def _products(segment: Segment, offsets: Offsets, vector: FloatRows) -> FloatRows:
    """Give dot products; rows that lie close together are cheaper to scan than to pick."""
    first, last = int(offsets[0]), int(offsets[-1])
    span = last + 1 - first
    if len(offsets) < _GATHER_FRACTION * span:
        return np.asarray(segment.vectors[offsets] @ vector)
    products = segment.vectors[first : last + 1] @ vector
    return np.asarray(products if len(offsets) == span else products[offsets - first])


def _rank(parts: list[tuple[Segment, Offsets]], query: Query) -> list[Match]:
    """Score rows in float64 and put them in order."""
    matches: list[Match] = []
    for segment, offsets in parts:
        for start in range(0, len(offsets), _RANK_BLOCK):
            block = offsets[start : start + _RANK_BLOCK]
            # JSON has no infinity.
            scores = _exact(segment, block, query).clip(-_LARGEST, _LARGEST).astype(np.float32)
            matches.extend(
                Match(segment, offset, score)
                for offset, score in zip(block.tolist(), scores.tolist(), strict=True)
            )
    # The parts come in ascending age, and sorting is stable: of equals, the oldest is first.
    matches.sort(key=lambda match: match.score, reverse=query.metric != "euclidean")
    return matches[: query.top_k]


def _exact(segment: Segment, offsets: Offsets, query: Query) -> Doubles:
    rows = segment.vectors[offsets].astype(np.float64)
    vector = query.vector.astype(np.float64)
    if query.metric == "euclidean":
        difference = rows - vector
        return np.asarray(np.einsum("ij,ij->i", difference, difference))
    products: Doubles = np.einsum("ij,j->i", rows, vector)
    if query.metric == "cosine":
        squares = np.einsum("ij,ij->i", rows, rows) * np.einsum("i,i->", vector, vector)
        return np.asarray(products / np.sqrt(squares))
    if query.sparse is None:
        return products
    return products + np.nan_to_num(_sparse_products(segment, offsets, query.sparse))


def _sparse_products(segment: Segment, offsets: Offsets, query: Sparse) -> Doubles:
    """Give the dot products of sparse vectors in float64; NaN where no index is shared."""
    products = np.full(len(offsets), np.nan)
    found = [
        (position, record)
        for position, offset in enumerate(offsets.tolist())
        if (record := segment.sparse.get(offset)) is not None
    ]
    if not found:
        return products
    lengths = [len(record.indices) for _, record in found]
    owner = np.repeat(np.array([position for position, _ in found]), lengths)
    indices = np.concatenate([record.indices for _, record in found])
    values = np.concatenate([record.values for _, record in found])
    place = np.minimum(np.searchsorted(query.indices, indices), len(query.indices) - 1)
    shared = query.indices[place] == indices
    terms = values[shared].astype(np.float64) * query.values[place[shared]].astype(np.float64)
    sums = np.bincount(owner[shared], weights=terms, minlength=len(offsets))
    hit = np.bincount(owner[shared], minlength=len(offsets)) > 0
    products[hit] = sums[hit]
    return products
