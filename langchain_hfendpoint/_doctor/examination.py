"""The whole examination, from this machine outwards; each part is examined whatever the others are.

Only what the later parts need of the earlier ones is handed on: how the endpoint makes its vectors
(to compare the index with), and one of them (for the round trip).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Protocol
from urllib.parse import urlsplit
from urllib.request import getproxies

from langchain_hfendpoint._doctor.endpoint import (
    EndpointFacts,
    gather_endpoint,
    gather_managed,
    judge_endpoint,
)
from langchain_hfendpoint._doctor.index import (
    gather_index,
    gather_round_trip,
    judge_index,
    judge_round_trip,
)
from langchain_hfendpoint._doctor.network import gather_network, judge_network, judge_proxies
from langchain_hfendpoint._doctor.packages import gather_packages, judge_packages
from langchain_hfendpoint._doctor.token import gather_token, judge_token
from langchain_hfendpoint._doctor.verdicts import Verdict, problem, skipped
from langchain_hfendpoint._engine.tokens import is_hugging_face
from langchain_hfendpoint.embeddings import HFEndpointEmbeddings
from langchain_hfendpoint.errors import HFEndpointError


class OpenEndpoint(Protocol):
    """An endpoint that is ready to be asked."""

    @property
    def embeddings(self) -> HFEndpointEmbeddings:
        """What embeds with it."""


class OpenPinecone(Protocol):
    """How to reach Pinecone."""

    @property
    def api_key(self) -> str | None:
        """Its key; `None` for that of the environment."""

    @property
    def controller_host(self) -> str | None:
        """Its control plane; `None` for that of the environment."""

    @property
    def description(self) -> str:
        """Where it is, in words."""


def examine(
    *,
    endpoint_url: str | None,
    open_endpoint: Callable[[], AbstractContextManager[OpenEndpoint]],
    open_pinecone: Callable[[], AbstractContextManager[OpenPinecone]],
    index_name: str,
    round_trip: bool,
) -> Iterator[Verdict]:
    """Examine the chain, giving the verdicts as they come.

    Args:
        endpoint_url: URL of the endpoint, or `None` for a local one.
        open_endpoint: Opens the endpoint.
        open_pinecone: Opens the way to Pinecone.
        index_name: Index to examine.
        round_trip: Whether to write a vector, find it and delete it again.

    Yields:
        The verdicts.
    """
    yield from judge_packages(gather_packages())
    remote = endpoint_url is not None and is_hugging_face(endpoint_url)
    yield from judge_token(gather_token(needed=remote))
    facts = EndpointFacts()
    with ExitStack() as stack:
        try:
            embeddings = stack.enter_context(open_endpoint()).embeddings
        except HFEndpointError as error:
            yield problem("Endpoint", str(error))
        else:
            url = embeddings.endpoint_url or ""
            network = gather_network(url)
            yield from judge_network(network)
            if network.failed_at is None:
                facts = gather_endpoint(embeddings, managed=gather_managed(url) if remote else None)
                yield from judge_endpoint(facts)
    with ExitStack() as stack:
        try:
            pinecone = stack.enter_context(open_pinecone())
        except HFEndpointError as error:
            yield problem("Pinecone", str(error))
            return
        login = {"api_key": pinecone.api_key, "controller_host": pinecone.controller_host}
        found = gather_index(index_name, where=pinecone.description, **login)
        yield from judge_index(found, facts.provenance)
        host = "" if found.index is None else found.index.host
        yield judge_proxies(
            getproxies(),
            pinecone_in_cloud=(urlsplit(host).hostname or host).endswith("pinecone.io"),
        )
        if not round_trip:
            return
        if found.index is None or len(facts.vector) != found.index.dimension:
            yield skipped("Round trip", "needs an index and an embedding that fit each other")
        else:
            yield judge_round_trip(gather_round_trip(found.index, facts.vector, **login))
