"""Doubles for indexing tests: embeddings that count, a clock that ticks, stores laid open."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter

import numpy as np
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.indexing import InMemoryRecordManager
from langchain_core.vectorstores import InMemoryVectorStore

from langchain_hfendpoint import SQLiteRecordManager

DIMENSION = 8


def vector_of(text: str, dimension: int = DIMENSION) -> list[float]:
    """A text's own float32 vector, of length 1."""
    seed = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
    row = np.random.default_rng(seed).standard_normal(dimension).astype(np.float32)
    return (row / np.linalg.norm(row)).tolist()


class CountingEmbeddings(Embeddings):
    """Embeds at once, and remembers how often it was asked for each text."""

    def __init__(self, *, dimension: int = DIMENSION, poison: str | None = None) -> None:
        self.dimension = dimension
        self.poison = poison
        self.asked: Counter[str] = Counter()
        self._lock = threading.Lock()

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        if self.poison is not None and any(self.poison in text for text in texts):
            raise ValueError(f"cannot embed {self.poison!r}")
        with self._lock:
            self.asked.update(texts)
        return [vector_of(text, self.dimension) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return vector_of(text, self.dimension)


class TickingRecordManager(InMemoryRecordManager):
    """A record manager whose clock never says the same time twice."""

    def __init__(self, namespace: str = "test") -> None:
        super().__init__(namespace)
        self._ticks = 0

    def get_time(self) -> float:
        self._ticks += 1
        return float(self._ticks)


def stored(store: InMemoryVectorStore) -> dict[str, tuple[str, dict[str, object]]]:
    """What an in-memory store holds, by id."""
    return {key: (one["text"], one["metadata"]) for key, one in store.store.items()}


def recorded(manager: InMemoryRecordManager | SQLiteRecordManager) -> dict[str, str | None]:
    """What a record manager holds: the source of each key."""
    if isinstance(manager, SQLiteRecordManager):
        file = manager._file
        statement = "SELECT key, group_id FROM records WHERE namespace = ?"
        return dict(file.query(statement, (file.namespace,)))
    return {key: record["group_id"] for key, record in manager.records.items()}


def documents(*texts: str, **metadata: object) -> list[Document]:
    """Documents that share their metadata."""
    return [Document(text, metadata=dict(metadata)) for text in texts]
