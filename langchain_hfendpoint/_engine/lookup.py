"""Inference Endpoints by name: where they are, and whether they will ever answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from huggingface_hub import HfApi, constants
from huggingface_hub.errors import HfHubHTTPError

from langchain_hfendpoint.errors import (
    ColdStartTimeoutError,
    EndpointAuthenticationError,
    EndpointError,
    EndpointNotRunningError,
)

_BETWEEN_LOOKS = 5.0
_NEVER = ("paused", "failed", "updateFailed")


def serverless_url(model: str) -> str:
    """Give the serverless API's route for the embeddings of a model."""
    proxy = constants.INFERENCE_PROXY_TEMPLATE.format(provider="hf-inference")
    return f"{proxy}/models/{model}/pipeline/feature-extraction"


@dataclass(frozen=True, slots=True)
class NamedEndpoint:
    """An Inference Endpoint as the management API describes it.

    Attributes:
        url: Where it is.
        model: Model id.
        revision: Commit of the model.
    """

    url: str
    model: str | None
    revision: str | None


async def look_up(
    name: str, *, namespace: str | None, token: str | None, timeout: float
) -> NamedEndpoint:
    """Find an Inference Endpoint, waiting until it has a URL.

    Args:
        name: Its name.
        namespace: Its user or organization; `None` is the token's user.
        token: Token for the management API.
        timeout: Seconds it may take until it has a URL.

    Returns:
        The endpoint.

    Raises:
        EndpointNotRunningError: If it is paused or failed.
        ColdStartTimeoutError: If it has no URL in time.
        EndpointAuthenticationError: If the token is refused.
        EndpointError: If there is no such endpoint.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout
    api = HfApi(token=token)
    while True:
        try:
            endpoint = await asyncio.to_thread(
                api.get_inference_endpoint, name, namespace=namespace
            )
        except HfHubHTTPError as error:
            raise _explain(error, name) from None
        if endpoint.status in _NEVER:
            raise EndpointNotRunningError(
                f"The Inference Endpoint {name!r} is {endpoint.status}. "
                f"Resume it with: hfendpoint endpoint resume {name}"
            )
        if endpoint.url is not None:
            return NamedEndpoint(endpoint.url, endpoint.repository, endpoint.revision)
        if loop.time() > end:
            raise ColdStartTimeoutError(
                f"The Inference Endpoint {name!r} is still {endpoint.status} after {timeout:.0f} "
                "s. Look at its logs, or raise `cold_start_timeout`."
            )
        await asyncio.sleep(_BETWEEN_LOOKS)


def _explain(error: HfHubHTTPError, name: str) -> EndpointError:
    status = error.response.status_code
    if status in (401, 403):
        return EndpointAuthenticationError(
            f"Hugging Face does not let this token look up the Inference Endpoint {name!r} "
            f"(status {status}). Pass `api_key`, or give `endpoint_url` instead of its name.",
            status=status,
        )
    hint = " Check `endpoint_name` and `namespace`." if status == 404 else ""
    return EndpointError(
        f"The Inference Endpoint {name!r} could not be looked up (status {status}).{hint}",
        status=status,
    )
