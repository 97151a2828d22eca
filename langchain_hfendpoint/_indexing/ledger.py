"""The books of a run: what is on its way, what is done, what failed, and what is to be deleted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Union

from langchain_hfendpoint._indexing.plan import Item
from langchain_hfendpoint._indexing.records import Records
from langchain_hfendpoint._indexing.report import BusyTime, FailedDocument, IndexingReport
from langchain_hfendpoint._progress import ProgressBar
from langchain_hfendpoint._sinks.base import Sink

Cleanup = Union[Literal["incremental", "full", "scoped_full"], None]  # noqa: UP007 (at run time)

_logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Batch:
    """One batch of the source, and what of it is still on its way.

    Attributes:
        groups: The sources of its documents.
        arriving: Keys of its documents that are to be stored.
        outdated: Keys of those sources that are to be deleted once the batch is stored.
        remaining: Documents not yet stored or failed.
        failed_groups: Sources of documents that failed; `None` stands for an unknown one.
        done: Set when nothing of it is on its way any more.
    """

    groups: Sequence[str] = ()
    arriving: Sequence[str] = ()
    outdated: Sequence[str] = ()
    remaining: int = 0
    failed_groups: set[str | None] = field(default_factory=set)
    done: asyncio.Event = field(default_factory=asyncio.Event)


class Ledger:
    """Keeps the books, and deletes what a finished batch or run leaves outdated.

    Args:
        records: The record manager.
        sink: Where documents are.
        started_at: The record manager's time when the run began.
        cleanup: What is to be deleted.
        cleanup_batch_size: Keys in a deletion.
        bar: Told of each document that is done.
        busy: Where the time of deletions is counted.
    """

    def __init__(
        self,
        records: Records,
        sink: Sink,
        *,
        started_at: float,
        cleanup: Cleanup,
        cleanup_batch_size: int,
        bar: ProgressBar,
        busy: BusyTime,
    ) -> None:
        self.started_at = started_at
        self.cleanup = cleanup
        self.embedded = 0
        self.reused = 0
        self._records = records
        self._sink = sink
        self._cleanup_batch_size = cleanup_batch_size
        self._bar = bar
        self._busy = busy
        self._arriving: dict[str, Batch] = {}
        self._leaving: dict[str, Batch] = {}
        self._recorded: set[str] = set()
        self._groups_seen: dict[str, None] = {}
        self._failed: list[FailedDocument] = []
        self._failed_groups: set[str | None] = set()
        self._added = self._updated = self._deleted = self._skipped = 0

    def skip(self, documents: int) -> None:
        """Count documents that need nothing more."""
        self._skipped += documents
        self._bar.update(documents)

    def reject(self, batch: Batch, *, key: str, group: str | None, error: Exception) -> None:
        """Count a document that cannot be stored, before it is on its way."""
        self._failed.append(FailedDocument(key, str(error)))
        self._failed_groups.add(group)
        batch.failed_groups.add(group)
        self._bar.update(1)

    @property
    def arriving(self) -> Collection[str]:
        """Keys of the documents that are on their way to the store."""
        return self._arriving.keys()

    def on_the_way(self, keys: Iterable[str]) -> list[Batch]:
        """Give the batches that these keys still belong to."""
        found = [
            books[key] for books in (self._arriving, self._leaving) for key in books.keys() & keys
        ]
        return list(dict.fromkeys(found))

    async def begin(
        self,
        batch: Batch,
        pending: Sequence[Item],
        keys: Sequence[str],
        *,
        recorded: Sequence[str],
    ) -> None:
        """Put a batch on its way.

        Args:
            batch: The batch.
            pending: Its documents that are to be stored.
            keys: The keys of all its documents.
            recorded: Those of these keys that are recorded already.
        """
        batch.remaining = len(pending)
        batch.arriving = [one.key for one in pending]
        self._recorded.update(set(recorded).intersection(batch.arriving))
        if self.cleanup == "scoped_full":
            self._groups_seen.update(dict.fromkeys(batch.groups))
        if self.cleanup == "incremental" and batch.groups:
            # Decided now, as if all batches before were done: whatever is on its way has its fate.
            listed = await self._records.outdated(batch.groups, before=self.started_at, limit=None)
            own = set(keys)
            batch.outdated = [
                key
                for key in listed
                if key not in own and key not in self._arriving and key not in self._leaving
            ]
        self._arriving.update(dict.fromkeys(batch.arriving, batch))
        self._leaving.update(dict.fromkeys(batch.outdated, batch))
        if not pending:
            await self._finish(batch)

    async def fail(self, pending: Sequence[Item], error: Exception) -> None:
        """Count documents that were on their way and could not be stored."""
        for one in pending:
            self.reject(self._arriving[one.key], key=one.key, group=one.group, error=error)
        await self._arrived([one.key for one in pending])

    async def stored(self, pending: Sequence[Item]) -> None:
        """Record documents that the store has confirmed."""
        keys = [one.key for one in pending]
        with self._busy.stage("recording"):
            await self._records.update(
                keys,
                [one.group for one in pending],
                time_at_least=self.started_at,
                contents=[one.content for one in pending],
            )
        updated = len(self._recorded.intersection(keys))
        self._updated += updated
        self._added += len(pending) - updated
        self._bar.update(len(pending))
        await self._arrived(keys)

    async def clean_up(self) -> None:
        """Delete, at the end of a run, what the source no longer has."""
        groups: list[str] | None = None
        if self.cleanup == "scoped_full":
            groups = [one for one in self._groups_seen if one not in self._failed_groups]
        elif self.cleanup != "full":
            return
        if None in self._failed_groups or (self._failed and self.cleanup == "full"):
            _logger.warning(
                "Nothing outdated was deleted, because %d documents failed and may be what "
                "replaces it. Run again when they can be stored.",
                len(self._failed),
            )
            return
        if groups is not None and not groups:
            return
        while keys := await self._records.outdated(
            groups, before=self.started_at, limit=self._cleanup_batch_size
        ):
            await self._delete(keys)

    @property
    def is_complete(self) -> bool:
        """Whether every document so far is recorded."""
        return not self._failed

    @property
    def documents(self) -> int:
        """How many documents are recorded, duplicates among them."""
        return self._added + self._updated + self._skipped

    def report(self, *, unchanged: bool, interrupted: bool) -> IndexingReport:
        """Tell what has been done so far."""
        return IndexingReport(
            added=self._added,
            updated=self._updated,
            deleted=self._deleted,
            skipped=self._skipped,
            embedded=self.embedded,
            reused=self.reused,
            failed=tuple(self._failed),
            retries=self._sink.retries,
            seconds=self._busy.seconds(),
            unchanged=unchanged,
            interrupted=interrupted,
        )

    async def _arrived(self, keys: Iterable[str]) -> None:
        """Take note that documents are not on their way any more."""
        for key in keys:
            batch = self._arriving[key]
            batch.remaining -= 1
            if not batch.remaining:
                await self._finish(batch)

    async def _finish(self, batch: Batch) -> None:
        """Delete what a batch replaces, and let its keys go."""
        outdated = batch.outdated
        if outdated and batch.failed_groups:
            # What failed may be what replaces the outdated of its source.
            groups = [one for one in batch.groups if one not in batch.failed_groups]
            kept = None in batch.failed_groups or not groups
            listed = (
                []
                if kept
                else await self._records.outdated(groups, before=self.started_at, limit=None)
            )
            outdated = [key for key in outdated if key in set(listed)]
        for start in range(0, len(outdated), self._cleanup_batch_size):
            await self._delete(outdated[start : start + self._cleanup_batch_size])
        for key in batch.arriving:
            del self._arriving[key]
        self._recorded.difference_update(batch.arriving)
        for key in batch.outdated:
            del self._leaving[key]
        batch.done.set()

    async def _delete(self, keys: Sequence[str]) -> None:
        with self._busy.stage("deleting"):
            await self._sink.delete(keys)
            await self._records.delete(keys)
        self._deleted += len(keys)
