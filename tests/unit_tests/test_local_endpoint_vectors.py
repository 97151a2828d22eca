import asyncio

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from langchain_hfendpoint.local._endpoint.metrics import Histogram, Metrics
from langchain_hfendpoint.local._endpoint.permits import Permits
from langchain_hfendpoint.local._endpoint.refusals import RefusalError
from langchain_hfendpoint.local._endpoint.runtime import normalize, pool

FLOATS = st.floats(-100, 100, width=32)


@st.composite
def hidden_states(draw):
    lengths = draw(st.lists(st.integers(1, 9), min_size=1, max_size=6))
    shape = (len(lengths), max(lengths), 5)
    return draw(hnp.arrays(np.float32, shape, elements=FLOATS)), lengths


@given(hidden_states())
def test_the_mean_is_that_of_a_texts_own_tokens(batch):
    hidden, lengths = batch
    expected = [hidden[i, :n].astype(float).mean(axis=0) for i, n in enumerate(lengths)]
    np.testing.assert_allclose(pool(hidden, lengths, "mean"), expected, rtol=1e-4, atol=1e-4)


@given(hidden_states())
def test_the_cls_vector_is_that_of_the_first_token(batch):
    hidden, lengths = batch
    np.testing.assert_array_equal(pool(hidden, lengths, "cls"), hidden[:, 0])


@given(hnp.arrays(np.float32, (4, 7), elements=FLOATS.filter(lambda x: x == 0 or abs(x) > 1e-3)))
def test_normalized_rows_have_length_one_and_rows_of_zeros_stay(rows):
    scaled = normalize(rows)
    lengths = np.linalg.norm(scaled, axis=1)
    zero = ~rows.any(axis=1)
    np.testing.assert_allclose(lengths[~zero], 1, atol=1e-5)
    assert not scaled[zero].any()


async def test_a_request_that_finds_too_few_permits_is_refused_at_once():
    permits = Permits(4)
    await permits.acquire(3, batch=True)
    with pytest.raises(RefusalError, match="Model is overloaded"):
        await permits.acquire(2, batch=True)
    await permits.acquire(1, batch=False)
    permits.release(4)
    await permits.acquire(4, batch=True)


async def test_before_1_9_a_batch_waits_for_its_permits_and_a_single_text_does_not():
    permits = Permits(4, batches_wait=True)
    await permits.acquire(4, batch=True)
    waiting = [asyncio.create_task(permits.acquire(3, batch=True)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(RefusalError):
        await permits.acquire(1, batch=False)
    permits.release(4)
    await waiting[0]
    assert not waiting[1].done()
    permits.release(3)
    await waiting[1]


async def test_a_request_that_gave_up_waiting_takes_no_permits():
    permits = Permits(2, batches_wait=True)
    await permits.acquire(2, batch=True)
    waiting = asyncio.create_task(permits.acquire(2, batch=True))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    permits.release(2)
    await permits.acquire(2, batch=False)


def test_metrics_are_in_prometheus_own_format():
    sizes = Histogram((1, 8))
    for value in (1, 5, 9):
        sizes.observe(value)
    metrics = Metrics(sizes)
    metrics.request(batch=True)
    metrics.success(batch=True, seconds=0.5)
    metrics.failure("Overloaded")
    lines = metrics.render(queue_size=3).splitlines()
    assert 'te_request_count{method="batch"} 1' in lines
    assert 'te_request_success{method="batch"} 1' in lines
    assert 'te_request_failure{err="overloaded"} 1' in lines
    assert "te_queue_size 3" in lines
    assert [line for line in lines if line.startswith("te_batch_next_size")] == [
        'te_batch_next_size_bucket{le="1"} 1',
        'te_batch_next_size_bucket{le="8"} 2',
        'te_batch_next_size_bucket{le="+Inf"} 3',
        "te_batch_next_size_sum 15.0",
        "te_batch_next_size_count 3",
    ]
