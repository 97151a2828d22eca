"""The search over so many rows that several threads share them."""

from typing import Any

import numpy as np
import pytest

from langchain_hfendpoint.local._pinecone.memory import Segment
from langchain_hfendpoint.local._pinecone.search import Query, top_k

ROWS = 12_000
DIMENSION = 16
PARTS = {
    "all": np.arange(ROWS),
    "all but a few": np.delete(np.arange(ROWS), [0, 77, 9_000]),
    "every twentieth": np.arange(0, ROWS, 20),
    "both ends": np.concatenate([np.arange(3_000), np.arange(ROWS - 3_000, ROWS)]),
}


@pytest.fixture(scope="module")
def segments() -> list[Segment]:
    """Two segments of rows that lie close together, so that many scores nearly tie."""
    generator = np.random.default_rng(5)
    made = []
    for number in range(2):
        rows = 1 + 1e-3 * generator.standard_normal((ROWS, DIMENSION))
        segment = Segment(ROWS, DIMENSION)
        first = number * ROWS
        ids = [str(row) for row in range(first, first + ROWS)]
        segment.append(np.arange(first, first + ROWS), ids, rows.astype(np.float32), None)
        made.append(segment)
    return made


def exact_scores(rows: np.ndarray, vector: np.ndarray, metric: str) -> np.ndarray:
    a, b = rows.astype(np.float64), vector.astype(np.float64)
    if metric == "euclidean":
        return ((a - b) ** 2).sum(axis=1)
    products: np.ndarray = (a * b).sum(axis=1)
    if metric == "cosine":
        return products / np.sqrt((a * a).sum(axis=1) * (b * b).sum())
    return products


@pytest.mark.parametrize("wanted", [1, 5, 300, 9_999])
@pytest.mark.parametrize("which", PARTS)
@pytest.mark.parametrize("metric", ["cosine", "dotproduct", "euclidean"])
def test_threads_that_share_the_rows_find_what_a_plain_sort_finds(
    segments: list[Segment], metric: Any, which: str, wanted: int
) -> None:
    offsets = PARTS[which]
    vector = np.random.default_rng(6).standard_normal(DIMENSION).astype(np.float32)
    found = top_k([(part, offsets) for part in segments], Query(metric, vector, None, wanted))
    rows = np.concatenate([part.vectors[offsets] for part in segments])
    best = np.sort(exact_scores(rows, vector, metric).astype(np.float32))
    best = best[:wanted] if metric == "euclidean" else best[::-1][:wanted]
    np.testing.assert_allclose([match.score for match in found], best, rtol=2e-7)
    assert len({match.segment.ids[match.offset] for match in found}) == len(best)
    assert {match.offset for match in found} <= set(offsets.tolist())


def test_of_equals_in_all_blocks_the_oldest_come_first() -> None:
    segment = Segment(ROWS, DIMENSION)
    rows = np.ones((ROWS, DIMENSION), dtype=np.float32)
    segment.append(np.arange(ROWS), [str(row) for row in range(ROWS)], rows, None)
    for _ in range(20):  # whichever thread is done first
        found = top_k([(segment, np.arange(ROWS))], Query("cosine", rows[0], None, 7))
        assert [match.offset for match in found] == list(range(7))


@pytest.mark.parametrize("metric", ["cosine", "dotproduct", "euclidean"])
def test_blocks_with_and_without_tiny_vectors_are_compared_on_one_scale(metric: Any) -> None:
    generator = np.random.default_rng(7)
    rows = generator.standard_normal((ROWS, DIMENSION)).astype(np.float32)
    rows[0] *= np.float32(1e-20)  # the first block is scored exactly, the others by estimate
    vector = 100 * rows[1]
    segment = Segment(ROWS, DIMENSION)
    segment.append(np.arange(ROWS), [str(row) for row in range(ROWS)], rows, None)
    found = top_k([(segment, np.arange(ROWS))], Query(metric, vector, None, 5))
    scores = exact_scores(rows, vector, metric)
    best = np.argsort(scores if metric == "euclidean" else -scores, kind="stable")[:5]
    assert [match.offset for match in found] == best.tolist()


def test_nothing_is_found_among_nothing() -> None:
    assert top_k([], Query("cosine", np.ones(DIMENSION, dtype=np.float32), None, 5)) == []
