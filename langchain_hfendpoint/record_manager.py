"""A record manager in one SQLite file: what is indexed survives the process, without a server.

langchain-core's `InMemoryRecordManager` forgets; langchain-classic's `SQLRecordManager` needs
SQLAlchemy and records an order of magnitude slower (docs/decisions.md). This one also remembers
the hash of each document's text, so that a vector is found again when only metadata have changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import repeat
from pathlib import Path

from langchain_core.indexing import RecordManager
from typing_extensions import override

from langchain_hfendpoint._record_file import RecordFile, marks, portions

_NO_WRITE = 2**62


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
        self._file = RecordFile(namespace, path)

    def close(self) -> None:
        """Close the file; harmless if it is closed."""
        self._file.close()

    @override
    def create_schema(self) -> None:
        """Do nothing: the schema is there since the file was opened."""

    @override
    def get_time(self) -> float:
        """Give the database's clock, in seconds since the epoch; it never goes back.

        Neither within this object nor behind what is recorded, so that a clock that was set back
        deletes nothing.
        """
        return self._file.time()

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
        self._file.refuse_future(time_at_least)
        with self._file.transaction() as cursor:
            # Numbers in the statement, because binding them costs some for each row; and sqlite3
            # looks for an adapter for each bytes, but not for a bytearray.
            values = f"{self._file.namespace}, ?, ?, ?, {self._file.new_write(cursor)}"
            cursor.executemany(
                "INSERT INTO records (namespace, key, group_id, content, write) "  # noqa: S608
                f"VALUES ({values}) ON CONFLICT (namespace, key) DO UPDATE SET "
                "group_id = excluded.group_id, content = coalesce(excluded.content, content), "
                "write = excluded.write",
                zip(  # noqa: B905 (repeat() has no end)
                    keys,
                    group_ids if group_ids is not None else repeat(None),
                    map(bytearray, contents) if contents is not None else repeat(None),
                ),
            )

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
        self._file.refuse_future(time_at_least)
        if not any(self.exists(keys)):
            return [False] * len(keys)
        groups = dict(zip(keys, group_ids, strict=True))
        with self._file.transaction() as cursor:
            known = self._file.select("id, key, group_id", "key", keys)
            write = self._file.new_write(cursor)
            same = [number for number, key, group in known if group == groups[key]]
            for some in portions(same):
                cursor.execute(
                    f"UPDATE records SET write = ? WHERE id IN ({marks(some)})",  # noqa: S608
                    (write, *some),
                )
            cursor.executemany(
                "UPDATE records SET group_id = ?, write = ? WHERE id = ?",
                (
                    (groups[key], write, number)
                    for number, key, group in known
                    if group != groups[key]
                ),
            )
        found = {key for _, key, _ in known}
        return [key in found for key in keys]

    @override
    def exists(self, keys: Sequence[str]) -> list[bool]:
        """Tell which keys are recorded.

        Args:
            keys: The keys.

        Returns:
            One answer a key.
        """
        known = {key for (key,) in self._file.select("key", "key", keys)}
        return [key in known for key in keys]

    def keys_by_content(self, contents: Sequence[bytes]) -> dict[bytes, str]:
        """Find documents that have the same text.

        Args:
            contents: Hashes of texts.

        Returns:
            For each hash that is known: the key of one document with that text.
        """
        self._file.index_contents()
        return dict(self._file.select("content, key", "content", contents))

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
        # Times grow with the numbers of the writes, so the first write beyond a time is the limit.
        if before:
            condition += f" AND write < coalesce({_first_write('>=')}, {_NO_WRITE})"
            values += [self._file.namespace, before]
        if after:
            condition += f" AND write >= {_first_write('>')}"
            values += [self._file.namespace, after]
        if group_ids:
            # A source may be named once a document; a key is to be listed once.
            unique = list(dict.fromkeys(group_ids))
            rows = self._file.select("key", "group_id", unique, condition, values, limit)
        else:
            rows = self._file.query(
                f"SELECT key FROM records WHERE namespace = ?{condition} LIMIT ?",  # noqa: S608
                (self._file.namespace, *values, limit or -1),
            )
        return [key for (key,) in rows]

    @override
    def delete_keys(self, keys: Sequence[str]) -> None:
        """Forget documents.

        Args:
            keys: Their keys; unknown ones are ignored.
        """
        with self._file.transaction() as cursor:
            self._file.new_write(cursor)
            cursor.executemany(
                "DELETE FROM records WHERE namespace = ? AND key = ?",
                ((self._file.namespace, key) for key in keys),
            )

    def repeat_run(self, signature: str) -> int | None:
        """Record all documents of a run as indexed now, if nobody has written since.

        Args:
            signature: What the run was over and how it was made, as it was remembered.

        Returns:
            How many documents its source gave; `None` if the source must be read.
        """
        with self._file.transaction() as cursor:
            found = cursor.execute(
                "SELECT documents, after_write FROM runs "
                "WHERE namespace = ? AND signature = ? AND last_write = ?",
                (self._file.namespace, signature, self._file.latest_write()),
            ).fetchone()
            if found is None:
                return None
            documents, after_write = found
            write = self._file.new_write(cursor)
            cursor.execute(
                "UPDATE writes SET time = (SELECT time FROM writes WHERE number = ?) "
                "WHERE namespace = ? AND number > ?",
                (write, self._file.namespace, after_write),
            )
            cursor.execute(
                "UPDATE runs SET last_write = ? WHERE namespace = ?", (write, self._file.namespace)
            )
        return int(documents)

    def begin_run(self) -> int:
        """Give the number of the latest write to the namespace, by whomever."""
        return self._file.latest_write()

    def finish_run(
        self, signature: str | None, *, documents: int, after_write: int, writes: int
    ) -> None:
        """Remember a run that has recorded every document of its source.

        Not if somebody else has written during the run, since then it is not known which
        documents are whose.

        Args:
            signature: What the run was over and how it was made; `None` if that is not known.
            documents: How many documents the source gave.
            after_write: What `begin_run` gave.
            writes: How many times the run has called `update`, `delete_keys`, and `refresh` where
                that found something.
        """
        namespace = self._file.namespace
        with self._file.transaction() as cursor:
            (made,) = cursor.execute(
                "SELECT count(*) FROM writes WHERE namespace = ? AND number > ?",
                (namespace, after_write),
            ).fetchone()
            last_write = self._file.latest_write()
            if signature is not None and made == writes:
                cursor.execute(
                    "INSERT OR REPLACE INTO runs "
                    "(namespace, signature, documents, after_write, last_write) "
                    "VALUES (?, ?, ?, ?, ?)",
                    (namespace, signature, documents, after_write, last_write),
                )
            # What no record refers to any more would otherwise pile up from run to run. Of earlier
            # runs only: a first run need not read through all that it has just written.
            cursor.execute(
                "DELETE FROM writes WHERE namespace = ? AND number <= ? AND number < ? "
                "AND number NOT IN (SELECT write FROM records WHERE namespace = ?)",
                (namespace, after_write, last_write, namespace),
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


def _first_write(comparison: str) -> str:
    """Give the expression for the first write at or after a time; NULL if there is none."""
    return (
        f"(SELECT number FROM writes WHERE namespace = ? AND time {comparison} ? "  # noqa: S608
        "ORDER BY time, number LIMIT 1)"
    )
