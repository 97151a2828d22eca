"""What the indexing pipeline asks of whatever stores the documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings

Row = npt.NDArray[np.float32]


@dataclass(slots=True, eq=False)  # not frozen: there is one a document, and that costs 1 us
class Entry:
    """A document on its way into the store.

    Attributes:
        key: Its key.
        document: The document; its own `id` means nothing.
        row: The float32 vector, once that is known, where the sink takes vectors.
        encoded: What the sink made of text and metadata, once it has checked them.
    """

    key: str
    document: Document
    row: Row | None
    encoded: bytes = field(default=b"", init=False)


def document_with_id(document: Document, key: str) -> Document:
    """Copy a document with its key as `id`, sharing its metadata."""
    return Document(id=key, page_content=document.page_content, metadata=document.metadata)


E = TypeVar("E", bound=Entry)


@dataclass(frozen=True, slots=True)
class Write(Generic[E]):
    """Entries that are written by one request, and the request's body if it has one."""

    entries: Sequence[E]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Refused(Generic[E]):
    """An entry that the store does not take, and why."""

    entry: E
    error: Exception


class Sink(Protocol):
    """Stores documents; used from one event loop."""

    @property
    def takes_vectors(self) -> bool:
        """Whether entries must have vectors; else the store embeds by itself."""

    @property
    def embeddings(self) -> Embeddings | None:
        """What makes the vectors of entries that have none."""

    @property
    def in_flight(self) -> int:
        """How many writes may be in flight."""

    @property
    def retries(self) -> int:
        """How many requests were repeated so far."""

    def check(self, key: str, document: Document) -> bytes:
        """Refuse a document that the store cannot hold, and encode what it will hold.

        Raises:
            MetadataError: If it cannot be held.
        """

    async def verify(self) -> None:
        """Refuse to mix vectors that were not made alike; called before the first embedding."""

    def writes(self, entries: Sequence[E]) -> Sequence[Write[E]]:
        """Divide entries into requests."""

    def enough(self, entries: Sequence[Entry]) -> bool:
        """Tell whether there are enough entries for a full request."""

    async def write(self, write: Write[E]) -> Sequence[Refused[E]]:
        """Store entries; when it returns, the store has confirmed all but those refused."""

    async def fetch(self, keys: Sequence[str]) -> dict[str, Row]:
        """Give the vectors that are stored under these keys."""

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete documents by key; unknown keys are no error."""

    async def close(self) -> None:
        """Let go of connections."""
