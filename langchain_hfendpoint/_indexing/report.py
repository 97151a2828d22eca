"""What an indexing run did: langchain-core's four counts, and what they do not tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple


class FailedDocument(NamedTuple):
    """A document that could not be stored.

    Attributes:
        id: Its key; empty if it could not even be given one.
        reason: Why, in one sentence.
    """

    id: str
    reason: str


class IndexingReport(dict[str, int]):
    """The result of a run.

    A dictionary equal to langchain-core's own result (`num_added`, `num_updated`, `num_deleted`,
    `num_skipped`), so that code and tests written for `langchain_core.indexing.index` go on
    working; the rest are attributes.

    Attributes:
        embedded: Texts sent to the embeddings; for a store that embeds by itself, given to it.
        reused: Documents whose vector was known: an equal text, or only metadata had changed.
        failed: Documents that could not be stored (only with `on_error="skip"`).
        retries: Requests to the vector store that were repeated.
        seconds: For each stage, seconds in which it had something to do; they overlap. `"total"`
            is the run's wall-clock time.
        unchanged: Whether the source was known to hold nothing new, and so was not read.
        interrupted: Whether Ctrl-C ended the run early.
    """

    def __init__(
        self,
        *,
        added: int,
        updated: int,
        deleted: int,
        skipped: int,
        embedded: int,
        reused: int,
        failed: tuple[FailedDocument, ...],
        retries: int,
        seconds: Mapping[str, float],
        unchanged: bool = False,
        interrupted: bool = False,
    ) -> None:
        super().__init__(
            num_added=added, num_updated=updated, num_deleted=deleted, num_skipped=skipped
        )
        self.embedded = embedded
        self.reused = reused
        self.failed = failed
        self.retries = retries
        self.seconds = dict(seconds)
        self.unchanged = unchanged
        self.interrupted = interrupted

    @property
    def texts_per_second(self) -> float:
        """Embedded texts a second, over the whole run."""
        total = self.seconds.get("total", 0.0)
        return self.embedded / total if total else 0.0

    def __repr__(self) -> str:
        counts = ", ".join(f"{key}={value}" for key, value in self.items())
        return (
            f"IndexingReport({counts}, embedded={self.embedded}, reused={self.reused}, "
            f"failed={len(self.failed)}, retries={self.retries}, "
            f"texts_per_second={self.texts_per_second:.1f})"
        )


class BusyTime:
    """Adds up, for each stage, the time in which it had at least one thing in flight.

    Args:
        clock: Gives seconds; passed in so that it can be a test's.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._begun = clock()
        self._in_flight: dict[str, int] = {}
        self._since: dict[str, float] = {}
        self._total: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time inside the `with` block, once however many blocks are open."""
        if not self._in_flight.get(name):
            self._since[name] = self._clock()
        self._in_flight[name] = self._in_flight.get(name, 0) + 1
        try:
            yield
        finally:
            self._in_flight[name] -= 1
            if not self._in_flight[name]:
                self._add(name, self._clock() - self._since[name])

    def seconds(self) -> dict[str, float]:
        """Give the seconds of each stage, and `"total"` since the beginning."""
        return {**self._total, "total": self._clock() - self._begun}

    def _add(self, name: str, seconds: float) -> None:
        self._total[name] = self._total.get(name, 0.0) + seconds
