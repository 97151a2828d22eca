"""Hugging Face Inference Endpoints as first-class embeddings in LangChain.

Names are imported on first use, so that `import langchain_hfendpoint` costs nothing and the
extras are asked for only where they are needed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langchain_hfendpoint.document_loaders import SNLILoader
    from langchain_hfendpoint.embeddings import HFEndpointEmbeddings
    from langchain_hfendpoint.errors import HFEndpointError
    from langchain_hfendpoint.hub import EmbeddedDataset
    from langchain_hfendpoint.indexing import aindex, index
    from langchain_hfendpoint.record_manager import SQLiteRecordManager
    from langchain_hfendpoint.vectorstores import open_pinecone

__all__ = [
    "EmbeddedDataset",
    "HFEndpointEmbeddings",
    "HFEndpointError",
    "SNLILoader",
    "SQLiteRecordManager",
    "aindex",
    "index",
    "open_pinecone",
]

_HOME = {
    "EmbeddedDataset": "hub",
    "HFEndpointEmbeddings": "embeddings",
    "HFEndpointError": "errors",
    "SNLILoader": "document_loaders",
    "SQLiteRecordManager": "record_manager",
    "aindex": "indexing",
    "index": "indexing",
    "open_pinecone": "vectorstores",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("langchain-hfendpoint")
    if name in _HOME:
        return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
