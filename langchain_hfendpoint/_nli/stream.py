"""Lists of items on their way: duplicates out, a share of them, shuffled, a window of them.

Every step takes and gives lists, one a batch of rows, so that what Python charges for each step
is paid once a batch. No step holds more than its own bounded state.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import compress
from typing import Literal, TypeVar

from langchain_hfendpoint._nli.digests import DigestSet
from langchain_hfendpoint._nli.items import Item, MetadataValue
from langchain_hfendpoint._nli.report import Counts

T = TypeVar("T")
Collected = Literal["labels", "rows"]


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


def repeats(batches: Iterator[list[Item]]) -> dict[bytes, list[Item]]:
    """Read to the end and give, for each text that comes again, the items after its first."""
    seen = DigestSet()
    found: dict[bytes, list[Item]] = {}
    for batch in batches:
        for item, is_new in zip(batch, seen.add([item.key for item in batch]), strict=True):
            if not is_new:
                found.setdefault(item.key, []).append(item)
    return found


def with_repeats(
    batches: Iterator[list[Item]], found: Mapping[bytes, Sequence[Item]], what: Sequence[Collected]
) -> Iterator[list[Item]]:
    """Add to each item what is to be known of its duplicates, as lists of texts.

    Lists of texts, because Pinecone takes no lists of numbers.
    """
    for batch in batches:
        yield [
            item._replace(extra={**item.extra, **_told(item, found.get(item.key, ()), what)})
            for item in batch
        ]


def _told(item: Item, later: Sequence[Item], what: Sequence[Collected]) -> dict[str, MetadataValue]:
    told: dict[str, MetadataValue] = {}
    if "rows" in what:
        told["duplicate_rows"] = [str(other.row) for other in later]
    if "labels" in what:
        labels = [one.label.name for one in (item, *later) if one.label is not None]
        told["label_names"] = list(dict.fromkeys(labels))
    return told


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
