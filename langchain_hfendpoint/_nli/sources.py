"""Where rows come from: files, the Hub, a data set in hand, the built-in sample."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import SecretStr

from langchain_hfendpoint._extras import import_extra
from langchain_hfendpoint._nli.batch import OnBroken, Reader
from langchain_hfendpoint._nli.files import (
    DataFile,
    Format,
    find_files,
    looks_like_files,
    split_of,
    stem_of,
)
from langchain_hfendpoint._nli.hub import HubDataset, split_rows
from langchain_hfendpoint._nli.read_arrow import dataset_reader, parquet_reader, parquet_rows
from langchain_hfendpoint._nli.read_delimited import delimited_reader
from langchain_hfendpoint._nli.read_json import json_reader
from langchain_hfendpoint._nli.sample import sample_reader, sample_rows
from langchain_hfendpoint.errors import ConfigurationError, DataError, HFEndpointError

if TYPE_CHECKING:
    from langchain_hfendpoint._nli.hub import Opened


class Part(Protocol):
    """One file or data set of a source, not opened yet."""

    @property
    def split(self) -> str | None:
        """The split it belongs to, if known."""

    def open(self, on_broken: OnBroken) -> AbstractContextManager[Reader]:
        """Open it for reading."""

    def rows(self) -> int | None:
        """Tell the number of its rows, if that costs little."""


class Source(Protocol):
    """Something that can be read from its first row to its last, again and again."""

    @property
    def dataset(self) -> str:
        """Name for the metadata."""

    def parts(self) -> Sequence[Part]:
        """List what has to be opened, in order."""

    def fingerprint(self) -> str | None:
        """Give what is equal only if the rows are; `None` if only reading would tell."""


_COMMIT = re.compile("[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class TextFormat:
    """How text files are written, as far as the caller says.

    Attributes:
        encoding: Their encoding.
        delimiter: What separates the fields of CSV and TSV; told from the first line if `None`.
        quoting: Whether fields may be put in quotation marks; told from the head if `None`.
        column_names: The columns of files without a header.
    """

    encoding: str = "utf-8"
    delimiter: str | None = None
    quoting: bool | None = None
    column_names: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class FilePart:
    """A file."""

    file: DataFile
    split: str | None
    text: TextFormat

    def open(self, on_broken: OnBroken) -> AbstractContextManager[Reader]:
        """Open it for reading."""
        if self.file.format == "parquet":
            return parquet_reader(self.file)
        if self.file.format in ("json", "jsonl"):
            return json_reader(self.file, encoding=self.text.encoding, on_broken=on_broken)
        return delimited_reader(
            self.file,
            encoding=self.text.encoding,
            on_broken=on_broken,
            delimiter=self.text.delimiter,
            quoting=self.text.quoting,
            column_names=self.text.column_names,
        )

    def rows(self) -> int | None:
        """Tell the number of its rows, if that costs little."""
        return parquet_rows(self.file) if self.file.format == "parquet" else None


@dataclass(frozen=True, slots=True)
class FileSource:
    """Files by path, glob, folder or URL."""

    source: str
    file_format: Format | None
    split: str | None
    text: TextFormat
    storage_options: Mapping[str, Any]

    @property
    def dataset(self) -> str:
        """Name for the metadata: the file's, or the folder's if there are several."""
        path = self.source.rstrip("/")
        if any(magic in path for magic in "*?["):
            path = str(Path(path).parent)
        return stem_of(path)

    def parts(self) -> list[FilePart]:
        """List the files."""
        files = find_files(
            self.source,
            file_format=self.file_format,
            split=self.split,
            storage_options=self.storage_options,
        )
        return [FilePart(file, self.split or split_of(file.path), self.text) for file in files]

    def fingerprint(self) -> str | None:
        """Give the names and checksums of files on this machine, and how they are read."""
        files = [part.file.fingerprint() for part in self.parts()]
        return None if None in files else repr((self, files))


@dataclass(frozen=True, slots=True)
class DatasetPart:
    """A `datasets` object."""

    opened: Opened
    name: str
    split: str | None

    @contextmanager
    def open(self, on_broken: OnBroken) -> Iterator[Reader]:  # noqa: ARG002 - no row can break
        """Open it for reading."""
        origin = f"{self.name} ({self.split})" if self.split else self.name
        try:
            yield dataset_reader(self.opened, origin)
        except HFEndpointError:
            raise
        except (OSError, ValueError, RuntimeError) as error:
            raise DataError(f"{origin}: cannot be read to its end ({error}).") from error

    def rows(self) -> int | None:
        """Tell the number of its rows, if it knows."""
        return split_rows(self.opened)


@dataclass(frozen=True, slots=True)
class HandSource:
    """A `datasets.Dataset` or `IterableDataset` that the caller has."""

    opened: Opened
    split: str | None

    @property
    def dataset(self) -> str:
        """Name for the metadata."""
        return getattr(getattr(self.opened, "info", None), "dataset_name", None) or "dataset"

    def parts(self) -> list[DatasetPart]:
        """Give the data set itself."""
        split = self.split or getattr(self.opened, "split", None)
        return [DatasetPart(self.opened, self.dataset, None if split is None else str(split))]

    def fingerprint(self) -> None:
        """Give `None`: what is in memory may be anything."""


@dataclass(slots=True)
class HubSource:
    """A data set on the Hub, opened when it is first asked for."""

    hub: HubDataset
    _opened: Opened | None = None

    @property
    def dataset(self) -> str:
        """Name for the metadata."""
        return self.hub.repository

    def parts(self) -> list[DatasetPart]:
        """Open the data set."""
        if self._opened is None:
            self._opened = self.hub.open()
        return [DatasetPart(self._opened, self.hub.repository, self.hub.split)]

    def fingerprint(self) -> str | None:
        """Give what is read, if that is a commit, which never changes; branches and tags do."""
        hub = self.hub
        if hub.revision is None or not _COMMIT.fullmatch(hub.revision):
            return None
        return repr((hub.repository, hub.configuration, hub.split, hub.revision))


@dataclass(frozen=True, slots=True)
class SamplePart:
    """The built-in sample."""

    split: str | None

    @contextmanager
    def open(self, on_broken: OnBroken) -> Iterator[Reader]:  # noqa: ARG002 - no row can break
        """Open it for reading."""
        yield sample_reader()

    def rows(self) -> int | None:
        """Tell the number of its rows."""
        return sample_rows()


@dataclass(frozen=True, slots=True)
class SampleSource:
    """The built-in sample."""

    dataset: str = "sample"

    def parts(self) -> list[SamplePart]:
        """Give the sample itself."""
        return [SamplePart("train")]

    def fingerprint(self) -> str:
        """Give its name: it changes only with this package's version."""
        return self.dataset


