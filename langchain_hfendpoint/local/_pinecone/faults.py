"""Faults on purpose, so that users can test their retries: statuses by chance, and latency."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from langchain_hfendpoint.errors import ConfigurationError
from langchain_hfendpoint.local._pinecone.wire import WireError

_ERRORS: Final = {
    408: ("DEADLINE_EXCEEDED", "Request timed out"),
    429: ("RESOURCE_EXHAUSTED", "Too many requests: please retry later"),
    500: ("INTERNAL", "Internal server error"),
    502: ("UNAVAILABLE", "Bad gateway"),
    503: ("UNAVAILABLE", "Service unavailable"),
    504: ("DEADLINE_EXCEEDED", "Gateway timeout"),
}


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong on the data plane.

    Attributes:
        rates: Share of the requests, by status; they sum to at most 1.
        latency: Seconds that every request takes longer.
    """

    rates: tuple[tuple[int, float], ...] = ()
    latency: float = 0.0

    @classmethod
    def parse(cls, rates: Iterable[str], *, latency: float = 0.0) -> Faults:
        """Read faults as they are given on the command line.

        Args:
            rates: Such as `429=0.05`: 5 % of the requests are answered with 429.
            latency: Seconds.

        Returns:
            The faults.

        Raises:
            ConfigurationError: If a status or a share is not possible.
        """
        parsed: list[tuple[int, float]] = []
        for text in rates:
            status, _, share = text.partition("=")
            try:
                parsed.append((int(status), float(share)))
            except ValueError as error:
                raise ConfigurationError(
                    f"Cannot read the fault {text!r}; write it like 429=0.05."
                ) from error
        unknown = [status for status, _ in parsed if status not in _ERRORS]
        if unknown:
            raise ConfigurationError(
                f"The status {unknown[0]} cannot be injected; "
                f"choose among {', '.join(map(str, _ERRORS))}."
            )
        shares = [share for _, share in parsed]
        if not all(0.0 <= share <= 1.0 for share in shares) or sum(shares) > 1.0:
            raise ConfigurationError("The shares of faults must be between 0 and 1, also summed.")
        if latency < 0.0:
            raise ConfigurationError("The latency must not be negative.")
        return cls(tuple(parsed), latency)

    def strike(self, chance: float) -> WireError | None:
        """Decide what happens to one request.

        Args:
            chance: A random number in [0, 1).

        Returns:
            The error it is answered with, or `None` if it goes through.
        """
        for status, share in self.rates:
            if chance < share:
                code, message = _ERRORS[status]
                return WireError(status, code, f"{message} (injected fault)")
            chance -= share
        return None
