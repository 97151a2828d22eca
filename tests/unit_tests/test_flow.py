"""The limiter: against a simulated endpoint in simulated time, and as a state machine."""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from langchain_hfendpoint._engine.flow import Limiter, QuietTimes, Ticket

BATCH = 32


@dataclass
class Simulation:
    """An endpoint and a client that always has work, in simulated time.

    Attributes:
        workers: Requests served at a time.
        service: Seconds for a batch.
        round_trip: Seconds on the wire.
        refuse_above: Texts in flight above which the answer is 429.
        lengths_vary: Whether some batches take longer, by their length.
        noise: Standard deviation of the logarithm of the delays.
        tells_queue: Whether the server tells how long a request queued.
    """

    workers: int = 8
    service: float = 0.040
    round_trip: float = 0.020
    refuse_above: float = float("inf")
    noise: float = 0.0
    tells_queue: bool = False
    lengths_vary: bool = False
    refused: int = 0
    peak: int = 0
    limits: list[float] = field(default_factory=list)

    def run(self, limiter: Limiter, batches: int) -> float:
        """Send batches; return the share of the endpoint's capacity that was used."""
        chance = random.Random(11)
        free = [0.0] * self.workers
        answers: list[tuple[float, int, Ticket, float, float, float]] = []
        now, left, done, order = 0.0, batches, 0, 0
        while done < batches:
            if not answers:
                now = max(now, limiter.closed_until)
            while left and limiter.may_start(BATCH, now):
                ticket = limiter.start(BATCH)
                self.peak = max(self.peak, limiter.in_flight)
                order += 1
                if limiter.in_flight > self.refuse_above:
                    answer = (now + self.round_trip, order, ticket, now, -1.0, 1.0)
                else:
                    blur = chance.lognormvariate(0, self.noise) if self.noise else 1.0
                    # Windows of 32 batches, each sorted by length, from 2 to 0.25 times the mean.
                    length = 2 * 0.125 ** (left % 32 / 31) / 0.85 if self.lengths_vary else 1.0
                    begin = max(now, heapq.heappop(free))
                    end = begin + self.service * blur * length
                    heapq.heappush(free, end)
                    wire = self.round_trip * (
                        chance.lognormvariate(0, self.noise) if self.noise else 1.0
                    )
                    answer = (end + wire, order, ticket, now, begin - now, length)
                heapq.heappush(answers, answer)
                left -= 1
            now, _, ticket, sent, queued, length = heapq.heappop(answers)
            if queued < 0:
                self.refused += 1
                left += 1
                limiter.overloaded(ticket)
                limiter.close_until(now + 0.025)
                continue
            share = min(1.0, queued / (now - sent)) if self.tells_queue else None
            limiter.succeed(ticket, seconds=now - sent, cost=3000 * length, queue_share=share)
            self.limits.append(limiter.limit / BATCH)
            done += 1
        return batches * self.service / self.workers / now


def limiter(*, ceiling: int = 64 * BATCH, start: int = 4) -> Limiter:
    return Limiter(batch=BATCH, ceiling=ceiling, start=start)


@pytest.mark.parametrize("tells_queue", [True, False])
@pytest.mark.parametrize("workers", [1, 2, 8, 16])
@pytest.mark.parametrize("round_trip", [0.001, 0.020, 0.050])
def test_the_capacity_is_reached_without_tuning(
    workers: int, round_trip: float, tells_queue: bool
) -> None:
    simulation = Simulation(workers=workers, round_trip=round_trip, tells_queue=tells_queue)
    assert simulation.run(limiter(), 625) > 0.8
    assert simulation.run(limiter(), 3000) > 0.95


@pytest.mark.parametrize("tells_queue", [True, False])
@pytest.mark.parametrize("lengths_vary", [True, False])
@pytest.mark.parametrize(("noise", "least"), [(0.1, 0.95), (0.3, 0.9), (0.6, 0.75)])
def test_noisy_latencies_do_not_make_it_collapse(
    noise: float, least: float, lengths_vary: bool, tells_queue: bool
) -> None:
    simulation = Simulation(noise=noise, tells_queue=tells_queue, lengths_vary=lengths_vary)
    # The mean of the noise slows the endpoint itself by exp(noise² / 2).
    assert simulation.run(limiter(), 3000) * 2.718 ** (noise**2 / 2) > least


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_the_queue_at_the_server_stays_short(workers: int) -> None:
    simulation = Simulation(workers=workers, tells_queue=True)
    simulation.run(limiter(), 3000)
    busy = workers * (0.060 / 0.040)
    assert max(simulation.limits[1500:]) <= busy + 8


