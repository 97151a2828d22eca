"""What the Pinecone writer decides: bodies within the limits, what to repeat, when to send."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_hfendpoint._sinks.upserts import (
    MAX_RETRY_AFTER,
    RateWindow,
    Verdict,
    encode_body,
    halves,
    judge,
    pack,
    retry_delay,
)


@given(
    sizes=st.lists(st.integers(1, 60), max_size=60),
    max_records=st.integers(1, 12),
    max_bytes=st.integers(20, 120),
)
def test_bodies_cover_all_records_in_order_and_keep_both_limits(
    sizes: list[int], max_records: int, max_bytes: int
) -> None:
    cuts = list(pack(sizes, max_records=max_records, max_bytes=max_bytes))
    assert [index for cut in cuts for index in range(len(sizes))[cut]] == list(range(len(sizes)))
    for cut in cuts:
        some = sizes[cut]
        assert 1 <= len(some) <= max_records
        assert len(some) == 1 or sum(some) + len(some) - 1 <= max_bytes


@given(sizes=st.lists(st.integers(1, 30), min_size=1, max_size=40), limit=st.integers(31, 100))
def test_no_body_could_have_taken_the_next_record_too(sizes: list[int], limit: int) -> None:
    cuts = list(pack(sizes, max_records=1_000, max_bytes=limit))
    for cut in cuts[:-1]:
        fuller = sizes[cut.start : cut.stop + 1]
        assert sum(fuller) + len(fuller) - 1 > limit


@given(st.integers(2, 1_000))
def test_halves_are_both_filled_and_cover_everything(count: int) -> None:
    left, right = halves(count)
    assert left.start == 0
    assert left.stop == right.start
    assert right.stop == count
    assert 0 < left.stop < count


@pytest.mark.parametrize("namespace", ["", "ns", 'a"b'])
def test_a_body_has_its_records_and_its_namespace_if_that_has_a_name(namespace: str) -> None:
    body = orjson.loads(encode_body([{"id": "a"}], namespace=namespace))
    assert body["vectors"] == [{"id": "a"}]
    assert body.get("namespace") == (namespace or None)


@pytest.mark.parametrize(
    ("status", "records", "verdict"),
    [
        (200, 5, Verdict.DONE),
        (429, 5, Verdict.RETRY),
        (500, 5, Verdict.RETRY),
        (503, 1, Verdict.RETRY),
        (408, 1, Verdict.RETRY),
        (None, 1, Verdict.RETRY),
        (413, 5, Verdict.SPLIT),
        (400, 5, Verdict.SPLIT),
        (413, 1, Verdict.FAIL),
        (400, 1, Verdict.FAIL),
        (401, 5, Verdict.FAIL),
        (403, 5, Verdict.FAIL),
        (404, 5, Verdict.FAIL),
    ],
)
def test_each_answer_has_its_consequence(
    status: int | None, records: int, verdict: Verdict
) -> None:
    assert judge(status, records=records) is verdict


@given(attempt=st.integers(1, 50), jitter=st.floats(0, 1))
def test_back_off_is_never_nothing_and_never_long(attempt: int, jitter: float) -> None:
    assert 0.1 < retry_delay(attempt, retry_after=None, jitter=jitter) <= 15


@given(attempt=st.integers(1, 50), asked=st.floats(0, MAX_RETRY_AFTER), jitter=st.floats(0, 1))
def test_a_retry_comes_no_earlier_than_asked_for(attempt: int, asked: float, jitter: float) -> None:
    assert retry_delay(attempt, retry_after=asked, jitter=jitter) > asked


def test_a_retry_after_of_hours_is_not_sat_out() -> None:
    assert retry_delay(1, retry_after=9_999, jitter=0.5) < MAX_RETRY_AFTER + 2


@given(
    gaps=st.lists(st.floats(0, 0.5), min_size=1, max_size=60),
    limit=st.integers(1, 10),
)
def test_no_window_ever_has_more_requests_than_allowed(gaps: list[float], limit: int) -> None:
    window = RateWindow(limit, window=1.0)
    now, sent = 0.0, []
    for gap in gaps:
        now += gap
        sent.append(now + window.reserve(now))
    assert sent == sorted(sent)
    for first, later in zip(sent, sent[limit:], strict=False):
        assert later - first >= 1.0 - 1e-9


def test_requests_within_the_limit_do_not_wait() -> None:
    window = RateWindow(3, window=1.0)
    assert [window.reserve(0.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert window.reserve(0.25) == 0.75
