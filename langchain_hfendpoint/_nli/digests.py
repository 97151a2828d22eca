"""Which texts were seen before, at most 40 bytes a text.

A Python set of 16-byte digests takes 100 bytes each. Here they lie in two NumPy tables with open
addressing: an older one that is full and a newer one, 1.4 times as large, that takes what comes.
When that is full too, the older one is emptied into a third, which becomes the newer. So a full
table is never copied as a whole, and at the worst moment, when all three exist with capacities
1, 1.4 and 1.96 and the first two are filled to 0.75, a text has
16 bytes x (1 + 1.4 + 1.96) / (0.75 x (1 + 1.4)) = 39 bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import count
from math import isqrt

import numpy as np
from numpy.typing import NDArray

DIGEST_BYTES = 16
_FIRST_CAPACITY = 8191
_GROWTH = 1.4
_FILL = 0.75
_MOVED_AT_ONCE = 1 << 14

_Words = NDArray[np.uint64]
_Places = NDArray[np.int64]


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
        # A first half of zero marks an empty place of a table.
        self._zeros: set[bytes] = set()

    def __len__(self) -> int:
        return sum(table.used for table in self._tables) + len(self._zeros)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(table.nbytes for table in self._tables)

    def add(self, digests: Sequence[bytes]) -> list[bool]:
        """Add digests, in order.

        Args:
            digests: 16 bytes each.

        Returns:
            For each, whether it is new: neither in the set nor earlier in this call.
        """
        if not digests:
            return []
        new = np.zeros(len(digests), dtype=bool)
        words = np.frombuffer(b"".join(digests), dtype=np.uint64).reshape(-1, 2)
        first = _first_of_each(digests)
        for position in first[words[first, 0] == 0]:
            new[position] = digests[position] not in self._zeros
            self._zeros.add(digests[position])
        first = first[words[first, 0] != 0]
        left, right = words[first, 0], words[first, 1]
        for table in self._tables:
            unknown = ~table.contains(left, right)
            first, left, right = first[unknown], left[unknown], right[unknown]
        new[first] = True
        self._insert(left, right)
        return [bool(is_new) for is_new in new]

    def _insert(self, left: _Words, right: _Words) -> None:
        while len(left):
            if not self._tables or not self._tables[-1].room:
                self._begin_table()
            room = self._tables[-1].room
            self._tables[-1].insert(left[:room], right[:room])
            left, right = left[room:], right[room:]

    def _begin_table(self) -> None:
        larger = int(self._tables[-1].capacity * _GROWTH) if self._tables else _FIRST_CAPACITY
        table = _Table(_prime_from(larger))
        if len(self._tables) == 2:
            for left, right in self._tables[0].parts():
                table.insert(left, right)
            del self._tables[0]
        self._tables.append(table)


class _Table:
    """Open addressing with double hashing, a batch at a time; a digest is two words.

    The first word says where to look first, the second how far to step from there. The capacity
    is a prime, so that every step leads past every place.
    """

    def __init__(self, capacity: int) -> None:
        self.left: _Words = np.zeros(capacity, dtype=np.uint64)
        self.right: _Words = np.zeros(capacity, dtype=np.uint64)
        self.capacity = capacity
        self.used = 0

    @property
    def room(self) -> int:
        return int(self.capacity * _FILL) - self.used

    @property
    def nbytes(self) -> int:
        return self.left.nbytes + self.right.nbytes

    def parts(self) -> Iterator[tuple[_Words, _Words]]:
        """Give what is in it, some at a time."""
        for start in range(0, self.capacity, _MOVED_AT_ONCE):
            part = slice(start, start + _MOVED_AT_ONCE)
            used = np.flatnonzero(self.left[part])
            yield self.left[part][used], self.right[part][used]

    def contains(self, left: _Words, right: _Words) -> NDArray[np.bool_]:
        found = np.zeros(len(left), dtype=bool)
        asked = np.arange(len(left))
        places, steps = self._path(left, right)
        while asked.size:
            there = self.left[places]
            equal = (there == left) & (self.right[places] == right)
            found[asked[equal]] = True
            on = np.flatnonzero((there != 0) & ~equal)
            asked, left, right, steps = asked[on], left[on], right[on], steps[on]
            places = (places[on] + steps) % self.capacity
        return found

    def insert(self, left: _Words, right: _Words) -> None:
        """Put in digests that are distinct and not there yet."""
        self.used += len(left)
        places, steps = self._path(left, right)
        while left.size:
            free = np.flatnonzero(self.left[places] == 0)
            # Of several that write to one place the last stays; the others see it and move on.
            self.left[places[free]] = left[free]
            self.right[places[free]] = right[free]
            on = np.flatnonzero((self.left[places] != left) | (self.right[places] != right))
            left, right, steps = left[on], right[on], steps[on]
            places = (places[on] + steps) % self.capacity

    def _path(self, left: _Words, right: _Words) -> tuple[_Places, _Places]:
        first = (left % np.uint64(self.capacity)).astype(np.int64)
        return first, (right % np.uint64(self.capacity - 1)).astype(np.int64) + 1


def _prime_from(number: int) -> int:
    """Give the first prime that is not smaller."""
    return next(
        odd for odd in count(number | 1, 2) if all(odd % low for low in range(3, isqrt(odd) + 1, 2))
    )


def _first_of_each(digests: Sequence[bytes]) -> _Places:
    """Positions of the first of each digest, in order."""
    first: dict[bytes, int] = {}
    for position, key in enumerate(digests):
        first.setdefault(key, position)
    return np.fromiter(first.values(), dtype=np.int64, count=len(first))
