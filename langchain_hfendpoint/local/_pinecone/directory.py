"""A folder of indexes, locked against a second server."""

from __future__ import annotations

import secrets
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import IO, Final

from typing_extensions import Self

from langchain_hfendpoint.errors import LocalServerError
from langchain_hfendpoint.local._pinecone.config import IndexConfig
from langchain_hfendpoint.local._pinecone.database import Database
from langchain_hfendpoint.local._pinecone.index import Index
from langchain_hfendpoint.local._pinecone.wire import WireError, not_found

_LOCK_NAME: Final = "lock"


class Directory:
    """The indexes of one server.

    Args:
        path: The folder; made if it is missing.
        consistency_delay: Seconds until a commit can be read.
        read_only: Whether to change nothing; then any number of servers may read at once.

    Raises:
        LocalServerError: If another server has the folder, or a file in it cannot be used.
    """

    def __init__(
        self, path: Path, *, consistency_delay: float = 0.0, read_only: bool = False
    ) -> None:
        self._path = path
        self._delay = consistency_delay
        self._mutex = threading.Lock()
        if read_only and not path.is_dir():
            raise LocalServerError(f"{path} is no folder, so there is nothing to read in it.")
        self._lock = None if read_only else _lock(path)
        self._indexes: dict[str, Index] = {}
        self.read_only = read_only
        try:
            if not read_only:
                _sweep(path)
            for file in sorted(path.glob("*.sqlite3")):
                self._add(Database(file, read_only=read_only))
        except BaseException:
            self.close()
            raise

    def names(self) -> list[str]:
        """List the names of the indexes, sorted."""
        with self._mutex:
            return sorted(self._indexes)

    def get(self, name: str) -> Index:
        """Find an index.

        Raises:
            WireError: 404, if there is none of this name.
        """
        with self._mutex:
            index = self._indexes.get(name)
        if index is None:
            raise not_found(f"Resource {name} not found")
        return index

    def create(self, config: IndexConfig) -> Index:
        """Make an index.

        Raises:
            WireError: 409, if the name is taken.
        """
        with self._mutex:
            if config.name in self._indexes:
                raise WireError(409, "ALREADY_EXISTS", "Resource already exists")
            file = self._path / f"{config.name}-{secrets.token_hex(4)}.sqlite3"
            return self._add(Database.create(file, config))

    def delete(self, name: str) -> None:
        """Delete an index with all its records.

        Raises:
            WireError: If there is none of this name, or it is protected.
        """
        with self._mutex:
            index = self._indexes.get(name)
            if index is None:
                raise not_found(f"Resource {name} not found")
            if index.config.deletion_protected:
                raise WireError(
                    403,
                    "FORBIDDEN",
                    "Deletion protection is enabled for this index. "
                    "Disable deletion protection before retrying.",
                )
            del self._indexes[name]
        index.close()
        index.database.remove()

    def close(self) -> None:
        """Commit what is queued, close all files, and let other servers in."""
        for index in self._indexes.values():
            index.close()
        self._indexes.clear()
        if self._lock is not None:
            self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _add(self, database: Database) -> Index:
        index = Index(database, consistency_delay=self._delay)
        if index.config.name in self._indexes:
            index.close()
            raise LocalServerError(
                f"{database.path} holds a second index named {index.config.name!r}. "
                "Move one of the two files away."
            )
        self._indexes[index.config.name] = index
        return index


def _lock(path: Path) -> IO[bytes]:
    """Take the folder's lock, which the operating system gives back when the process ends."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        file = (path / _LOCK_NAME).open("ab")
    except OSError as error:
        raise LocalServerError(
            f"Cannot keep data in {path}: {error.strerror}. Choose another --dir."
        ) from error
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise LocalServerError(
            f"Another local Pinecone is using {path}. Stop it, choose another --dir, or read along "
            "with --read-only."
        ) from error
    return file


def _sweep(path: Path) -> None:
    """Remove what is left of indexes that were being made or deleted when a server was killed."""
    for draft in path.glob("*.new"):
        draft.unlink()
    for beside in (*path.glob("*.sqlite3-wal"), *path.glob("*.sqlite3-shm")):
        if not beside.with_name(beside.name[:-4]).exists():
            beside.unlink()
