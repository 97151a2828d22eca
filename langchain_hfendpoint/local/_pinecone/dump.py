"""A whole directory as one Parquet file, and back.

One row a record: index, namespace, id, values, sparse indices and values, metadata as JSON. What
the indexes are, and which namespaces they have, stands in the file's own metadata. Dumping reads
one moment of each index, also while a server is using the directory.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from langchain_hfendpoint._extras import import_extra
from langchain_hfendpoint.errors import LocalServerError
from langchain_hfendpoint.local._pinecone import operations
from langchain_hfendpoint.local._pinecone.config import IndexConfig
from langchain_hfendpoint.local._pinecone.database import read_metadata
from langchain_hfendpoint.local._pinecone.directory import Directory
from langchain_hfendpoint.local._pinecone.index import Batch, Index
from langchain_hfendpoint.local._pinecone.memory import Segment, Sparse
from langchain_hfendpoint.local._pinecone.reading import Moment, select

_KEY: Final = b"hfendpoint-local-pinecone"
_ROWS: Final = 4_096


def dump(path: Path, file: Path) -> int:
    """Write all indexes of a directory to one file.

    Args:
        path: The directory.
        file: The Parquet file; overwritten if it exists.

    Returns:
        How many records were written.

    Raises:
        LocalServerError: If the directory cannot be read.
        MissingExtraError: If pyarrow is not installed.
    """
    arrow, parquet = (
        import_extra("pyarrow", "datasets"),
        import_extra("pyarrow.parquet", "datasets"),
    )
    count = 0
    with Directory(path, read_only=True) as directory:
        indexes = [directory.get(name) for name in directory.names()]
        schema = _schema(arrow).with_metadata({_KEY: json.dumps([_outline(i) for i in indexes])})
        with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
            for index in indexes:
                with index.reading() as moment:
                    for rows in _rows(index, moment):
                        writer.write_table(arrow.Table.from_pydict(rows, schema=schema))
                        count += len(rows["id"])
    return count


def restore(file: Path, path: Path) -> int:
    """Fill a directory from a file.

    Args:
        file: The Parquet file that `dump` wrote.
        path: The directory; it must not hold any index.

    Returns:
        How many records were stored.

    Raises:
        LocalServerError: If the file is no dump, or the directory is in use or not empty.
        MissingExtraError: If pyarrow is not installed.
    """
    arrow, parquet = (
        import_extra("pyarrow", "datasets"),
        import_extra("pyarrow.parquet", "datasets"),
    )
    try:
        source = parquet.ParquetFile(file)
        outline = json.loads(source.schema_arrow.metadata[_KEY])
    except (OSError, arrow.ArrowInvalid, KeyError, TypeError) as error:
        raise LocalServerError(f"{file} is no dump of a local Pinecone: {error}") from error
    count = 0
    with Directory(path) as directory:
        if directory.names():
            raise LocalServerError(
                f"{path} already holds indexes ({', '.join(directory.names())}); "
                "restore into a new directory."
            )
        for index in outline:
            _create(directory, index)
        for table in source.iter_batches(batch_size=_ROWS):
            for name, namespace, batch in _batches(table.to_pydict(), directory):
                directory.get(name).write(operations.upsert(namespace, batch)).result()
                count += len(batch.ids)
    return count


def _schema(arrow: Any) -> Any:
    return arrow.schema(
        [
            ("index", arrow.string()),
            ("namespace", arrow.string()),
            ("id", arrow.string()),
            ("values", arrow.list_(arrow.float32())),
            ("sparse_indices", arrow.list_(arrow.uint32())),
            ("sparse_values", arrow.list_(arrow.float32())),
            ("metadata", arrow.string()),
        ]
    )


def _outline(index: Index) -> dict[str, object]:
    with index.reading() as moment:
        return {
            "config": asdict(index.config),
            "namespaces": [
                {"name": namespace.name, "schema": namespace.schema}
                for namespace in index.namespaces(moment.snapshot)
            ],
        }


def _rows(index: Index, moment: Moment) -> Iterator[dict[str, list[Any]]]:
    for namespace in index.namespaces(moment.snapshot):
        for segment, offsets in select(namespace, moment, None):
            for start in range(0, len(offsets), _ROWS):
                part = offsets[start : start + _ROWS].tolist()
                yield _columns(index.config.name, namespace.name, segment, part, moment)


def _columns(
    index: str, namespace: str, segment: Segment, offsets: list[int], moment: Moment
) -> dict[str, list[Any]]:
    rows = segment.rows[offsets].tolist()
    metadata = read_metadata(moment.connection, rows)
    sparse = [segment.sparse.get(offset) for offset in offsets]
    return {
        "index": [index] * len(rows),
        "namespace": [namespace] * len(rows),
        "id": [segment.ids[offset] for offset in offsets],
        "values": list(segment.vectors[offsets]),
        "sparse_indices": [None if value is None else value.indices for value in sparse],
        "sparse_values": [None if value is None else value.values for value in sparse],
        "metadata": [
            None if (encoded := metadata.get(row)) is None else encoded.decode() for row in rows
        ],
    }


def _create(directory: Directory, outline: dict[str, Any]) -> None:
    index = directory.create(IndexConfig(**outline["config"]))
    for namespace in outline["namespaces"]:
        index.write(operations.create_namespace(namespace["name"], namespace["schema"])).result()


def _batches(
    columns: dict[str, list[Any]], directory: Directory
) -> Iterator[tuple[str, str, Batch]]:
    """Split rows into batches of one namespace each."""
    owners = list(zip(columns["index"], columns["namespace"], strict=True))
    start = 0
    while start < len(owners):
        end = start + 1
        while end < len(owners) and owners[end] == owners[start]:
            end += 1
        name, namespace = owners[start]
        dimension = directory.get(name).config.dimension
        part = {key: values[start:end] for key, values in columns.items()}
        sparse = [
            None
            if indices is None
            else Sparse(np.array(indices, np.uint32), np.array(values, np.float32))
            for indices, values in zip(part["sparse_indices"], part["sparse_values"], strict=True)
        ]
        yield (
            name,
            namespace,
            Batch(
                part["id"],
                np.array(part["values"], dtype=np.float32).reshape(end - start, dimension),
                sparse if any(value is not None for value in sparse) else None,
                [None if text is None else text.encode() for text in part["metadata"]],
            ),
        )
        start = end
