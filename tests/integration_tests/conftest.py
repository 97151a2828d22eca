"""Integration tests talk to real servers on loopback, and to nothing else."""

from collections.abc import Iterator

import pytest
from pytest_socket import socket_allow_hosts

from langchain_hfendpoint.local.testing import local_endpoint, local_pinecone

__all__ = ["local_endpoint", "local_pinecone"]


@pytest.fixture(autouse=True)
def _loopback_only() -> Iterator[None]:
    socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)
    yield
    socket_allow_hosts(None, allow_unix_socket=True)
