"""Make, wait for, pause and delete Inference Endpoints, so that nobody pays for a forgotten one.

Over `huggingface_hub`'s Inference Endpoints API. What it adds: TEI as the container, the price
before anything is rented, scaling to zero unless asked otherwise, a wait that ends at once where
waiting cannot help, and `running_endpoint`, which pauses or deletes on the way out.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal

from pydantic import SecretStr

from langchain_hfendpoint._endpoints.images import image_payload
from langchain_hfendpoint._endpoints.management import Management, open_management
from langchain_hfendpoint._endpoints.plans import accept_existing, check_plan
from langchain_hfendpoint._endpoints.records import Endpoint, Hardware, priced
from langchain_hfendpoint._endpoints.states import worth_asking
from langchain_hfendpoint._endpoints.stopping import (
    OnExit,
    delete_when_it_comes,
    reach,
    stop,
    stop_after_failure,
)
from langchain_hfendpoint.errors import (
    ColdStartTimeoutError,
    EndpointConnectionError,
    EndpointManagementError,
    EndpointNotFoundError,
)

__all__ = [
    "Endpoint",
    "Hardware",
    "delete",
    "deploy",
    "describe",
    "list_endpoints",
    "pause",
    "resume",
    "running_endpoint",
    "scale_to_zero",
    "wait",
]

EndpointType = Literal["authenticated", "private", "public"]

DEFAULT_WAIT_SECONDS = 1800.0
DEFAULT_IDLE_MINUTES = 15
_logger = logging.getLogger(__name__)


def deploy(
    name: str,
    model: str,
    *,
    vendor: str = "aws",
    region: str = "us-east-1",
    accelerator: str = "cpu",
    instance_type: str = "intel-spr",
    instance_size: str = "x1",
    min_replica: int = 0,
    max_replica: int = 1,
    scale_to_zero_timeout: int | None = None,
    type: EndpointType = "authenticated",  # noqa: A002  # Hugging Face's own word
    env: Mapping[str, str] | None = None,
    tags: Sequence[str] = (),
    image: str = "tei",
    revision: str | None = None,
    namespace: str | None = None,
    token: SecretStr | str | None = None,
    exist_ok: bool = False,
    announce: Callable[[Hardware], None] | None = None,
) -> Endpoint:
    """Deploy a model for sentence embeddings; it starts in the background (see `wait`).

    Interrupted by Ctrl-C, it deletes what it may have made.

    Args:
        name: Name of the endpoint: 1 to 32 of a-z, 0-9 and `-`.
        model: Model id on the Hub.
        vendor: Cloud.
        region: Region of that cloud.
        accelerator: `"cpu"` or `"gpu"`.
        instance_type: Kind of machine, such as `"intel-spr"` or `"nvidia-l4"`.
        instance_size: Size of machine.
        min_replica: Fewest replicas; with 0 it scales to zero when nobody asks.
        max_replica: Most replicas.
        scale_to_zero_timeout: Idle minutes before it scales to zero; by default 15 if
            `min_replica` is 0, and else never.
        type: Who may call it: `"authenticated"` (any Hugging Face token), `"private"` (tokens of
            the namespace) or `"public"`.
        env: Environment of the container, such as `{"MAX_CLIENT_BATCH_SIZE": "128"}`.
        tags: Tags of the endpoint.
        image: `"tei"`, `"default"` (Hugging Face's own container), or the URL of a TEI image.
        revision: Commit or branch of the model; by default the newest.
        namespace: User or organization that pays; by default the token's user.
        token: Hugging Face token; by default `HF_TOKEN`, `HUGGINGFACEHUB_API_TOKEN`, or that of
            `hf auth login`.
        exist_ok: Whether an endpoint of this name and model that exists is taken as it is.
        announce: Called with the machine and its hourly price before it is rented; what it
            raises stops the deployment. By default the price is logged.

    Returns:
        The endpoint, most likely `"pending"`.

    Raises:
        ConfigurationError: If an option cannot work, the hardware does not exist, there is no
            token, or the name is taken.
        EndpointAuthenticationError: If the token may not do this.
        EndpointConnectionError: If Hugging Face cannot be reached.
        EndpointManagementError: If Hugging Face refuses.

    Example:
        ```python
        from langchain_hfendpoint import HFEndpointEmbeddings
        from langchain_hfendpoint.endpoints import deploy, wait

        endpoint = wait(deploy("my-embed", "sentence-transformers/all-MiniLM-L6-v2"))
        embeddings = HFEndpointEmbeddings.from_endpoint(endpoint)
        ```
    """
    check_plan(name, min_replica, max_replica, scale_to_zero_timeout)
    container = image_payload(image, accelerator=accelerator, instance_type=instance_type)
    management = Management(namespace=namespace, token=token)
    existing = management.find(name)
    if existing is not None:
        return accept_existing(existing, model=model, revision=revision, exist_ok=exist_ok)
    hardware = priced(
        Hardware(vendor, region, accelerator, instance_type, instance_size), management.hardware()
    )
    (announce or _log_price)(hardware)
    if scale_to_zero_timeout is None and min_replica == 0:
        scale_to_zero_timeout = DEFAULT_IDLE_MINUTES
    try:
        return management.create(
            name,
            model=model,
            hardware=hardware,
            image=container,
            min_replica=min_replica,
            max_replica=max_replica,
            scale_to_zero_timeout=scale_to_zero_timeout,
            type=type,
            env=env or {},
            tags=tuple(tags),
            revision=revision,
        )
    except KeyboardInterrupt:
        delete_when_it_comes(management, name)
        raise
    except (EndpointManagementError, EndpointConnectionError) as error:
        # Somebody else was faster, or the answer was lost on the way: ask instead of guessing.
        made = management.find(name)
        if made is None:
            raise
        ours = isinstance(error, EndpointConnectionError)
        return accept_existing(made, model=model, revision=revision, exist_ok=exist_ok or ours)


def list_endpoints(
    *, namespace: str | None = None, token: SecretStr | str | None = None
) -> list[Endpoint]:
    """List the endpoints of a namespace.

    Args:
        namespace: User or organization; by default the token's user.
        token: Hugging Face token; by default as in `deploy`.

    Returns:
        The endpoints, running or not.

    Raises:
        ConfigurationError: If there is no token.
        EndpointAuthenticationError: If the token may not do this.
        EndpointConnectionError: If Hugging Face cannot be reached.
        EndpointManagementError: If Hugging Face refuses.
    """
    return Management(namespace=namespace, token=token).list_all()


def describe(
    endpoint: str | Endpoint,
    *,
    namespace: str | None = None,
    token: SecretStr | str | None = None,
) -> Endpoint:
    """Look at an endpoint as it is now.

    Args:
        endpoint: Its name, or what another function of this module returned.
        namespace: User or organization; by default the endpoint's, or the token's user.
        token: Hugging Face token; by default as in `deploy`.

    Returns:
        The endpoint.

    Raises:
        ConfigurationError: If there is no token.
        EndpointNotFoundError: If there is none of this name.
        EndpointAuthenticationError: If the token may not do this.
        EndpointConnectionError: If Hugging Face cannot be reached.
        EndpointManagementError: If Hugging Face refuses.
    """
    name, management = open_management(endpoint, namespace=namespace, token=token)
    return management.get(name)


def wait(
    endpoint: str | Endpoint,
    *,
    timeout: float = DEFAULT_WAIT_SECONDS,
    refresh_every: float = 5.0,
    on_state: Callable[[Endpoint], None] | None = None,
    namespace: str | None = None,
    token: SecretStr | str | None = None,
) -> Endpoint:
    """Wait until an endpoint answers, waking it if it is scaled to zero.

    A paused or failed endpoint is an error at once: no waiting would help. Passing failures of
    the network and of Hugging Face (5xx) are waited out.

    Args:
        endpoint: Its name, or what another function of this module returned.
        timeout: Seconds until this is an error.
        refresh_every: Seconds between two looks.
        on_state: Called at every look, for a progress line.
        namespace: User or organization; by default the endpoint's, or the token's user.
        token: Hugging Face token; by default as in `deploy`.

    Returns:
        The endpoint, with its URL.

    Raises:
        EndpointNotRunningError: If it is paused or failed.
        ColdStartTimeoutError: If it does not answer in time.
        ConfigurationError: If there is no token.
        EndpointNotFoundError: If there is none of this name.
        EndpointAuthenticationError: If the token may not do this.
        EndpointManagementError: If Hugging Face refuses.
    """
    deadline = time.monotonic() + timeout
    name, management = open_management(endpoint, namespace=namespace, token=token)
    state = "unknown"
    while True:
        now = management.look(name, within=deadline - time.monotonic())
        if now is not None:
            state = now.state
            if on_state is not None:
                on_state(now)
            if worth_asking(now) and management.is_healthy(now):
                return now
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise ColdStartTimeoutError(
                f"The endpoint {name!r} does not answer after {timeout:g} s (state {state!r}). "
                f"It may still come: hfendpoint endpoint wait {name}. "
                f"Until then it may cost money; stop it: hfendpoint endpoint pause {name}"
            )
        time.sleep(min(refresh_every, remaining))


def pause(
    endpoint: str | Endpoint,
    *,
    namespace: str | None = None,
    token: SecretStr | str | None = None,
) -> Endpoint:
    """Stop an endpoint, and what it costs, until it is resumed; a paused one stays as it is.

    Args:
        endpoint: Its name, or what another function of this module returned.
        namespace: User or organization; by default the endpoint's, or the token's user.
        token: Hugging Face token; by default as in `deploy`.

    Returns:
        The endpoint.

    Raises:
        ConfigurationError: If there is no token.
        EndpointNotFoundError: If there is none of this name.
        EndpointAuthenticationError: If the token may not do this.
        EndpointConnectionError: If Hugging Face cannot be reached.
        EndpointManagementError: If Hugging Face refuses.
    """
    name, management = open_management(endpoint, namespace=namespace, token=token)
    return reach("paused", management.pause, name, management)


def resume(
    endpoint: str | Endpoint,
    *,
    namespace: str | None = None,
    token: SecretStr | str | None = None,
) -> Endpoint:
    """Start a paused endpoint again (see `wait`); one that runs stays as it is.

    Args:
        endpoint: Its name, or what another function of this module returned.
        namespace: User or organization; by default the endpoint's, or the token's user.
        token: Hugging Face token; by default as in `deploy`.

    Returns:
        The endpoint.

    Raises:
        ConfigurationError: If there is no token.
        EndpointNotFoundError: If there is none of this name.
        EndpointAuthenticationError: If the token may not do this.
        EndpointConnectionError: If Hugging Face cannot be reached.
        EndpointManagementError: If Hugging Face refuses.
    """
    name, management = open_management(endpoint, namespace=namespace, token=token)
    return management.resume(name)


def scale_to_zero(
    endpoint: str | Endpoint,
    *,
    namespace: str | None = None,
    token: SecretStr | str | None = None,
) -> Endpoint:
    """Stop an endpoint, and what it costs, until the next request wakes it.

    Args:
        endpoint: Its name, or what another function of this module returned.
        namespace: User or organization; by default the endpoint's, or the token's user.
        token: Hugging Face token; by default as in `deploy`.

    Returns:
        The endpoint.

    Raises:
        ConfigurationError: If there is no token.
        EndpointNotFoundError: If there is none of this name.
        EndpointAuthenticationError: If the token may not do this.
        EndpointConnectionError: If Hugging Face cannot be reached.
        EndpointManagementError: If Hugging Face refuses.
    """
    name, management = open_management(endpoint, namespace=namespace, token=token)
    return reach("scaledToZero", management.scale_to_zero, name, management)


def delete(
    endpoint: str | Endpoint,
    *,
    namespace: str | None = None,
    token: SecretStr | str | None = None,
) -> None:
    """Delete an endpoint for good, with its settings, logs and URL.

    Args:
        endpoint: Its name, or what another function of this module returned.
        namespace: User or organization; by default the endpoint's, or the token's user.
        token: Hugging Face token; by default as in `deploy`.

    Raises:
        ConfigurationError: If there is no token.
        EndpointNotFoundError: If there is none of this name.
        EndpointAuthenticationError: If the token may not do this.
        EndpointConnectionError: If Hugging Face cannot be reached.
        EndpointManagementError: If Hugging Face refuses.
    """
    name, management = open_management(endpoint, namespace=namespace, token=token)
    management.delete(name)


@contextmanager
def running_endpoint(
    endpoint: str | Endpoint,
    *,
    on_exit: OnExit = "pause",
    timeout: float = DEFAULT_WAIT_SECONDS,
    refresh_every: float = 5.0,
    on_state: Callable[[Endpoint], None] | None = None,
    namespace: str | None = None,
    token: SecretStr | str | None = None,
) -> Iterator[Endpoint]:
    """Have an endpoint running, and stop it on the way out: also on an error and on Ctrl-C.

    Resumes it if it is paused and waits until it answers. Stopping is tried several times, and a
    second Ctrl-C does not interrupt it (a third does); if it fails, that is logged as an error.
    What no process can do (after SIGKILL, say) is left to scaling to zero, which `deploy` sets up
    by default.

    Args:
        endpoint: Its name, or what `deploy` returned.
        on_exit: How to stop it.
        timeout: Seconds to wait until it answers.
        refresh_every: Seconds between two looks while waiting, and two attempts to stop it.
        on_state: Called at every look, for a progress line.
        namespace: User or organization; by default the endpoint's, or the token's user.
        token: Hugging Face token; by default as in `deploy`.

    Yields:
        The endpoint, with its URL.

    Raises:
        EndpointNotRunningError: If it has failed.
        ColdStartTimeoutError: If it does not answer in time.
        ConfigurationError: If there is no token.
        EndpointNotFoundError: If there is none of this name.
        EndpointAuthenticationError: If the token may not do this.
        EndpointConnectionError: If Hugging Face cannot be reached.
        EndpointManagementError: If Hugging Face refuses, or the endpoint cannot be stopped.

    Example:
        ```python
        from langchain_hfendpoint import HFEndpointEmbeddings
        from langchain_hfendpoint.endpoints import deploy, running_endpoint

        model = "sentence-transformers/all-MiniLM-L6-v2"
        with running_endpoint(deploy("for-an-hour", model), on_exit="delete") as endpoint:
            vector = HFEndpointEmbeddings.from_endpoint(endpoint).embed_query("A man plays.")
        ```
    """
    name, management = open_management(endpoint, namespace=namespace, token=token)
    try:
        if management.get(name).state == "paused":
            management.resume(name)
        yield wait(
            name,
            timeout=timeout,
            refresh_every=refresh_every,
            on_state=on_state,
            namespace=management.namespace,
            token=token,
        )
    except EndpointNotFoundError:
        raise
    except BaseException:
        stop_after_failure(management, name, on_exit, retry_every=refresh_every)
        raise
    else:
        stop(management, name, on_exit, retry_every=refresh_every)


def _log_price(hardware: Hardware) -> None:
    price = hardware.hourly_price
    cost = "at a price that is not known" if price is None else f"at ${price:g} an hour a replica"
    _logger.info("Deploying on %s %s.", hardware, cost)
