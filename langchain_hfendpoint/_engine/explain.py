"""Failures as errors for people: what happened, to which texts, and what to do next. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_hfendpoint._engine.batching import Refusal
from langchain_hfendpoint._engine.failures import Failure, Kind
from langchain_hfendpoint.errors import (
    ColdStartTimeoutError,
    EndpointAuthenticationError,
    EndpointConnectionError,
    EndpointError,
    EndpointNotRunningError,
    EndpointOverloadedError,
    EndpointTimeoutError,
    InputRejectedError,
    InputTooLongError,
    InvalidResponseError,
    TokenLevelEmbeddingsError,
)

_CLASSES: dict[Kind, type[EndpointError]] = {
    Kind.OVERLOADED: EndpointOverloadedError,
    Kind.UNAVAILABLE: ColdStartTimeoutError,
    Kind.UNREACHABLE: EndpointConnectionError,
    Kind.DISCONNECTED: EndpointConnectionError,
    Kind.TIMEOUT: EndpointTimeoutError,
    Kind.BAD_ANSWER: InvalidResponseError,
    Kind.TOO_MANY: InputRejectedError,
    Kind.TOO_LARGE: InputTooLongError,
    Kind.TOO_LONG: InputTooLongError,
    Kind.REJECTED: InputRejectedError,
    Kind.AUTHENTICATION: EndpointAuthenticationError,
    Kind.NOT_RUNNING: EndpointNotRunningError,
}

_WHAT: dict[Kind, str] = {
    Kind.OVERLOADED: "is overloaded",
    Kind.UNAVAILABLE: "did not wake up in time",
    Kind.UNREACHABLE: "cannot be reached",
    Kind.DISCONNECTED: "broke off the connection",
    Kind.TIMEOUT: "did not answer in time",
    Kind.CRASHED: "failed",
    Kind.BACKEND: "failed in the model",
    Kind.BAD_ANSWER: "gave an answer that is no embedding",
    Kind.TOO_MANY: "does not take even one text",
    Kind.TOO_LARGE: "takes fewer bytes in a request",
    Kind.TOO_LONG: "takes shorter texts only",
    Kind.REJECTED: "refuses the input",
    Kind.AUTHENTICATION: "does not accept the token",
    Kind.NOT_RUNNING: "is paused or failed",
    Kind.FATAL: "refuses the request",
}

_REMEDIES: dict[Kind, str] = {
    Kind.OVERLOADED: "Raise `retry_deadline`, or give the endpoint more replicas.",
    Kind.UNAVAILABLE: "Look at its logs, or raise `cold_start_timeout`.",
    Kind.UNREACHABLE: "Check `endpoint_url`, and that the endpoint runs.",
    Kind.TIMEOUT: "Raise `timeout`, or give the endpoint more replicas.",
    Kind.TOO_LARGE: "Cut the text.",
    Kind.TOO_LONG: "Cut the text, or set `truncate=True`.",
}

_STATUS_REMEDIES = {
    402: "The account's credit for Inference Providers is used up.",
    404: "Check `endpoint_url` (or, for the serverless API, that it serves `model`).",
    405: "Check `endpoint_url`.",
}


def to_error(
    failure: Failure,
    *,
    endpoint: str,
    name: str | None,
    with_token: bool,
    indices: Sequence[int] = (),
    retries: int = 0,
) -> EndpointError:
    """Make the error to raise.

    Args:
        failure: What happened last.
        endpoint: The endpoint's URL.
        name: The Inference Endpoint's name, if known.
        with_token: Whether a token was sent.
        indices: Positions of the texts concerned.
        retries: How often the request was repeated.

    Returns:
        The error.
    """
    kind = failure.kind
    if kind is Kind.NOT_POOLED:
        return TokenLevelEmbeddingsError(
            f"The endpoint {endpoint} gives one vector a token instead of one a text: it runs the "
            "task feature-extraction without pooling. Deploy it with the task sentence-embeddings, "
            "or with Text Embeddings Inference.",
            status=failure.status,
            indices=indices,
        )
    sentence = [f"The endpoint {endpoint} {_WHAT[kind]}"]
    if len(indices) == 1:
        sentence.append(f", at text {indices[0]}")
    elif indices and kind in (Kind.TOO_LARGE, Kind.TOO_LONG, Kind.REJECTED, Kind.TOO_MANY):
        sentence.append(f", at texts {_list(indices)}")
    details = [f"status {failure.status}"] if failure.status else []
    if failure.error_type:
        details.append(failure.error_type)
    if failure.request_id:
        details.append(f"request {failure.request_id}")
    if retries:
        details.append(f"after {retries} {'retry' if retries == 1 else 'retries'}")
    if details:
        sentence.append(f" ({', '.join(details)})")
    if failure.message:
        sentence.append(f": {failure.message.rstrip('.')}")
    sentence.append(f". {_remedy(failure, name=name, with_token=with_token)}")
    return _CLASSES.get(kind, EndpointError)(
        "".join(sentence).rstrip(),
        status=failure.status,
        error_type=failure.error_type,
        server_message=failure.message or None,
        request_id=failure.request_id,
        retries=retries,
        indices=indices,
    )


def refuse(refused: Sequence[Refusal]) -> InputRejectedError:
    """Make the error for texts that are not sent at all.

    Args:
        refused: At least one.

    Returns:
        The error.
    """
    indices = [refusal.index for refusal in refused]
    return InputRejectedError(
        f"Text {indices[0]} is refused: {refused[0].reason}"
        + (f" (and {len(indices) - 1} more: {_list(indices[1:])})" if len(indices) > 1 else "")
        + ". Leave such texts out, or use `embed_batches(texts, on_error='skip')`.",
        indices=indices,
    )


def _remedy(failure: Failure, *, name: str | None, with_token: bool) -> str:
    if failure.kind is Kind.NOT_RUNNING:
        return f"Resume it with: hfendpoint endpoint resume {name or '<name>'}"
    if failure.kind is Kind.AUTHENTICATION:
        if with_token:
            return "Check that the token in `api_key` may use this endpoint."
        return (
            "No token was sent: pass `api_key`. (A token from the environment or from a login goes "
            "to Hugging Face's own hosts over https only.)"
        )
    if failure.status in _STATUS_REMEDIES:
        return _STATUS_REMEDIES[failure.status]
    return _REMEDIES.get(failure.kind, "")


def _list(indices: Sequence[int]) -> str:
    shown = ", ".join(map(str, indices[:10]))
    return shown if len(indices) <= 10 else f"{shown} and {len(indices) - 10} more"
