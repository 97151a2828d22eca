"""Talk to Pinecone's control plane, with its failures as this package's errors.

Works with the clients 7 to 10, so that the doctor can also tell of the ones that do not fit.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pydantic import SecretStr

from langchain_hfendpoint._extras import import_extra
from langchain_hfendpoint._provenance import Provenance
from langchain_hfendpoint.errors import ConfigurationError, PineconeError

if TYPE_CHECKING:
    from pinecone import Pinecone
    from pinecone.db_control.models import IndexModel

API_KEY_VARIABLE = "PINECONE_API_KEY"
SOURCE_TAG = "langchain_hfendpoint"


def connect(
    *, api_key: SecretStr | str | None = None, controller_host: str | None = None
) -> Pinecone:
    """Make a client of the control plane, without asking it anything.

    Args:
        api_key: Pinecone API key; by default `PINECONE_API_KEY`.
        controller_host: URL of the control plane; by default `PINECONE_CONTROLLER_HOST`, and else
            Pinecone's own.

    Returns:
        The client.

    Raises:
        ConfigurationError: If there is no key.
        MissingExtraError: If pinecone is not installed.
    """
    if isinstance(api_key, SecretStr):
        api_key = api_key.get_secret_value()
    key = api_key or os.environ.get(API_KEY_VARIABLE)
    if not key:
        raise ConfigurationError(
            "No Pinecone API key: set PINECONE_API_KEY or pass api_key=. Without an account, "
            "use langchain_hfendpoint.local.LocalPinecone."
        )
    client: Pinecone = import_extra("pinecone", "pinecone").Pinecone(
        api_key=key, host=controller_host, source_tag=SOURCE_TAG
    )
    return client


def provenance_of_index(model: IndexModel) -> Provenance:
    """Read from an index's description how its vectors were made.

    Args:
        model: What Pinecone says of a dense index.

    Returns:
        Its dimension, and what its tags tell.
    """
    tags = model.tags or {}
    return Provenance.from_tags(
        tags if isinstance(tags, dict) else tags.to_dict(), dimension=int(model.dimension)
    )


@contextmanager
def as_pinecone_errors(what: str) -> Iterator[None]:
    """Turn the client's exceptions into this package's, in one sentence.

    Args:
        what: What is being done, as in "Pinecone refused to ...".

    Yields:
        Nothing.

    Raises:
        PineconeError: In place of the client's own exceptions.
    """
    exceptions = import_extra("pinecone.exceptions", "pinecone")
    transport = import_extra("urllib3.exceptions", "pinecone")
    try:
        yield
    except exceptions.UnauthorizedException as error:
        raise PineconeError(
            "Pinecone does not accept the API key (401). Check PINECONE_API_KEY.", status=401
        ) from error
    except exceptions.PineconeApiException as error:
        # The clients up to 8 call it `status`, those from 9 `status_code`.
        status = getattr(error, "status", None) or getattr(error, "status_code", None)
        said = " ".join(str(error.body or error.reason).split())
        raise PineconeError(
            f"Pinecone refused to {what} ({status}): {said}", status=status
        ) from error
    except exceptions.PineconeException as error:
        raise PineconeError(f"The Pinecone client could not {what}: {error}") from error
    except transport.HTTPError as error:
        raise PineconeError(
            f"Pinecone cannot be reached to {what}: {error}. Check the network and "
            "PINECONE_CONTROLLER_HOST."
        ) from error
