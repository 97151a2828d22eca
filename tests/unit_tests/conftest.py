"""Unit tests run with sockets closed: pure parts, and cassettes of recorded traffic."""

from collections.abc import Iterator

import pytest
from pytest_socket import disable_socket, enable_socket


@pytest.fixture(autouse=True)
def _sockets_closed() -> Iterator[None]:
    # asyncio's own self-pipe is a unix socket.
    disable_socket(allow_unix_socket=True)
    yield
    enable_socket()
