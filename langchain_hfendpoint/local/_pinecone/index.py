"""One index: a writer thread that commits, and snapshots that read.

Writes queue up and are committed in groups: however many wait when the disk is ready share one
transaction and one fsync, and none is answered before it. Readers see the last committed moment,
or an older one where a consistency delay is asked for, and never wait for the writer.
"""

from __future__ import annotations

import itertools
import logging
import queue
import sqlite3
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Generic, TypeVar, cast

import numpy as np

from langchain_hfendpoint.local._malloc import give_back_freed_memory
from langchain_hfendpoint.local._pinecone.columns import ColumnCache
from langchain_hfendpoint.local._pinecone.config import IndexConfig
from langchain_hfendpoint.local._pinecone.database import Database
from langchain_hfendpoint.local._pinecone.memory import FloatRows, Namespace, Snapshot, Sparse
from langchain_hfendpoint.local._pinecone.reading import Moment
from langchain_hfendpoint.local._pinecone.wire import WireError, not_found

T = TypeVar("T")

_LOG = logging.getLogger(__name__)
_MAX_GROUP: Final = 64
_IDLE_SECONDS: Final = 1.0
_TIDY_ROWS: Final = 20_000
_AHEAD: Final = 8


@dataclass(frozen=True, slots=True)
class Batch:
    """Records to store; ids are distinct.

    Attributes:
        ids: Record ids.
        vectors: float32 (n, dimension).
        sparse: Sparse vectors, or `None` if no record has one.
        metadata: Encoded metadata, `None` for a record without.
    """

    ids: Sequence[str]
    vectors: FloatRows
    sparse: Sequence[Sparse | None] | None
    metadata: Sequence[bytes | None]


@dataclass(frozen=True, slots=True)
class Committed(Generic[T]):
    """The outcome of a write that is on disk.

    Attributes:
        value: What the operation returned.
        lsn: The commit's number.
    """

    value: T
    lsn: int


class Transaction:
    """What one operation may do; it sees the operations before it, also those of its own group.

    Attributes:
        lsn: The commit it is part of.
        garbage: How many rows and namespaces it made useless.
    """

    def __init__(self, index: Index, lsn: int) -> None:
        self._index = index
        self._database = index.database
        self.lsn = lsn
        self.garbage = 0

    @property
    def moment(self) -> Moment:
        """The newest moment, including this operation's own changes."""
        snapshot = Snapshot(self.lsn, self._index.next_row)
        return Moment(snapshot, self._database.connection, self._index.columns)

    @property
    def config(self) -> IndexConfig:
        """What the index is."""
        return self._index.config

    def configure(self, config: IndexConfig) -> None:
        """Change what the index is."""
        self._database.save_config(config)
        self._index.config = config

    def find(self, name: str) -> Namespace | None:
        """Find a namespace."""
        return self._index.namespace(name, self.moment.snapshot)

    def existing(self, name: str) -> Namespace:
        """Find a namespace that must be there.

        Raises:
            WireError: 404, if it is not.
        """
        namespace = self.find(name)
        if namespace is None:
            raise not_found("Namespace not found")
        return namespace

    def create(self, name: str, schema: dict[str, object] | None = None) -> Namespace:
        """Make a namespace that is not there yet."""
        namespace = self._index.new_namespace(name, schema, born=self.lsn)
        self._database.add_namespace(namespace.key, name, schema)
        return namespace

    def drop(self, namespace: Namespace) -> None:
        """Take a namespace away with all its records."""
        self._database.drop_namespace(namespace.key)
        namespace.died = self.lsn
        self.garbage += 1

    def put(self, namespace: Namespace, batch: Batch) -> None:
        """Store records, replacing those of the same ids."""
        self.remove(namespace, batch.ids)
        rows = self._index.take_rows(len(batch.ids))
        self._database.add_block(
            namespace.key, rows, batch.ids, batch.vectors, batch.sparse, batch.metadata
        )
        namespace.append(rows, batch.ids, batch.vectors, batch.sparse)

    def remove(self, namespace: Namespace, ids: Sequence[str]) -> None:
        """Delete records; ids that do not exist are ignored."""
        living = namespace.living(ids)
        if living:
            self._database.bury(living.values(), lsn=self.lsn)
            namespace.bury(living, lsn=self.lsn)
            self.garbage += len(living)


@dataclass(frozen=True, slots=True)
class _Write:
    operation: Callable[[Transaction], object]
    future: Future[Committed[object]]

    def is_wanted(self) -> bool:
        """Begin, unless whoever waited has given up; from now on it cannot be given up."""
        return self.future.set_running_or_notify_cancel()


