"""What to send to Pinecone, when, and whether again: decisions only, no clock and no I/O.

Limits as documented by Pinecone ("database limits"): 1,000 records and 2 MB in an upsert, 40 KB of
metadata in a record, 1,000 ids in a fetch or delete, 100 upserts a second in a namespace.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum

import orjson

MAX_RECORDS = 1_000
MAX_BODY_BYTES = 2_000_000
MAX_IDS = 1_000
REQUESTS_PER_SECOND = 100
MAX_RETRY_AFTER = 60.0

# What a record comes to before it is encoded: a little more than random unit vectors take.
NUMBER_BYTES = 13
RECORD_BYTES = 80


class Verdict(Enum):
    """What an answer means for the request."""

    DONE = "done"
    RETRY = "retry"
    SPLIT = "split"
    FAIL = "fail"


def judge(status: int | None, *, records: int) -> Verdict:
    """Decide what to do after an answer to an upsert.

    Args:
        status: HTTP status, or `None` if there was no answer.
        records: How many records the request had.

    Returns:
        `SPLIT` if one half at a time may get through: the body was too large, or one record of
        several was refused and is to be found.
    """
    if status is None or status in (408, 425, 429) or status >= 500:
        return Verdict.RETRY
    if status < 300:
        return Verdict.DONE
    if status in (400, 413, 422) and records > 1:
        return Verdict.SPLIT
    return Verdict.FAIL


def encode_body(records: Sequence[Mapping[str, object]], *, namespace: str) -> bytes:
    """Encode the body of an upsert.

    Args:
        records: The records; values may be float32 arrays, metadata encoded already.
        namespace: The namespace; empty is the unnamed one.

    Returns:
        JSON.
    """
    body: dict[str, object] = {"vectors": records}
    if namespace:
        body["namespace"] = namespace
    return orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)


def pack(sizes: Sequence[int], *, max_records: int, max_bytes: int) -> Iterator[slice]:
    """Cut records, in order, into bodies that keep both limits.

    Args:
        sizes: Bytes of each record.
        max_records: Most records in a body.
        max_bytes: Most bytes in a body.

    Yields:
        Slices that cover all records. A record that is too large by itself gets its own.
    """
    start, total = 0, 0
    for position, size in enumerate(sizes):
        separated = size + (position > start)
        if position > start and (total + separated > max_bytes or position - start >= max_records):
            yield slice(start, position)
            start, total, separated = position, 0, size
        total += separated
    if start < len(sizes):
        yield slice(start, len(sizes))


def halves(count: int) -> tuple[slice, slice]:
    """Cut `count` records (two or more) in the middle."""
    return slice(0, count // 2), slice(count // 2, count)


def retry_delay(attempt: int, *, retry_after: float | None, jitter: float) -> float:
    """Choose how long to wait before repeating a request.

    Args:
        attempt: How often it has been sent (1 after the first failure).
        retry_after: Seconds the server asked for, if it did.
        jitter: A random number from 0 to 1.

    Returns:
        Seconds: at least what the server asked for (up to a minute), else 0.25 s doubling up to
        15 s, half of it by chance.
    """
    backoff = min(15.0, 0.25 * float(2 ** min(attempt - 1, 10))) * (0.5 + jitter / 2)
    if retry_after is None:
        return backoff
    # A little on top keeps many clients from coming back in the same instant.
    return min(retry_after, MAX_RETRY_AFTER) + min(backoff, 1.0)


class RateWindow:
    """Keeps requests within a number per sliding window; told the time, never asks for it.

    Args:
        limit: Most requests in any window.
        window: Seconds of the window.
    """

    def __init__(self, limit: int = REQUESTS_PER_SECOND, window: float = 1.0) -> None:
        self._limit = limit
        self._window = window
        self._sent: deque[float] = deque()

    def reserve(self, now: float) -> float:
        """Book the next request.

        Args:
            now: The present moment, in seconds of any monotonic clock.

        Returns:
            Seconds to wait before sending it.
        """
        start = now
        if len(self._sent) == self._limit:
            start = max(now, self._sent.popleft() + self._window)
        self._sent.append(start)
        return start - now
