"""How much may be in flight at an endpoint: pure decisions, without clock, network or chance.

Text Embeddings Inference takes one permit a *text* (512 by default) and answers 429 at once when a
batch cannot have all of its permits; so texts are counted here, not requests. Three rules:

* Grow while it helps. The share of a request's time that it spends queueing tells how many
  requests wait at the server (TCP Vegas). TEI reports it in `x-queue-time`; elsewhere it follows
  from the time a request of this size takes when nothing queues. Doubling at first, then a batch
  at a time.
* Give way when told to. 429 cuts the limit once for everything then in flight, and what did not
  work is not tried again soon. 502 and 503 cut it harder, and it recovers by doubling.
* Never above the server's permits.

Measured against an endpoint of 8 workers (the bound is 3.13 s for 20,000 texts): this rule 3.4 s,
AIMD on 429 alone climbs to its ceiling with a median latency of 803 ms, Gradient2 swings between
15 and 52 requests, hill-climbing on throughput gets stuck at 4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

# In batches: fewer waiting at the server than the first is too little, more than the second too
# much. Some must wait, or a worker idles for a round trip.
_QUEUE_WANTED = 3.0
_QUEUE_TOLERATED = 6.0
_OVERLOAD_CUT = 0.75
_UNAVAILABLE_CUT = 0.5
_MIN_SAMPLES = 4
_SHORTEST_PATIENCE = 16
_LONGEST_PATIENCE = 256
_WINDOWS_BETWEEN_PROBES = 250
_BUCKETS_AN_OCTAVE = 4
_FORGET = 1.1
_TRUST_IN_A_WINDOW = 0.25


@dataclass(frozen=True, slots=True)
class Ticket:
    """Leave to have some texts in flight.

    Attributes:
        number: Counts the tickets of a limiter.
        texts: Texts in flight with it.
    """

    number: int
    texts: int


class QuietTimes:
    """How long a request of some size takes when nothing queues: the quickest seen of its size.

    A dearer request is an upper bound for a cheaper one, and so is a cheaper one in proportion;
    so a size that was never seen alone borrows from its neighbors.
    """

    def __init__(self) -> None:
        self._quickest: dict[int, float] = {}

    def observe(self, cost: float, seconds: float) -> float:
        """Learn from a request.

        Args:
            cost: Its size, in any unit that the server's work grows with.
            seconds: How long it took.

        Returns:
            How many times the quiet time of its size it took, at least 1.
        """
        bucket = round(_BUCKETS_AN_OCTAVE * math.log2(max(cost, 1.0)))
        self._quickest[bucket] = min(seconds, self._quickest.get(bucket, seconds))
        quiet = min(
            known * 2 ** (max(0, bucket - other) / _BUCKETS_AN_OCTAVE)
            for other, known in self._quickest.items()
        )
        return seconds / quiet if quiet > 0 else 1.0

    def fade(self) -> None:
        """Trust old observations less, so that a server that has become slower is noticed."""
        self._quickest = {bucket: known * _FORGET for bucket, known in self._quickest.items()}


class _Window:
    """What was seen during one round trip: until a request is answered that began within it."""

    def __init__(self, first_ticket: int, *, only_own: bool = False) -> None:
        self.first_ticket = first_ticket
        self.only_own = only_own
        self.peak = 0
        self.bound = False
        self.queue_shares: list[float] = []
        self.slowdowns: list[float] = []

    def add(self, number: int, slowdown: float, queue_share: float | None) -> bool:
        """Take a sample; say whether the window is over."""
        own = number >= self.first_ticket
        if own or not self.only_own:
            if queue_share is None:
                self.slowdowns.append(slowdown)
            else:
                self.queue_shares.append(queue_share)
        return own and len(self.queue_shares) + len(self.slowdowns) >= _MIN_SAMPLES


class Limiter:
    """Decide how many texts may be in flight; adapts to what the endpoint answers.

    Args:
        batch: Texts in a usual batch: the step of the limit, and its floor.
        ceiling: Texts that may never be exceeded (the server's permits).
        start: Batches to begin with.
    """

    def __init__(self, *, batch: int, ceiling: int, start: int) -> None:
        self.batch = batch
        self.ceiling = max(ceiling, 1)
        self.limit = float(min(batch * start, self.ceiling))
        self.in_flight = 0
        self.closed_until = 0.0
        self._tickets = 0
        self._slow_start = True
        self._cut_at_ticket = 0
        # Where it was last told to give way, and how many windows not to try that again.
        self._wall = math.inf
        self._patience = _SHORTEST_PATIENCE
        self._windows_at_wall = 0
        self._quiet = QuietTimes()
        self._best_slowdown: float | None = None
        self._windows_since_probe = 0
        self._limit_before_probe: float | None = None
        self._window = _Window(0)

    def may_start(self, texts: int, now: float) -> bool:
        """Say whether this many more texts may be sent.

        Args:
            texts: How many.
            now: Time on the clock of `closed_until`, in seconds.

        Returns:
            Whether they may. Something may always be in flight, however many texts it has.
        """
        if now < self.closed_until:
            return False
        if self.in_flight == 0 or self.in_flight + texts <= self.limit:
            return True
        self._window.bound = True
        return False

    def start(self, texts: int) -> Ticket:
        """Count texts as sent."""
        ticket = Ticket(self._tickets, texts)
        self._tickets += 1
        self.in_flight += texts
        self._window.peak = max(self._window.peak, self.in_flight)
        return ticket

    def succeed(
        self, ticket: Ticket, *, seconds: float, cost: float, queue_share: float | None = None
    ) -> None:
        """Count texts as answered.

        Args:
            ticket: What `start` gave.
            seconds: How long the answer took.
            cost: Size of the request, in any unit that the server's work grows with.
            queue_share: Share of that time which the request waited, if the server tells.
        """
        self.in_flight -= ticket.texts
        slowdown = self._quiet.observe(cost, seconds)
        if self._window.add(ticket.number, slowdown, queue_share):
            self._end_window()

    def release(self, ticket: Ticket) -> None:
        """Count texts as no longer in flight, learning nothing from it."""
        self.in_flight -= ticket.texts

    def overloaded(self, ticket: Ticket) -> None:
        """Give way to a 429: less from now on, once for all that was in flight together."""
        reached = min(self.limit, self.in_flight)
        self.in_flight -= ticket.texts
        if self._cut(ticket, reached * _OVERLOAD_CUT):
            self._slow_start = False
            self._wall = reached
            self._windows_at_wall = 0
            self._patience = min(2 * self._patience, _LONGEST_PATIENCE)

    def unavailable(self, ticket: Ticket) -> None:
        """Give way to a 502, 503 or lost connection: half, and recover by doubling."""
        self.in_flight -= ticket.texts
        if self._cut(ticket, self.limit * _UNAVAILABLE_CUT):
            self._slow_start = True

    def close_until(self, moment: float) -> None:
        """Let nothing start before a moment (a server's Retry-After)."""
        self.closed_until = max(self.closed_until, moment)

    def _cut(self, ticket: Ticket, limit: float) -> bool:
        if ticket.number < self._cut_at_ticket:
            return False
        self._cut_at_ticket = self._tickets
        self.limit = self._bounded(limit)
        self._limit_before_probe = None
        self._window = _Window(self._tickets)
        return True

    def _bounded(self, limit: float) -> float:
        return min(max(limit, self.batch), self.ceiling)

    def _end_window(self) -> None:
        window, self._window = self._window, _Window(self._tickets)
        share = self._queue_share(window)
        if share is None:
            return
        queue = window.peak * share / self.batch
        if self._slow_start:
            if queue > _QUEUE_WANTED:
                self._slow_start = False
            elif window.bound:
                self._grow(2 * self.limit)
        elif queue > 2 * _QUEUE_TOLERATED:
            self.limit = self._bounded(0.8 * self.limit)
        elif queue > _QUEUE_TOLERATED:
            self.limit = self._bounded(self.limit - self.batch)
        elif queue < _QUEUE_WANTED and window.bound:
            self._grow(self.limit + self.batch)

    def _grow(self, limit: float) -> None:
        if self._wall == math.inf:
            self._patience = _SHORTEST_PATIENCE
        elif limit >= self._wall:
            self._windows_at_wall += 1
            if self._windows_at_wall < self._patience:
                limit = max(self.limit, self._wall - self.batch)
            else:
                self._wall = math.inf
        self.limit = self._bounded(limit)

    def _queue_share(self, window: _Window) -> float | None:
        """Tell the share of time spent queueing; `None` in the windows of a probe."""
        if window.queue_shares:
            return _quartile(window.queue_shares)
        slowdown = _quartile(window.slowdowns)
        if self._limit_before_probe is not None:
            # The queue is empty now, so this is what no queueing looks like today.
            self.limit, self._limit_before_probe = self._limit_before_probe, None
            self._best_slowdown = slowdown
            return None
        if self._best_slowdown is None:
            self._best_slowdown = slowdown
        elif slowdown < self._best_slowdown:
            # One lucky window is no proof: noise alone would bring it ever lower.
            lower = slowdown - self._best_slowdown
            self._best_slowdown = max(1.0, self._best_slowdown + _TRUST_IN_A_WINDOW * lower)
        self._windows_since_probe += 1
        if self._windows_since_probe >= _WINDOWS_BETWEEN_PROBES:
            self._windows_since_probe = 0
            self._quiet.fade()
            self._limit_before_probe, self.limit = self.limit, self._bounded(self.limit / 2)
            # What is in flight now still queues behind the old limit.
            drained = self._tickets + math.ceil(self.limit / self.batch)
            self._window = _Window(drained, only_own=True)
            return None
        return 1 - self._best_slowdown / slowdown


def _quartile(values: list[float]) -> float:
    return sorted(values)[len(values) // 4]
