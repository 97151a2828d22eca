"""The management API through `huggingface_hub`, with its failures as this package's errors.

Base URL `https://api.endpoints.huggingface.cloud/v2`; without a namespace the user's own is looked
up (`whoami-v2`), once for each `Management`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from queue import Empty, Queue
from typing import TypeVar

from huggingface_hub import HfApi, get_session
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
from huggingface_hub.utils import httpx  # type: ignore[attr-defined]  # httpx, since 2.0 httpx2
from pydantic import SecretStr

from langchain_hfendpoint._endpoints.records import Endpoint, Hardware
from langchain_hfendpoint._endpoints.tokens import find_token
from langchain_hfendpoint.errors import (
    ConfigurationError,
    EndpointAuthenticationError,
    EndpointConnectionError,
    EndpointManagementError,
    EndpointNotFoundError,
)

_HEALTH_SECONDS = 10.0
_LEAST_SECONDS = 1.0
_LIBRARY = "langchain-hfendpoint"

T = TypeVar("T")


class Management:
    """Ask for and change the endpoints of one namespace.

    Args:
        namespace: User or organization; by default the token's user.
        token: Hugging Face token; by default the one of the environment or of `hf auth login`.

    Raises:
        ConfigurationError: If there is no token.
    """

    def __init__(self, *, namespace: str | None, token: SecretStr | str | None) -> None:
        found = find_token(token)
        if found is None:
            raise ConfigurationError(
                "No Hugging Face token: set HF_TOKEN, pass token=, or run `hf auth login`."
            )
        self._given_namespace = namespace
        self._token = found
        self._api = HfApi(token=found.get_secret_value(), library_name=_LIBRARY)

    @cached_property
    def namespace(self) -> str:
        """The namespace; asks Hugging Face for the token's user if none was given."""
        if self._given_namespace is not None:
            return self._given_namespace
        with _as_our_errors("find out whose token this is"):
            user = self._api.whoami()
        if user["type"] != "user":
            raise ConfigurationError(
                "The token belongs to an organization: say in which namespace the endpoint is."
            )
        return str(user["name"])

    def list_all(self) -> list[Endpoint]:
        """List the endpoints."""
        with _as_our_errors(f"list the endpoints of {self.namespace!r}"):
            found = self._api.list_inference_endpoints(self.namespace)
        return [Endpoint.from_raw(item.raw, namespace=self.namespace) for item in found]

    def get(self, name: str) -> Endpoint:
        """Look at one endpoint."""
        with _as_our_errors(f"describe {name!r}", name=name, namespace=self.namespace):
            found = self._api.get_inference_endpoint(name, namespace=self.namespace)
        return Endpoint.from_raw(found.raw, namespace=self.namespace)

    def find(self, name: str) -> Endpoint | None:
        """Look at one endpoint, which may not exist."""
        try:
            return self.get(name)
        except EndpointNotFoundError:
            return None

    def look(self, name: str, *, within: float) -> Endpoint | None:
        """Look at one endpoint; `None` if that fails in a way that passes, or takes too long."""
        try:
            return _within(within, lambda: self.get(name))
        except EndpointConnectionError:
            return None
        except EndpointManagementError as error:
            if error.status is not None and error.status >= 500:
                return None
            raise

    def hardware(self) -> list[Hardware]:
        """List the machines that can be rented, with their prices; empty if it does not tell."""
        try:
            with _as_our_errors("list the hardware"):
                found = self._api.list_inference_endpoints_hardware(namespace=self.namespace)
        except (EndpointManagementError, EndpointAuthenticationError, KeyError):
            # Nice to know, but no reason not to deploy.
            return []
        return [
            Hardware(
                vendor=item.vendor,
                region=item.region,
                accelerator=item.accelerator,
                instance_type=item.instance_type,
                instance_size=item.instance_size,
                hourly_price=item.price_per_hour,
            )
            for item in found
        ]

    def create(
        self,
        name: str,
        *,
        model: str,
        hardware: Hardware,
        image: dict[str, dict[str, str]] | None,
        min_replica: int,
        max_replica: int,
        scale_to_zero_timeout: int | None,
        type: str,  # noqa: A002  # the API's word
        env: Mapping[str, str],
        tags: tuple[str, ...],
        revision: str | None,
    ) -> Endpoint:
        """Make an endpoint for sentence embeddings."""
        with _as_our_errors(f"deploy {name!r}"):
            created = self._api.create_inference_endpoint(
                name,
                repository=model,
                revision=revision,
                framework="pytorch",
                task="sentence-embeddings",
                vendor=hardware.vendor,
                region=hardware.region,
                accelerator=hardware.accelerator,
                instance_type=hardware.instance_type,
                instance_size=hardware.instance_size,
                min_replica=min_replica,
                max_replica=max_replica,
                scale_to_zero_timeout=scale_to_zero_timeout,
                custom_image=image,
                env=dict(env) or None,
                type=type,
                tags=list(tags) or None,
                namespace=self.namespace,
            )
        return Endpoint.from_raw(created.raw, namespace=self.namespace)

    def pause(self, name: str) -> Endpoint:
        """Stop an endpoint until it is resumed."""
        with _as_our_errors(f"pause {name!r}", name=name, namespace=self.namespace):
            changed = self._api.pause_inference_endpoint(name, namespace=self.namespace)
        return Endpoint.from_raw(changed.raw, namespace=self.namespace)

    def resume(self, name: str) -> Endpoint:
        """Start an endpoint; one that runs already stays as it is."""
        with _as_our_errors(f"resume {name!r}", name=name, namespace=self.namespace):
            changed = self._api.resume_inference_endpoint(name, namespace=self.namespace)
        return Endpoint.from_raw(changed.raw, namespace=self.namespace)

    def scale_to_zero(self, name: str) -> Endpoint:
        """Stop an endpoint until the next request."""
        with _as_our_errors(f"scale {name!r} to zero", name=name, namespace=self.namespace):
            changed = self._api.scale_to_zero_inference_endpoint(name, namespace=self.namespace)
        return Endpoint.from_raw(changed.raw, namespace=self.namespace)

    def delete(self, name: str) -> None:
        """Delete an endpoint for good."""
        with _as_our_errors(f"delete {name!r}", name=name, namespace=self.namespace):
            self._api.delete_inference_endpoint(name, namespace=self.namespace)

    def is_healthy(self, endpoint: Endpoint) -> bool:
        """Ask the endpoint itself whether it is ready, which also wakes it."""
        try:
            answer = get_session().get(
                str(endpoint.health_url),
                headers={"Authorization": f"Bearer {self._token.get_secret_value()}"},
                timeout=_HEALTH_SECONDS,
            )
        except httpx.HTTPError:
            return False
        if answer.status_code in {401, 403}:
            raise EndpointAuthenticationError(
                f"The endpoint {endpoint.name!r} does not accept the token "
                f"({answer.status_code}), although Hugging Face does. "
                f"It may be private to {endpoint.namespace!r}.",
                status=answer.status_code,
            )
        return bool(answer.status_code == 200)


