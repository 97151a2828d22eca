"""Stop an endpoint for certain: what keeps running keeps costing."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from langchain_hfendpoint._endpoints.management import Management
from langchain_hfendpoint._endpoints.records import Endpoint
from langchain_hfendpoint.errors import (
    EndpointConnectionError,
    EndpointManagementError,
    EndpointNotFoundError,
    HFEndpointError,
)

OnExit = Literal["pause", "delete", "scale_to_zero"]

_ATTEMPTS = 3
_ARRIVAL_SECONDS = 0.7
_logger = logging.getLogger(__name__)


def reach(
    state: str, change: Callable[[str], Endpoint], name: str, management: Management
) -> Endpoint:
    """Change the state of an endpoint; it is no error if it has that state already."""
    try:
        return change(name)
    except EndpointNotFoundError:
        raise
    except EndpointManagementError:
        now = management.get(name)
        if now.state != state:
            raise
        return now


def stop(management: Management, name: str, on_exit: OnExit, *, retry_every: float) -> None:
    """Stop an endpoint, which one Ctrl-C does not interrupt; the next one does.

    Args:
        management: The API.
        name: The endpoint.
        on_exit: How to stop it.
        retry_every: Seconds between two attempts.

    Raises:
        EndpointManagementError: If it cannot be stopped.
    """
    with _ctrl_c_waits(name):
        _stop_with_retries(management, name, on_exit, retry_every)


@contextmanager
def _ctrl_c_waits(name: str) -> Iterator[None]:
    """Put a first Ctrl-C off until the end."""
    earlier = signal.getsignal(signal.SIGINT)
    # Other threads never see a Ctrl-C; and a handler of C code could not be put back.
    if threading.current_thread() is not threading.main_thread() or earlier is None:
        yield
        return
    pressed = False

    def note(*_: object) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True
        _logger.warning("Stopping the endpoint %r first. Ctrl-C again leaves it running.", name)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, earlier)
    if pressed:
        raise KeyboardInterrupt


def stop_after_failure(
    management: Management, name: str, on_exit: OnExit, *, retry_every: float
) -> None:
    """Stop an endpoint while another error is on its way, which is the one to tell."""
    try:
        stop(management, name, on_exit, retry_every=retry_every)
    except HFEndpointError as error:
        _logger.error("%s", error)


def delete_when_it_comes(management: Management, name: str) -> None:
    """Delete an endpoint whose creation was interrupted, and which may yet come to be."""
    with _ctrl_c_waits(name):
        for _ in range(_ATTEMPTS):
            # The request is on its way still: what is not there now may be there in a second.
            time.sleep(_ARRIVAL_SECONDS)
            stop_after_failure(management, name, "delete", retry_every=_ARRIVAL_SECONDS)


def _stop_with_retries(
    management: Management, name: str, on_exit: OnExit, retry_every: float
) -> None:
    attempt = 1
    while (error := _attempt(management, name, on_exit)) is not None:
        if attempt == _ATTEMPTS:
            raise EndpointManagementError(
                f"The endpoint {name!r} could not be stopped and may go on costing money: "
                f"{error} Stop it: hfendpoint endpoint pause {name}"
            ) from error
        time.sleep(retry_every)
        attempt += 1


def _attempt(
    management: Management, name: str, on_exit: OnExit
) -> EndpointConnectionError | EndpointManagementError | None:
    try:
        if on_exit == "delete":
            management.delete(name)
        elif on_exit == "pause":
            reach("paused", management.pause, name, management)
        else:
            reach("scaledToZero", management.scale_to_zero, name, management)
    except EndpointNotFoundError:
        return None
    except (EndpointConnectionError, EndpointManagementError) as error:
        return error
    return None
