"""Ctrl-C once: finish what is in flight and record it. Twice: stop at once."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from langchain_hfendpoint._indexing.report import IndexingReport


class Interrupt:
    """Whether Ctrl-C was pressed, and what to tell about it."""

    def __init__(self) -> None:
        self.happened = False

    def announce(self) -> None:
        """Say on stderr that the run is ending."""
        self._say("Interrupted: finishing what is in flight (Ctrl-C again stops at once).")

    def tell(self, report: IndexingReport, *, total: int | None) -> None:
        """Say on stderr what was done, and what is left.

        Args:
            report: What was done.
            total: Documents in the source, if it knows.
        """
        done = sum(report.values()) - report["num_deleted"] + len(report.failed)
        left = "the rest" if total is None else f"{max(0, total - done):,} documents"
        stored = report["num_added"] + report["num_updated"]
        self._say(
            f"{done:,} documents are done, {stored:,} of them stored and recorded now. "
            f"Left: {left}. The same call continues there."
        )

    def _say(self, sentence: str) -> None:
        sys.stderr.write(f"\n{sentence}\n")
        sys.stderr.flush()


@contextmanager
def finish_on_interrupt(stop: Callable[[], object]) -> Iterator[Interrupt]:
    """Within the block, turn the first Ctrl-C into a call of `stop`.

    The second raises `KeyboardInterrupt` as usual. Does nothing outside the main thread, and where
    somebody else handles the signal already.

    Args:
        stop: Asks the run to end.

    Yields:
        Whether it has happened.
    """
    interrupt = Interrupt()
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield interrupt
        return

    def handle(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        interrupt.happened = True
        interrupt.announce()
        stop()

    signal.signal(signal.SIGINT, handle)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
