"""One index: a writer thread that commits, and snapshots that read.

Writes queue up and are committed in groups: however many wait when the disk is ready share one
transaction and one fsync, and none is answered before it. Readers see the last committed moment,
or an older one where a consistency delay is asked for, and never wait for the writer.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Generic, TypeVar, cast

import numpy as np

from langchain_hfendpoint.local._pinecone.database import Database, IndexConfig
from langchain_hfendpoint.local._pinecone.memory import FloatRows, Namespace, Snapshot, Sparse
from langchain_hfendpoint.local._pinecone.wire import WireError, not_found

T = TypeVar("T")

_MAX_GROUP: Final = 64


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
    """What one operation may do; it sees the operations before it, also those of its own group."""

    def __init__(self, index: Index, lsn: int) -> None:
        self._index = index
        self._database = index.database
        self.lsn = lsn
        self.connection = index.database.connection

    @property
    def snapshot(self) -> Snapshot:
        """The newest moment, including this operation's own changes."""
        return Snapshot(self.lsn, self._index.next_row)

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
        return self._index.namespace(name, self.snapshot)

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


@dataclass(frozen=True, slots=True)
class _Write:
    operation: Callable[[Transaction], object]
    future: Future[Committed[object]]


class Index:
    """An open index.

    Args:
        database: Its file.
        consistency_delay: Seconds until a commit can be read.
        clock: Gives the time in seconds.

    Raises:
        LocalServerError: If the file is damaged.
    """

    def __init__(
        self,
        database: Database,
        *,
        consistency_delay: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.database = database
        self.config = database.config()
        self._delay = consistency_delay
        self._clock = clock
        self._lock = threading.Lock()
        self._readers: Counter[int] = Counter()
        self._connections: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()
        self._load()
        self._writes: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._closed = False
        self._writer = threading.Thread(target=self._run, name=f"pinecone-{self.config.name}")
        self._writer.start()

    # Reading.

    @contextmanager
    def reading(self) -> Iterator[tuple[Snapshot, sqlite3.Connection]]:
        """Hold on to the newest moment that may be read.

        Yields:
            The moment, and a connection to read metadata with.
        """
        with self._lock:
            snapshot = self._visible()
            self._readers[snapshot.lsn] += 1
        try:
            try:
                connection = self._connections.get_nowait()
            except queue.Empty:
                connection = self.database.reader()
            yield snapshot, connection
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
        self._writes.put(_Write(operation, cast("Future[Committed[object]]", future)))
        return future

    def close(self) -> None:
        """Commit what is queued, and close the file."""
        self._closed = True
        self._writes.put(None)
        self._writer.join()
        while not self._connections.empty():
            self._connections.get().close()
        self.database.close()

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
        stopping = False
        while not stopping:
            group = [self._writes.get()]
            while len(group) < _MAX_GROUP and not self._writes.empty():
                group.append(self._writes.get())
            stopping = None in group
            self._commit([write for write in group if write is not None])

    def _commit(self, group: list[_Write]) -> None:
        if not group:
            return
        connection = self.database.connection
        outcomes: list[Committed[object] | WireError] = []
        try:
            connection.execute("BEGIN IMMEDIATE")
            for write in group:
                transaction = Transaction(self, self._lsn + 1)
                try:
                    value = write.operation(transaction)
                except WireError as error:
                    outcomes.append(error)
                else:
                    self._lsn += 1
                    outcomes.append(Committed(value, self._lsn))
            self.database.save_counters(lsn=self._lsn, next_row=self._next_row)
            connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 (whatever it is, its writers must hear of it)
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            self._load()
            for write in group:
                write.future.set_exception(error)
            return
        with self._lock:
            self._publish(Snapshot(self._lsn, self._next_row))
        for write, outcome in zip(group, outcomes, strict=True):
            if isinstance(outcome, WireError):
                write.future.set_exception(outcome)
            else:
                write.future.set_result(outcome)

    def _load(self) -> None:
        """Fill the memory from the file."""
        self._lsn, self._next_row = self.database.counters()
        by_key: dict[int, Namespace] = {}
        self._namespaces: dict[str, tuple[Namespace, ...]] = {}
        for stored in self.database.namespaces():
            namespace = Namespace(
                stored.key, stored.name, dimension=self.config.dimension, born=self._lsn
            )
            namespace.schema = stored.schema
            by_key[stored.key] = namespace
            self._namespaces[stored.name] = (namespace,)
        self._next_key = self.database.last_namespace()
        for block in self.database.blocks(self.config.dimension):
            owner = by_key.get(block.namespace)
            if owner is not None:
                owner.append(block.rows, block.ids, block.vectors, block.sparse)
        with self._lock:
            self._moments: deque[tuple[float, Snapshot]] = deque()
            self._snapshot = Snapshot(self._lsn, self._next_row)

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
