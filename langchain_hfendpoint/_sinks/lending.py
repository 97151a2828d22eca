"""Give a store that embeds by itself the vectors it is about to ask for.

LangChain's `VectorStore` has no public way to add documents with their vectors; `add_documents`
asks the store's own embeddings. So while documents are written, a stand-in takes the embeddings'
place in the store: it knows the vectors of the texts that are being written, and passes everything
else (a query of another thread, say) on to the embeddings.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore

from langchain_hfendpoint._sinks.base import Row


class LentVectors(Embeddings):
    """Embeddings that know some vectors already.

    Args:
        embeddings: What is asked for all others.
    """

    def __init__(self, embeddings: Embeddings) -> None:
        self.embeddings = embeddings
        self._lock = threading.Lock()
        self._rows: dict[str, Row] = {}
        self._uses: dict[str, int] = {}

    @contextmanager
    def lend(self, rows: Mapping[str, Row]) -> Iterator[None]:
        """Know these vectors within the block; equal texts of several blocks share one."""
        with self._lock:
            for text, row in rows.items():
                self._rows[text] = row
                self._uses[text] = self._uses.get(text, 0) + 1
        try:
            yield
        finally:
            with self._lock:
                for text in rows:
                    self._uses[text] -= 1
                    if not self._uses[text]:
                        del self._uses[text], self._rows[text]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Give the vectors that are known, and ask for the others."""
        known, unknown = self._divide(texts)
        if unknown:
            known.update(zip(unknown, self.embeddings.embed_documents(unknown), strict=True))
        return [known[text] for text in texts]

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """Give the vectors that are known, and ask for the others."""
        known, unknown = self._divide(texts)
        if unknown:
            vectors = await self.embeddings.aembed_documents(unknown)
            known.update(zip(unknown, vectors, strict=True))
        return [known[text] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """Ask: a query is never lent."""
        return self.embeddings.embed_query(text)

    async def aembed_query(self, text: str) -> list[float]:
        """Ask: a query is never lent."""
        return await self.embeddings.aembed_query(text)

    def _divide(self, texts: list[str]) -> tuple[dict[str, list[float]], list[str]]:
        with self._lock:
            known = {text: self._rows[text].tolist() for text in texts if text in self._rows}
        return known, [text for text in dict.fromkeys(texts) if text not in known]


class Borrower:
    """A store whose embeddings can be stood in for.

    Args:
        store: The store.
        attribute: Where it keeps its embeddings.
        embeddings: Those.
    """

    def __init__(self, store: VectorStore, attribute: str, embeddings: Embeddings) -> None:
        self.embeddings = embeddings
        self._store = store
        self._attribute = attribute
        self._lent = LentVectors(embeddings)

    @classmethod
    def of(cls, store: VectorStore) -> Borrower | None:
        """Find where a store keeps its embeddings.

        Returns:
            The borrower, or `None` if it has none, hides them, or another run stands in for them.
        """
        embeddings = store.embeddings
        if not isinstance(embeddings, Embeddings) or isinstance(embeddings, LentVectors):
            return None
        for attribute, value in getattr(store, "__dict__", {}).items():
            if value is embeddings:
                return cls(store, attribute, embeddings)
        return None

    def begin(self) -> None:
        """Put the stand-in in place."""
        setattr(self._store, self._attribute, self._lent)

    def end(self) -> None:
        """Put the embeddings back, unless somebody has put others there."""
        if getattr(self._store, self._attribute, None) is self._lent:
            setattr(self._store, self._attribute, self.embeddings)

    @contextmanager
    def lend(self, rows: Mapping[str, Row]) -> Iterator[None]:
        """Have the store know these vectors within the block."""
        with self._lent.lend(rows):
            yield
