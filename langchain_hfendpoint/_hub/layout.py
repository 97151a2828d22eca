"""Names of the files of an embedded data set, and how they are written: whole or not at all.

README.md                        the card, whose `configs` tell `load_dataset` where the data are
embedding.json                   the manifest; written last, so where it is, all is there
data/{split}-{start}.parquet     rows of a split, named by the position of the first one
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from langchain_hfendpoint.errors import EmbeddedDatasetError

MANIFEST = "embedding.json"
CARD = "README.md"
DATA = "data"
DEFAULT_SPLIT = "train"

_LOCK = ".lock"
_PARTIAL = ".partial"
_POSITION_DIGITS = 10


def split_name(name: object) -> str:
    """Give a split the name that `datasets` allows it: letters, digits and `_`.

    Args:
        name: What the source calls it; `train` stands in for what is no text, or empty.

    Returns:
        The name, without what follows a slice's bracket (`train[:10%]` is `train`).
    """
    if not isinstance(name, str):
        return DEFAULT_SPLIT
    return re.sub(r"\W+", "_", name.split("[", 1)[0], flags=re.ASCII).strip("_") or DEFAULT_SPLIT


def shard_path(split: str, start: int) -> str:
    """Name a shard relative to the folder, so that names sort by position."""
    return f"{DATA}/{split}-{start:0{_POSITION_DIGITS}d}.parquet"


def shard_files(folder: Path) -> list[Path]:
    """List the Parquet files of a folder's data, sorted by name."""
    return sorted(path for path in (folder / DATA).glob("*.parquet") if path.name[0] != ".")


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file so that it is whole or absent, whenever the machine stops.

    Args:
        path: The file.
        write: Writes to the path it is given.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}{_PARTIAL}")
    write(partial)
    with partial.open("rb") as written:
        os.fsync(written.fileno())
    partial.replace(path)
    if os.name != "nt":  # Windows cannot open a folder
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def exclusive_use(folder: Path) -> Iterator[None]:
    """Keep a folder to oneself, and remove what a killed writer left half written.

    Args:
        folder: The folder; made if it does not exist.

    Yields:
        Nothing.

    Raises:
        EmbeddedDatasetError: If another process is writing into it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / _LOCK, timeout=0):
            for left in (*folder.glob(f".*{_PARTIAL}"), *(folder / DATA).glob(f".*{_PARTIAL}")):
                left.unlink()
            yield
    except Timeout as error:
        raise EmbeddedDatasetError(
            f"Another process is writing into {folder}. Wait for it, or choose another folder."
        ) from error
