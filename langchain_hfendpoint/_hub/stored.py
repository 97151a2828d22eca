"""Embeddings that are there already, for opening a store without any endpoint."""

from __future__ import annotations

from langchain_core.embeddings import Embeddings

from langchain_hfendpoint._provenance import Provenance
from langchain_hfendpoint.errors import ConfigurationError


class StoredEmbeddings(Embeddings):
    """Know how vectors were made, and make none.

    Args:
        provenance: How the vectors were made.
    """

    def __init__(self, provenance: Provenance) -> None:
        self._provenance = provenance

    def provenance(self) -> Provenance:
        """Tell how the vectors were made."""
        return self._provenance

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Refuse: the vectors come from an embedded data set."""
        raise ConfigurationError(
            f"{len(texts)} texts are to be embedded, but there is no endpoint here. Open the store "
            "with HFEndpointEmbeddings to embed or to search."
        )

    def embed_query(self, text: str) -> list[float]:
        """Refuse: see `embed_documents`."""
        return self.embed_documents([text])[0]
