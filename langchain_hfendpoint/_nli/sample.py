"""A data set that needs no network: SNLI-style triples made from scenes of our own.

For trying the whole way without an account and for demonstrations. The scenes lie in `scenes/`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources

from langchain_hfendpoint._nli.batch import BATCH_ROWS, Batch
from langchain_hfendpoint._nli.labels import SNLI_NAMES
from langchain_hfendpoint._nli.scenes import Triple, parse, triples

_TRIPLES_A_SCENE = 24


@lru_cache(maxsize=1)
def sample_triples() -> Sequence[Triple]:
    """Make the sample, always the same."""
    folder = resources.files(__package__).joinpath("scenes")
    files = sorted(folder.iterdir(), key=lambda file: file.name)
    written = [file.read_text(encoding="utf-8") for file in files if file.name.endswith(".txt")]
    return triples(parse("\n".join(written)), each=_TRIPLES_A_SCENE)


def sample_rows() -> int:
    """Count the rows of the sample: three a triple, as in SNLI."""
    return 3 * len(sample_triples())


@dataclass(frozen=True, slots=True)
class _SampleReader:
    origin: str = "sample"
    names: Sequence[str] = ("premise", "hypothesis", "label")
    class_names: Mapping[str, Sequence[str]] = field(default_factory=lambda: {"label": SNLI_NAMES})

    def batches(self, wanted: Sequence[str]) -> Iterator[Batch]:
        rows = [
            {"premise": premise, "hypothesis": hypothesis, "label": label}
            for premise, *hypotheses in sample_triples()
            for label, hypothesis in enumerate(hypotheses)
        ]
        for start in range(0, len(rows), BATCH_ROWS):
            part = rows[start : start + BATCH_ROWS]
            columns = {name: [row[name] for row in part] for name in wanted}
            yield Batch(self.origin, range(start, start + len(part)), columns)


def sample_reader() -> _SampleReader:
    """Open the sample."""
    return _SampleReader()
