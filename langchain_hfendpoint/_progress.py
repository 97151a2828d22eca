"""Progress bars: on stderr, and silent when stderr is no terminal unless asked for."""

from __future__ import annotations

import sys
from typing import Protocol

from tqdm import tqdm


class ProgressBar(Protocol):
    """The part of a tqdm bar that this package uses."""

    n: float
    total: float | None

    def update(self, n: float | None = 1) -> bool | None:
        """Count `n` more units as done."""

    def close(self) -> None:
        """Take the bar off the screen, leaving its last state."""

    def refresh(self) -> bool | None:
        """Draw the bar anew."""


def progress_bar(
    description: str, *, total: int | None = None, unit: str = " texts", show: bool | None = None
) -> ProgressBar:
    """Make a progress bar: units done, units a second, time left.

    Args:
        description: What is being done.
        total: Number of units, if known.
        unit: What is counted.
        show: `True` or `False`, or `None` for "only if stderr is a terminal".

    Returns:
        A bar to `update()` and `close()`.
    """
    bar: ProgressBar = tqdm(
        desc=description,
        total=total,
        unit=unit,
        file=sys.stderr,
        disable=None if show is None else not show,
        dynamic_ncols=True,
    )
    return bar


def complete(bar: ProgressBar) -> None:
    """Show that all is done, where the total was only the most that there could be."""
    bar.total = bar.n
    bar.refresh()
