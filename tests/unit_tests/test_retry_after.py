"""When a server says to come back."""

import math
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_hfendpoint._retry_after import parse_retry_after

NOW = 1_795_000_000.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("30", 30.0),
        (" 0 ", 0.0),
        ("1.5", 1.5),
        (formatdate(NOW + 90, usegmt=True), 90.0),
        (formatdate(NOW - 90, usegmt=True), 0.0),
        ("Fri, 20 Nov 2026 23:00:00", "a moment"),
        ("soon", None),
        ("-5", None),
        ("nan", None),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 0.0),
        ("", None),
        ("²", None),
    ],
)
def test_retry_after_is_read_in_both_forms(value: str | None, seconds: object) -> None:
    found = parse_retry_after(value, now=NOW)
    assert found == seconds or (seconds == "a moment" and found is not None)


@given(st.text())
def test_no_retry_after_breaks_anything(value: str) -> None:
    found = parse_retry_after(value, now=NOW)
    assert found is None or (found >= 0 and math.isfinite(found))
