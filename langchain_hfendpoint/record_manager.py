"""A record manager in one SQLite file: what is indexed survives the process, without a server.

langchain-core's `InMemoryRecordManager` forgets; langchain-classic's `SQLRecordManager` needs
SQLAlchemy and records an order of magnitude slower (docs/decisions.md). This one also remembers
the hash of each document's text, so that a vector is found again when only metadata have changed.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from langchain_core.indexing import RecordManager
from typing_extensions import override

from langchain_hfendpoint.errors import ConfigurationError

T = TypeVar("T")

_BUSY_SECONDS = 60.0
_VARIABLES = 500
# Every checkpoint waits for the disk; 32 MB between two is little to read again after a kill.
_CHECKPOINT_PAGES = 8_000
_FORMAT_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS namespaces (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS records (
    id INTEGER PRIMARY KEY,
    namespace INTEGER NOT NULL REFERENCES namespaces (id),
    key TEXT NOT NULL,
    group_id TEXT,
    content BLOB,
    updated_at REAL NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS records_by_key ON records (namespace, key);
CREATE INDEX IF NOT EXISTS records_by_group ON records (namespace, group_id)
    WHERE group_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS records_by_content ON records (namespace, content)
    WHERE content IS NOT NULL;
"""


class SQLiteRecordManager(RecordManager):
    """Remember in a SQLite file which documents are indexed.

    May be used by several threads and processes at once. The schema is created when the file is
    opened, so that `create_schema()` need not be called.

    Args:
        namespace: What the records belong to, such as `"pinecone/my-index"`; one file holds many.
        path: The file; its folder must exist. `":memory:"` forgets at the end.

    Raises:
        ConfigurationError: If the file cannot be opened, or is no record manager's.

    Example:
        ```python
        from langchain_hfendpoint import SQLiteRecordManager

        record_manager = SQLiteRecordManager("pinecone/hypotheses", "records.sqlite")
        record_manager.update(["a"], group_ids=["snli"])
        assert record_manager.exists(["a", "b"]) == [True, False]
        ```
    """

    def __init__(self, namespace: str, path: str | Path) -> None:
        super().__init__(namespace)
        self.path = path
        self._lock = threading.RLock()
        self._last_time = 0.0
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
            self._namespace_id: int = self._db.execute(
                "SELECT id FROM namespaces WHERE name = ?", (namespace,)
            ).fetchone()[0]
        except sqlite3.Error as error:
            raise ConfigurationError(
                f"The record manager's file {str(path)!r} cannot be used: {error}. Give another "
                "path, in a folder that exists."
            ) from error

    def _open_format(self) -> None:
        """Make the tables of a new file; refuse those of another program or version."""
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        (tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if version == _FORMAT_VERSION:
            return
        if tables:
            self._db.close()
            raise ConfigurationError(
                f"The file {str(self.path)!r} belongs to another program, or to another version of "
                f"this package (format {version}, not {_FORMAT_VERSION}). Give another path: what "
                "is indexed already is then found out anew."
            )
        # In one transaction, so that another process sees the whole format or nothing.
        self._db.executescript(
            f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {_FORMAT_VERSION}; COMMIT;"
        )

    def close(self) -> None:
        """Close the file; harmless if it is closed."""
        with self._lock:
            self._db.close()

    @override
    def create_schema(self) -> None:
        """Do nothing: the schema is there since the file was opened."""

    @override
    def get_time(self) -> float:
        """Give the database's clock, in seconds since the epoch; it never goes back.

        Neither within this object nor behind what is recorded, so that a clock that was set back
        deletes nothing.
        """
        with self._lock:
            if not self._last_time:
                row = self._db.execute(
                    "SELECT max(updated_at) FROM records WHERE namespace = ?",
                    (self._namespace_id,),
                ).fetchone()
                self._last_time = row[0] or 0.0
            # SQLite runs in this process, so its clock is ours; time.time() is the finer reading.
            self._last_time = max(time.time(), self._last_time + 1e-6)
            return self._last_time

    @override
    def update(
        self,
        keys: Sequence[str],
        *,
        group_ids: Sequence[str | None] | None = None,
        time_at_least: float | None = None,
        contents: Sequence[bytes] | None = None,
    ) -> None:
        """Record documents as indexed now.

        Args:
            keys: The documents' keys.
            group_ids: Their sources, one a key.
            time_at_least: A time that must not lie in the future.
            contents: Hashes of their texts, one a key; a key that had one keeps it without.

        Raises:
            ValueError: If the lengths differ, or `time_at_least` lies in the future.
        """
        for given in (group_ids, contents):
            if given is not None and len(given) != len(keys):
                raise ValueError("Give one group id (and one content hash) for each key.")
        with self._transaction():
            now = self._time_after(time_at_least)
            self._write(keys, group_ids or [None] * len(keys), contents, now)

    def refresh(
        self, keys: Sequence[str], *, group_ids: Sequence[str | None], time_at_least: float
    ) -> list[bool]:
        """Tell which keys are recorded, and record those as indexed now.

        What `exists` and then `update` of the known ones do, at half their cost: it is most of
        what a run costs that finds nothing new.

        Args:
            keys: The keys, each once.
            group_ids: Their sources, one a key.
            time_at_least: A time that must not lie in the future.

        Returns:
            One answer a key.

        Raises:
            ValueError: If `time_at_least` lies in the future.
        """
        groups = dict(zip(keys, group_ids, strict=True))
        with self._transaction():
            known = self._known(keys)
            now = self._time_after(time_at_least)
            same, moved = [], []
            for key, (number, group, _) in known.items():
                if group == groups[key]:
                    same.append(number)
                else:
                    moved.append((groups[key], now, number))
            self._touch(same, now)
            self._db.executemany(
                "UPDATE records SET group_id = ?, updated_at = ? WHERE id = ?", moved
            )
        return [key in known for key in keys]

    @override
    def exists(self, keys: Sequence[str]) -> list[bool]:
        """Tell which keys are recorded.

        Args:
            keys: The keys.

        Returns:
            One answer a key.
        """
        known = {key for (key,) in self._select("key", "key", keys)}
        return [key in known for key in keys]

    def keys_by_content(self, contents: Sequence[bytes]) -> dict[bytes, str]:
        """Find documents that have the same text.

        Args:
            contents: Hashes of texts.

        Returns:
            For each hash that is known: the key of one document with that text.
        """
        return dict(self._select("content, key", "content", contents))

    @override
    def list_keys(
        self,
        *,
        before: float | None = None,
        after: float | None = None,
        group_ids: Sequence[str] | None = None,
        limit: int | None = None,
    ) -> list[str]:
        """List keys that meet all conditions given.

        Args:
            before: Recorded before this time.
            after: Recorded after this time.
            group_ids: Of one of these sources.
            limit: Most keys to list.

        Returns:
            The keys.
        """
        condition, values = "", []
        if before:
            condition += " AND updated_at < ?"
            values.append(before)
        if after:
            condition += " AND updated_at > ?"
            values.append(after)
        if group_ids:
            # A source may be named once a document; a key is to be listed once.
            unique = list(dict.fromkeys(group_ids))
            rows = self._select("key", "group_id", unique, condition, values, limit)
        else:
            with self._lock:
                rows = self._db.execute(
                    f"SELECT key FROM records WHERE namespace = ?{condition} LIMIT ?",  # noqa: S608
                    (self._namespace_id, *values, limit or -1),
                ).fetchall()
        return [key for (key,) in rows]

    @override
    def delete_keys(self, keys: Sequence[str]) -> None:
        """Forget documents.

        Args:
            keys: Their keys; unknown ones are ignored.
        """
        with self._transaction():
            self._db.executemany(
                "DELETE FROM records WHERE namespace = ? AND key = ?",
                ((self._namespace_id, key) for key in keys),
            )

    @override
    async def acreate_schema(self) -> None:
        """Do nothing: the schema is there since the file was opened."""

    @override
    async def aget_time(self) -> float:
        """Give the database's clock, in seconds since the epoch; it never goes back."""
        return await asyncio.to_thread(self.get_time)

    @override
    async def aupdate(
        self,
        keys: Sequence[str],
        *,
        group_ids: Sequence[str | None] | None = None,
        time_at_least: float | None = None,
        contents: Sequence[bytes] | None = None,
    ) -> None:
        """Record documents as indexed now; see `update`."""
        await asyncio.to_thread(
            self.update,
            keys,
            group_ids=group_ids,
            time_at_least=time_at_least,
            contents=contents,
        )

    @override
    async def aexists(self, keys: Sequence[str]) -> list[bool]:
        """Tell which keys are recorded; see `exists`."""
        return await asyncio.to_thread(self.exists, keys)

    async def arefresh(
        self, keys: Sequence[str], *, group_ids: Sequence[str | None], time_at_least: float
    ) -> list[bool]:
        """Tell which keys are recorded, and record those as indexed now; see `refresh`."""
        return await asyncio.to_thread(
            self.refresh, keys, group_ids=group_ids, time_at_least=time_at_least
        )

    async def akeys_by_content(self, contents: Sequence[bytes]) -> dict[bytes, str]:
        """Find documents that have the same text; see `keys_by_content`."""
        return await asyncio.to_thread(self.keys_by_content, contents)

    @override
    async def alist_keys(
        self,
        *,
        before: float | None = None,
        after: float | None = None,
        group_ids: Sequence[str] | None = None,
        limit: int | None = None,
    ) -> list[str]:
        """List keys that meet all conditions given; see `list_keys`."""
        return await asyncio.to_thread(
            self.list_keys, before=before, after=after, group_ids=group_ids, limit=limit
        )

    @override
    async def adelete_keys(self, keys: Sequence[str]) -> None:
        """Forget documents; see `delete_keys`."""
        await asyncio.to_thread(self.delete_keys, keys)

    def _write(
        self,
        keys: Sequence[str],
        groups: Sequence[str | None],
        contents: Sequence[bytes] | None,
        now: float,
    ) -> None:
        """Insert, change or merely refresh each key; refreshing leaves all indexes alone."""
        known = self._known(keys)
        fresh, changed, same = {}, {}, []
        for position, key in enumerate(keys):
            group = groups[position]
            content = contents[position] if contents is not None else None
            if key not in known:
                fresh[key] = (self._namespace_id, key, group, content, now)
                continue
            number, old_group, old_content = known[key]
            if group == old_group and content in (None, old_content):
                same.append(number)
            else:
                changed[key] = (group, content, now, number)
        self._touch(same, now)
        self._db.executemany(
            "UPDATE records SET group_id = ?, content = coalesce(?, content), updated_at = ? "
            "WHERE id = ?",
            changed.values(),
        )
        self._db.executemany(
            "INSERT INTO records (namespace, key, group_id, content, updated_at) "
            "VALUES (?, ?, ?, ?, ?)",
            fresh.values(),
        )

    def _known(self, keys: Sequence[str]) -> dict[str, tuple[int, str | None, bytes | None]]:
        rows = self._select("id, key, group_id, content", "key", keys)
        return {key: (number, group, content) for number, key, group, content in rows}

    def _touch(self, numbers: Sequence[int], now: float) -> None:
        for some in _portions(numbers):
            self._db.execute(
                f"UPDATE records SET updated_at = ? WHERE id IN ({_marks(some)})",  # noqa: S608
                (now, *some),
            )

    def _time_after(self, time_at_least: float | None) -> float:
        now = self.get_time()
        if time_at_least is not None and time_at_least > now:
            raise ValueError(
                f"time_at_least ({time_at_least}) is later than the database's time ({now})."
            )
        return now

    def _select(
        self,
        columns: str,
        column: str,
        values: Sequence[object],
        condition: str = "",
        extra: Sequence[object] = (),
        limit: int | None = None,
    ) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = []
        with self._lock:
            for some in _portions(values):
                left = -1 if not limit else limit - len(rows)
                rows += self._db.execute(
                    f"SELECT {columns} FROM records WHERE namespace = ? "  # noqa: S608
                    f"AND {column} IN ({_marks(some)}){condition} LIMIT ?",
                    (self._namespace_id, *some, *extra, left),
                ).fetchall()
                if limit and len(rows) >= limit:
                    break
        return rows

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")


def _portions(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), _VARIABLES):
        yield values[start : start + _VARIABLES]


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))
