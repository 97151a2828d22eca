"""Files of rows: found by path, glob or URL, opened whether gzipped or not.

fsspec comes with huggingface_hub, so that URLs cost no dependency of their own (S3 and the like
need fsspec's driver for them). gzip is told by its first two bytes, not by the name.
"""

from __future__ import annotations

import gzip
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal, cast, get_args

import fsspec
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from langchain_hfendpoint._checksum import checksum
from langchain_hfendpoint.errors import ConfigurationError, DataError

Format = Literal["parquet", "jsonl", "json", "csv", "tsv"]

FORMATS: tuple[Format, ...] = get_args(Format)
_SUFFIXES: dict[str, Format] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".txt": "tsv",
}
_SPLITS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file of rows, not opened yet.

    Attributes:
        path: Where it lies, for fsspec.
        format: How it is written.
        filesystem: The fsspec file system that has it.
    """

    path: str
    format: Format
    filesystem: fsspec.AbstractFileSystem

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Open it for reading, unpacked.

        Raises:
            DataError: If it cannot be opened, or its gzip stream is truncated or damaged.
        """
        try:
            with self.filesystem.open(self.path, "rb") as raw:
                packed = raw.read(2) == _GZIP
                raw.seek(0)
                if packed:
                    with gzip.open(raw) as unpacked:
                        yield cast(IO[bytes], unpacked)
                else:
                    yield raw
        except EOFError as error:
            raise DataError(
                f"{self.path}: the gzip stream is truncated; the file is incomplete. "
                "Fetch it again; nothing of it should be taken for whole."
            ) from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise DataError(f"{self.path}: the gzip stream is damaged ({error}).") from error
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read ({error}).") from error

    def fingerprint(self) -> str | None:
        """Give its path and checksum; `None` if it is not on this machine.

        Raises:
            DataError: If it cannot be read.
        """
        if not isinstance(self.filesystem, LocalFileSystem):
            return None
        try:
            return f"{self.path} {checksum(Path(self.path))}"
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read ({error}).") from error

    @contextmanager
    def open_seekable(self) -> Iterator[IO[bytes]]:
        """Open it so that one can seek cheaply, unpacking into a temporary file if need be.

        Raises:
            DataError: As `open`.
        """
        with self.open() as stream:
            if isinstance(stream, gzip.GzipFile):
                with tempfile.TemporaryFile() as unpacked:
                    shutil.copyfileobj(stream, unpacked)
                    unpacked.seek(0)
                    yield unpacked
            else:
                yield stream


def looks_like_files(source: str) -> bool:
    """Tell whether a source names files rather than a data set on the Hub."""
    return (
        "://" in source
        or any(magic in source for magic in "*?[")
        or source.startswith((".", "/", "~"))
        or "\\" in source
        or source.count("/") > 1
        or _format_of(source) is not None
        or Path(source).expanduser().exists()
    )


def find_files(
    source: str,
    *,
    file_format: Format | None,
    split: str | None,
    storage_options: Mapping[str, Any],
) -> list[DataFile]:
    """List the files that a path, glob, folder or URL stands for, in the order of their names.

    Args:
        source: Path, glob, folder or fsspec URL.
        file_format: How they are written; told by their names if `None`.
        split: Of a folder or glob, only files named after this split.
        storage_options: For fsspec (credentials of a store and the like).

    Returns:
        At least one file.

    Raises:
        ConfigurationError: If the protocol or the format is unknown.
        DataError: If there is no such file, or none of that split.
    """
    if file_format is not None and file_format not in FORMATS:
        raise ConfigurationError(f"file_format={file_format!r} is unknown; known are {FORMATS}.")
    url = source if "://" in source else str(Path(source).expanduser())
    try:
        filesystem, path = url_to_fs(url, **storage_options)
    except (ValueError, ImportError) as error:
        raise ConfigurationError(f"{source}: {error}") from error
    try:
        paths, several = _expand(filesystem, path)
    except OSError as error:
        raise DataError(f"{source}: cannot be listed ({error}).") from error
    if several and split is not None:
        named = [path for path in paths if split_of(path) == _SPLITS.get(split, split)]
        if paths and not named:
            raise DataError(
                f"{source}: none of {len(paths)} files is named after the split {split!r} "
                f"(the first is {paths[0]})."
            )
        paths = named
    if not paths:
        raise DataError(f"{source}: there is no such file.")
    return [DataFile(path, file_format or _must_know_format(path), filesystem) for path in paths]


def split_of(path: str) -> str | None:
    """Read the split out of a file's name: `snli_1.0_dev.jsonl` is `"validation"`."""
    words = re.split(r"[^a-z]+", PurePosixPath(path).name.lower())
    return next((_SPLITS[word] for word in words if word in _SPLITS), None)


def stem_of(path: str) -> str:
    """Give a file's name without its folder and endings."""
    name = PurePosixPath(path.replace("\\", "/")).name
    for ending in (".gz", *_SUFFIXES):
        name = name.removesuffix(ending)
    return name


def _expand(filesystem: fsspec.AbstractFileSystem, path: str) -> tuple[list[str], bool]:
    if any(magic in path for magic in "*?[") and not filesystem.exists(path):
        return sorted(filesystem.glob(path)), True
    if filesystem.isdir(path):
        inside = filesystem.ls(path, detail=False)
        return sorted(name for name in inside if _format_of(name) is not None), True
    return ([path] if filesystem.exists(path) else []), False


def _format_of(path: str) -> Format | None:
    name = path.lower().removesuffix(".gz")
    return next((known for end, known in _SUFFIXES.items() if name.endswith(end)), None)


def _must_know_format(path: str) -> Format:
    known = _format_of(path)
    if known is None:
        raise DataError(
            f"{path}: its name does not tell its format. Say file_format= one of {FORMATS}."
        )
    return known
