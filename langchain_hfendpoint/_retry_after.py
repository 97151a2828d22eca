"""Retry-After, as seconds or as an HTTP date (RFC 9110, 10.2.3)."""

from __future__ import annotations

from datetime import timezone
from email.utils import parsedate_to_datetime


def parse_retry_after(value: str | None, *, now: float) -> float | None:
    """Read a Retry-After header.

    Args:
        value: Its value, if there is one.
        now: Seconds since the epoch.

    Returns:
        Seconds to wait, never negative; `None` if there is no telling.
    """
    if value is None:
        return None
    text = value.strip()
    if text.replace(".", "", 1).isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return max(0.0, moment.timestamp() - now)
