"""What comes to the data plane and goes from it: calls, answers, writes, and pages."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_hfendpoint.local._pinecone.index import Index, Transaction
from langchain_hfendpoint.local._pinecone.wire import MAX_PAGE, invalid


@dataclass(frozen=True, slots=True)
class Call:
    """A request to an index.

    Attributes:
        index: The index.
        version: API version the client speaks, such as `"2025-10"`.
        path: Variable parts of the path.
        query: Query parameters; the values of each, in order.
        body: The body, undecoded.
    """

    index: Index
    version: str
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, Sequence[str]] = field(default_factory=dict)
    body: bytes = b""

    def parameter(self, name: str, default: str = "") -> str:
        """Give a query parameter."""
        return next(iter(self.query.get(name, ())), default)


@dataclass(frozen=True, slots=True)
class Answer:
    """What was read, and the commit it shows."""

    body: dict[str, Any]
    lsn: int


@dataclass(frozen=True, slots=True)
class Write:
    """What is to be committed, and how the outcome is answered."""

    operation: Callable[[Transaction], Any]
    answer: Callable[[Any], dict[str, Any]] = lambda _: {}


def page_limit(call: Call) -> int:
    """Tell how long a page shall be.

    Raises:
        WireError: If it is not between 1 and 100.
    """
    text = call.parameter("limit", str(MAX_PAGE))
    if not re.fullmatch("[0-9]{1,3}", text) or not 1 <= int(text) <= MAX_PAGE:
        raise invalid(f"Invalid request: limit must be between 1 and {MAX_PAGE}, but got '{text}'")
    return int(text)


def paged(body: dict[str, Any], end: str | None) -> dict[str, Any]:
    """Add where the next page begins; on the last page there is no such field."""
    if end is not None:
        body["pagination"] = {"next": base64.urlsafe_b64encode(end.encode()).decode()}
    return body


def read_token(token: str) -> str:
    """Tell where the page before ended; `""` for the first.

    Raises:
        WireError: If `paged` did not write it.
    """
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise invalid("Invalid pagination token") from error
