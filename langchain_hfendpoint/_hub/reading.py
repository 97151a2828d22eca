"""From shards to documents and vectors, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from langchain_core.documents import Document

from langchain_hfendpoint._engine.results import Vectors
from langchain_hfendpoint._hub.encoding import decode, vector_columns
from langchain_hfendpoint._hub.manifest import Manifest
from langchain_hfendpoint._hub.rows import ID, TEXT
from langchain_hfendpoint._hub.shards import read_rows, read_schema

_ROWS = 1_000


def documents_with_vectors(
    folder: Path, manifest: Manifest, split: str | None
) -> Iterator[tuple[list[Document], Vectors]]:
    """Read documents with their vectors.

    Args:
        folder: The data set.
        manifest: Its manifest.
        split: The split, or `None` for all of them.

    Yields:
        Up to 1,000 documents, and their float32 (n, dimension) vectors.
    """
    for shard in manifest.shards_of(split):
        for batch in read_rows(folder / shard.path, batch_rows=_ROWS):
            vectors = decode(batch, manifest.provenance.dimension)
            yield _documents(batch.drop_columns(list(vector_columns(manifest.dtype)))), vectors


def documents(folder: Path, manifest: Manifest, split: str | None) -> Iterator[Document]:
    """Read documents without their vectors, which are not even read from disk."""
    for shard in manifest.shards_of(split):
        columns = read_schema(folder / shard.path).names
        for batch in read_rows(folder / shard.path, batch_rows=_ROWS, columns=columns):
            yield from _documents(batch)


def documents_at(
    folder: Path, manifest: Manifest, split: str, rows: Sequence[int]
) -> list[Document]:
    """Read single documents.

    Args:
        folder: The data set.
        manifest: Its manifest.
        split: The split.
        rows: Numbers of rows in it.

    Returns:
        The documents, in the order of `rows`.
    """
    found: dict[int, Document] = {}
    first = 0
    for shard in manifest.shards_of(split):
        wanted = sorted({row for row in rows if first <= row < first + shard.rows})
        if wanted:
            path = folder / shard.path
            columns = read_schema(path).names
            start = first
            for batch in read_rows(path, batch_rows=_ROWS, columns=columns):
                here = [row for row in wanted if start <= row < start + batch.num_rows]
                picked = batch.take([row - start for row in here]) if here else None
                if picked is not None:
                    found.update(zip(here, _documents(picked), strict=True))
                start += batch.num_rows
        first += shard.rows
    return [found[row] for row in rows]


def _documents(batch: Any) -> list[Document]:
    ids, texts = batch.column(ID).to_pylist(), batch.column(TEXT).to_pylist()
    rest = batch.drop_columns([ID, TEXT])
    metadata = rest.to_pylist()
    if any(column.null_count for column in rest.columns):
        metadata = [
            {name: value for name, value in one.items() if value is not None} for one in metadata
        ]
    # What Document() does in the end; langchain-core's own layers above it take as long again.
    validate = Document.__pydantic_validator__.validate_python
    return [
        validate(
            {"page_content": text, "id": identifier, "metadata": one},
            self_instance=Document.__new__(Document),
        )
        for identifier, text, one in zip(ids, texts, metadata, strict=True)
    ]
