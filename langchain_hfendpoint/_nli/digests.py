"""Which texts were seen before, at most 32 bytes a text.

A Python set of 16-byte digests takes 100 bytes each. Here they lie in NumPy tables with open
addressing. A full table is left as it is and another, half as large again, is begun: nothing is
ever moved, so there is no moment at which two copies exist, and a new table is at most half of
what the full ones hold: (1 + 0.5) x 16 bytes / 0.75 filled = 32 bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

DIGEST_BYTES = 16
_FIRST_CAPACITY = 4096
_GROWTH = 1.5
_FILL = 0.75

_Rows = NDArray[np.uint64]


def digest(text: str) -> bytes:
    """Give the 16 bytes that stand for a text."""
    return hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES).digest()


class DigestSet:
    """A set of 16-byte digests that only grows.

    Examples:
        >>> seen = DigestSet()
        >>> seen.add([digest("a"), digest("b"), digest("a")])
        [True, True, False]
        >>> len(seen)
        2
    """

    def __init__(self) -> None:
        self._tables: list[_Table] = []
        self._has_zero = False

    def __len__(self) -> int:
        return sum(table.used for table in self._tables) + self._has_zero

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(table.rows.nbytes for table in self._tables)

    def add(self, digests: Sequence[bytes]) -> list[bool]:
        """Add digests, in order.

        Args:
            digests: 16 bytes each.

        Returns:
            For each, whether it is new: neither in the set nor earlier in this call.
        """
        new = np.zeros(len(digests), dtype=bool)
        if not digests:
            return []
        keys = np.frombuffer(b"".join(digests), dtype=np.uint64).reshape(-1, 2)
        first = _first_of_each(digests)
        # All zeros marks an empty place of a table, so that one digest is kept apart.
        zero = first[~keys[first].any(axis=1)]
        if zero.size:
            new[zero] = not self._has_zero
            self._has_zero = True
            first = np.setdiff1d(first, zero)
        for table in self._tables:
            first = first[~table.contains(keys[first])]
        new[first] = True
        self._insert(keys[first])
        return [bool(is_new) for is_new in new]

    def _insert(self, keys: _Rows) -> None:
        while len(keys):
            if not self._tables:
                self._tables.append(_Table(_FIRST_CAPACITY))
            elif not self._tables[-1].room:
                self._tables.append(_Table(int(self._tables[-1].capacity * _GROWTH)))
            room = self._tables[-1].room
            self._tables[-1].insert(keys[:room])
            keys = keys[room:]


class _Table:
    """Open addressing with linear probing, a batch at a time."""

    def __init__(self, capacity: int) -> None:
        self.rows: _Rows = np.zeros((capacity, 2), dtype=np.uint64)
        self.capacity = capacity
        self.used = 0

    @property
    def room(self) -> int:
        return int(self.capacity * _FILL) - self.used

    def contains(self, keys: _Rows) -> NDArray[np.bool_]:
        found = np.zeros(len(keys), dtype=bool)
        open_ = np.arange(len(keys))
        places = self._home(keys)
        while open_.size:
            there = self.rows[places]
            equal = (there == keys[open_]).all(axis=1)
            found[open_[equal]] = True
            on = there.any(axis=1) & ~equal
            open_, places = open_[on], self._next(places[on])
        return found

    def insert(self, keys: _Rows) -> None:
        """Put in keys that are distinct and not there yet."""
        self.used += len(keys)
        places = self._home(keys)
        while len(keys):
            free = ~self.rows[places].any(axis=1)
            # Of several keys that write to one place the last stays; the others see it and move on.
            self.rows[places[free]] = keys[free]
            on = (self.rows[places] != keys).any(axis=1)
            keys, places = keys[on], self._next(places[on])

    def _home(self, keys: _Rows) -> NDArray[np.int64]:
        home: NDArray[np.int64] = (keys[:, 0] % np.uint64(self.capacity)).astype(np.int64)
        return home

    def _next(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        following: NDArray[np.int64] = (places + 1) % self.capacity
        return following


def _first_of_each(digests: Sequence[bytes]) -> NDArray[np.int64]:
    """Positions of the first of each digest, in order."""
    first: dict[bytes, int] = {}
    for position, key in enumerate(digests):
        first.setdefault(key, position)
    return np.fromiter(first.values(), dtype=np.int64, count=len(first))
