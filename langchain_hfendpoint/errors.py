"""Every error this package raises on purpose, in one tree.

    HFEndpointError
    ├── ConfigurationError (ValueError)         an option or setting that cannot work
    │   └── MissingExtraError (ImportError)     an optional dependency is not installed
    ├── EndpointError                           the endpoint did not give embeddings
    │   ├── EndpointConnectionError             no answer: refused, reset, DNS, TLS
    │   ├── EndpointTimeoutError                no answer in time
    │   │   └── ColdStartTimeoutError           it did not wake up in time
    │   ├── EndpointNotRunningError             paused or failed: waiting will not help
    │   ├── EndpointAuthenticationError         401 or 403
    │   ├── EndpointOverloadedError             429 or 503 until the retry deadline
    │   ├── InputRejectedError                  the endpoint refuses these texts
    │   │   └── InputTooLongError               more tokens, characters or bytes than it takes
    │   └── InvalidResponseError                an answer that is no embedding of these texts
    │       ├── DimensionMismatchError          vectors of another dimension than before
    │       └── TokenLevelEmbeddingsError       one vector a token: the endpoint does not pool
    ├── EndpointManagementError                 Hugging Face refused to show or change an endpoint
    │   └── EndpointNotFoundError               there is no endpoint of this name
    ├── IndexingError                           documents could not be stored
    │   ├── MetadataError (ValueError)          metadata that the store cannot hold
    │   ├── ProvenanceMismatchError             vectors of different models would be mixed
    │   ├── DeletionError (IndexingException)   a store failed to delete (lives in indexing)
    │   └── PineconeError                       Pinecone refused a request
    │       └── IndexNotFoundError              there is no index of this name
    ├── DataError (ValueError)                  a data set that cannot be read as asked
    │   ├── HubUnreachableError                 the Hugging Face Hub does not answer
    │   ├── BrokenRowError                      one row of it cannot be read
    │   └── EmbeddedDatasetError                an embedded data set that is not whole, or not ours
    └── LocalServerError                        a local server did not start, or cannot use its data

Messages say what happened, to which input, and what to do next. No error ever carries a token.
"""

from __future__ import annotations

from collections.abc import Sequence


class HFEndpointError(Exception):
    """Base of every error of this package."""


class ConfigurationError(HFEndpointError, ValueError):
    """An option or setting that cannot work."""


class MissingExtraError(ConfigurationError, ImportError):
    """An optional dependency is not installed; the message names the extra."""


class EndpointError(HFEndpointError):
    """The endpoint did not give embeddings.

    Attributes:
        status: HTTP status of the last answer, or `None` if there was none.
        error_type: The server's own name of the error (such as `"Validation"`), if any.
        server_message: The server's own words, if any.
        request_id: `x-request-id` of the last answer, if any.
        retries: How often the request was repeated.
        indices: Positions, in the caller's list, of the texts concerned.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        error_type: str | None = None,
        server_message: str | None = None,
        request_id: str | None = None,
        retries: int = 0,
        indices: Sequence[int] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error_type = error_type
        self.server_message = server_message
        self.request_id = request_id
        self.retries = retries
        self.indices = tuple(indices)


class EndpointConnectionError(EndpointError):
    """No answer: connection refused or reset, name not found, TLS failed."""


class EndpointTimeoutError(EndpointError):
    """No answer in time."""


class ColdStartTimeoutError(EndpointTimeoutError):
    """A scaled-to-zero endpoint did not wake up in time."""


class EndpointNotRunningError(EndpointError):
    """The endpoint is paused or failed, so that waiting will not help."""


class EndpointAuthenticationError(EndpointError):
    """The endpoint does not accept the token (401 or 403)."""


class EndpointOverloadedError(EndpointError):
    """The endpoint answered 429 or 503 until the retry deadline."""


class InputRejectedError(EndpointError):
    """The endpoint refuses these texts (`indices` says which)."""


class InputTooLongError(InputRejectedError):
    """A text has more tokens, characters or bytes than the endpoint takes."""


class InvalidResponseError(EndpointError):
    """The endpoint answered something that is no embedding of these texts."""


class DimensionMismatchError(InvalidResponseError):
    """Vectors of another dimension than the endpoint gave before, or than was asked for."""


class TokenLevelEmbeddingsError(InvalidResponseError):
    """One vector a token instead of one a text: the endpoint does not pool."""


class EndpointManagementError(HFEndpointError):
    """Hugging Face refused to show, make or change an endpoint.

    Attributes:
        status: HTTP status of the answer, or `None` if there was none.
    """

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class EndpointNotFoundError(EndpointManagementError):
    """There is no endpoint of this name."""


class IndexingError(HFEndpointError):
    """Documents could not be stored."""


class MetadataError(IndexingError, ValueError):
    """Metadata that the vector store cannot hold."""


class ProvenanceMismatchError(IndexingError):
    """Vectors of different models, dimensions or prompts would be mixed."""


class PineconeError(IndexingError):
    """Pinecone refused a request.

    Attributes:
        status: HTTP status of the last answer, or `None` if there was none.
    """

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class IndexNotFoundError(PineconeError):
    """There is no index of this name."""


class DataError(HFEndpointError, ValueError):
    """A data set that cannot be read as asked."""


class HubUnreachableError(DataError):
    """The Hugging Face Hub does not answer, or the settings forbid asking it (`HF_HUB_OFFLINE`)."""


class BrokenRowError(DataError):
    """One row of a data set cannot be read; the others may be."""


class EmbeddedDatasetError(DataError):
    """An embedded data set that is incomplete, damaged, or does not belong to this source."""


class LocalServerError(HFEndpointError):
    """A local server did not start, or cannot use its data."""
