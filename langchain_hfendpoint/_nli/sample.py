"""A data set that needs no network: SNLI-style triples made from scenes of our own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from langchain_hfendpoint._nli.batch import BATCH_ROWS, Batch
from langchain_hfendpoint._nli.labels import SNLI_NAMES


@lru_cache(maxsize=1)
def triples() -> tuple[tuple[str, str, str, str], ...]:
    """Make the sample: (premise, entailed, neutral, contradicting hypothesis)."""
    return (
        (
            "A woman in a blue coat leads a brown horse along a muddy path.",
            "A woman is outside with a horse.",
            "The woman is taking the horse back to its stable.",
            "A woman is asleep on a train.",
        ),
    )


def sample_rows() -> int:
    """Count the rows of the sample."""
    return 3 * len(triples())


@dataclass(frozen=True, slots=True)
class _SampleReader:
    origin: str = "sample"
    names: Sequence[str] = ("premise", "hypothesis", "label")
    class_names: Mapping[str, Sequence[str]] = field(default_factory=lambda: {"label": SNLI_NAMES})

    def batches(self, wanted: Sequence[str]) -> Iterator[Batch]:
        rows = [
            {"premise": premise, "hypothesis": hypothesis, "label": label}
            for premise, *hypotheses in triples()
            for label, hypothesis in enumerate(hypotheses)
        ]
        for start in range(0, len(rows), BATCH_ROWS):
            part = rows[start : start + BATCH_ROWS]
            columns = {name: [row[name] for row in part] for name in wanted}
            yield Batch(self.origin, range(start, start + len(part)), columns)


def sample_reader() -> _SampleReader:
    """Open the sample."""
    return _SampleReader()
