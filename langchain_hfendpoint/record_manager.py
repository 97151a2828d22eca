"""A record manager in one SQLite file: what is indexed survives the process, without a server.

langchain-core's `InMemoryRecordManager` forgets; langchain-classic's `SQLRecordManager` needs
SQLAlchemy and is several times slower (docs/decisions.md has the figures). This one also remembers
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
from typing import Any

from langchain_core.indexing import RecordManager
from typing_extensions import override

from langchain_hfendpoint.errors import ConfigurationError

_BUSY_SECONDS = 60.0
_VARIABLES = 500
_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    namespace TEXT NOT NULL,
    key TEXT NOT NULL,
    group_id TEXT,
    updated_at REAL NOT NULL,
    content BLOB,
    PRIMARY KEY (namespace, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS records_by_group ON records (namespace, group_id)
    WHERE group_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS records_by_content ON records (namespace, content)
    WHERE content IS NOT NULL;
"""
# A record that is written again without its content keeps what is known of it.
_UPSERT = """
INSERT INTO records (namespace, key, group_id, updated_at, content) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (namespace, key) DO UPDATE SET
    group_id = excluded.group_id,
    updated_at = excluded.updated_at,
    content = coalesce(excluded.content, content)
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
            self._db.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise ConfigurationError(
                f"The record manager's file {str(path)!r} cannot be used: {error}. Give another "
                "path, in a folder that exists."
            ) from error

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
                    "SELECT max(updated_at) FROM records WHERE namespace = ?", (self.namespace,)
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
            now = self.get_time()
            if time_at_least is not None and time_at_least > now:
                raise ValueError(
                    f"time_at_least ({time_at_least}) is later than the database's time ({now})."
                )
            self._db.executemany(
                _UPSERT,
                (
                    (
                        self.namespace,
                        key,
                        group_ids[position] if group_ids is not None else None,
                        now,
                        contents[position] if contents is not None else None,
                    )
                    for position, key in enumerate(keys)
                ),
            )

    @override
    def exists(self, keys: Sequence[str]) -> list[bool]:
        """Tell which keys are recorded.

        Args:
            keys: The keys.

        Returns:
            One answer a key.
        """
        known = {key for (key,) in self._select("SELECT key FROM records", "key", keys)}
        return [key in known for key in keys]

    def keys_by_content(self, contents: Sequence[bytes]) -> dict[bytes, str]:
        """Find documents that have the same text.

        Args:
            contents: Hashes of texts.

        Returns:
            For each hash that is known: the key of one document with that text.
        """
        rows = self._select("SELECT content, key FROM records", "content", contents)
        return {bytes(content): key for content, key in rows}

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
        query = "SELECT key FROM records"
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
            rows = self._select(query, "group_id", unique, condition, values)
        else:
            with self._lock:
                rows = self._db.execute(
                    f"{query} WHERE namespace = ?{condition} LIMIT ?",
                    (self.namespace, *values, limit or -1),
                ).fetchall()
        keys = [key for (key,) in rows]
        return keys[:limit] if limit else keys

    @override
    def delete_keys(self, keys: Sequence[str]) -> None:
        """Forget documents.

        Args:
            keys: Their keys; unknown ones are ignored.
        """
        with self._transaction():
            self._db.executemany(
                "DELETE FROM records WHERE namespace = ? AND key = ?",
                ((self.namespace, key) for key in keys),
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

    def _select(
        self,
        query: str,
        column: str,
        values: Sequence[object],
        condition: str = "",
        extra: Sequence[object] = (),
    ) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = []
        with self._lock:
            for start in range(0, len(values), _VARIABLES):
                some = values[start : start + _VARIABLES]
                marks = ",".join("?" * len(some))
                rows += self._db.execute(
                    f"{query} WHERE namespace = ? AND {column} IN ({marks}){condition}",
                    (self.namespace, *some, *extra),
                ).fetchall()
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
