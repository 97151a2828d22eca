"""Metadata that Pinecone cannot hold is refused by name; the rest arrives as it was."""

from __future__ import annotations

import copy
from datetime import date
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_hfendpoint._sinks.metadata import MAX_METADATA_BYTES, check_id, encode_metadata
from langchain_hfendpoint.errors import MetadataError

a_value = (
    st.text()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.lists(st.text(), max_size=3)
)
some_metadata = st.dictionaries(
    st.text(min_size=1).filter(lambda key: not key.startswith("$") and key != "text"),
    st.none() | a_value,
    max_size=5,
)


def encodable(value: Any) -> bool:
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return True


@given(metadata=some_metadata.filter(encodable), text=st.text().filter(encodable))
def test_what_pinecone_can_hold_arrives_and_none_is_dropped(
    metadata: dict[str, Any], text: str
) -> None:
    before = copy.deepcopy(metadata)
    encoded = orjson.loads(encode_metadata(metadata, text=text, text_key="text"))
    kept = {key: value for key, value in metadata.items() if value is not None}
    assert encoded == {**kept, "text": text}
    assert metadata == before


@pytest.mark.parametrize(
    "value",
    [
        {"nested": 1},
        [1, 2],
        ["a", None],
        ("a",),
        date(2026, 11, 20),
        b"raw",
        float("nan"),
        float("inf"),
        10**400,
        object(),
    ],
    ids=repr,
)
def test_anything_else_is_refused_naming_key_and_document(value: object) -> None:
    with pytest.raises(MetadataError) as caught:
        encode_metadata({"when": value}, text="A man inspects a uniform.", text_key="text")
    assert "'when'" in str(caught.value)
    assert "A man inspects" in str(caught.value)
    assert "convert_metadata" in str(caught.value)


def test_a_key_that_means_an_operator_is_refused() -> None:
    with pytest.raises(MetadataError, match=r"\$eq"):
        encode_metadata({"$eq": 1}, text="a", text_key="text")


def test_a_number_from_a_data_frame_is_a_number() -> None:
    encoded = encode_metadata({"score": np.float64(0.5)}, text="a", text_key="text")
    assert orjson.loads(encoded)["score"] == 0.5


def test_more_than_40_kilobytes_are_refused_with_the_remedy() -> None:
    with pytest.raises(MetadataError, match="text splitter"):
        encode_metadata({}, text="é" * MAX_METADATA_BYTES, text_key="text")


def test_exactly_the_limit_is_accepted() -> None:
    text = "a" * (MAX_METADATA_BYTES - len('{"text":""}'))
    assert len(encode_metadata({}, text=text, text_key="text")) == MAX_METADATA_BYTES


def test_a_text_that_is_no_unicode_is_refused_by_name() -> None:
    with pytest.raises(MetadataError, match="cannot be sent"):
        encode_metadata({}, text="\ud800", text_key="text")


@pytest.mark.parametrize("key", ["", "é", "a\0b", "a" * 513])
def test_an_id_that_pinecone_does_not_take_is_refused(key: str) -> None:
    with pytest.raises(MetadataError, match="key_encoder"):
        check_id(key, text="a")


@pytest.mark.parametrize("key", ["a", "a" * 512, "with space#and-more"])
def test_other_ids_are_accepted(key: str) -> None:
    check_id(key, text="a")
