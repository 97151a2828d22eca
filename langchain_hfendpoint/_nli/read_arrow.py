"""Parquet files, and `datasets` objects, both as Arrow batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from langchain_hfendpoint._extras import import_extra
from langchain_hfendpoint._nli.batch import BATCH_ROWS, Batch
from langchain_hfendpoint._nli.files import DataFile
from langchain_hfendpoint.errors import DataError

if TYPE_CHECKING:
    import datasets
    import pyarrow as pa

    Tables = Callable[[Sequence[str]], Iterator[pa.Table | pa.RecordBatch]]
    """Gives the rows of the columns asked for, some at a time."""


@dataclass(slots=True)
class ArrowReader:
    """Arrow record batches or tables in a row.

    Attributes:
        origin: The file or data set, for messages.
        names: Its columns.
        tables: What comes, in order, for the columns asked for.
        class_names: Names behind the numbers of label columns.
    """

    origin: str
    names: Sequence[str]
    tables: Tables
    class_names: Mapping[str, Sequence[str]]

    def batches(self, wanted: Sequence[str]) -> Iterator[Batch]:
        """Read the wanted columns from the first row to the last."""
        row = 0
        for table in self.tables(wanted):
            try:
                columns = {name: table.column(name).to_pylist() for name in wanted}
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{self.origin}, between row {row} and {row + table.num_rows}: "
                    f"a text is not UTF-8 ({error})."
                ) from error
            yield Batch(self.origin, range(row, row + table.num_rows), columns)
            row += table.num_rows


@contextmanager
def parquet_reader(file: DataFile) -> Iterator[ArrowReader]:
    """Open a Parquet file, reading only its footer.

    Args:
        file: The file.

    Yields:
        The reader.

    Raises:
        DataError: If it is no Parquet file, truncated or damaged.
        MissingExtraError: If pyarrow is not installed.
    """
    parquet = import_extra("pyarrow.parquet", "datasets")
    lib = import_extra("pyarrow", "datasets")
    with file.open_seekable() as stream:
        try:
            opened = parquet.ParquetFile(stream, page_checksum_verification=True)
            yield ArrowReader(
                origin=file.path,
                names=opened.schema_arrow.names,
                tables=lambda wanted: opened.iter_batches(BATCH_ROWS, columns=list(wanted)),
                class_names=_class_names(opened.schema_arrow.metadata or {}),
            )
        except lib.ArrowException as error:
            raise DataError(
                f"{file.path}: cannot be read as Parquet ({error}). "
                "If it was cut off, fetch it again."
            ) from error


def parquet_rows(file: DataFile) -> int:
    """Count the rows of a Parquet file by its footer.

    Raises:
        DataError: As `parquet_reader`.
        MissingExtraError: If pyarrow is not installed.
    """
    parquet = import_extra("pyarrow.parquet", "datasets")
    lib = import_extra("pyarrow", "datasets")
    with file.open_seekable() as stream:
        try:
            return int(parquet.ParquetFile(stream).metadata.num_rows)
        except lib.ArrowException as error:
            raise DataError(f"{file.path}: cannot be read as Parquet ({error}).") from error


def _class_names(metadata: Mapping[bytes, bytes]) -> dict[str, Sequence[str]]:
    """Read what `datasets` writes into the schema of the Parquet files it makes."""
    try:
        features = orjson.loads(metadata[b"huggingface"])["info"]["features"]
        return {
            name: feature["names"]
            for name, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
        }
    except (KeyError, TypeError, orjson.JSONDecodeError):
        return {}


def dataset_reader(
    dataset: datasets.Dataset | datasets.IterableDataset, origin: str
) -> ArrowReader:
    """Read a `datasets.Dataset` or `IterableDataset` as Arrow tables.

    Args:
        dataset: The data set; it is not changed.
        origin: Its name, for messages.

    Returns:
        The reader. Columns that a streamed data set does not declare are looked up in its
        first rows.

    Raises:
        MissingExtraError: If `datasets` is not installed.
    """
    class_label = import_extra("datasets", "datasets").ClassLabel

    def tables(wanted: Sequence[str]) -> Iterator[pa.Table]:
        chosen = dataset.select_columns(list(wanted)) if names_declared else dataset
        yield from chosen.with_format("arrow").iter(batch_size=BATCH_ROWS)

    names_declared = dataset.column_names is not None
    names = dataset.column_names
    if names is None:
        first = next(iter(dataset.with_format("arrow").iter(batch_size=1)), None)
        names = [] if first is None else first.column_names
    return ArrowReader(
        origin=origin,
        names=names,
        tables=tables,
        class_names={
            name: feature.names
            for name, feature in (dataset.features or {}).items()
            if isinstance(feature, class_label)
        },
    )
