"""What a local endpoint can be told, with TEI's names and defaults (`router/src/main.rs`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from langchain_hfendpoint.local._endpoint.refusals import ErrorType

Flavor = Literal["tei", "toolkit", "hf-serve"]
FLAVORS: tuple[Flavor, ...] = get_args(Flavor)

Task = Literal["sentence-embeddings", "sentence-similarity", "feature-extraction"]
TASKS: tuple[Task, ...] = get_args(Task)

TEIVersion = Literal["1.9.3", "1.8.3", "1.5.0"]
TEI_VERSIONS: tuple[TEIVersion, ...] = get_args(TEIVersion)


@dataclass(frozen=True, slots=True)
class TEISettings:
    """How TEI is configured.

    Attributes:
        version: Which TEI to behave like, where versions differ.
        max_client_batch_size: Texts in a request.
        max_concurrent_requests: Texts in all requests at the same time.
        max_batch_tokens: Tokens in a batch of the model.
        payload_limit: Bytes in a request's body.
        auto_truncate: Whether a long text is cut where the request does not say; `None` leaves it
            to the version.
        default_prompt_name: Prompt put before every text where the request names none.
    """

    version: TEIVersion = "1.9.3"
    max_client_batch_size: int = 32
    max_concurrent_requests: int = 512
    max_batch_tokens: int = 16_384
    payload_limit: int = 2_000_000
    auto_truncate: bool | None = None
    default_prompt_name: str | None = None

    @property
    def cuts_by_default(self) -> bool:
        """Whether a long text is cut where the request does not say."""
        return self.since_1_9 if self.auto_truncate is None else self.auto_truncate

    @property
    def since_1_9(self) -> bool:
        """Whether this TEI has the rules of 1.9.0: 422, 429 for batches, lower-case directions."""
        return self.version == "1.9.3"

    @property
    def health_is_public(self) -> bool:
        """Whether health and metrics need no key (since 1.5.1)."""
        return self.version != "1.5.0"

    def status(self, error_type: ErrorType) -> int:
        """Give the HTTP status of an error.

        Args:
            error_type: TEI's name of the error.

        Returns:
            Its status in this version.
        """
        if error_type == "Empty" and self.version == "1.5.0":
            return 413
        if error_type == "Validation" and not self.since_1_9:
            return 413
        return _STATUS[error_type]


_STATUS: dict[ErrorType, int] = {
    "Validation": 422,
    "Empty": 400,
    "Tokenizer": 422,
    "Overloaded": 429,
    "Backend": 424,
    "Unhealthy": 503,
}
