"""The benchmark: what follows from what was measured."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_hfendpoint._bench.points import (
    AutoRun,
    Point,
    advise,
    find_saturation,
    next_load,
    percentile,
    price_per_million,
    steady_rate,
)
from langchain_hfendpoint._bench.texts import sentences

_times = st.lists(st.floats(0, 1000), min_size=1, max_size=50)


def point(in_flight: int, rate: float, *, batch_size: int = 32, rejected: int = 0) -> Point:
    return Point(batch_size, in_flight, rate, 0.1, 0.2, 0.3, 10, rejected)


def ladder(rate_of: dict[int, float], *, most: int = 64) -> list[int]:
    """Climb as a benchmark does; give the loads it tried."""
    done: list[Point] = []
    while (load := next_load(done, most=most)) is not None:
        done.append(point(load, rate_of[load]))
    return [each.in_flight for each in done]


@given(_times, st.floats(0.01, 1))
def test_a_percentile_is_a_value_that_was_seen_and_bounds_its_share(
    values: list[float], share: float
) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values)
    assert sum(value < found for value in values) < share * len(values)


@given(st.integers(1, 20), st.integers(2, 10), st.floats(0.01, 10))
def test_the_rate_is_exact_for_a_server_that_answers_in_bursts(
    in_flight: int, rounds: int, seconds: float
) -> None:
    answers = [(10 + seconds * each, 32) for each in range(1, rounds + 1) for _ in range(in_flight)]
    rate = steady_rate(answers, ramp=in_flight, began=10.0)
    assert rate == pytest.approx(32 * in_flight / seconds)


@given(st.integers(1, 20), st.integers(2, 100), st.floats(0.01, 10))
def test_the_rate_is_exact_for_a_server_that_answers_one_by_one(
    in_flight: int, count: int, seconds: float
) -> None:
    answers = [(10 + seconds * each, 32) for each in range(1, count + 1)]
    rate = steady_rate(answers, ramp=in_flight, began=10.0)
    assert rate == pytest.approx(32 / seconds)


def test_without_any_answer_the_rate_is_zero() -> None:
    assert steady_rate([], ramp=4, began=10.0) == 0


def test_the_load_is_doubled_as_long_as_it_helps() -> None:
    rates = {1: 100.0, 2: 200.0, 4: 390.0, 8: 700.0, 16: 720.0, 32: 721.0, 64: 722.0}
    assert ladder(rates) == [1, 2, 4, 8, 16, 32]


def test_one_step_that_does_not_help_is_not_the_end() -> None:
    rates = {1: 100.0, 2: 200.0, 4: 190.0, 8: 700.0, 16: 700.0, 32: 700.0}
    assert ladder(rates) == [1, 2, 4, 8, 16, 32]


def test_the_load_never_exceeds_what_is_allowed() -> None:
    assert ladder({load: load * 100.0 for load in (1, 2, 4, 8)}, most=8) == [1, 2, 4, 8]


def test_an_endpoint_that_refuses_is_not_pressed_further() -> None:
    assert next_load([point(1, 100.0), point(2, 150.0, rejected=3)], most=64) is None


@given(st.lists(st.floats(0.1, 1e6), min_size=1, max_size=20))
def test_saturation_is_nearly_the_best_and_never_more_in_flight(rates: list[float]) -> None:
    points = [point(2**i, rate) for i, rate in enumerate(rates)]
    best, saturation = find_saturation(points)
    assert best.texts_per_second == max(rates)
    assert saturation.texts_per_second >= 0.9 * best.texts_per_second
    assert saturation.in_flight <= best.in_flight


def test_of_equal_loads_the_larger_batches_win() -> None:
    small, large = point(8, 1000.0, batch_size=8), point(8, 990.0, batch_size=32)
    assert find_saturation([small, large])[1] is large


def test_a_million_texts_at_a_thousand_a_second_cost_a_thousand_seconds() -> None:
    assert price_per_million(3.6, 1000.0) == pytest.approx(1.0)


def test_good_advice_is_to_leave_auto_mode_alone() -> None:
    best = point(16, 1000.0)
    advice = advise(best, point(8, 950.0), AutoRun(32, 11.2, 960.0))
    assert "saturates at 8 requests of 32 texts" in advice
    assert "about 11 requests in flight" in advice
    assert "96% of the best" in advice
    assert "Leave batch_size and max_concurrency alone" in advice


def test_where_auto_mode_falls_behind_the_advice_names_what_to_set() -> None:
    advice = advise(point(16, 1000.0), point(8, 950.0), AutoRun(32, 2.0, 500.0))
    assert "set batch_size=32 and max_concurrency=8" in advice


def test_without_time_for_auto_mode_the_advice_says_so() -> None:
    assert "time budget" in advise(point(16, 1000.0), point(8, 950.0), None)


def test_no_two_texts_are_alike_and_their_lengths_differ() -> None:
    texts = list(islice(sentences(), 5000))
    assert len(set(texts)) == 5000
    lengths = [len(text.split()) for text in texts[:200]]
    assert min(lengths) < 6
    assert max(lengths) > 20
