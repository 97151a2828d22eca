"""What the engine hands out: finished batches, and the texts that failed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Self

from langchain_hfendpoint.errors import EndpointError

Vectors: TypeAlias = NDArray[np.float32]
"""float32, one row a text: shape (n, dimension)."""


@dataclass(frozen=True, slots=True)
class TextFailure:
    """A text that could not be embedded.

    Attributes:
        index: Its position in the caller's input.
        error: Why.
    """

    index: int
    error: EndpointError


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedBatch:
    """Some texts that are done, in any order.

    Attributes:
        indices: Their positions in the caller's input.
        vectors: float32 (len(indices), dimension); (0, 0) if there is none.
        failures: Texts that failed for good (only with `on_error="skip"`).
    """

    indices: tuple[int, ...]
    vectors: Vectors
    failures: tuple[TextFailure, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddingReport:
    """A whole input that is done, with what failed.

    Attributes:
        indices: Positions of the embedded texts in the caller's input, ascending.
        vectors: float32 (len(indices), dimension), in the same order.
        failures: The texts that failed, by ascending index.
    """

    indices: tuple[int, ...]
    vectors: Vectors
    failures: tuple[TextFailure, ...] = ()

    @classmethod
    def of(cls, batches: Iterable[EmbeddedBatch]) -> Self:
        """Collect batches.

        Args:
            batches: The batches of one input, in any order.

        Returns:
            Their vectors in the order of the input, and all failures.
        """
        done = list(batches)
        indices = np.array([index for batch in done for index in batch.indices], dtype=np.int64)
        order = np.argsort(indices)
        parts = [batch.vectors for batch in done if batch.indices]
        failures = sorted((f for batch in done for f in batch.failures), key=lambda f: f.index)
        return cls(
            indices=tuple(indices[order].tolist()),
            vectors=np.concatenate(parts)[order] if parts else np.empty((0, 0), dtype=np.float32),
            failures=tuple(failures),
        )
