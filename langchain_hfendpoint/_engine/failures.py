"""What a failed exchange means: pure classification of error answers of every server kind.

Statuses alone do not tell. Text Embeddings Inference answered 413 for every validation error
before 1.9.0 and answers 422 since (huggingface/text-embeddings-inference, `router/src/http`);
its web framework's own errors are plain text; Hugging Face's inference toolkit answers 400 for
everything; the proxy of a paused endpoint answers 400 "Invalid state". So the words decide first.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

import orjson

_LONGEST_MESSAGE = 500


class Kind(enum.Enum):
    """What went wrong, by what can be done about it."""

    OVERLOADED = "it has too much to do"
    UNAVAILABLE = "nobody is there to answer: it starts, moves or wakes up"
    UNREACHABLE = "no connection"
    DISCONNECTED = "the connection broke before the whole answer was there"
    TIMEOUT = "no answer in time"
    CRASHED = "the server failed (500)"
    BACKEND = "the model failed (TEI's 424)"
    BAD_ANSWER = "the answer is no embedding of these texts"
    NOT_POOLED = "a vector a token, because the endpoint does not pool"
    TOO_MANY = "more texts than a request may have"
    TOO_LARGE = "more bytes than a request may have"
    TOO_LONG = "a text is longer than the model takes"
    REJECTED = "a text is refused"
    AUTHENTICATION = "the token is refused"
    NOT_RUNNING = "paused or failed"
    FATAL = "no repetition will help"


_HOPELESS = frozenset({Kind.AUTHENTICATION, Kind.NOT_RUNNING, Kind.NOT_POOLED, Kind.FATAL})

_OUTAGES = frozenset(
    {Kind.OVERLOADED, Kind.UNAVAILABLE, Kind.UNREACHABLE, Kind.DISCONNECTED, *_HOPELESS}
)

_BATCH_LIMIT = re.compile(r"batch size \d+ > maximum allowed batch size (\d+)")
_TEXT_LIMIT = re.compile(r"must have less than (\d+) (tokens|characters)")
# Words of the servers about the options of a request, which are the same for every text.
_ABOUT_OPTIONS = (
    "`default-prompt-name`",
    "prompts were found",
    "Prompt name",
    "`dimensions`",
    "dimensions is",
    "matryoshka",
    "missing field",
    "Field required",
    "unknown variant",
)
_NOT_AN_EMBEDDER = ("not an embedding model", "does not support embeddings", "Model not supported")


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed exchange.

    Attributes:
        kind: What went wrong.
        message: The server's own words, or the library's for a broken connection.
        status: HTTP status, if there was an answer.
        error_type: The server's own name of the error, if any.
        request_id: The answer's request id, if any.
        retry_after: Seconds the server asks to wait, if it does.
        batch_limit: Texts a request may have, if the server says so here.
        rows: Rows of the answer that are concerned, if not all.
    """

    kind: Kind
    message: str
    status: int | None = None
    error_type: str | None = None
    request_id: str | None = None
    retry_after: float | None = None
    batch_limit: int | None = None
    rows: tuple[int, ...] = ()

    @property
    def hopeless(self) -> bool:
        """Whether no repetition, whole or in parts, will help."""
        return self.kind in _HOPELESS

    @property
    def is_an_outage(self) -> bool:
        """Whether the endpoint failed, whatever the texts were."""
        return self.kind in _OUTAGES


def read_failure(
    status: int,
    body: bytes,
    *,
    request_id: str | None = None,
    retry_after: float | None = None,
) -> Failure:
    """Classify an error answer.

    Args:
        status: HTTP status, not 2xx.
        body: The whole body.
        request_id: The answer's request id, if any.
        retry_after: Seconds the server asks to wait, if it does.

    Returns:
        What it means.
    """
    message, error_type = read_message(body)
    limit = _BATCH_LIMIT.search(message)
    return Failure(
        kind=_kind(status, message, error_type),
        message=message,
        status=status,
        error_type=error_type,
        request_id=request_id,
        retry_after=retry_after,
        batch_limit=int(limit.group(1)) if limit else None,
    )


def read_message(body: bytes) -> tuple[str, str | None]:
    """Find the server's words, and its name of the error, in any server's error body.

    Args:
        body: The whole body.

    Returns:
        The words (shortened, possibly empty) and the name, if any.
    """
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        text = re.sub(r"<[^>]*>|\s+", " ", body.decode(errors="replace"))
        return _shorten(text), None
    error_type = None
    words: object = data
    if isinstance(data, dict):
        inner = data.get("error")
        source = inner if isinstance(inner, dict) else data
        found = source.get("error_type") or source.get("type")
        error_type = found if isinstance(found, str) else None
        words = source.get("error") or source.get("message") or source.get("detail") or ""
    if isinstance(words, list):
        words = "; ".join(
            str(item.get("msg", item)) if isinstance(item, dict) else str(item) for item in words
        )
    return _shorten(words if isinstance(words, str) else str(words)), error_type


def _kind(status: int, message: str, error_type: str | None) -> Kind:
    if error_type == "Overloaded" or status == 429 or "queue full" in message:
        return Kind.OVERLOADED
    if "Invalid state" in message:
        return Kind.NOT_RUNNING
    if any(words in message for words in _NOT_AN_EMBEDDER):
        return Kind.FATAL
    if status in (400, 413, 422):
        return _kind_of_refusal(status, message)
    by_status = {
        401: Kind.AUTHENTICATION,
        403: Kind.AUTHENTICATION,
        408: Kind.TIMEOUT,
        424: Kind.BACKEND,
        500: Kind.CRASHED,
        502: Kind.UNAVAILABLE,
        503: Kind.UNAVAILABLE,
        504: Kind.TIMEOUT,
    }
    return by_status.get(status, Kind.FATAL)


def _kind_of_refusal(status: int, message: str) -> Kind:
    if _BATCH_LIMIT.search(message):
        return Kind.TOO_MANY
    if _TEXT_LIMIT.search(message) or "maximum context length" in message:
        return Kind.TOO_LONG
    if any(words in message for words in _ABOUT_OPTIONS):
        return Kind.FATAL
    return Kind.TOO_LARGE if status == 413 else Kind.REJECTED


def _shorten(text: str) -> str:
    text = text.strip()
    return text if len(text) <= _LONGEST_MESSAGE else text[: _LONGEST_MESSAGE - 1] + "…"
