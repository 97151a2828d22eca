"""CSV and TSV: quoted fields through Python's `csv`, unquoted ones by splitting."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice

from langchain_hfendpoint._nli.batch import BATCH_ROWS, Batch, OnBroken
from langchain_hfendpoint._nli.delimited import dialect_of, headerless_columns
from langchain_hfendpoint._nli.files import DataFile
from langchain_hfendpoint._nli.read_lines import numbered_lines
from langchain_hfendpoint.errors import BrokenRowError, DataError

_Record = tuple[int, list[str]]


@dataclass(slots=True)
class _DelimitedReader:
    origin: str
    names: Sequence[str]
    _records: Iterator[_Record]
    _on_broken: OnBroken
    _may_be_longer: bool
    class_names: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def batches(self, wanted: Sequence[str]) -> Iterator[Batch]:
        width, positions = len(self.names), {name: list(self.names).index(name) for name in wanted}
        numbered = enumerate(self._records)
        while some := list(islice(numbered, BATCH_ROWS)):
            rows, lines, records = [], [], []
            for row, (line, fields) in some:
                if len(fields) == width or (len(fields) > width and self._may_be_longer):
                    rows.append(row)
                    lines.append(line)
                    records.append(fields)
                else:
                    self._on_broken(
                        BrokenRowError(
                            f"{self.origin}, line {line}: {len(fields)} fields where "
                            f"{width} columns are."
                        )
                    )
            yield Batch(
                origin=self.origin,
                rows=rows,
                columns={
                    name: [record[at] for record in records] for name, at in positions.items()
                },
                lines=lines,
            )


@contextmanager
def delimited_reader(
    file: DataFile,
    *,
    encoding: str,
    on_broken: OnBroken,
    delimiter: str | None = None,
    quoting: bool | None = None,
    column_names: Sequence[str] | None = None,
) -> Iterator[_DelimitedReader]:
    """Open a file whose first line names its columns.

    Args:
        file: The file.
        encoding: Its encoding.
        on_broken: Told of each row that has too many or too few fields or is badly quoted.
        delimiter: What separates fields; told from the first line if `None`.
        quoting: Whether fields may be quoted; told from the first lines if `None`.
        column_names: The columns of a file without a header.

    Yields:
        The reader.

    Raises:
        DataError: If the file is empty or cannot be read.
    """
    with file.open() as stream:
        lines = numbered_lines(stream, origin=file.path, encoding=encoding, on_broken=on_broken)
        head = list(islice(lines, BATCH_ROWS))
        if not any(line.strip() for _, line in head):
            raise DataError(f"{file.path}: there is nothing in it.")
        dialect = dialect_of([line for _, line in head], quoting=quoting, delimiter=delimiter)
        lines = chain(head, lines)
        if dialect.quoted:
            records = _quoted(lines, dialect.delimiter, file.path, on_broken)
        else:
            records = ((number, line.split(dialect.delimiter)) for number, line in lines if line)
        first = next(records, None)
        if first is None:
            raise DataError(f"{file.path}: there is no row in it.")
        names = column_names or headerless_columns(first[1])
        if names is None:
            names = first[1]
        else:
            records = chain([first], records)
        yield _DelimitedReader(
            file.path, names, records, on_broken, _may_be_longer=names is not first[1]
        )


def _quoted(
    lines: Iterator[tuple[int, str]], delimiter: str, origin: str, on_broken: OnBroken
) -> Iterator[_Record]:
    last = 0

    def texts() -> Iterator[str]:
        nonlocal last
        for last, line in lines:  # noqa: B007 - `last` is read below
            yield f"{line}\n"

    reader = csv.reader(texts(), delimiter=delimiter, strict=True)
    while True:
        begin = last + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            on_broken(
                BrokenRowError(
                    f"{origin}, line {begin}: badly quoted ({error}). If its quotation marks are "
                    "plain characters, say quoting=False."
                )
            )
            continue
        if fields:
            yield begin, fields
