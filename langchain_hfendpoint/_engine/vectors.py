"""What is done to the vectors themselves, where the server has not done it: pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from langchain_hfendpoint._engine.protocols import WireOptions
from langchain_hfendpoint._engine.results import Vectors
from langchain_hfendpoint.errors import DimensionMismatchError

# Half-precision servers are off by 5e-4; what they normalized is left as it is, to the last bit.
_UNIT_TOLERANCE = 2e-3

NO_VECTORS: Vectors = np.empty((0, 0), dtype=np.float32)
"""The vectors of no texts."""


def finish(vectors: Vectors, options: WireOptions) -> Vectors:
    """Cut vectors to the dimension wanted, and bring them to length 1 if that is wanted.

    Args:
        vectors: As the server gave them.
        options: What is wanted.

    Returns:
        float32 (n, dimension).

    Raises:
        DimensionMismatchError: If they are shorter than wanted.
    """
    wanted = options.dimensions
    if wanted is not None and vectors.shape[1] < wanted:
        raise DimensionMismatchError(
            f"The endpoint gives {vectors.shape[1]} dimensions, fewer than `dimensions={wanted}`."
        )
    if wanted is not None and vectors.shape[1] > wanted:
        vectors = np.ascontiguousarray(vectors[:, :wanted])
    if options.normalize:
        lengths = _lengths(vectors)
        # A vector of zeros has no direction to keep.
        off = (np.abs(lengths - 1) > _UNIT_TOLERANCE) & (lengths > 0)
        if off.any():
            lengths[~off] = 1
            vectors = vectors / lengths[:, None]
    return vectors


def is_unit_length(vectors: Vectors) -> bool:
    """Say whether all vectors have length 1."""
    return bool((np.abs(_lengths(vectors) - 1) <= _UNIT_TOLERANCE).all())


def _lengths(vectors: Vectors) -> Vectors:
    lengths: Vectors = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    return lengths


def stack(parts: Sequence[Vectors]) -> Vectors:
    """Put vectors below each other, leaving out parts without any."""
    filled = [part for part in parts if len(part)]
    return np.concatenate(filled) if filled else NO_VECTORS


class DimensionGuard:
    """Hold an endpoint to one dimension."""

    def __init__(self) -> None:
        self.dimension: int | None = None

    def check(self, vectors: Vectors) -> Vectors:
        """Compare vectors with all that came before.

        Raises:
            DimensionMismatchError: If they differ.
        """
        dimension = vectors.shape[1]
        if self.dimension is None:
            self.dimension = dimension
        if dimension != self.dimension:
            raise DimensionMismatchError(
                f"The endpoint gave vectors of {dimension} dimensions after vectors of "
                f"{self.dimension}. Does it serve another model now? Make a new "
                "HFEndpointEmbeddings, and do not mix the vectors."
            )
        return vectors