def source_of(
    source: object,
    *,
    configuration: str | None,
    split: str | None,
    revision: str | None,
    streaming: bool,
    token: SecretStr | None,
    file_format: Format | None,
    text: TextFormat,
    storage_options: Mapping[str, Any],
) -> Source:
    """Tell what the caller means by a source, without opening it.

    Args:
        source: Hub id, path, glob, folder, URL, `"sample"`, or a `datasets` object.
        configuration: Configuration of a Hub data set.
        split: Split; of the Hub `"train"` if `None`.
        revision: Revision of a Hub data set.
        streaming: Whether a Hub data set is read over the network as one goes.
        token: For the Hub.
        file_format: Format of files.
        text: How text files are written.
        storage_options: For fsspec.

    Returns:
        The source.

    Raises:
        ConfigurationError: If it is none of these.
    """
    if isinstance(source, str | Path):
        name = str(source)
        if name == "sample":
            return SampleSource()
        if isinstance(source, Path) or file_format is not None or looks_like_files(name):
            return FileSource(name, file_format, split, text, storage_options)
        hub = HubDataset(name, configuration, split or "train", revision, streaming, token)
        return HubSource(hub)
    datasets = import_extra("datasets", "datasets")
    if isinstance(source, Mapping):
        splits = ", ".join(map(str, source))
        if (split or "train") not in source:
            raise ConfigurationError(f"The data set has no split {split!r}, but: {splits}.")
        source, split = source[split or "train"], split or "train"
    if isinstance(source, datasets.Dataset | datasets.IterableDataset):
        return HandSource(source, split)
    raise ConfigurationError(
        f"source is a {type(source).__name__}; it can be a Hub id, a path, glob, folder or URL, "
        "'sample', or a datasets.Dataset or IterableDataset."
    )
