"""What an endpoint's state means to somebody who waits for it. Pure.

`huggingface_hub`'s own `wait` never leaves `paused` or `scaledToZero`. A paused endpoint needs
`resume`; one that is scaled to zero starts with the first request, whatever it asks.
"""

from __future__ import annotations

from langchain_hfendpoint._endpoints.records import Endpoint
from langchain_hfendpoint.errors import EndpointNotRunningError

_ANSWERING = frozenset({"running", "scaledToZero"})
_STUCK = {
    "paused": ("is paused", "Resume it: hfendpoint endpoint resume {name}"),
    "failed": (
        "has failed",
        "Read its logs on endpoints.huggingface.co, then delete it and deploy it anew.",
    ),
    "updateFailed": (
        "could not be updated",
        "Read its logs on endpoints.huggingface.co and undo the update.",
    ),
}


def worth_asking(endpoint: Endpoint) -> bool:
    """Tell whether an endpoint would answer a request now, or be woken by it.

    States that are not known (Hugging Face may add some) are waited out.

    Args:
        endpoint: The endpoint.

    Returns:
        `False` if it is better to look again later.

    Raises:
        EndpointNotRunningError: If waiting will not help: it is paused, or failed.
    """
    if endpoint.state in _STUCK:
        outcome, remedy = _STUCK[endpoint.state]
        said = f" Hugging Face says: {endpoint.message.rstrip('.')}." if endpoint.message else ""
        raise EndpointNotRunningError(
            f"The endpoint {endpoint.name!r} {outcome}.{said} {remedy.format(name=endpoint.name)}",
            server_message=endpoint.message or None,
        )
    return endpoint.url is not None and endpoint.state in _ANSWERING
