"""Whether a deployment can work, and whether an endpoint that exists will do for it. Pure."""

from __future__ import annotations

import re

from langchain_hfendpoint._endpoints.records import Endpoint
from langchain_hfendpoint.errors import ConfigurationError

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")


def check_plan(
    name: str, min_replica: int, max_replica: int, scale_to_zero_timeout: int | None
) -> None:
    """Refuse what Hugging Face would refuse, before anything is sent.

    Raises:
        ConfigurationError: If the name, the replicas or the time-out cannot work.
    """
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"{name!r} is no name for an endpoint: 1 to 32 of a-z, 0-9 and inner -."
        )
    if not 0 <= min_replica <= max_replica or max_replica < 1:
        raise ConfigurationError(
            f"min_replica={min_replica} and max_replica={max_replica} cannot work: "
            "0 <= min_replica <= max_replica, and max_replica >= 1."
        )
    if scale_to_zero_timeout is not None and (min_replica > 0 or scale_to_zero_timeout < 1):
        raise ConfigurationError(
            f"scale_to_zero_timeout={scale_to_zero_timeout} needs min_replica=0 and at least "
            "1 minute."
        )


def accept_existing(
    existing: Endpoint, *, model: str, revision: str | None, exist_ok: bool
) -> Endpoint:
    """Take an endpoint that exists for the one that was to be deployed.

    Args:
        existing: The endpoint.
        model: Model that was to be deployed.
        revision: Its revision, or `None` for any.
        exist_ok: Whether an endpoint that exists may be taken.

    Returns:
        The endpoint.

    Raises:
        ConfigurationError: If it may not, or serves another model or revision.
    """
    if not exist_ok:
        raise ConfigurationError(
            f"There is an endpoint {existing.name!r} already ({existing.model}, "
            f"{existing.state}). Take it as it is with exist_ok, or choose another name."
        )
    if existing.model != model or revision not in {None, existing.revision}:
        raise ConfigurationError(
            f"The endpoint {existing.name!r} serves {_at(existing.model, existing.revision)}, "
            f"not {_at(model, revision)}. Choose another name."
        )
    return existing


def _at(model: str, revision: str | None) -> str:
    return model if revision is None else f"{model} at {revision}"