class Index:
    """An open index.

    Args:
        database: Its file.
        consistency_delay: Seconds until a commit can be read.
        clock: Gives the time in seconds.

    Raises:
        LocalServerError: If the file is damaged.
    """

    config: IndexConfig
    _lsn: int
    _next_row: int
    _next_key: int
    _garbage: int
    _namespaces: dict[str, tuple[Namespace, ...]]
    _snapshot: Snapshot

    def __init__(
        self,
        database: Database,
        *,
        consistency_delay: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.database = database
        self.columns = ColumnCache()
        self._delay = consistency_delay
        self._clock = clock
        self._lock = threading.Lock()
        self._readers: Counter[int] = Counter()
        self._connections: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()
        self._moments: deque[tuple[float, Snapshot]] = deque()
        self._closed = False
        self._swollen = False
        self._load()
        self._writes: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        if database.read_only:
            # The one connection keeps the moment at which the index was opened.
            self._connections.put(database.connection)
        else:
            self._writer = threading.Thread(target=self._run, name=f"pinecone-{self.config.name}")
            self._writer.start()

    # Reading.

    @contextmanager
    def reading(self) -> Iterator[Moment]:
        """Hold on to the newest moment that may be read.

        Yields:
            The moment.

        Raises:
            WireError: 404, if the index was deleted meanwhile.
        """
        with self._lock:
            if self._closed:
                raise not_found(f"Resource {self.config.name} not found")
            snapshot = self._visible()
            self._readers[snapshot.lsn] += 1
        try:
            connection = self._connection()
            try:
                yield Moment(snapshot, connection, self.columns)
            finally:
                self._connections.put(connection)
        finally:
            with self._lock:
                self._readers[snapshot.lsn] -= 1
                if not self._readers[snapshot.lsn]:
                    del self._readers[snapshot.lsn]

    def namespace(self, name: str, snapshot: Snapshot) -> Namespace | None:
        """Find a namespace as a snapshot sees it."""
        for namespace in reversed(self._namespaces.get(name, ())):
            if namespace.born <= snapshot.lsn < namespace.died:
                return namespace
        return None

    def namespaces(self, snapshot: Snapshot) -> list[Namespace]:
        """List the namespaces a snapshot sees, in bytewise order of their names."""
        found = (self.namespace(name, snapshot) for name in sorted(self._namespaces))
        return [namespace for namespace in found if namespace is not None]

    # Writing.

    def write(self, operation: Callable[[Transaction], T]) -> Future[Committed[T]]:
        """Have an operation committed.

        Args:
            operation: Called on the writer's thread. Whatever it refuses with a `WireError` it must
                refuse before it changes anything.

        Returns:
            A future that is done when the operation is on disk, or holds its error.
        """
        future: Future[Committed[T]] = Future()
        with self._lock:
            if self._closed:
                raise not_found(f"Resource {self.config.name} not found")
            self._writes.put(_Write(operation, cast("Future[Committed[object]]", future)))
        return future

    def close(self) -> None:
        """Commit what is queued, and close the file."""
        with self._lock:
            self._closed = True
            self._writes.put(None)
        if self._writer is not None:
            self._writer.join()
        while not self._connections.empty():
            self._connections.get().close()
        self.database.close()

    def _connection(self) -> sqlite3.Connection:
        if self.database.read_only:
            return self._connections.get()
        try:
            return self._connections.get_nowait()
        except queue.Empty:
            return self.database.reader()

    # For the transaction.

    @property
    def next_row(self) -> int:
        """The next free row."""
        return self._next_row

    def take_rows(self, count: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Use up row numbers."""
        first = self._next_row
        self._next_row += count
        return np.arange(first, self._next_row, dtype=np.int64)

    def new_namespace(self, name: str, schema: dict[str, object] | None, *, born: int) -> Namespace:
        """Make a namespace in memory."""
        self._next_key += 1
        namespace = Namespace(self._next_key, name, dimension=self.config.dimension, born=born)
        namespace.schema = schema
        self._namespaces[name] = (*self._namespaces.get(name, ()), namespace)
        return namespace

    # The writer's thread.

    def _run(self) -> None:
        try:
            self._work()
        finally:
            with self._lock:
                self._closed = True
            while not self._writes.empty():
                write = self._writes.get()
                if write is not None and write.is_wanted():
                    write.future.set_exception(WireError(503, "UNAVAILABLE", "Index is closed"))

    def _work(self) -> None:
        stopping = False
        while not stopping:
            group = self._next_group()
            stopping = None in group
            self._commit([write for write in group if write is not None and write.is_wanted()])
            if not group or stopping or self._garbage >= _TIDY_ROWS:
                try:
                    self._tidy()
                except Exception:  # noqa: BLE001 (nothing is lost, and writers wait for this thread)
                    _LOG.exception("Could not tidy up %s", self.database.path)
                    self._garbage = 0

    def _next_group(self) -> list[_Write | None]:
        """Wait for writes; an empty group means that there is time to tidy up."""
        try:
            group = [
                self._writes.get(timeout=_IDLE_SECONDS if self._garbage or self._swollen else None)
            ]
        except queue.Empty:
            return []
        while len(group) < _MAX_GROUP and not self._writes.empty():
            group.append(self._writes.get())
        return group

    def _tidy(self) -> None:
        """Give back memory that was freed, and the space of rows that nobody can see any more."""
        give_back_freed_memory()
        self._swollen = False
        if not self._garbage:
            return
        with self._lock:
            oldest = min(self._readers, default=self._lsn)
            horizon = min(oldest, self._visible().lsn)
        self._namespaces = {
            name: kept
            for name, versions in self._namespaces.items()
            if (kept := tuple(version for version in versions if version.died > horizon))
        }
        for versions in self._namespaces.values():
            for namespace in versions:
                namespace.forget(horizon)
        everything = horizon == self._lsn
        with self.database.transaction():
            self.database.purge_rows(horizon)
            if everything:
                self.database.purge_namespaces()
        # What a reader still holds is tidied up when there is time again.
        self._garbage = 0 if everything else 1

    def _commit(self, group: list[_Write]) -> None:
        if not group:
            return
        outcomes: list[Committed[object] | WireError] = []
        try:
            with self.database.transaction():
                for write in group:
                    outcomes.append(self._perform(write))  # noqa: PERF401 (it has effects)
                self.database.save_counters(lsn=self._lsn, next_row=self._next_row)
        except Exception as error:  # noqa: BLE001 (whatever it is, its writers must hear of it)
            _LOG.exception("Could not write to %s", self.database.path)
            try:
                self._load()
            finally:
                for write in group:
                    write.future.set_exception(error)
            return
        with self._lock:
            self._publish(Snapshot(self._lsn, self._next_row))
        self._swollen = True
        for write, outcome in zip(group, outcomes, strict=True):
            if isinstance(outcome, WireError):
                write.future.set_exception(outcome)
            else:
                write.future.set_result(outcome)

    def _perform(self, write: _Write) -> Committed[object] | WireError:
        transaction = Transaction(self, self._lsn + 1)
        try:
            value = write.operation(transaction)
        except WireError as error:
            return error
        self._lsn += 1
        self._garbage += transaction.garbage
        return Committed(value, self._lsn)

    def _load(self) -> None:
        """Fill the memory from the file; readers go on with what there was until it is whole."""
        config = self.database.config()
        lsn, next_row = self.database.counters()
        by_key: dict[int, Namespace] = {}
        for stored in self.database.namespaces():
            namespace = Namespace(
                stored.key,
                stored.name,
                dimension=config.dimension,
                born=0,
                expected=stored.rows,
            )
            namespace.schema = stored.schema
            by_key[stored.key] = namespace
        for block in _ahead(self.database.blocks(config.dimension)):
            owner = by_key.get(block.namespace)
            if owner is not None:
                owner.append(block.rows, block.ids, block.vectors, block.sparse)
        self._next_key = self.database.last_namespace()
        self._garbage = self.database.garbage()
        with self._lock:
            self.config = config
            self._lsn, self._next_row = lsn, next_row
            self._namespaces = {found.name: (found,) for found in by_key.values()}
            self._moments.clear()
            self._snapshot = Snapshot(lsn, next_row)

    def _publish(self, snapshot: Snapshot) -> None:
        if self._delay:
            self._moments.append((self._clock() + self._delay, snapshot))
        else:
            self._snapshot = snapshot

    def _visible(self) -> Snapshot:
        now = self._clock()
        while self._moments and self._moments[0][0] <= now:
            self._snapshot = self._moments.popleft()[1]
        return self._snapshot


def _ahead(items: Iterable[T]) -> Iterator[T]:
    """Go through items that a thread of their own makes, a few before they are asked for."""
    source = iter(items)
    with ThreadPoolExecutor(1, thread_name_prefix="pinecone-read") as maker:
        following = maker.submit(lambda: list(itertools.islice(source, _AHEAD)))
        while some := following.result():
            following = maker.submit(lambda: list(itertools.islice(source, _AHEAD)))
            yield from some
