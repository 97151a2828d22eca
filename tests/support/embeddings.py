"""Embeddings for tests that need vectors, but no model."""

import hashlib
from dataclasses import dataclass

import numpy as np
from langchain_core.embeddings import Embeddings

from langchain_hfendpoint._provenance import Provenance


@dataclass
class HashEmbeddings(Embeddings):
    """Unit vectors drawn from a hash of the text: equal texts are equal, others are far apart."""

    dimension: int = 8
    model: str | None = None

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        seed = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
        row = np.random.default_rng(seed).standard_normal(self.dimension).astype(np.float32)
        unit: list[float] = (row / np.linalg.norm(row)).tolist()
        return unit

    def provenance(self) -> Provenance:
        return Provenance(self.dimension, model=self.model)
