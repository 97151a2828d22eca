"""Open a Pinecone index that fits the embeddings, as a LangChain `PineconeVectorStore`.

Pinecone finds out about a wrong dimension at the first upsert, after the embedding has been paid
for, and about a wrong model never. So the dimension is probed first, and what made the vectors
(model, revision, normalization, prompts) is kept as tags of the index and compared at every
opening.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal
from weakref import WeakKeyDictionary

from langchain_core.embeddings import Embeddings
from pydantic import SecretStr

from langchain_hfendpoint._extras import import_extra
from langchain_hfendpoint._pinecone import as_pinecone_errors, connect, provenance_of_index
from langchain_hfendpoint._provenance import Provenance, provenance_of
from langchain_hfendpoint.errors import (
    ConfigurationError,
    IndexNotFoundError,
    PineconeError,
    ProvenanceMismatchError,
)

if TYPE_CHECKING:
    from langchain_pinecone import PineconeVectorStore
    from pinecone import Pinecone
    from pinecone.db_control.models import IndexModel

Metric = Literal["cosine", "dotproduct", "euclidean"]

_READY_POLL_SECONDS = 1.0
_logger = logging.getLogger(__name__)
# A store does not remember the control plane it was opened through; its tags are kept there.
_stored_provenance: WeakKeyDictionary[PineconeVectorStore, Provenance] = WeakKeyDictionary()


def open_pinecone(
    index_name: str,
    embeddings: Embeddings,
    *,
    api_key: SecretStr | str | None = None,
    controller_host: str | None = None,
    namespace: str | None = None,
    text_key: str = "text",
    metric: Metric | None = None,
    cloud: str = "aws",
    region: str = "us-east-1",
    create: bool = True,
    timeout: float = 300.0,
) -> PineconeVectorStore:
    """Open a Pinecone index as a LangChain vector store, creating it if it does not exist.

    Embeds one probe text to learn the dimension, creates the index with that dimension if it is
    missing, waits until it is ready, and compares how its vectors were made with how these
    embeddings make theirs.

    Args:
        index_name: Name of the index: 1 to 45 of a-z, 0-9 and `-`.
        embeddings: What will embed documents and queries; any LangChain embeddings.
        api_key: Pinecone API key; by default `PINECONE_API_KEY`.
        controller_host: URL of the control plane; by default `PINECONE_CONTROLLER_HOST`, and else
            Pinecone's own. The host of a `LocalPinecone` goes here.
        namespace: Namespace to read and write; by default the unnamed one.
        text_key: Metadata key that holds the text.
        metric: Metric of the index. Creates a cosine index by default; if given, an existing
            index must have it.
        cloud: Cloud of a new serverless index.
        region: Region of a new serverless index.
        create: Whether a missing index is created; else it is an error.
        timeout: Seconds to wait for the index to become ready.

    Returns:
        The store, a `langchain_pinecone.PineconeVectorStore`.

    Raises:
        MissingExtraError: If `langchain-pinecone` is not installed.
        ConfigurationError: If there is no API key, or an existing index has another metric.
        IndexNotFoundError: If there is no index and none is to be created.
        ProvenanceMismatchError: If the index holds vectors of another dimension or model.
        PineconeError: If Pinecone refuses a request, cannot be reached, or the index does not
            become ready in time.
        EndpointError: If the probe text cannot be embedded.

    Example:
        ```python
        from langchain_hfendpoint import HFEndpointEmbeddings, open_pinecone

        embeddings = HFEndpointEmbeddings(endpoint_url="https://my.endpoints.huggingface.cloud")
        store = open_pinecone("hf-endpoints", embeddings)
        retriever = store.as_retriever(search_kwargs={"k": 5})
        ```
    """
    langchain_pinecone = import_extra("langchain_pinecone", "pinecone")
    pinecone = import_extra("pinecone", "pinecone")
    client = connect(api_key=api_key, controller_host=controller_host)
    asked = provenance_of(embeddings)
    with as_pinecone_errors(f"open the index {index_name!r}"):
        if not client.has_index(index_name):
            if not create:
                names = client.list_indexes().names()
                raise IndexNotFoundError(_no_index(index_name, names), status=404)
            client.create_index(
                name=index_name,
                dimension=asked.dimension,
                metric=metric or "cosine",
                spec=pinecone.ServerlessSpec(cloud=cloud, region=region),
                tags=asked.to_tags(),
                timeout=-1,
            )
        description = _wait_until_ready(client, index_name, timeout)
        stored = provenance_of_index(description)
        _check_metric(index_name, description.metric, metric)
        check_same_provenance(f"The index {index_name!r}", stored, asked)
        data_plane = client.Index(host=description.host)
        if stored == Provenance(stored.dimension) and _is_empty(data_plane):
            client.configure_index(index_name, tags=asked.to_tags())
            stored = asked
    if stored.model is None and asked.model is not None:
        _logger.warning(
            "The index %r does not say which model made its vectors; make sure it was this one.",
            index_name,
        )
    store: PineconeVectorStore = langchain_pinecone.PineconeVectorStore(
        index=data_plane, embedding=embeddings, text_key=text_key, namespace=namespace
    )
    _stored_provenance[store] = stored
    return store


def stored_provenance(store: PineconeVectorStore) -> Provenance:
    """Tell how the vectors in a store's index were made.

    Args:
        store: A store, opened by `open_pinecone` or otherwise. Of the latter only the dimension
            is known, since it does not say where its control plane is.

    Returns:
        What is known.

    Raises:
        PineconeError: If the index cannot be asked.
    """
    known = _stored_provenance.get(store)
    if known is not None:
        return known
    with as_pinecone_errors("describe the store's index"):
        return Provenance(dimension=int(store.index.describe_index_stats().dimension))


def check_same_provenance(owner: str, stored: Provenance, asked: Provenance) -> None:
    """Refuse to mix vectors that were not made alike.

    Args:
        owner: Who holds the stored vectors, as the beginning of a sentence.
        stored: How those were made.
        asked: How the new ones, or the queries, are made.

    Raises:
        ProvenanceMismatchError: If both know a value and the values differ.
    """
    differences = stored.differences(asked)
    if differences:
        listed = "; ".join(
            f"{name.replace('_', ' ')} {ours!r} there, {theirs!r} here"
            for name, (ours, theirs) in differences.items()
        )
        raise ProvenanceMismatchError(
            f"{owner} was filled with other embeddings than these: {listed}. Use the embeddings "
            "it was made with, or another index (vectors of different models cannot be compared)."
        )


def _wait_until_ready(client: Pinecone, name: str, timeout: float) -> IndexModel:
    deadline = time.monotonic() + timeout
    while True:
        description = client.describe_index(name)
        if description.status.ready:
            return description
        state = description.status.state
        if "Fail" in state:
            raise PineconeError(f"The index {name!r} could not be created (state {state}).")
        if time.monotonic() > deadline:
            raise PineconeError(
                f"The index {name!r} is still not ready (state {state}) after {timeout:g} s. "
                "Try again later, or wait longer with timeout=."
            )
        time.sleep(_READY_POLL_SECONDS)


def _no_index(name: str, existing: Sequence[str]) -> str:
    others = f"There are: {', '.join(existing)}." if existing else "There is none at all."
    return f"There is no index {name!r}. {others} Fill one first, for example with quickstart."


def _check_metric(name: str, has: str, asked: Metric | None) -> None:
    if asked is not None and has != asked:
        raise ConfigurationError(
            f"The index {name!r} has the metric {has!r}, not {asked!r}. A metric cannot be "
            "changed: leave metric= away, or use another index."
        )


def _is_empty(index: object) -> bool:
    stats = index.describe_index_stats()  # type: ignore[attr-defined]
    return int(stats.total_vector_count) == 0
