"""What a loader did with the rows it read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LoadReport:
    """Counts of one pass over a source, so far or to its end.

    `rows` counts rows; the others count texts (of which a row gives one or two) or, where pairs
    are loaded, pairs.

    Attributes:
        rows: Rows read, broken ones included.
        kept: Given to the caller.
        duplicates: Dropped because the same text came before.
        unlabelled: Without a gold label, whether dropped or kept.
        empty: Dropped because there was nothing but whitespace.
        broken: Rows that could not be read (`on_error="skip"`).
        complete: Whether the source was read to its end; not so after `limit` or a `break`.
    """

    rows: int = 0
    kept: int = 0
    duplicates: int = 0
    unlabelled: int = 0
    empty: int = 0
    broken: int = 0
    complete: bool = False


@dataclass(slots=True)
class Counts:
    """The running counts behind a `LoadReport`."""

    rows: int = 0
    kept: int = 0
    duplicates: int = 0
    unlabelled: int = 0
    empty: int = 0
    broken: int = 0
    complete: bool = False

    def report(self) -> LoadReport:
        """Take a snapshot."""
        return LoadReport(
            rows=self.rows,
            kept=self.kept,
            duplicates=self.duplicates,
            unlabelled=self.unlabelled,
            empty=self.empty,
            broken=self.broken,
            complete=self.complete,
        )
