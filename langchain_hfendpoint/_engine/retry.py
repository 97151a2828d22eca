"""What to do after a failure, and when: pure, the random number and the clock are passed in.

Back-off is "decorrelated jitter":
https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

from langchain_hfendpoint._engine.failures import Failure, Kind

_FIRST_DELAY = 0.25
_LONGEST_DELAY = 20.0
_BUDGET = 32.0
_EARNED_BY_SUCCESS = 0.125
_ABOUT_THE_TEXTS = frozenset({Kind.TOO_MANY, Kind.TOO_LARGE, Kind.TOO_LONG, Kind.REJECTED})
# Halving these is also a repetition, of a request that kept the server busy for nothing.
COSTLY_TO_SPLIT = frozenset({Kind.TIMEOUT, Kind.CRASHED, Kind.BACKEND})
_PACED = frozenset({Kind.OVERLOADED, Kind.UNAVAILABLE})
# What one bad text can cause, so that the others deserve another try without it.
_MAYBE_ONE_TEXT = frozenset({Kind.CRASHED, Kind.BACKEND})
# How often the same request is sent again; what is missing here, until the deadline.
_REPETITIONS = {Kind.UNREACHABLE: 3, Kind.BAD_ANSWER: 1, Kind.CRASHED: 2, Kind.BACKEND: 1}


def backoff(previous: float, draw: float) -> float:
    """Choose how long to wait before the next try.

    Args:
        previous: Seconds waited before the last one; 0 before the first.
        draw: A random number from 0 to 1.

    Returns:
        Seconds.
    """
    longest = max(_FIRST_DELAY * 2, previous * 3)
    return min(_LONGEST_DELAY, _FIRST_DELAY + draw * (longest - _FIRST_DELAY))


class RetryBudget:
    """Repeat faulty requests only while most requests work, so that nobody storms a sick server.

    Waiting out 429 and 503 costs nothing: those are paced by the limiter.
    """

    def __init__(self) -> None:
        self._tokens = _BUDGET

    def earn(self) -> None:
        """Count a success."""
        self._tokens = min(_BUDGET, self._tokens + _EARNED_BY_SUCCESS)

    def spend(self) -> bool:
        """Take leave for one repetition; `False` if there is none left."""
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Next(enum.Enum):
    """What to do after a failure."""

    WAIT = "wait, then send it again"
    REPEAT = "send it again, at a cost to the retry budget"
    SPLIT = "send its halves"
    GIVE_UP = "raise"


@dataclass(frozen=True, slots=True)
class History:
    """What happened to a request so far.

    Attributes:
        texts: Texts in it.
        same: Failures of this kind in a row, this one included.
        troubled: Seconds since its first failure.
        answered_before: Whether the endpoint has ever given vectors.
    """

    texts: int
    same: int
    troubled: float
    answered_before: bool


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long to go on.

    Attributes:
        retry: Seconds of trouble after which a request is given up.
        cold_start: Seconds an endpoint may take to wake up.
    """

    retry: float
    cold_start: float

    def patience(self, kind: Kind) -> float:
        """Say how many seconds of a kind of trouble to bear."""
        return max(self.retry, self.cold_start) if kind is Kind.UNAVAILABLE else self.retry


def next_step(failure: Failure, history: History, deadlines: Deadlines) -> Next:
    """Decide what to do after a failure.

    Args:
        failure: What happened.
        history: What happened before.
        deadlines: How long to go on.

    Returns:
        The next step.
    """
    kind, several = failure.kind, history.texts > 1
    if failure.hopeless:
        return Next.GIVE_UP
    if kind in _ABOUT_THE_TEXTS:
        return Next.SPLIT if several else Next.GIVE_UP
    if history.troubled >= deadlines.patience(kind):
        return Next.GIVE_UP
    if kind in _PACED:
        return Next.WAIT
    if kind is Kind.TIMEOUT and several:
        return Next.SPLIT
    if history.same <= _REPETITIONS.get(kind, math.inf):
        return Next.REPEAT
    if kind is Kind.UNREACHABLE and history.answered_before:
        return Next.REPEAT
    may_be_one_text = kind in _MAYBE_ONE_TEXT or bool(failure.rows)
    return Next.SPLIT if several and may_be_one_text else Next.GIVE_UP
