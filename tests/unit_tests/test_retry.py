"""What is done after a failure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_hfendpoint._engine.failures import Failure, Kind
from langchain_hfendpoint._engine.retry import (
    Deadlines,
    History,
    Next,
    RetryBudget,
    backoff,
    next_step,
)

NOW = 1_795_000_000.0
DEADLINES = Deadlines(retry=120.0, cold_start=600.0)

histories = st.builds(
    History,
    texts=st.integers(1, 128),
    same=st.integers(1, 1000),
    troubled=st.floats(0, 10_000),
    answered_before=st.booleans(),
)


def step(kind: Kind, *, texts: int = 32, same: int = 1, troubled: float = 0.0) -> Next:
    return next_step(Failure(kind, ""), History(texts, same, troubled, True), DEADLINES)


@given(st.sampled_from(Kind), histories)
def test_every_failure_ends(kind: Kind, history: History) -> None:
    late = History(history.texts, history.same, 601.0, history.answered_before)
    decided = next_step(Failure(kind, ""), late, DEADLINES)
    assert decided in (Next.SPLIT, Next.GIVE_UP)
    if history.texts == 1:
        alone = History(1, history.same, 601.0, history.answered_before)
        assert next_step(Failure(kind, ""), alone, DEADLINES) is Next.GIVE_UP


@given(histories)
def test_one_text_is_never_split(history: History) -> None:
    alone = History(1, history.same, history.troubled, history.answered_before)
    for kind in Kind:
        assert next_step(Failure(kind, ""), alone, DEADLINES) is not Next.SPLIT


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Kind.OVERLOADED, Next.WAIT),
        (Kind.UNAVAILABLE, Next.WAIT),
        (Kind.TIMEOUT, Next.SPLIT),
        (Kind.REJECTED, Next.SPLIT),
        (Kind.TOO_LONG, Next.SPLIT),
        (Kind.TOO_MANY, Next.SPLIT),
        (Kind.TOO_LARGE, Next.SPLIT),
        (Kind.DISCONNECTED, Next.REPEAT),
        (Kind.CRASHED, Next.REPEAT),
        (Kind.BACKEND, Next.REPEAT),
        (Kind.BAD_ANSWER, Next.REPEAT),
        (Kind.AUTHENTICATION, Next.GIVE_UP),
        (Kind.NOT_RUNNING, Next.GIVE_UP),
        (Kind.NOT_POOLED, Next.GIVE_UP),
        (Kind.FATAL, Next.GIVE_UP),
    ],
)
def test_the_first_failure_of_a_batch(kind: Kind, expected: Next) -> None:
    assert step(kind) is expected


def test_a_cold_start_is_waited_for_longer_than_an_overload() -> None:
    assert step(Kind.UNAVAILABLE, troubled=599.0) is Next.WAIT
    assert step(Kind.UNAVAILABLE, troubled=601.0) is Next.GIVE_UP
    assert step(Kind.OVERLOADED, troubled=121.0) is Next.GIVE_UP


def test_a_model_failure_is_tried_once_more_and_then_bisected() -> None:
    assert step(Kind.BACKEND, same=2) is Next.SPLIT
    assert step(Kind.BACKEND, same=2, texts=1) is Next.GIVE_UP


def test_an_endpoint_that_never_answered_is_given_up_soon() -> None:
    history = History(1, 4, 1.0, False)
    assert next_step(Failure(Kind.UNREACHABLE, ""), history, DEADLINES) is Next.GIVE_UP
    assert step(Kind.UNREACHABLE, same=4) is Next.REPEAT


@given(st.floats(0, 1e4), st.floats(0, 1))
def test_backoff_stays_within_bounds(previous: float, draw: float) -> None:
    assert 0.25 <= backoff(previous, draw) <= 20.0


def test_backoff_spreads_and_grows() -> None:
    assert backoff(0.0, 0.0) == 0.25
    assert backoff(0.0, 1.0) == 0.5
    assert backoff(4.0, 1.0) == 12.0


def test_the_budget_stops_a_storm_and_is_earned_back() -> None:
    budget = RetryBudget()
    assert sum(budget.spend() for _ in range(1000)) == 32
    for _ in range(8):
        budget.earn()
    assert budget.spend()
    assert not budget.spend()
