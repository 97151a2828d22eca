"""The verdict on one thing that was examined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "problem", "skipped"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one check came to.

    Attributes:
        check: What was examined.
        level: `"ok"`, `"warning"` (works, but), `"problem"` (does not work) or `"skipped"`.
        found: What was found, in a sentence without full stop.
        remedy: What to do about it.
    """

    check: str
    level: Level
    found: str
    remedy: str | None = None


def ok(check: str, found: str) -> Verdict:
    """Find something in order."""
    return Verdict(check, "ok", found)


def warning(check: str, found: str, remedy: str | None = None) -> Verdict:
    """Find something that works, but not as it might."""
    return Verdict(check, "warning", found, remedy)


def problem(check: str, found: str, remedy: str | None = None) -> Verdict:
    """Find something that does not work."""
    return Verdict(check, "problem", found, remedy)


def skipped(check: str, why: str) -> Verdict:
    """Tell why something was not examined."""
    return Verdict(check, "skipped", why)