def test_a_server_that_never_tells_is_not_queued_up_at_for_ever() -> None:
    simulation = Simulation(workers=1)
    simulation.run(limiter(), 5000)
    assert max(simulation.limits[2500:]) <= 16


def test_permits_are_never_exceeded() -> None:
    simulation = Simulation(workers=64)
    simulation.run(limiter(ceiling=512, start=8), 2000)
    assert simulation.peak == 512


def test_a_server_that_refuses_above_a_limit_is_used_near_it() -> None:
    simulation = Simulation(refuse_above=10 * BATCH)
    share = simulation.run(limiter(), 3000)
    assert share > 0.95 * 10 / 12
    assert simulation.refused < 60


def test_429_cuts_once_for_all_that_was_in_flight() -> None:
    control = limiter(start=16)
    tickets = [control.start(BATCH) for _ in range(16)]
    for ticket in tickets:
        control.overloaded(ticket)
    assert control.limit == 16 * BATCH * 0.75
    control.overloaded(control.start(BATCH))
    assert control.limit < 16 * BATCH * 0.75


def test_the_first_request_may_be_larger_than_the_limit() -> None:
    control = Limiter(batch=4, ceiling=4, start=1)
    assert control.may_start(100, 0.0)
    control.start(100)
    assert not control.may_start(1, 0.0)


def test_nothing_starts_before_retry_after() -> None:
    control = limiter()
    control.close_until(10.0)
    control.close_until(5.0)
    assert not control.may_start(1, 9.9)
    assert control.may_start(1, 10.0)


@given(st.lists(st.tuples(st.floats(1, 1e6), st.floats(1e-4, 1e3)), min_size=1, max_size=60))
def test_a_slowdown_is_never_below_one(samples: list[tuple[float, float]]) -> None:
    quiet = QuietTimes()
    for cost, seconds in samples:
        assert quiet.observe(cost, seconds) >= 1.0


def test_a_dear_request_is_not_taken_for_a_slow_one() -> None:
    quiet = QuietTimes()
    for cost in (500, 1000, 2000, 4000, 8000):
        assert quiet.observe(cost, 0.02 + cost / 1e5) < 1.2


class LimiterMachine(RuleBasedStateMachine):
    """Whatever is answered, in whatever order, the limiter keeps its books."""

    def __init__(self) -> None:
        super().__init__()
        self.limiter = Limiter(batch=BATCH, ceiling=512, start=8)
        self.open: list[Ticket] = []
        self.now = 0.0

    @rule(texts=st.integers(1, 64))
    def start(self, texts: int) -> None:
        if self.limiter.may_start(texts, self.now):
            self.open.append(self.limiter.start(texts))

    @precondition(lambda self: self.open)
    @rule(
        place=st.integers(0, 1000),
        seconds=st.floats(1e-4, 100),
        cost=st.floats(1, 1e6),
        share=st.none() | st.floats(0, 1),
    )
    def succeed(self, place: int, seconds: float, cost: float, share: float | None) -> None:
        ticket = self.open.pop(place % len(self.open))
        self.limiter.succeed(ticket, seconds=seconds, cost=cost, queue_share=share)

    @precondition(lambda self: self.open)
    @rule(place=st.integers(0, 1000), how=st.sampled_from(["overloaded", "unavailable", "release"]))
    def fail(self, place: int, how: str) -> None:
        before = self.limiter.limit
        getattr(self.limiter, how)(self.open.pop(place % len(self.open)))
        assert self.limiter.limit <= before

    @rule(seconds=st.floats(0, 10))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.limiter.close_until(self.now - 1)

    @invariant()
    def books_are_right(self) -> None:
        assert self.limiter.in_flight == sum(ticket.texts for ticket in self.open)

    @invariant()
    def limit_is_within_bounds(self) -> None:
        assert BATCH <= self.limiter.limit <= 512

    @invariant()
    def nothing_waits_for_ever(self) -> None:
        if not self.open:
            assert self.limiter.may_start(1, max(self.now, self.limiter.closed_until))


TestLimiterMachine = LimiterMachine.TestCase
