"""Tell glibc's malloc when to keep freed memory, and when to give it back.

Of what `malloc.h` documents, `mallopt` and `malloc_trim`; other C libraries have neither or ignore
them, and nothing here fails for it.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_KEPT_BYTES = 256 * 1024 * 1024
_LARGEST_MMAP_THRESHOLD = 32 * 1024 * 1024  # glibc refuses more


def keep_freed_memory() -> None:
    """Have this process keep what it frees, up to 256 MiB, for when it allocates again.

    A model allocates and frees the same megabytes for every batch; taking them from the system
    anew, page by page, cost 3 % of its time with small batches.
    """
    mallopt = _function("mallopt")
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def give_back_freed_memory() -> None:
    """Return what was freed to the system; glibc keeps 80 MB after bulk inserts.

    A smaller mmap threshold would keep it from growing, but costs a fifth of the inserts.
    """
    trim = _function("malloc_trim")
    if trim is not None:
        trim(0)


def _function(name: str) -> Callable[..., object] | None:
    """Give a function of the C library, if it is glibc's (musl lacks it)."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
