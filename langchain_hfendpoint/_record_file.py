"""The file behind `SQLiteRecordManager`: its format, its transactions, its clock.

A record does not hold the time at which it was last written but the number of that write, and
`writes` the time of each. So all records of a run are made newer by changing a few rows, and a
namespace in which nobody has written since is known by its latest number.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from langchain_hfendpoint.errors import ConfigurationError

T = TypeVar("T")

_BUSY_SECONDS = 60.0
_VARIABLES = 500
# Every checkpoint waits for the disk; 32 MB between two is little to read again after a kill.
_CHECKPOINT_PAGES = 8_000
_CLOCK_TICK_SECONDS = 1e-6
_FORMAT_VERSION = 2
_SCHEMA = """
CREATE TABLE namespaces (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE writes (
    number INTEGER PRIMARY KEY,
    namespace INTEGER NOT NULL REFERENCES namespaces (id),
    time REAL NOT NULL
);
CREATE INDEX writes_by_time ON writes (namespace, time);
CREATE TABLE records (
    id INTEGER PRIMARY KEY,
    namespace INTEGER NOT NULL REFERENCES namespaces (id),
    key TEXT NOT NULL,
    group_id TEXT,
    content BLOB,
    write INTEGER NOT NULL REFERENCES writes (number)
);
CREATE UNIQUE INDEX records_by_key ON records (namespace, key);
CREATE INDEX records_by_group ON records (namespace, group_id) WHERE group_id IS NOT NULL;
CREATE TABLE runs (
    namespace INTEGER PRIMARY KEY REFERENCES namespaces (id),
    signature TEXT NOT NULL,
    documents INTEGER NOT NULL,
    after_write INTEGER NOT NULL,
    last_write INTEGER NOT NULL
);
"""
# Not in the schema: it is a quarter of what recording costs, and documents that come with their
# vectors are recorded without ever asking for it.
_CONTENT_INDEX = (
    "CREATE INDEX IF NOT EXISTS records_by_content ON records (namespace, content) "
    "WHERE content IS NOT NULL"
)


class RecordFile:
    """One namespace of a file of records, for several threads and processes at once.

    Args:
        namespace: Its name.
        path: The file, made if it does not exist.

    Raises:
        ConfigurationError: If the file cannot be opened, or is no record manager's.
    """

    def __init__(self, namespace: str, path: str | Path) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._latest_time = 0.0
        self._has_content_index = False
        try:
            self._db = sqlite3.connect(
                path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            # In WAL mode, NORMAL loses nothing when the process is killed; after a power cut the
            # last commits may be missing, and their documents are merely indexed again.
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
            self._open_format()
            self._db.execute("INSERT OR IGNORE INTO namespaces (name) VALUES (?)", (namespace,))
            self.namespace: int = self._db.execute(
                "SELECT id FROM namespaces WHERE name = ?", (namespace,)
            ).fetchone()[0]
        except sqlite3.Error as error:
            raise ConfigurationError(
                f"The record manager's file {str(path)!r} cannot be used: {error}. Give another "
                "path, in a folder that exists."
            ) from error

    def _open_format(self) -> None:
        """Make the tables of a new file; refuse those of another program or version."""
        # In one transaction, so that another process sees the whole format or nothing.
        with self.transaction() as cursor:
            (version,) = cursor.execute("PRAGMA user_version").fetchone()
            (tables,) = cursor.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if not version and not tables:
                for statement in _SCHEMA.split(";"):
                    cursor.execute(statement)
                cursor.execute(f"PRAGMA user_version = {_FORMAT_VERSION}")
                version = _FORMAT_VERSION
        if version != _FORMAT_VERSION:
            self._db.close()
            raise ConfigurationError(
                f"The file {str(self._path)!r} belongs to another program, or to another version "
                f"of this package (format {version}, not {_FORMAT_VERSION}). Give another path, or "
                "delete it if it is a record manager's: what is indexed is then found out anew."
            )

    def close(self) -> None:
        """Close the file; harmless if it is closed."""
        with self._lock:
            self._db.close()

    def time(self) -> float:
        """Give seconds since the epoch: later than any answer before and any write."""
        # SQLite runs in this process, so its clock is ours; time.time() is the finer reading.
        with self._lock:
            (written,) = self._db.execute(
                "SELECT max(time) FROM writes WHERE namespace = ?", (self.namespace,)
            ).fetchone()
            latest = max(self._latest_time, written or 0.0)
            self._latest_time = max(time.time(), latest + _CLOCK_TICK_SECONDS)
            return self._latest_time

    def refuse_future(self, time_at_least: float | None) -> None:
        """Raise `ValueError` if a time that must have been is still to come."""
        if time_at_least is None or time_at_least <= self._latest_time:
            return
        if time_at_least > (now := self.time()):
            raise ValueError(
                f"time_at_least ({time_at_least}) is later than the database's time ({now})."
            )

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Cursor]:
        """Make a transaction: all of it is written, or nothing.

        Yields:
            What executes its statements.
        """
        with self._lock:
            cursor = self._db.execute("BEGIN IMMEDIATE")
            try:
                yield cursor
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def new_write(self, cursor: sqlite3.Cursor) -> int:
        """Number the write that a transaction is, greater than all before it."""
        cursor.execute(
            "INSERT INTO writes (namespace, time) VALUES (?, ?)", (self.namespace, self.time())
        )
        return int(cursor.lastrowid or 0)

    def index_contents(self) -> None:
        """See to it that records are found by their texts' hashes without reading all of them."""
        if not self._has_content_index:
            self.query(_CONTENT_INDEX, ())
            self._has_content_index = True

    def latest_write(self) -> int:
        """Give the number of the namespace's latest write; 0 before the first."""
        ((number,),) = self.query(
            "SELECT max(number) FROM writes WHERE namespace = ?", (self.namespace,)
        )
        return number or 0

    def query(self, statement: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        """Execute a statement and give its rows."""
        with self._lock:
            return self._db.execute(statement, values).fetchall()

    def select(
        self,
        columns: str,
        column: str,
        values: Sequence[object],
        condition: str = "",
        extra: Sequence[object] = (),
        limit: int | None = None,
    ) -> list[tuple[Any, ...]]:
        """Give the records of the namespace whose column has one of these values.

        Args:
            columns: What to give of each.
            column: The column.
            values: The values, each once, as many as one likes.
            condition: A further condition, beginning with `AND`.
            extra: Its values.
            limit: Most rows.

        Returns:
            The rows.
        """
        rows: list[tuple[Any, ...]] = []
        for some in portions(values):
            left = -1 if not limit else limit - len(rows)
            rows += self.query(
                f"SELECT {columns} FROM records WHERE namespace = ? "  # noqa: S608
                f"AND {column} IN ({marks(some)}){condition} LIMIT ?",
                (self.namespace, *some, *extra, left),
            )
            if limit and len(rows) >= limit:
                break
        return rows


def portions(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cut values into as many as one statement may have."""
    for start in range(0, len(values), _VARIABLES):
        yield values[start : start + _VARIABLES]


def marks(values: Sequence[object]) -> str:
    """Give a statement's placeholders for values."""
    return ",".join("?" * len(values))
