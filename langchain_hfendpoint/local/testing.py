"""Pytest fixtures for the local servers; import the ones you want into your `conftest.py`.

Example:
    ```python
    # conftest.py
    from langchain_hfendpoint.local.testing import local_endpoint, local_pinecone  # noqa: F401
    ```
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from langchain_hfendpoint.local.endpoint import LocalEndpoint
from langchain_hfendpoint.local.pinecone import LocalPinecone


@pytest.fixture(scope="session")
def local_endpoint() -> Iterator[LocalEndpoint]:
    """A running local endpoint with all-MiniLM-L6-v2, one for the whole session (`.url`)."""
    with LocalEndpoint() as endpoint:
        yield endpoint


@pytest.fixture
def local_pinecone(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalPinecone]:
    """A fresh, empty local Pinecone (`.host`, `.api_key`) that the real clients find by themselves.

    Sets `PINECONE_CONTROLLER_HOST` and `PINECONE_API_KEY` for the test.
    """
    with LocalPinecone() as pinecone:
        monkeypatch.setenv("PINECONE_CONTROLLER_HOST", pinecone.host)
        monkeypatch.setenv("PINECONE_API_KEY", pinecone.api_key)
        yield pinecone
