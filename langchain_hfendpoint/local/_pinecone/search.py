"""Exact top-k over float32 rows.

Scores are first computed in float32, at the speed of memory; every row that rounding might have
kept out of the best k is then scored again in float64. So the result is what exact arithmetic
gives, identical vectors have cosine 1, and ties are broken by age.

Scores are those of Pinecone: cosine and dot product (higher is nearer), and for `euclidean` the
squared distance (lower is nearer).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from langchain_hfendpoint.local._pinecone.memory import FloatRows, Segment, Sparse

T = TypeVar("T")
R = TypeVar("R")

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
_GROUPS: Final = 256
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
    rows = sum(len(offsets) for _, offsets in found)
    size = max(_WORTH_A_THREAD, min(_SCAN_BLOCK, -(-rows // (2 * _CORES))))
    blocks = [
        (segment, offsets[start : start + size])
        for segment, offsets in found
        for start in range(0, len(offsets), size)
    ]
    shortlists = _share_out(
        lambda block: _shortlist(*block, query), blocks, threads=rows // _WORTH_A_THREAD
    )
    return _rank(_merge(shortlists, query.top_k), query)


def _share_out(function: Callable[[T], R], items: Sequence[T], *, threads: int) -> list[R]:
    """Apply a function to all items, in the caller's thread and in as many others as are free."""
    results: dict[int, R] = {}
    left = enumerate(items)

    def work() -> None:
        for position, item in left:  # an iterator gives each item to one thread only
            results[position] = function(item)

    helpers = [_SCANNERS.submit(work) for _ in range(min(threads, len(items), _CORES) - 1)]
    work()
    for helper in helpers:
        if not helper.cancel():
            helper.result()
    return [results[position] for position in range(len(items))]


@dataclass(frozen=True, slots=True)
class _Shortlist:
    """Rows of a segment that may be among the best k.

    Attributes:
        segment: Where they lie.
        offsets: Ascending.
        goodness: How near they are by estimate; higher is nearer.
        margin: The bound of the estimate's error.
    """

    segment: Segment
    offsets: Offsets
    goodness: NDArray[np.floating]
    margin: float


def _shortlist(segment: Segment, offsets: Offsets, query: Query) -> _Shortlist:
    """Choose the rows of a block that may be among the best k."""
    offsets, goodness, margin = _estimate(segment, offsets, query)
    kept = np.flatnonzero(goodness >= _kth(goodness, query.top_k) - 2.0 * margin)
    return _Shortlist(segment, offsets[kept], goodness[kept], margin)


def _merge(shortlists: Sequence[_Shortlist], top_k: int) -> list[tuple[Segment, Offsets]]:
    """Choose the rows that may be among the best k of all blocks."""
    if len(shortlists) <= 1:
        return [(one.segment, one.offsets) for one in shortlists]
    margin = max(one.margin for one in shortlists)
    bar = _kth(np.concatenate([one.goodness for one in shortlists]), top_k) - 2.0 * margin
    return [(one.segment, one.offsets[one.goodness >= bar]) for one in shortlists]


def _kth(goodness: NDArray[np.floating], k: int) -> float:
    """Give a goodness that at least k rows have, close below the k-th best."""
    groups = max(_GROUPS, 4 * k)
    if len(goodness) >= 4 * groups:
        # The best of each group are different rows; to find them costs much less than to sort.
        goodness = goodness[: len(goodness) // groups * groups].reshape(-1, groups).max(axis=0)
    return float(np.partition(goodness, -k)[-k]) if len(goodness) >= k else -np.inf


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
    norms = segment.norms[_without_gaps(offsets)]
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
    # On the scale of `_exact`, since another block may have been scored by it.
    if query.metric == "cosine":
        products /= norms * np.float32(length)
        return offsets, products, 2.0 * relative
    if query.metric == "euclidean":
        goodness = 2.0 * products - norms * norms - np.float32(length * length)
        return offsets, goodness, 2.0 * relative * (longest + length) ** 2
    if query.sparse is None:
        return offsets, products, relative * longest * length
    shared = np.nan_to_num(_sparse_products(segment, offsets, query.sparse))
    return offsets, products + shared, relative * longest * length


def _without_gaps(offsets: Offsets) -> slice | Offsets:
    """Give a slice, which copies nothing, for rows that lie side by side."""
    first, end = int(offsets[0]), int(offsets[-1]) + 1
    return slice(first, end) if end - first == len(offsets) else offsets


def _products(segment: Segment, offsets: Offsets, vector: FloatRows) -> FloatRows:
    """Give dot products; rows that lie close together are cheaper to scan than to pick."""
    first, last = int(offsets[0]), int(offsets[-1])
    span = last + 1 - first
    if len(offsets) < _GATHER_FRACTION * span:
        return np.asarray(segment.vectors.take(offsets, axis=0) @ vector)
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
