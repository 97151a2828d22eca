"""How delimited text is written: its delimiter, whether quotes mean anything, its columns. Pure.

Tab-separated files come in two kinds that their names do not tell apart. In MultiNLI, XNLI and
STS Benchmark a quotation mark is just a character; files saved by spreadsheets and by Python's
`csv` put fields with quotation marks in quotation marks and double those inside.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_QUOTED = re.compile(r'"(?:[^"]|"")*"')

STS_BENCHMARK = ("genre", "file", "year", "id", "score", "sentence1", "sentence2")
"""The columns of STS Benchmark's files, which have no header and sometimes two fields more."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How the fields of a line are told apart.

    Attributes:
        delimiter: What stands between two fields.
        quoted: Whether fields may be put in quotation marks.
    """

    delimiter: str
    quoted: bool


def dialect_of(head: Sequence[str], *, quoting: bool | None, delimiter: str | None) -> Dialect:
    """Tell how a file is written from its first lines.

    Args:
        head: Its first lines.
        quoting: Whether fields may be quoted, if the caller knows.
        delimiter: The delimiter, if the caller knows.

    Returns:
        Tab if there is one in the first line, else comma. Comma-separated files are quoted;
        tab-separated ones if at least one field doubles its quotation marks inside quotation
        marks, and every field that begins with one is well quoted.
    """
    delimiter = delimiter or ("\t" if "\t" in head[0] else ",")
    if quoting is None:
        quoting = delimiter == "," or _shows_quoting(head, delimiter)
    return Dialect(delimiter, quoting)


def _shows_quoting(head: Sequence[str], delimiter: str) -> bool:
    begun = [f for line in head for f in line.split(delimiter) if f.startswith('"')]
    return any('""' in field[1:-1] for field in begun) and all(
        _QUOTED.fullmatch(field) for field in begun
    )


def headerless_columns(fields: Sequence[str]) -> tuple[str, ...] | None:
    """Name the columns of a file without a header, if its first row shows a layout we know."""
    if len(fields) < len(STS_BENCHMARK):
        return None
    year, score = fields[2], fields[4]
    return (
        STS_BENCHMARK if re.match(r"\d{4}", year) and re.fullmatch(r"[0-5]\.\d+", score) else None
    )
