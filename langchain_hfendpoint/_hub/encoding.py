"""Vectors as Parquet columns: float32, float16, or int8 with one scale a vector.

float32 goes from NumPy to Arrow without a copy and is stored byte-plane by byte-plane
(BYTE_STREAM_SPLIT), which is what lets zstd find anything: 16 % smaller than the plain numbers, for
half as much CPU again when writing and a fifth when reading. int8 keeps its dictionary: Parquet has
no type of one byte, and 256 dictionary entries are one byte each.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from langchain_hfendpoint._engine.results import Vectors
from langchain_hfendpoint.errors import ConfigurationError, EmbeddedDatasetError

Dtype = Literal["float32", "float16", "int8"]

VECTOR = "embedding"
SCALE = "embedding_scale"
_INT8_MAX = 127
_FLOAT16_MAX = float(np.finfo(np.float16).max)


def check_dtype(dtype: str) -> Dtype:
    """Refuse what no column can be.

    Args:
        dtype: The name of a type.

    Returns:
        The same.

    Raises:
        ConfigurationError: If vectors cannot be stored so.
    """
    for known in get_args(Dtype):
        if dtype == known:
            return known  # type: ignore[no-any-return]
    raise ConfigurationError(f"dtype={dtype!r} is not known: use 'float32', 'float16' or 'int8'.")


def vector_columns(dtype: Dtype) -> tuple[str, ...]:
    """Name the columns that hold vectors."""
    return (VECTOR, SCALE) if dtype == "int8" else (VECTOR,)


def vector_types(dtype: Dtype, dimension: int) -> dict[str, Any]:
    """Give the Arrow types of these columns."""
    number = {"float32": pa.float32(), "float16": pa.float16(), "int8": pa.int8()}[dtype]
    # Parquet calls the items of a list so, and has no other name for them.
    types = {VECTOR: pa.list_(pa.field("element", number), dimension), SCALE: pa.float32()}
    return {name: types[name] for name in vector_columns(dtype)}


def vector_features(dtype: Dtype, dimension: int) -> dict[str, Any]:
    """Describe the columns as `datasets` does.

    `Sequence` is what every release of `datasets` reads; those before 4 do not know `List`.
    """
    item = {"dtype": dtype, "_type": "Value"}
    features: dict[str, Any] = {VECTOR: {"feature": item, "length": dimension, "_type": "Sequence"}}
    if dtype == "int8":
        features[SCALE] = {"dtype": "float32", "_type": "Value"}
    return features


def encode(vectors: Vectors, dtype: Dtype) -> dict[str, Any]:
    """Turn vectors into Arrow columns.

    Args:
        vectors: float32 (n, dimension), finite.
        dtype: How to store them.

    Returns:
        The columns by name.

    Raises:
        EmbeddedDatasetError: If a number is too large for float16.
    """
    if dtype == "float32":
        return {VECTOR: _list_array(vectors)}
    largest = np.abs(vectors).max(axis=1, initial=0.0)
    if dtype == "float16":
        if largest.max(initial=0.0) > _FLOAT16_MAX:
            raise EmbeddedDatasetError(
                f"A vector holds {largest.max():g}, which is too large for float16 (at most "
                f"{_FLOAT16_MAX:g}). Use dtype='float32' or 'int8'."
            )
        return {VECTOR: _list_array(vectors.astype(np.float16))}
    scale = (largest / _INT8_MAX).astype(np.float32)
    steps = np.divide(vectors, scale[:, None], out=np.zeros_like(vectors), where=scale[:, None] > 0)
    # A scale among the denormal numbers is inexact enough to pass 127.
    whole = np.clip(np.rint(steps), -_INT8_MAX, _INT8_MAX).astype(np.int8)
    return {VECTOR: _list_array(whole), SCALE: pa.array(scale)}


def decode(table: Any, dimension: int) -> Vectors:
    """Turn Arrow columns back into vectors.

    Args:
        table: A table or record batch with the columns of `encode`.
        dimension: Numbers in a vector.

    Returns:
        float32 (n, dimension); read-only where nothing had to be computed.
    """
    column = table.column(VECTOR)
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    numbers: npt.NDArray[Any] = column.flatten().to_numpy().reshape(-1, dimension)
    if numbers.dtype != np.int8:
        return numbers.astype(np.float32, copy=False)
    scale = np.asarray(table.column(SCALE), dtype=np.float32)
    return numbers.astype(np.float32) * scale[:, None]


def writer_options(dtype: Dtype, columns: list[str]) -> dict[str, Any]:
    """Choose how Parquet stores the columns.

    Args:
        dtype: How vectors are stored.
        columns: Names of the other columns.

    Returns:
        Arguments for `pyarrow.parquet.write_table`.
    """
    item = f"{VECTOR}.list.element"
    options: dict[str, Any] = {
        "compression": "zstd",
        "compression_level": 1,
        "use_dictionary": [*columns, item] if dtype == "int8" else columns,
        "write_statistics": columns,
    }
    if dtype == "float32":
        options["column_encoding"] = {item: "BYTE_STREAM_SPLIT"}
    return options


def _list_array(numbers: npt.NDArray[Any]) -> Any:
    flat = pa.array(np.ascontiguousarray(numbers).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, numbers.shape[1])
