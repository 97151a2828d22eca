"""The Pinecone index: is the key accepted, and does the index fit the endpoint?"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from langchain_hfendpoint._doctor.verdicts import Verdict, ok, problem, skipped, warning
from langchain_hfendpoint._pinecone import as_pinecone_errors, connect
from langchain_hfendpoint._provenance import Provenance
from langchain_hfendpoint.errors import HFEndpointError, PineconeError
from langchain_hfendpoint.indexes import PineconeIndex, describe_index, list_indexes

_VISIBLE_SECONDS = 60.0
_POLL_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class IndexFacts:
    """What Pinecone told.

    Attributes:
        name: Name of the index that was asked for.
        where: Where Pinecone is, in words.
        existing: Names of all indexes.
        index: The index, if it exists.
        error: Why Pinecone told nothing.
    """

    name: str
    where: str
    existing: tuple[str, ...] = ()
    index: PineconeIndex | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class RoundTripFacts:
    """What became of a vector that was written, read and deleted.

    Attributes:
        seconds: Seconds of each step that was done.
        error: Why the next one failed.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    error: str | None = None


def gather_index(
    name: str, *, where: str, api_key: str | None, controller_host: str | None
) -> IndexFacts:
    """Ask Pinecone about an index."""
    try:
        existing = tuple(
            each.name for each in list_indexes(api_key=api_key, controller_host=controller_host)
        )
        index = (
            describe_index(name, api_key=api_key, controller_host=controller_host)
            if name in existing
            else None
        )
    except HFEndpointError as error:
        return IndexFacts(name, where, error=str(error))
    return IndexFacts(name, where, existing, index)


def judge_index(facts: IndexFacts, embeddings: Provenance | None) -> Iterator[Verdict]:
    """Judge the index.

    Args:
        facts: What Pinecone told.
        embeddings: How the endpoint makes its vectors, if that is known.
    """
    if facts.error is not None:
        yield problem("Pinecone", facts.error)
        return
    yield ok("Pinecone", f"{facts.where}, {len(facts.existing)} indexes")
    index = facts.index
    if index is None:
        yield warning(
            "Index",
            f"there is no index {facts.name!r}",
            f"It is made at first use, or by: hfendpoint indexes create {facts.name}",
        )
        return
    if not index.ready:
        yield warning("Index", f"{index.name!r} is not ready yet", "Try again in a minute.")
        return
    yield _judge_fit(index, embeddings)
    yield _judge_provenance(index, embeddings)


def _judge_fit(index: PineconeIndex, embeddings: Provenance | None) -> Verdict:
    found = (
        f"{index.name!r}: {index.vectors or 0:,} vectors of {index.dimension} dimensions, "
        f"metric {index.metric}"
    )
    if embeddings is not None and index.dimension != embeddings.dimension:
        return problem(
            "Index",
            f"{found}, but the endpoint gives {embeddings.dimension} dimensions",
            "Use another index, or the model that this one was made with.",
        )
    if index.metric == "dotproduct" and embeddings is not None and embeddings.normalized is False:
        return warning(
            "Index",
            f"{found}, and the vectors are not normalized",
            "With dotproduct the length of a vector counts: normalize, or use cosine.",
        )
    return ok("Index", found)


def _judge_provenance(index: PineconeIndex, embeddings: Provenance | None) -> Verdict:
    stored = index.provenance
    if stored is None or stored == Provenance(stored.dimension):
        return warning(
            "Provenance",
            f"{index.name!r} does not say which model made its vectors",
            "Make sure that it was this one; an empty index is told at first use.",
        )
    made = f"made by {stored.model or 'an unnamed model'}"
    if embeddings is None:
        return skipped("Provenance", f"{made}; there is no embedding to compare with")
    differences = {
        name: values
        for name, values in stored.differences(embeddings).items()
        if name != "dimension"
    }
    if differences:
        listed = "; ".join(
            f"{name.replace('_', ' ')} {there!r} there, {here!r} here"
            for name, (there, here) in differences.items()
        )
        return problem(
            "Provenance",
            f"{index.name!r} was filled with other embeddings: {listed}",
            "Vectors of different models cannot be compared: use another index.",
        )
    return ok("Provenance", f"{made}, as the endpoint's are")


def gather_round_trip(
    index: PineconeIndex,
    vector: Sequence[float],
    *,
    api_key: str | None,
    controller_host: str | None,
) -> RoundTripFacts:
    """Write a vector into a namespace of its own, find it, and delete the namespace again."""
    namespace = f"hfendpoint-doctor-{secrets.token_hex(8)}"
    seconds: dict[str, float] = {}
    try:
        client = connect(api_key=api_key, controller_host=controller_host).Index(host=index.host)
        with as_pinecone_errors("write, read and delete a vector"):
            began = time.perf_counter()
            client.upsert(vectors=[("doctor", list(vector))], namespace=namespace)
            seconds["write"] = time.perf_counter() - began
            try:
                while not client.query(vector=list(vector), top_k=1, namespace=namespace).matches:
                    if time.perf_counter() - began > _VISIBLE_SECONDS:
                        raise PineconeError(
                            f"The vector was not found within {_VISIBLE_SECONDS:g} s."
                        )
                    time.sleep(_POLL_SECONDS)
                seconds["read"] = time.perf_counter() - began - seconds["write"]
            finally:
                began = time.perf_counter()
                client.delete_namespace(namespace=namespace)
                seconds["delete"] = time.perf_counter() - began
    except HFEndpointError as error:
        return RoundTripFacts(seconds, str(error))
    return RoundTripFacts(seconds)


def judge_round_trip(facts: RoundTripFacts) -> Verdict:
    """Judge the round trip."""
    steps = ", ".join(f"{step} {taken * 1000:.0f} ms" for step, taken in facts.seconds.items())
    if facts.error is not None:
        return problem("Round trip", f"{steps}; then: {facts.error}" if steps else facts.error)
    return ok("Round trip", steps)
