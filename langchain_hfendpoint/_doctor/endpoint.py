"""The endpoint: does it run, what is it, what does it allow, and does it embed?"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import median

from langchain_hfendpoint._doctor.verdicts import Verdict, ok, problem, skipped, warning
from langchain_hfendpoint._endpoints.records import Endpoint
from langchain_hfendpoint._engine.protocols import ServerInfo
from langchain_hfendpoint._provenance import PROBE_TEXT, Provenance
from langchain_hfendpoint.embeddings import HFEndpointEmbeddings
from langchain_hfendpoint.endpoints import list_endpoints
from langchain_hfendpoint.errors import ColdStartTimeoutError, HFEndpointError

_SAMPLES = 5
_SLOW_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class EndpointFacts:
    """What an endpoint told.

    Attributes:
        managed: What Hugging Face tells of it, if it is one of the token's endpoints.
        server: What it tells of itself.
        provenance: How it makes its vectors.
        seconds: How long each embedding of a short text took, the connection being open.
        vector: The last vector.
        error: Why it gave none.
        asleep: Whether it was still waking up when the time was over.
    """

    managed: Endpoint | None = None
    server: ServerInfo | None = None
    provenance: Provenance | None = None
    seconds: tuple[float, ...] = ()
    vector: tuple[float, ...] = ()
    error: str | None = None
    asleep: bool = False

    @property
    def resting(self) -> bool:
        """Whether it does not run, so that a request would fail, or cost money."""
        return self.managed is not None and self.managed.state != "running"


def gather_managed(url: str) -> Endpoint | None:
    """Look for an endpoint by its URL among those of the token's user."""
    try:
        found = list_endpoints()
    except HFEndpointError:
        return None
    return next((each for each in found if each.url and url.startswith(each.url)), None)


def gather_endpoint(
    embeddings: HFEndpointEmbeddings, *, managed: Endpoint | None = None
) -> EndpointFacts:
    """Ask an endpoint what it is, and for a few embeddings; one that rests is left to rest."""
    facts = EndpointFacts(managed=managed)
    if facts.resting:
        return facts
    try:
        facts = replace(facts, server=embeddings.server_info())
        facts = replace(facts, provenance=embeddings.provenance())
        seconds = []
        for _ in range(_SAMPLES):
            began = time.perf_counter()
            vector = embeddings.embed_query(PROBE_TEXT)
            seconds.append(time.perf_counter() - began)
        return replace(facts, seconds=tuple(seconds), vector=tuple(vector))
    except ColdStartTimeoutError as error:
        return replace(facts, error=str(error), asleep=True)
    except HFEndpointError as error:
        return replace(facts, error=str(error))


def judge_endpoint(facts: EndpointFacts) -> Iterator[Verdict]:
    """Judge the endpoint."""
    if facts.managed is not None:
        yield _judge_state(facts.managed)
    if facts.resting:
        yield skipped("Embedding", "not asked for, as that would wake the endpoint or fail")
        return
    if facts.server is not None:
        yield ok("Protocol", _describe(facts.server))
        yield _judge_limits(facts.server)
    if facts.asleep:
        yield warning(
            "Embedding",
            "the endpoint was asleep, or is still starting; this check has woken it",
            "Try again in a few minutes.",
        )
    elif facts.error is not None:
        yield problem("Embedding", facts.error)
    elif facts.provenance is not None:
        yield _judge_embedding(facts, facts.provenance)


def _judge_state(endpoint: Endpoint) -> Verdict:
    found = f"{endpoint.namespace}/{endpoint.name} is {endpoint.state}"
    if endpoint.message:
        found += f" ({endpoint.message})"
    if endpoint.state == "running":
        return ok("State", f"{found}, {endpoint.ready_replica} of {endpoint.max_replica} replicas")
    if endpoint.state == "paused":
        return problem("State", found, f"hfendpoint endpoint resume {endpoint.name}")
    if endpoint.state in {"failed", "updateFailed"}:
        return problem("State", found, "Read its logs on endpoints.huggingface.co.")
    return warning("State", found, f"hfendpoint endpoint wait {endpoint.name}")


def _describe(server: ServerInfo) -> str:
    software = server.software or "unknown server"
    version = f" {server.version}" if server.version else ""
    model = f", {server.model}" if server.model else ""
    return f"{server.protocol}: {software}{version}{model}"


def _judge_limits(server: ServerInfo) -> Verdict:
    limits = [
        f"{value:,} {what}"
        for value, what in (
            (server.max_batch, "texts a request"),
            (server.permits, "texts in flight"),
            (server.max_tokens, "tokens a text"),
        )
        if value is not None
    ]
    return ok("Limits", ", ".join(limits) or "not told; they are learned on the way")


def _judge_embedding(facts: EndpointFacts, provenance: Provenance) -> Verdict:
    latency = median(facts.seconds)
    kind = "normalized" if abs(math.hypot(*facts.vector) - 1) < 1e-3 else "not normalized"
    found = f"{provenance.dimension} dimensions, {kind}, {latency * 1000:.0f} ms"
    if latency > _SLOW_SECONDS:
        return warning(
            "Embedding", found, "One short text takes long: a larger machine, or a nearer region?"
        )
    return ok("Embedding", found)
