"""One SQLite file an index: what is on disk, and in which order it is written.

Vectors lie in blocks, one blob for each batch and namespace: written and read back at the speed
of memory copies. Ids, sparse vectors and metadata lie in a table of small rows beside them. A row
number is given once and never again; a row that is replaced or deleted is put into `graves`, and
its space is given back later. So a write only appends, and a commit is one fsync of the WAL.
"""

from __future__ import annotations

import bisect
import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np

from langchain_hfendpoint.local._pinecone.config import IndexConfig
from langchain_hfendpoint.local._pinecone.files import (
    APPLICATION_ID,
    FORMAT_VERSION,
    damaged,
    open_file,
    require_ours,
    sync_folder,
    told_apart,
)
from langchain_hfendpoint.local._pinecone.memory import FloatRows, Rows, Sparse

_SCHEMA: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE namespaces (key INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, schema TEXT);
CREATE TABLE blocks (
    first_row INTEGER PRIMARY KEY,
    namespace INTEGER NOT NULL,
    rows BLOB NOT NULL,
    vectors BLOB NOT NULL,
    checksum INTEGER NOT NULL
);
CREATE TABLE records (
    row INTEGER PRIMARY KEY,
    namespace INTEGER NOT NULL,
    id TEXT NOT NULL,
    sparse BLOB,
    metadata BLOB
);
CREATE TABLE graves (row INTEGER PRIMARY KEY, lsn INTEGER NOT NULL);
"""
_PAGE_BYTES: Final = 8_192


@dataclass(frozen=True, slots=True)
class StoredNamespace:
    """A namespace as it is on disk; `rows` counts dead ones too."""

    key: int
    name: str
    schema: dict[str, object] | None
    rows: int


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """Living rows of one batch as they are on disk."""

    namespace: int
    rows: Rows
    ids: list[str]
    vectors: FloatRows
    sparse: list[Sparse | None] | None


class Database:
    """The file of one index.

    Args:
        path: The file.
        read_only: Whether to leave it as it is.

    Raises:
        LocalServerError: If it is no index of this package, is damaged, or is of a newer format.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self.read_only = read_only
        require_ours(path)
        with told_apart(path):
            self.connection = self._connect()

    @classmethod
    def create(cls, path: Path, config: IndexConfig) -> Database:
        """Make a new file; it appears whole or not at all.

        Args:
            path: The file, which must not exist.
            config: What the index is.

        Returns:
            The open database.
        """
        draft = path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        connection = sqlite3.connect(draft)
        connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
        connection.execute("PRAGMA synchronous = FULL")
        connection.executescript(
            f"BEGIN; {_SCHEMA} PRAGMA application_id = {APPLICATION_ID};"
            f"PRAGMA user_version = {FORMAT_VERSION}; COMMIT;"
        )
        _write_config(connection, config)
        connection.execute("INSERT INTO meta VALUES ('lsn', '0'), ('next_row', '1')")
        connection.commit()
        connection.close()
        draft.replace(path)
        sync_folder(path.parent)
        return cls(path)

    def close(self) -> None:
        """Close the file; what was committed is in it."""
        self.connection.close()

    def remove(self) -> None:
        """Close the file and delete it."""
        self.close()
        self.path.unlink()
        for suffix in ("-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)

    def reader(self) -> sqlite3.Connection:
        """Open another connection, for reading from any thread."""
        connection = self._connect()
        connection.execute("PRAGMA query_only = ON")
        return connection

    def config(self) -> IndexConfig:
        """Read what the index is."""
        with told_apart(self.path):
            (text,) = self.connection.execute(
                "SELECT value FROM meta WHERE name = 'config'"
            ).fetchone()
        return IndexConfig(**json.loads(text))

    def counters(self) -> tuple[int, int]:
        """Read the last commit's number and the next free row."""
        with told_apart(self.path):
            values = dict(
                self.connection.execute("SELECT name, value FROM meta WHERE name != 'config'")
            )
        return int(values["lsn"]), int(values["next_row"])

    def namespaces(self) -> list[StoredNamespace]:
        """Read the namespaces."""
        with told_apart(self.path):
            found = self.connection.execute(
                "SELECT key, name, schema, coalesce(sum(length(rows)), 0) / 8"
                " FROM namespaces LEFT JOIN blocks ON namespace = key GROUP BY key"
            ).fetchall()
            return [
                StoredNamespace(key, name, None if schema is None else json.loads(schema), rows)
                for key, name, schema, rows in found
            ]

    def last_namespace(self) -> int:
        """Give the highest namespace number ever used: garbage may still carry it."""
        with told_apart(self.path):
            (key,) = self.connection.execute(
                "SELECT max(key) FROM (SELECT max(key) AS key FROM namespaces"
                " UNION ALL SELECT max(namespace) FROM blocks)"
            ).fetchone()
        return key or 0

    def blocks(self, dimension: int) -> Iterator[StoredBlock]:
        """Read all living rows, in ascending order."""
        with told_apart(self.path):
            dead = np.array(
                [row for (row,) in self.connection.execute("SELECT row FROM graves ORDER BY row")],
                dtype=np.int64,
            )
            cursor = self.connection.execute(
                "SELECT namespace, rows, vectors, checksum FROM blocks ORDER BY first_row"
            )
            for namespace, block_rows, block_vectors, checksum in cursor:
                if _checksum(block_rows, block_vectors) != checksum:
                    raise damaged(self.path, "vectors are damaged")
                numbers = np.frombuffer(block_rows, dtype=np.int64)
                vectors = np.frombuffer(block_vectors, dtype=np.float32)
                vectors = vectors.reshape(len(numbers), dimension)
                some = slice(*np.searchsorted(dead, (numbers[0], numbers[-1] + 1)))
                living = np.isin(numbers, dead[some], assume_unique=True, invert=True)
                if not living.all():
                    numbers, vectors = numbers[living], vectors[living]
                if not len(numbers):
                    continue
                ids, sparse = self._records(numbers)
                yield StoredBlock(namespace, numbers, ids, vectors, sparse)

    def _records(self, rows: Rows) -> tuple[list[str], list[Sparse | None] | None]:
        """Read ids and sparse vectors of a block's rows; those of its dead rows lie among them."""
        found = self.connection.execute(
            "SELECT row, id, sparse FROM records WHERE row BETWEEN ? AND ? ORDER BY row",
            (int(rows[0]), int(rows[-1])),
        ).fetchall()
        if len(found) != len(rows):
            wanted = set(rows.tolist())
            found = [record for record in found if record[0] in wanted]
        numbers, ids, blobs = zip(*found, strict=True)
        if not np.array_equal(numbers, rows):
            raise damaged(self.path, "records are missing")
        if not any(blobs):
            return list(ids), None
        return list(ids), [None if blob is None else Sparse.unpack(blob) for blob in blobs]

    def _connect(self) -> sqlite3.Connection:
        connection = open_file(self.path, read_only=self.read_only)
        if self.read_only:
            connection.execute("BEGIN")  # every read sees the moment of the first one
        else:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA wal_autocheckpoint = 4000")
        return connection

    # What the writer's thread does inside its transaction.

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what is written inside, or nothing of it."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise

    def garbage(self) -> int:
        """Count the rows whose space can be given back; some number if there are any."""
        with told_apart(self.path):
            (count,) = self.connection.execute(
                "SELECT (SELECT count(*) FROM graves WHERE lsn > 0) + EXISTS (SELECT 1 FROM blocks"
                " WHERE namespace NOT IN (SELECT key FROM namespaces))"
            ).fetchone()
        return int(count)

    def purge_rows(self, horizon: int) -> None:
        """Give back the space of rows that are dead.

        A block is rewritten when half of its rows are dead; until then their graves remain, with
        commit 0, which says that nothing else is left of the row.

        Args:
            horizon: No reader will ever ask for a moment before this commit.
        """
        execute = self.connection.execute
        execute(
            "DELETE FROM records WHERE row IN (SELECT row FROM graves WHERE lsn BETWEEN 1 AND ?)",
            (horizon,),
        )
        execute("UPDATE graves SET lsn = 0 WHERE lsn BETWEEN 1 AND ?", (horizon,))
        due = [row for (row,) in execute("SELECT row FROM graves WHERE lsn = 0 ORDER BY row")]
        start = 0
        while start < len(due):
            found = execute(
                "SELECT first_row, rows FROM blocks WHERE first_row <= ? ORDER BY first_row DESC",
                (due[start],),
            ).fetchone()
            first, rows = found or (0, b"")
            numbers = np.frombuffer(rows, dtype=np.int64)
            end = bisect.bisect_right(due, int(numbers.max(initial=0)))
            if end > start:
                self._shrink(first, numbers, np.array(due[start:end], dtype=np.int64))
                start = end
            else:  # its block went with its namespace
                execute("DELETE FROM graves WHERE row = ?", (due[start],))
                start += 1

    def purge_namespaces(self) -> None:
        """Give back the space of namespaces that are gone."""
        for table in ("records", "blocks"):
            self.connection.execute(
                f"DELETE FROM {table} WHERE namespace NOT IN (SELECT key FROM namespaces)"  # noqa: S608
            )

    def _shrink(self, first_row: int, rows: Rows, dead: Rows) -> None:
        living = np.isin(rows, dead, assume_unique=True, invert=True)
        left = int(np.count_nonzero(living))
        if left * 2 > len(rows):
            return
        execute = self.connection.execute
        if left:
            (blob,) = execute(
                "SELECT vectors FROM blocks WHERE first_row = ?", (first_row,)
            ).fetchone()
            vectors = np.frombuffer(blob, dtype=np.float32).reshape(len(rows), -1)
            rows, vectors = rows[living], vectors[living]
            execute(
                "UPDATE blocks SET rows = ?, vectors = ?, checksum = ? WHERE first_row = ?",
                (rows.data, vectors.data, _checksum(rows.data, vectors.data), first_row),
            )
        else:
            execute("DELETE FROM blocks WHERE first_row = ?", (first_row,))
        self.connection.executemany(
            "DELETE FROM graves WHERE row = ?", ((row,) for row in dead.tolist())
        )

    def save_config(self, config: IndexConfig) -> None:
        """Write what the index is."""
        _write_config(self.connection, config)

    def save_counters(self, *, lsn: int, next_row: int) -> None:
        """Write the last commit's number and the next free row."""
        self.connection.executemany(
            "UPDATE meta SET value = ? WHERE name = ?",
            [(str(lsn), "lsn"), (str(next_row), "next_row")],
        )

    def add_namespace(self, key: int, name: str, schema: dict[str, object] | None) -> None:
        """Write a new namespace."""
        self.connection.execute(
            "INSERT INTO namespaces VALUES (?, ?, ?)",
            (key, name, None if schema is None else json.dumps(schema)),
        )

    def drop_namespace(self, key: int) -> None:
        """Take a namespace away; its records become garbage."""
        self.connection.execute("DELETE FROM namespaces WHERE key = ?", (key,))

    def add_block(
        self,
        namespace: int,
        rows: Rows,
        ids: Sequence[str],
        vectors: FloatRows,
        sparse: Sequence[Sparse | None] | None,
        metadata: Sequence[bytes | None],
    ) -> None:
        """Write new rows."""
        numbers = rows.tolist()
        blob = np.ascontiguousarray(vectors).data
        self.connection.execute(
            "INSERT INTO blocks VALUES (?, ?, ?, ?, ?)",
            (numbers[0], namespace, rows.data, blob, _checksum(rows.data, blob)),
        )
        packed: Iterable[bytes | None] = (
            (None for _ in numbers)
            if sparse is None
            else (None if value is None else value.pack() for value in sparse)
        )
        self.connection.executemany(
            "INSERT INTO records VALUES (?, ?, ?, ?, ?)",
            (
                (number, namespace, id_, terms, encoded)
                for number, id_, terms, encoded in zip(numbers, ids, packed, metadata, strict=True)
            ),
        )

    def bury(self, rows: Iterable[int], *, lsn: int) -> None:
        """Note that rows died."""
        self.connection.executemany("INSERT INTO graves VALUES (?, ?)", ((r, lsn) for r in rows))


def read_metadata(connection: sqlite3.Connection, rows: Iterable[int]) -> dict[int, bytes]:
    """Read the metadata of rows, as they were encoded.

    Args:
        connection: A connection from `Database.reader`.
        rows: Row numbers.

    Returns:
        Encoded metadata by row; rows without metadata are absent.
    """
    # However many rows: one statement with one parameter. A statement a row takes twice to six
    # times as long.
    return dict(
        connection.execute(
            "SELECT row, metadata FROM records"
            " WHERE row IN (SELECT value FROM json_each(?)) AND metadata NOTNULL",
            (json.dumps(list(rows)),),
        )
    )


def _checksum(rows: bytes | memoryview, vectors: bytes | memoryview) -> int:
    return zlib.crc32(vectors, zlib.crc32(rows))


def _write_config(connection: sqlite3.Connection, config: IndexConfig) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO meta VALUES ('config', ?)", (json.dumps(asdict(config)),)
    )
