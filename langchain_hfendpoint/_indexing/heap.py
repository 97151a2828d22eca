"""Garbage collection that looks only at what a run makes.

A run makes some ten objects for each document that are tracked and live for a moment, so that
Python walks its whole heap again and again: a hundred thousand objects of imported packages, none
of them garbage. That was a seventh to a quarter of the client's time (docs/decisions.md).
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def resting_heap() -> Iterator[None]:
    """Have the collector leave out, inside the `with` block, all that was there before it.

    An application that has frozen its heap itself, or another run that has, is left alone.
    """
    if gc.get_freeze_count():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
