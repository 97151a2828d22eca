"""Metadata fields as arrays, so that a filter costs no parsing.

A column is built when a filter first asks for its field, one for each segment, and extended when
rows have been added since. Distinct strings, booleans and lists get a code, so that a condition is
decided once for each distinct value and then looked up for all rows; numbers are compared as an
array.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Final
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from langchain_hfendpoint.local._pinecone.filters import (
    AllOf,
    Condition,
    Filter,
    fields_of,
    is_number,
)
from langchain_hfendpoint.local._pinecone.memory import Segment
from langchain_hfendpoint.local._pinecone.metadata import Value, decode_metadata

Mask = NDArray[np.bool_]

_MISSING: Final = 0
_NUMBER: Final = 1
_FIRST_CODE: Final = 2
_FETCH: Final = 2_048
_COMPARE: Final[Mapping[str, Callable[[NDArray[np.float64], float], Mask]]] = {
    "$gt": np.greater,
    "$gte": np.greater_equal,
    "$lt": np.less,
    "$lte": np.less_equal,
}


class Column:
    """One metadata field of one segment.

    Args:
        capacity: Rows of the segment.
    """

    __slots__ = ("_codes", "_lists", "_numbers", "_values", "_vocabulary", "filled")

    def __init__(self, capacity: int) -> None:
        self.filled = 0
        self._codes = np.zeros(capacity, dtype=np.int32)
        self._numbers: NDArray[np.float64] | None = None
        self._values: list[str | bool | list[str]] = []
        self._lists: list[int] = []
        self._vocabulary: dict[object, int] = {}

    def set(self, offset: int, value: Value) -> None:
        """Note the value of a row; rows that are never set do not have the field."""
        if is_number(value):
            if self._numbers is None:
                self._numbers = np.zeros(len(self._codes), dtype=np.float64)
            self._codes[offset] = _NUMBER
            self._numbers[offset] = value
        else:
            self._codes[offset] = self._code(value)

    def decide(self, condition: Condition, extent: int) -> Mask:
        """Decide a condition for the first rows.

        Args:
            condition: What the field must be.
            extent: How many rows.

        Returns:
            Which rows satisfy it.
        """
        codes = self._codes[:extent]
        # All codes are in range; "clip" looks them up three times as fast as [] does.
        holds: Mask = self._outcomes(condition).take(codes, mode="clip")
        if self._numbers is not None:
            numeric = codes == _NUMBER
            holds[numeric] = _numbers_hold(condition, self._numbers[:extent][numeric])
        return ~holds if condition.negated else holds

    def _outcomes(self, condition: Condition) -> Mask:
        """Decide a condition, apart from its negation, for each code."""
        outcomes = np.zeros(_FIRST_CODE + len(self._values), dtype=bool)
        if condition.operator == "$exists":
            outcomes[_FIRST_CODE:] = True
        elif condition.operator not in _COMPARE:  # strings, booleans and lists have no order
            for operand in condition.operands:
                if not is_number(operand):
                    outcomes[self._vocabulary.get(operand, _MISSING)] = True
            outcomes[_MISSING] = False
            for code in self._lists:
                outcomes[code] = condition.holds(self._values[code - _FIRST_CODE])
        return outcomes

    def _code(self, value: object) -> int:
        key = tuple(value) if isinstance(value, list) else value
        code = self._vocabulary.get(key)
        if code is None:
            code = self._vocabulary[key] = _FIRST_CODE + len(self._values)
            self._values.append(value)  # type: ignore[arg-type]
            if isinstance(value, list):
                self._lists.append(code)
        return code


def _numbers_hold(condition: Condition, numbers: NDArray[np.float64]) -> Mask:
    if condition.operator == "$exists":
        return np.ones(len(numbers), dtype=bool)
    if condition.operator in _COMPARE:
        return _COMPARE[condition.operator](numbers, float(condition.operands[0]))
    wanted = [float(item) for item in condition.operands if is_number(item)]
    return np.isin(numbers, np.array(wanted, dtype=np.float64))


class ColumnCache:
    """The columns of all segments of an index; those of a segment go with it."""

    def __init__(self) -> None:
        self._of: WeakKeyDictionary[Segment, _Columns] = WeakKeyDictionary()

    def decide(
        self, filter_: Filter, segment: Segment, extent: int, connection: sqlite3.Connection
    ) -> Mask:
        """Decide a filter for the first rows of a segment.

        Args:
            filter_: The filter.
            segment: Where the rows lie.
            extent: How many rows.
            connection: Reads the metadata that no column holds yet.

        Returns:
            Which rows satisfy it.
        """
        return self._of.setdefault(segment, _Columns(segment)).decide(filter_, extent, connection)


class _Columns:
    """The columns of one segment.

    Args:
        segment: Whose metadata they hold.
    """

    def __init__(self, segment: Segment) -> None:
        self._rows = segment.rows
        self._lock = threading.Lock()
        self._columns: dict[str, Column] = {}

    def decide(self, filter_: Filter, extent: int, connection: sqlite3.Connection) -> Mask:
        with self._lock:
            self._fill(fields_of(filter_), extent, connection)
        return self._decide(filter_, extent)

    def _decide(self, filter_: Filter, extent: int) -> Mask:
        if isinstance(filter_, Condition):
            return self._columns[filter_.field].decide(filter_, extent)
        conjunction = isinstance(filter_, AllOf)
        decided = np.full(extent, conjunction)
        for part in filter_.parts:
            if conjunction:
                decided &= self._decide(part, extent)
            else:
                decided |= self._decide(part, extent)
        return decided

    def _fill(self, fields: frozenset[str], extent: int, connection: sqlite3.Connection) -> None:
        behind: dict[int, list[str]] = {}
        for field in fields:
            column = self._columns.setdefault(field, Column(len(self._rows)))
            if column.filled < extent:
                behind.setdefault(column.filled, []).append(field)
        for start, names in behind.items():
            columns = [(name, self._columns[name]) for name in names]
            for offset, encoded in self._read(start, extent, connection):
                metadata = decode_metadata(encoded)
                for name, column in columns:
                    value = metadata.get(name)
                    if value is not None:
                        column.set(offset, value)
            for _, column in columns:
                column.filled = extent

    def _read(
        self, start: int, end: int, connection: sqlite3.Connection
    ) -> Iterator[tuple[int, bytes]]:
        """Read the metadata of a range of rows, with their offsets."""
        rows = self._rows[start:end]
        query = "SELECT row, metadata FROM records WHERE row BETWEEN ? AND ? AND metadata NOTNULL"
        cursor = connection.execute(query, (int(rows[0]), int(rows[-1])))
        while found := cursor.fetchmany(_FETCH):
            numbers = np.array([row for row, _ in found], dtype=np.int64)
            places = np.minimum(np.searchsorted(rows, numbers), len(rows) - 1)
            # Rows of other namespaces lie between ours.
            ours = np.flatnonzero(rows[places] == numbers)
            for position, place in zip(ours.tolist(), places[ours].tolist(), strict=True):
                yield start + place, found[position][1]
