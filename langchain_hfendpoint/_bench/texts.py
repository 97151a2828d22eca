"""Texts to load an endpoint with: short sentences, as in SNLI, and no two alike. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, product

_WHO = ("A man", "A woman", "A dog", "Two children", "An old couple", "The players", "A cyclist")
_HOW = ("", "quietly ", "happily ", "with great care ", "in the rain ", "for the third time today ")
_DOES = (
    "waits for the bus",
    "sleeps",
    "plays a guitar in front of a small crowd",
    "crosses the street",
    "jumps over a fence",
    "is cooking dinner for everybody who has come",
    "looks at the sea",
)
_WHERE = (
    ".",
    " in the park.",
    " near the station.",
    " while somebody takes a picture of it from the other side of the road.",
    " at night.",
)


def sentences() -> Iterator[str]:
    """Give sentences without end; a number makes each of them new, so that no cache helps."""
    frames = list(product(_WHO, _HOW, _DOES, _WHERE))
    for number in count():
        # 733 shares no factor with the number of frames, so neighbors differ in every part.
        who, how, does, where = frames[number * 733 % len(frames)]
        yield f"{who} {how}{does}{where} ({number})"
