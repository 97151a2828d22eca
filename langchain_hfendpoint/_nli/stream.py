"""Lists of items on their way: duplicates out, a share of them, shuffled, a window of them.

Every step takes and gives lists, one a batch of rows, so that what Python charges for each step
is paid once a batch. No step holds more than its own bounded state.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import compress
from typing import TypeVar

from langchain_hfendpoint._nli.digests import DigestSet
from langchain_hfendpoint._nli.items import Item
from langchain_hfendpoint._nli.report import Counts

T = TypeVar("T")


def share(batches: Iterator[list[Item]], index: int, of: int) -> Iterator[list[Item]]:
    """Keep the texts that fall to one of several workers.

    The text itself decides, so that equal texts go to the same worker and `unique` holds over
    all of them.
    """
    for batch in batches:
        yield [item for item in batch if int.from_bytes(item.key[-8:], "big") % of == index]


def without_duplicates(batches: Iterator[list[Item]], counts: Counts) -> Iterator[list[Item]]:
    """Keep the first of equal texts, remembering 16 bytes of each."""
    seen = DigestSet()
    for batch in batches:
        new = seen.add([item.key for item in batch])
        counts.duplicates += len(batch) - sum(new)
        yield list(compress(batch, new))


def shuffled(batches: Iterator[list[T]], *, seed: int, buffer: int) -> Iterator[list[T]]:
    """Give items in an order drawn from a buffer: each leaves when a later one takes its place."""
    draw = random.Random(seed)  # noqa: S311 - an order, not a secret
    held: list[T] = []
    for batch in batches:
        out: list[T] = []
        for item in batch:
            if len(held) < buffer:
                held.append(item)
            else:
                place = draw.randrange(buffer)
                out.append(held[place])
                held[place] = item
        yield out
    draw.shuffle(held)
    yield held


def window(batches: Iterator[list[T]], *, offset: int, limit: int | None) -> Iterator[list[T]]:
    """Leave out the first `offset` items and stop after `limit` more, reading no further."""
    if limit == 0:
        return
    for batch in batches:
        if offset >= len(batch):
            offset -= len(batch)
            continue
        part, offset = batch[offset:], 0
        if limit is None:
            yield part
            continue
        yield part[:limit]
        limit -= len(part[:limit])
        if limit == 0:
            return
