"""What was measured, and what follows from it. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_SATURATED = 0.9
_GAIN = 1.05
_AUTO_IS_FINE = 0.9


@dataclass(frozen=True, slots=True)
class Point:
    """A load that an endpoint was given, and how it bore it.

    Attributes:
        batch_size: Texts in a request.
        in_flight: Requests kept in flight.
        texts_per_second: Texts embedded a second.
        p50: Seconds within which half of the answers came.
        p90: Seconds within which 90 % of the answers came.
        p99: Seconds within which 99 % of the answers came.
        answers: Answers it is made of.
        rejected: Requests that were refused for overload (429, 503).
    """

    batch_size: int
    in_flight: int
    texts_per_second: float
    p50: float
    p90: float
    p99: float
    answers: int
    rejected: int


@dataclass(frozen=True, slots=True)
class AutoRun:
    """What the package does by itself, without any option.

    Attributes:
        batch_size: Texts it puts into a request.
        in_flight: Requests it had in flight at the end.
        texts_per_second: Texts embedded a second.
    """

    batch_size: int
    in_flight: float
    texts_per_second: float


@dataclass(frozen=True, slots=True)
class BenchReport:
    """What a benchmark found.

    Attributes:
        url: The endpoint.
        software: What serves the model there.
        points: The loads, by batch size and requests in flight.
        best: The load with most texts a second.
        saturation: The load with the fewest requests in flight that gives nearly as many.
        auto: What the package does by itself; `None` if the time was over before.
        complete: Whether everything was measured within the time.
        usd_per_million_texts: At the best load; `None` if the price of an hour is not known.
        advice: What to do with it.
    """

    url: str
    software: str
    points: tuple[Point, ...]
    best: Point
    saturation: Point
    auto: AutoRun | None
    complete: bool
    usd_per_million_texts: float | None
    advice: str


def percentile(values: Sequence[float], share: float) -> float:
    """Give the smallest value that is not exceeded by a share of all (nearest rank).

    Args:
        values: At least one, in any order.
        share: Between 0 and 1.

    Returns:
        One of the values.
    """
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def steady_rate(answers: Sequence[tuple[float, int]], *, ramp: int, began: float) -> float:
    """Tell how many texts a second were embedded once the load was there.

    Servers that batch answer in bursts; so what is counted begins right after an answer and ends
    with one.

    Args:
        answers: When each answer came and how many texts it had, in order of time.
        ramp: Answers at the beginning that are not counted: one for each request in flight.
        began: When the first request was sent; used if there is nothing beyond the ramp.

    Returns:
        Texts a second; 0 without an answer.
    """
    if len(answers) <= ramp or answers[-1][0] <= answers[ramp - 1][0]:
        ramp = 0
    since = answers[ramp - 1][0] if ramp else began
    texts = sum(count for _, count in answers[ramp:])
    return texts / (answers[-1][0] - since) if texts else 0.0


def next_load(done: Sequence[Point], *, most: int) -> int | None:
    """Choose how many requests to keep in flight next, at one batch size.

    Doubles until two steps in a row bring next to nothing, or the endpoint refuses.

    Args:
        done: The points of this batch size so far, in order.
        most: Requests in flight that may not be exceeded.

    Returns:
        The number, or `None` if there is nothing more to learn.
    """
    if not done:
        return 1
    following = 2 * done[-1].in_flight
    if following > most or done[-1].rejected:
        return None
    if len(done) >= 3:
        before = max(point.texts_per_second for point in done[:-2])
        if max(point.texts_per_second for point in done[-2:]) < _GAIN * before:
            return None
    return following


def find_saturation(points: Iterable[Point]) -> tuple[Point, Point]:
    """Find the best load, and the least one that is nearly as good.

    Args:
        points: At least one.

    Returns:
        The point with most texts a second, and the point with the fewest requests in flight that
        comes within 10 % of it.
    """
    points = list(points)
    best = max(points, key=lambda point: point.texts_per_second)
    enough = (
        point for point in points if point.texts_per_second >= _SATURATED * best.texts_per_second
    )
    return best, min(enough, key=lambda point: (point.in_flight, -point.batch_size))


def price_per_million(hourly_price: float, texts_per_second: float) -> float:
    """Tell what a million texts cost.

    Args:
        hourly_price: Price of an hour.
        texts_per_second: Texts embedded a second.

    Returns:
        The price, in the same currency; infinite if nothing is embedded.
    """
    return hourly_price / (texts_per_second * 3600) * 1e6 if texts_per_second else math.inf


def advise(best: Point, saturation: Point, auto: AutoRun | None) -> str:
    """Say what to do, starting from what the package does by itself.

    Args:
        best: The best load.
        saturation: The least load that is nearly as good.
        auto: What the package does by itself, if that was measured.

    Returns:
        The advice, in a few sentences.
    """
    knee = (
        f"The endpoint saturates at {saturation.in_flight} requests of {saturation.batch_size} "
        f"texts in flight; more only queue."
    )
    if auto is None:
        return f"{knee} Raise the time budget to see what auto mode does."
    share = auto.texts_per_second / best.texts_per_second
    did = (
        f"Auto mode uses batches of {auto.batch_size} and about {auto.in_flight:.0f} requests in "
        f"flight here, and reaches {auto.texts_per_second:,.0f} texts/s, {share:.0%} of the best."
    )
    if share >= _AUTO_IS_FINE:
        return f"{knee} {did} Leave batch_size and max_concurrency alone."
    return (
        f"{knee} {did} If that stays so, set batch_size={saturation.batch_size} and "
        f"max_concurrency={saturation.in_flight}."
    )
