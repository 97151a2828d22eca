"""JSON Lines and JSON arrays, read with orjson."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice

import orjson

from langchain_hfendpoint._nli.batch import BATCH_ROWS, MISSING, Batch, OnBroken
from langchain_hfendpoint._nli.files import DataFile
from langchain_hfendpoint._nli.read_lines import numbered_lines
from langchain_hfendpoint.errors import BrokenRowError, DataError


@dataclass(frozen=True, slots=True)
class _Row:
    number: int
    line: int
    fields: Mapping[str, object]


@dataclass(slots=True)
class _JsonReader:
    origin: str
    names: Sequence[str]
    _rows: Iterator[_Row]
    _has_lines: bool
    class_names: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def batches(self, wanted: Sequence[str]) -> Iterator[Batch]:
        while rows := list(islice(self._rows, BATCH_ROWS)):
            yield Batch(
                origin=self.origin,
                rows=[row.number for row in rows],
                columns={name: [row.fields.get(name, MISSING) for row in rows] for name in wanted},
                lines=[row.line for row in rows] if self._has_lines else None,
            )


@contextmanager
def json_reader(file: DataFile, *, encoding: str, on_broken: OnBroken) -> Iterator[_JsonReader]:
    """Open JSON Lines, or one JSON array of objects (which is read whole).

    Args:
        file: The file.
        encoding: Its encoding.
        on_broken: Told of each line that is no JSON object.

    Yields:
        The reader; its names are those that occur in the first 1,000 rows.

    Raises:
        DataError: If the file is empty, no JSON, or cannot be read.
    """
    with file.open() as stream:
        lines = numbered_lines(stream, origin=file.path, encoding=encoding, on_broken=on_broken)
        first = next(((number, line) for number, line in lines if line.strip()), None)
        if first is None:
            raise DataError(f"{file.path}: there is nothing in it.")
        lines = chain([first], lines)
        is_array = first[1].lstrip().startswith("[")
        rows = (
            _array(lines, file.path, on_broken) if is_array else _lines(lines, file.path, on_broken)
        )
        head = list(islice(rows, BATCH_ROWS))
        yield _JsonReader(
            file.path,
            list(dict.fromkeys(name for row in head for name in row.fields)),
            chain(head, rows),
            not is_array,
        )


def _lines(lines: Iterator[tuple[int, str]], origin: str, on_broken: OnBroken) -> Iterator[_Row]:
    row = 0
    for number, line in lines:
        if not line.strip():
            continue
        try:
            fields = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            on_broken(BrokenRowError(f"{origin}, line {number}: not JSON ({error})."))
        else:
            if isinstance(fields, dict):
                yield _Row(row, number, fields)
            else:
                on_broken(
                    BrokenRowError(f"{origin}, line {number}: not an object but {_short(fields)}.")
                )
        row += 1


def _array(lines: Iterator[tuple[int, str]], origin: str, on_broken: OnBroken) -> Iterator[_Row]:
    text = "\n".join(line for _, line in lines)
    try:
        items = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise DataError(
            f"{origin}, line {error.lineno}: the JSON array cannot be read ({error}). "
            "If the file was cut off, fetch it again."
        ) from error
    for number, fields in enumerate(items):
        if isinstance(fields, dict):
            yield _Row(number, 0, fields)
        else:
            on_broken(
                BrokenRowError(f"{origin}, row {number}: not an object but {_short(fields)}.")
            )


def _short(value: object) -> str:
    return repr(value) if len(repr(value)) <= 40 else f"{repr(value)[:40]}..."