def open_management(
    endpoint: str | Endpoint, *, namespace: str | None, token: SecretStr | str | None
) -> tuple[str, Management]:
    """Give an endpoint's name, and the API that looks after it."""
    if isinstance(endpoint, Endpoint):
        return endpoint.name, Management(namespace=namespace or endpoint.namespace, token=token)
    return endpoint, Management(namespace=namespace, token=token)


def _within(seconds: float, call: Callable[[], T]) -> T | None:
    """Make a call; `None` if it takes longer: huggingface_hub's requests have no time-out."""
    answer: Queue[T | BaseException] = Queue()

    def make() -> None:
        try:
            answer.put(call())
        except BaseException as error:  # noqa: BLE001  # raised again where it is waited for
            answer.put(error)

    # A daemon, so that a request that hangs does not keep the process from ending.
    threading.Thread(target=make, daemon=True, name="hfendpoint-look").start()
    try:
        outcome = answer.get(timeout=max(seconds, _LEAST_SECONDS))
    except Empty:
        return None
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


@contextmanager
def _as_our_errors(
    what: str, *, name: str | None = None, namespace: str | None = None
) -> Iterator[None]:
    """Turn the client's exceptions into this package's, in one sentence."""
    try:
        yield
    except HfHubHTTPError as error:
        status = error.response.status_code
        said = " ".join((error.server_message or error.response.text or "").split())[:500]
        said = f": {said}" if said else ""
        if status in {401, 403}:
            raise EndpointAuthenticationError(
                f"Hugging Face does not let this token {what} ({status}){said}. Check HF_TOKEN: it "
                "must be valid and may manage Inference Endpoints.",
                status=status,
            ) from error
        if status == 404 and name is not None:
            raise EndpointNotFoundError(
                f"There is no endpoint {name!r} in the namespace {namespace!r}. "
                "See what there is: hfendpoint endpoint list",
                status=status,
            ) from error
        raise EndpointManagementError(
            f"Hugging Face refused to {what} ({status}){said}", status=status
        ) from error
    except (httpx.HTTPError, OfflineModeIsEnabled) as error:
        raise EndpointConnectionError(
            f"Hugging Face cannot be reached to {what}: {error or type(error).__name__}. "
            "Check the network, the proxy settings and HF_HUB_OFFLINE."
        ) from error
