"""Telling our files from others, and damage from health, before anything is done to them."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from langchain_hfendpoint.errors import LocalServerError

APPLICATION_ID: Final = 0x68666C70
"""What SQLite keeps in the header of our files."""

FORMAT_VERSION: Final = 1


def open_file(path: Path, *, read_only: bool) -> sqlite3.Connection:
    """Open a file that exists.

    Args:
        path: The file.
        read_only: Whether to leave it as it is.

    Returns:
        A connection for any thread, without transactions of its own.
    """
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rw'}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
    )


def require_ours(path: Path) -> None:
    """Refuse a file that is none of ours, before anything is done to it.

    Args:
        path: The file.

    Raises:
        LocalServerError: If it is no index of this package, is damaged, or is of a newer format.
    """
    with told_apart(path):
        connection = open_file(path, read_only=True)
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        connection.close()
    if application != APPLICATION_ID:
        raise LocalServerError(
            f"{path} is an SQLite file of some other program, not an index of the local "
            "Pinecone. Give it another place, or choose another directory."
        )
    if version > FORMAT_VERSION:
        raise LocalServerError(
            f"{path} has format {version}, and this version of langchain-hfendpoint reads up "
            f"to {FORMAT_VERSION}. Upgrade the package."
        )


def sync_folder(path: Path) -> None:
    """Make a rename durable; Windows has no such call, and needs none."""
    if os.name == "posix":
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def damaged(path: Path, why: object) -> LocalServerError:
    """Make the error that names a damaged file."""
    return LocalServerError(
        f"{path} cannot be read: {why}. The file is damaged or not an index of the local "
        "Pinecone; move it away, or restore a dump into a new directory."
    )


@contextmanager
def told_apart(path: Path) -> Iterator[None]:
    """Turn SQLite's complaints about a file into one sentence that names it."""
    try:
        yield
    except (sqlite3.Error, ValueError, TypeError, KeyError, IndexError) as error:
        raise damaged(path, error) from error
