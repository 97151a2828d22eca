"""What a command works with: the cloud where it is configured, the local servers elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_hfendpoint.errors import ConfigurationError

if TYPE_CHECKING:
    from langchain_hfendpoint.embeddings import HFEndpointEmbeddings

HOME_VARIABLE = "HFENDPOINT_HOME"
ENDPOINT_URL_VARIABLE = "HF_ENDPOINT_URL"
ENDPOINT_KEY_VARIABLE = "HF_ENDPOINT_API_KEY"
"""Key of an endpoint that is not Hugging Face's; `HF_TOKEN` goes to theirs only."""

PINECONE_KEY_VARIABLE = "PINECONE_API_KEY"


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folder where the embedded default keeps its data between commands.

    Attributes:
        home: The folder; `$HFENDPOINT_HOME`, or `~/.hfendpoint`.
    """

    home: Path

    @classmethod
    def from_environment(cls) -> Workspace:
        """Find the folder this user's commands share, making it if need be."""
        home = Path(os.environ.get(HOME_VARIABLE) or "~/.hfendpoint").expanduser()
        home.mkdir(parents=True, exist_ok=True)
        return cls(home)

    @property
    def pinecone(self) -> Path:
        """Data of the local Pinecone."""
        return self.home / "pinecone"

    @property
    def records(self) -> Path:
        """What has been indexed, so that it is not indexed again."""
        return self.home / "records.sqlite"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The embeddings, and in words where they come from."""

    embeddings: HFEndpointEmbeddings
    description: str


@dataclass(frozen=True, slots=True)
class PineconeAccess:
    """How to reach Pinecone, and in words where the vectors lie.

    Attributes:
        api_key: Key, or `None` for `PINECONE_API_KEY`.
        controller_host: Control plane, or `None` for `PINECONE_CONTROLLER_HOST` or Pinecone's own.
        description: Where the vectors lie.
    """

    api_key: str | None
    controller_host: str | None
    description: str


@contextmanager
def open_endpoint(endpoint_url: str | None, **options: Any) -> Iterator[Endpoint]:
    """Give embeddings by an endpoint: the one configured, or else a local server.

    Args:
        endpoint_url: URL of an endpoint, or `None` for a local server with all-MiniLM-L6-v2. Its
            key is that of `HF_ENDPOINT_API_KEY`, or if it is Hugging Face's that of `HF_TOKEN`.
        **options: Further fields of `HFEndpointEmbeddings`.

    Yields:
        The endpoint; a local server ends with the context.

    Raises:
        ConfigurationError: If the URL or an option cannot work.
        LocalServerError: If the local server does not start.
        MissingExtraError: If the local server's dependencies are not installed.
    """
    from pydantic import SecretStr, ValidationError

    from langchain_hfendpoint.embeddings import HFEndpointEmbeddings

    with ExitStack() as stack:
        if endpoint_url is None:
            from langchain_hfendpoint.local.endpoint import LocalEndpoint

            server = stack.enter_context(LocalEndpoint())
            endpoint_url = server.url
            description = "local endpoint with sentence-transformers/all-MiniLM-L6-v2 on the CPU"
        else:
            description = endpoint_url
            if key := os.environ.get(ENDPOINT_KEY_VARIABLE):
                options = {"api_key": SecretStr(key), **options}
        try:
            embeddings = HFEndpointEmbeddings(endpoint_url=endpoint_url, **options)
        except ValidationError as error:
            reasons = (reason["msg"].removeprefix("Value error, ") for reason in error.errors())
            raise ConfigurationError(" ".join(reasons)) from error
        yield Endpoint(stack.enter_context(embeddings), description)


@contextmanager
def open_pinecone_access(workspace: Workspace) -> Iterator[PineconeAccess]:
    """Give access to Pinecone: the account configured, or else a local server.

    Args:
        workspace: Where a local server keeps its data.

    Yields:
        How to reach it; a local server ends with the context.

    Raises:
        ConfigurationError: If a control plane is configured without a key.
        LocalServerError: If the local server does not start.
    """
    if os.environ.get(PINECONE_KEY_VARIABLE):
        host = os.environ.get("PINECONE_CONTROLLER_HOST")
        yield PineconeAccess(None, None, f"Pinecone at {host}" if host else "Pinecone's cloud")
        return
    if os.environ.get("PINECONE_CONTROLLER_HOST"):
        raise ConfigurationError(
            "PINECONE_CONTROLLER_HOST is set, but PINECONE_API_KEY is not. Set both, or neither "
            "for the local server."
        )
    from langchain_hfendpoint.local.pinecone import LocalPinecone

    with LocalPinecone(workspace.pinecone) as server:
        yield PineconeAccess(server.api_key, server.host, str(workspace.pinecone))
