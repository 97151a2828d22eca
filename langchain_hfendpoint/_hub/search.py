"""Exact search by cosine over vectors on disk, a block at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from langchain_hfendpoint._engine.results import Vectors

_BLOCK = 65_536


def nearest(
    vectors: Vectors, query: Sequence[float], *, k: int, unit: bool
) -> tuple[list[int], list[float]]:
    """Find the vectors nearest to a query.

    Args:
        vectors: float32 (n, dimension).
        query: The query's vector.
        k: Most answers.
        unit: Whether the vectors are known to have length 1.

    Returns:
        Numbers of rows and their cosines, best first; of equal ones the earlier row first.
    """
    asked = normalized(np.asarray(query, dtype=np.float32)[None, :])[0]
    scores = np.empty(len(vectors), dtype=np.float32)
    for start in range(0, len(vectors), _BLOCK):
        block = vectors[start : start + _BLOCK]
        scores[start : start + len(block)] = (block if unit else normalized(block)) @ asked
    best = np.argsort(-scores, kind="stable")[: max(0, k)]
    return best.tolist(), scores[best].tolist()


def normalized(vectors: Vectors) -> Vectors:
    """Bring vectors to length 1; zeros stay zeros."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Vectors = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return unit
