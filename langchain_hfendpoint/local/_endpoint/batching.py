"""Which of the waiting texts are computed together: like lengths, the oldest always among them.

A batch is made of the text that has waited longest and of those whose length is nearest to its
own. So little of a batch is padding, and no text can starve: one that has `n` older texts before
it is computed in the `n + 1`-th batch at the latest.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


def even_share(waiting: int, computing: int, *, workers: int, max_texts: int) -> int:
    """Tell how many texts a worker should compute at once, so that all have as many.

    Args:
        waiting: Texts that wait.
        computing: Texts that other workers compute.
        workers: All workers.
        max_texts: Texts in a batch at most.

    Returns:
        Texts; more than wait where the others have more than their share.
    """
    return min(-(-(waiting + computing) // workers), max_texts)


class WaitingTexts(Generic[Item]):
    """Texts that wait to be computed, kept by their length in tokens."""

    def __init__(self) -> None:
        self._by_length: dict[int, deque[tuple[int, Item]]] = {}
        self._arrivals = 0
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, item: Item, *, length: int) -> None:
        """Let a text wait.

        Args:
            item: The text.
            length: Its tokens.
        """
        self._by_length.setdefault(length, deque()).append((self._arrivals, item))
        self._arrivals += 1
        self._size += 1

    def take(self, *, max_texts: int, max_tokens: int) -> list[Item]:
        """Remove the next batch.

        Args:
            max_texts: Texts in it at most.
            max_tokens: Texts times the longest's tokens at most; a single text may have more.

        Returns:
            Texts of like length, with the one that has waited longest; none if none waits.
        """
        if not self._size:
            return []
        start = min(self._by_length, key=lambda length: self._by_length[length][0][0])
        batch: list[Item] = []
        longest = start
        for length in sorted(self._by_length, key=lambda length: abs(length - start)):
            padded = max(longest, length)
            room = min(max_texts, max(1, max_tokens // padded)) - len(batch)
            # A longer text may not fit where a shorter one, still to come, does.
            if room > 0:
                self._move(length, room, batch)
                longest = padded
        self._size -= len(batch)
        return batch

    def _move(self, length: int, room: int, batch: list[Item]) -> None:
        bucket = self._by_length[length]
        batch.extend(bucket.popleft()[1] for _ in range(min(room, len(bucket))))
        if not bucket:
            del self._by_length[length]
