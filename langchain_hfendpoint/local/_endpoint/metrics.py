"""TEI's figures in Prometheus's text format, as far as they mean something here."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class Histogram:
    """How often values fell below each of some bounds.

    Args:
        bounds: The bounds, ascending.
    """

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def lines(self, name: str) -> Iterator[str]:
        """Give the lines of Prometheus's text format."""
        yield f"# TYPE {name} histogram"
        labels = (*map(str, self._bounds), "+Inf")
        total = 0
        for label, total in zip(labels, accumulate(self._counts), strict=True):
            yield f'{name}_bucket{{le="{label}"}} {total}'
        yield f"{name}_sum {self._sum}"
        yield f"{name}_count {total}"


class Metrics:
    """The figures of one server.

    Args:
        batch_sizes: Texts in the batches of its model.
    """

    def __init__(self, batch_sizes: Histogram) -> None:
        self._batch_sizes = batch_sizes
        self._requests: Counter[str] = Counter()
        self._successes: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._duration = Histogram(_SECONDS)

    def request(self, *, batch: bool) -> None:
        """Count a request that was understood."""
        self._requests["batch" if batch else "single"] += 1

    def success(self, *, batch: bool, seconds: float) -> None:
        """Count a request that was answered, and how long that took."""
        self._successes["batch" if batch else "single"] += 1
        self._duration.observe(seconds)

    def failure(self, kind: str) -> None:
        """Count a request that was refused."""
        self._failures[kind.lower()] += 1

    def render(self, *, queue_size: int) -> str:
        """Give all figures in Prometheus's text format.

        Args:
            queue_size: Texts that wait.

        Returns:
            The text.
        """
        lines: list[str] = []
        for name, label, counts in (
            ("te_request_count", "method", self._requests),
            ("te_request_success", "method", self._successes),
            ("te_request_failure", "err", self._failures),
        ):
            lines.append(f"# TYPE {name} counter")
            lines += [f'{name}{{{label}="{key}"}} {value}' for key, value in counts.items()]
        lines += ["# TYPE te_queue_size gauge", f"te_queue_size {queue_size}"]
        lines += self._duration.lines("te_request_duration")
        lines += self._batch_sizes.lines("te_batch_next_size")
        return "\n".join(lines) + "\n"
