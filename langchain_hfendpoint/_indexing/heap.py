"""Garbage collection that looks only at what a run makes, and at that less often.

A run makes some ten objects for each document that are tracked and live for a moment, so that
Python walks its whole heap again and again: a hundred thousand objects of imported packages, none
of them garbage. That was a seventh to a quarter of the client's time (docs/decisions.md).
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# New objects before the collector looks at them: more than all documents in flight are made of.
_NEW_OBJECTS = 100_000


@contextmanager
def resting_heap() -> Iterator[None]:
    """Have the collector rest, inside the `with` block, from all that was there before it.

    An application that has frozen its heap itself, or another run that has, is left alone; so is
    a collector that is switched off.
    """
    if gc.get_freeze_count():
        yield
        return
    threshold, *older = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(max(threshold, _NEW_OBJECTS) if threshold else 0, *older)
    try:
        yield
    finally:
        gc.set_threshold(threshold, *older)
        gc.unfreeze()
