"""One shard: a Parquet file that knows which rows of which source it holds.

The shards are their own checkpoint. Each carries, in its footer, its range of positions in the
source, a digest of those rows and how its vectors were made; so a killed run continues from what is
on disk, and a shard of another source or model is recognized without any other file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from langchain_hfendpoint._engine.results import Vectors
from langchain_hfendpoint._hub.encoding import (
    Dtype,
    check_dtype,
    decode,
    encode,
    vector_columns,
    vector_features,
    vector_types,
    writer_options,
)
from langchain_hfendpoint._hub.layout import write_atomically
from langchain_hfendpoint._hub.rows import align
from langchain_hfendpoint._provenance import Provenance
from langchain_hfendpoint.errors import EmbeddedDatasetError

_HEADER_KEY = b"hfendpoint"
_FEATURES_KEY = b"huggingface"
_FORMAT = 1
# Readers hold a row group at a time; 16 MB of vectors is a good read and a small piece of memory.
_ROW_GROUP_BYTES = 16_000_000


@dataclass(frozen=True, slots=True)
class FailedText:
    """A text that has no row, because the endpoint refused it.

    Attributes:
        id: Id of its document.
        position: Its position in the split's source.
        reason: What the endpoint said.
    """

    id: str
    position: int
    reason: str


@dataclass(frozen=True, slots=True)
class ShardHeader:
    """What a shard says of itself.

    Attributes:
        split: The split it belongs to.
        start: Position of its first row in the split's source.
        stop: Position after its last one.
        digest: Hash of the source's rows from `start` to `stop`.
        dtype: How vectors are stored.
        provenance: How they were made.
        failed: Texts between `start` and `stop` that have no row.
    """

    split: str
    start: int
    stop: int
    digest: str
    dtype: Dtype
    provenance: Provenance
    failed: tuple[FailedText, ...] = ()

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.stop - self.start - len(self.failed)

    def to_json(self) -> bytes:
        """Write it down."""
        return orjson.dumps({"format": _FORMAT, **asdict(self)})

    @classmethod
    def from_json(cls, text: bytes) -> ShardHeader:
        """Read it back.

        Raises:
            ValueError: If it is none.
        """
        try:
            fields = orjson.loads(text)
            if fields.pop("format") != _FORMAT:
                raise ValueError("it was written by a newer release")
            fields["provenance"] = Provenance(**fields["provenance"])
            fields["failed"] = tuple(FailedText(**failed) for failed in fields["failed"])
            fields["dtype"] = check_dtype(fields["dtype"])
            return cls(**fields)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"its header is not understood: {error}") from error


def range_digest(digests: Sequence[bytes]) -> str:
    """Hash a range of rows, given the digest of each."""
    return hashlib.blake2b(b"".join(digests), digest_size=16).hexdigest()


def write_shard(
    path: Path,
    rows: Any,
    vectors: Vectors,
    header: ShardHeader,
    *,
    features: Mapping[str, Any],
) -> None:
    """Write a shard so that it is whole or absent.

    Args:
        path: The file.
        rows: Table of the other columns, as long as `vectors`.
        vectors: float32 (n, dimension).
        header: What it says of itself.
        features: Descriptions of columns that `datasets` could not guess from their type.
    """
    columns = rows.column_names
    for name, array in encode(vectors, header.dtype).items():
        rows = rows.append_column(name, array)
    rows = rows.replace_schema_metadata(
        {
            _HEADER_KEY: header.to_json(),
            _FEATURES_KEY: _described(rows.schema, header, features),
        }
    )
    _write_table(path, rows, header, columns)


def read_header(path: Path) -> ShardHeader:
    """Read what a shard says of itself, from its footer alone.

    Args:
        path: The file.

    Returns:
        The header.

    Raises:
        EmbeddedDatasetError: If it is damaged, or no shard of ours.
    """
    return _open(path)[1]


def read_schema(path: Path) -> Any:
    """Read the columns of a shard that are not vectors, with their types."""
    file, header = _open(path)
    schema = file.schema_arrow
    for name in vector_columns(header.dtype):
        schema = schema.remove(schema.get_field_index(name))
    return schema.remove_metadata()


def read_rows(
    path: Path, *, batch_rows: int, columns: Sequence[str] | None = None
) -> Iterator[Any]:
    """Read a shard, a batch of rows at a time.

    Args:
        path: The file.
        batch_rows: Most rows in a batch.
        columns: The columns to read; all by default.

    Yields:
        Record batches.

    Raises:
        EmbeddedDatasetError: If it is damaged, or no shard of ours.
    """
    file, _ = _open(path)
    try:
        # Only one column has any weight, so threads could do no more than hand it around.
        yield from file.iter_batches(batch_size=batch_rows, columns=columns, use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from error


def read_vectors(path: Path, *, batch_rows: int) -> Iterator[Vectors]:
    """Read the vectors of a shard as float32 (n, dimension), `batch_rows` at a time at most."""
    header = read_header(path)
    columns = vector_columns(header.dtype)
    for batch in read_rows(path, batch_rows=batch_rows, columns=columns):
        yield decode(batch, header.provenance.dimension)


def unify_shard(path: Path, schema: Any, *, features: Mapping[str, Any]) -> None:
    """Give a shard the columns that all shards have, if it has others.

    Metadata may gain a key half way through a source, and `datasets` wants equal columns in all
    files. Vectors keep every bit.

    Args:
        path: The file.
        schema: Columns that are not vectors, for all shards.
        features: Descriptions of columns that `datasets` could not guess from their type.
    """
    own = read_schema(path)
    if own.equals(schema):
        return
    file, header = _open(path)
    table = file.read()
    aligned = align(table, schema)
    for name in vector_columns(header.dtype):
        aligned = aligned.append_column(name, table.column(name))
    table = aligned.replace_schema_metadata(
        {
            _HEADER_KEY: header.to_json(),
            _FEATURES_KEY: _described(aligned.schema, header, features),
        }
    )
    _write_table(path, table, header, schema.names)


def _write_table(path: Path, table: Any, header: ShardHeader, columns: list[str]) -> None:
    group = max(1, _ROW_GROUP_BYTES // (4 * header.provenance.dimension))
    options = writer_options(header.dtype, columns)
    write_atomically(
        path, lambda partial: pq.write_table(table, partial, row_group_size=group, **options)
    )


def _described(schema: Any, header: ShardHeader, features: Mapping[str, Any]) -> bytes:
    """Describe the columns for `datasets`, which guesses those that are left out."""
    described = {name: features[name] for name in schema.names if name in features}
    described |= vector_features(header.dtype, header.provenance.dimension)
    return orjson.dumps({"info": {"features": described}})


def _open(path: Path) -> tuple[Any, ShardHeader]:
    try:
        file = pq.ParquetFile(path, memory_map=True)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from error
    metadata = file.schema_arrow.metadata or {}
    if _HEADER_KEY not in metadata:
        raise EmbeddedDatasetError(
            f"{path} is no shard of an embedded data set. Move it away, or choose another folder."
        )
    try:
        header = ShardHeader.from_json(metadata[_HEADER_KEY])
    except ValueError as error:
        raise _damaged(path, error) from error
    if file.metadata.num_rows != header.rows:
        raise _damaged(path, f"it has {file.metadata.num_rows} rows instead of {header.rows}")
    columns = {field.name: field.type for field in file.schema_arrow}
    for name, kind in vector_types(header.dtype, header.provenance.dimension).items():
        if columns.get(name) != kind:
            raise _damaged(path, f"{name!r} is {columns.get(name)} instead of {kind}")
    return file, header


def _damaged(path: Path, why: object) -> EmbeddedDatasetError:
    return EmbeddedDatasetError(
        f"The shard {path} is damaged: {why}. Delete it and run the same command again; only its "
        "rows are embedded anew (or, if it came from the Hub, download it again)."
    )
