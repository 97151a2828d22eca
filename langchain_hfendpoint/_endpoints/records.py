"""What the management API tells of endpoints and hardware, as frozen values. Pure.

The shapes are those that `huggingface_hub` reads (`_inference_endpoints.py`): `status.url` is
missing until an endpoint has been scheduled and present when it is scaled to zero; prices are in
US dollars per replica and hour.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from langchain_hfendpoint.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An Inference Endpoint as it was when Hugging Face was asked.

    Attributes:
        name: Its name, unique in the namespace.
        namespace: User or organization it belongs to.
        model: Model id on the Hub.
        state: `"pending"`, `"initializing"`, `"updating"`, `"updateFailed"`, `"running"`,
            `"paused"`, `"failed"` or `"scaledToZero"`.
        url: Where it answers, or `None` before it has been scheduled.
        message: The state in Hugging Face's words.
        health_route: Path that answers 200 when the endpoint is ready.
        revision: Commit or branch of the model, if it was given.
        task: What it was deployed for.
        type: Who may call it: `"authenticated"`, `"private"` or `"public"`.
        image: Kind of the container: `"tei"`, `"huggingface"`, `"custom"`, ...
        vendor: Cloud it runs in.
        region: Region of that cloud.
        accelerator: `"cpu"`, `"gpu"`, ...
        instance_type: Kind of machine.
        instance_size: Size of machine.
        min_replica: Fewest replicas; 0 means that it may scale to zero.
        max_replica: Most replicas.
        scale_to_zero_timeout: Idle minutes before it scales to zero, if it does.
        ready_replica: Replicas that answer now.
        tags: Its tags.
    """

    name: str
    namespace: str
    model: str
    state: str
    url: str | None = None
    message: str = ""
    health_route: str = "/health"
    revision: str | None = None
    task: str | None = None
    type: str = "authenticated"
    image: str | None = None
    vendor: str | None = None
    region: str | None = None
    accelerator: str | None = None
    instance_type: str | None = None
    instance_size: str | None = None
    min_replica: int = 0
    max_replica: int = 1
    scale_to_zero_timeout: int | None = None
    ready_replica: int = 0
    tags: tuple[str, ...] = ()

    @property
    def health_url(self) -> str | None:
        """URL that answers 200 when the endpoint is ready."""
        if self.url is None:
            return None
        return f"{self.url.rstrip('/')}/{self.health_route.lstrip('/')}"

    @classmethod
    def from_raw(cls, raw: Mapping[str, Any], *, namespace: str) -> Endpoint:
        """Read the management API's JSON object.

        Args:
            raw: The object; what is not in it becomes the default.
            namespace: User or organization it was asked of.

        Returns:
            The endpoint.
        """
        status, model = raw["status"], raw["model"]
        provider, compute = raw.get("provider") or {}, raw.get("compute") or {}
        scaling = compute.get("scaling") or {}
        return cls(
            name=raw["name"],
            namespace=namespace,
            model=model["repository"],
            state=status["state"],
            url=status.get("url"),
            message=status.get("message") or "",
            health_route=raw.get("healthRoute") or "/health",
            revision=model.get("revision"),
            task=model.get("task"),
            type=raw["type"],
            image=next(iter(model.get("image") or {}), None),
            vendor=provider.get("vendor"),
            region=provider.get("region"),
            accelerator=compute.get("accelerator"),
            instance_type=compute.get("instanceType"),
            instance_size=compute.get("instanceSize"),
            min_replica=scaling.get("minReplica") or 0,
            max_replica=scaling.get("maxReplica") or 1,
            scale_to_zero_timeout=scaling.get("scaleToZeroTimeout"),
            ready_replica=status.get("readyReplica") or 0,
            tags=tuple(raw.get("tags") or ()),
        )


@dataclass(frozen=True, slots=True)
class Hardware:
    """A machine that an endpoint can run on.

    Attributes:
        vendor: Cloud.
        region: Region of that cloud.
        accelerator: `"cpu"`, `"gpu"`, ...
        instance_type: Kind of machine.
        instance_size: Size of machine.
        hourly_price: US dollars per replica and hour, or `None` if not known.
    """

    vendor: str
    region: str
    accelerator: str
    instance_type: str
    instance_size: str
    hourly_price: float | None = None

    def __str__(self) -> str:
        return (
            f"{self.vendor} {self.region} {self.accelerator} "
            f"{self.instance_type} {self.instance_size}"
        )


def priced(wanted: Hardware, offered: Iterable[Hardware]) -> Hardware:
    """Find the price of a machine in the list of what can be rented.

    Args:
        wanted: The machine.
        offered: The list; empty if Hugging Face does not tell.

    Returns:
        The machine with its price, or as it was if the list is empty.

    Raises:
        ConfigurationError: If there is a list and the machine is not in it; the message names
            the nearest ones that are.
    """
    offers = list(offered)
    found = next((offer for offer in offers if str(offer) == str(wanted)), None)
    if found is not None or not offers:
        return found or wanted
    near = [
        offer for offer in offers if (offer.vendor, offer.region) == (wanted.vendor, wanted.region)
    ]
    if not near:
        places = sorted({f"{offer.vendor} {offer.region}" for offer in offers})
        raise ConfigurationError(
            f"There is no hardware in {wanted.vendor} {wanted.region}. "
            f"There is in: {', '.join(places)}."
        )
    alike = [offer for offer in near if offer.accelerator == wanted.accelerator] or near
    machines = sorted(
        {f"{offer.accelerator} {offer.instance_type} {offer.instance_size}" for offer in alike}
    )
    raise ConfigurationError(f"There is no hardware {wanted}. There is: {', '.join(machines)}.")
