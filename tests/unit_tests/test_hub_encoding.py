"""Vectors as Parquet columns: what goes in comes out, as exactly as the dtype promises."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from langchain_hfendpoint._hub.encoding import (
    Dtype,
    check_dtype,
    decode,
    encode,
    vector_columns,
    writer_options,
)
from langchain_hfendpoint.errors import ConfigurationError, EmbeddedDatasetError

Matrix = npt.NDArray[np.float32]

_shapes = npst.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9)


def _matrices(largest: float) -> st.SearchStrategy[Matrix]:
    numbers = st.floats(-largest, largest, width=32)
    return npst.arrays(np.float32, _shapes, elements=numbers)


def _there_and_back(vectors: Matrix, dtype: Dtype) -> Matrix:
    columns = encode(vectors, dtype)
    assert tuple(columns) == vector_columns(dtype)
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink, **writer_options(dtype, []))
    return decode(pq.read_table(pa.BufferReader(sink.getvalue())), vectors.shape[1])


@given(_matrices(float(np.finfo(np.float32).max)))
def test_float32_comes_back_bit_for_bit(vectors: Matrix) -> None:
    assert _there_and_back(vectors, "float32").tobytes() == vectors.tobytes()


@given(_matrices(60_000))
def test_float16_rounds_to_the_nearest_half(vectors: Matrix) -> None:
    expected = vectors.astype(np.float16).astype(np.float32)
    assert np.array_equal(_there_and_back(vectors, "float16"), expected)


@given(_matrices(2.0**100))
def test_int8_is_off_by_half_a_step_at_most(vectors: Matrix) -> None:
    step = np.abs(vectors).max(axis=1, keepdims=True) / 127
    error = np.abs(_there_and_back(vectors, "int8") - vectors)
    assert (error <= step * 0.501 + np.finfo(np.float32).tiny).all()


def test_a_vector_of_zeros_survives_int8() -> None:
    zeros = np.zeros((2, 3), dtype=np.float32)
    assert np.array_equal(_there_and_back(zeros, "int8"), zeros)


def test_a_part_of_a_table_gives_the_vectors_of_that_part() -> None:
    vectors = np.arange(12, dtype=np.float32).reshape(4, 3)
    for dtype in ("float32", "int8"):
        table = pa.table(encode(vectors, check_dtype(dtype)))
        assert np.allclose(decode(table.slice(1, 2), 3), vectors[1:3], atol=0.05)


def test_a_number_too_large_for_float16_is_refused_with_the_number() -> None:
    with pytest.raises(EmbeddedDatasetError, match=r"70000.*too large for float16"):
        encode(np.array([[1.0, -70_000.0]], dtype=np.float32), "float16")


def test_an_unknown_dtype_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'float8' is not known"):
        check_dtype("float8")
