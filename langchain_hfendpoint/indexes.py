"""Look after Pinecone indexes: what there is, what made the vectors, and away with it.

To make one that fits an endpoint, open it: `langchain_hfendpoint.open_pinecone`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import SecretStr

from langchain_hfendpoint._pinecone import as_pinecone_errors, connect, provenance_of_index
from langchain_hfendpoint._provenance import Provenance
from langchain_hfendpoint.errors import IndexNotFoundError, PineconeError

if TYPE_CHECKING:
    from pinecone.db_control.models import IndexModel

__all__ = ["PineconeIndex", "delete_index", "describe_index", "list_indexes"]


@dataclass(frozen=True, slots=True)
class PineconeIndex:
    """A Pinecone index as it was when Pinecone was asked.

    Attributes:
        name: Its name.
        metric: `"cosine"`, `"dotproduct"` or `"euclidean"`.
        provenance: How its vectors were made, as its tags tell; `None` for a sparse index.
        host: Where it answers.
        ready: Whether it can be used.
        deletion_protected: Whether Pinecone refuses to delete it.
        namespaces: Vectors in each namespace (`""` is the unnamed one); `None` if not asked for.
    """

    name: str
    metric: str
    provenance: Provenance | None
    host: str
    ready: bool
    deletion_protected: bool
    namespaces: dict[str, int] | None = None

    @property
    def dimension(self) -> int | None:
        """Numbers in a vector; `None` for a sparse index."""
        return None if self.provenance is None else self.provenance.dimension

    @property
    def vectors(self) -> int | None:
        """Vectors in all namespaces; `None` if not asked for."""
        return None if self.namespaces is None else sum(self.namespaces.values())


def list_indexes(
    *, api_key: SecretStr | str | None = None, controller_host: str | None = None
) -> list[PineconeIndex]:
    """List the indexes of the project, without counting their vectors.

    Args:
        api_key: Pinecone API key; by default `PINECONE_API_KEY`.
        controller_host: URL of the control plane; by default `PINECONE_CONTROLLER_HOST`, and else
            Pinecone's own.

    Returns:
        The indexes, in Pinecone's order.

    Raises:
        ConfigurationError: If there is no key.
        MissingExtraError: If pinecone is not installed.
        PineconeError: If Pinecone refuses or cannot be reached.
    """
    client = connect(api_key=api_key, controller_host=controller_host)
    with as_pinecone_errors("list the indexes"):
        return [_read(model) for model in client.list_indexes()]


def describe_index(
    name: str,
    *,
    api_key: SecretStr | str | None = None,
    controller_host: str | None = None,
) -> PineconeIndex:
    """Look at an index: what it is for, what made its vectors, and how many there are.

    Args:
        name: Its name.
        api_key: Pinecone API key; by default `PINECONE_API_KEY`.
        controller_host: URL of the control plane; by default `PINECONE_CONTROLLER_HOST`, and else
            Pinecone's own.

    Returns:
        The index, with its namespaces once it is ready.

    Raises:
        IndexNotFoundError: If there is none of this name.
        ConfigurationError: If there is no key.
        MissingExtraError: If pinecone is not installed.
        PineconeError: If Pinecone refuses or cannot be reached.
    """
    client = connect(api_key=api_key, controller_host=controller_host)
    try:
        with as_pinecone_errors(f"describe the index {name!r}"):
            model = client.describe_index(name)
            namespaces = (
                client.Index(host=model.host).describe_index_stats().namespaces
                if model.status.ready
                else None
            )
    except PineconeError as error:
        raise _not_found(name) if error.status == 404 else error from error
    counts = (
        None
        if namespaces is None
        else {space: int(summary.vector_count) for space, summary in namespaces.items()}
    )
    return _read(model, counts)


def delete_index(
    name: str,
    *,
    api_key: SecretStr | str | None = None,
    controller_host: str | None = None,
) -> None:
    """Delete an index with all its vectors, for good.

    Args:
        name: Its name.
        api_key: Pinecone API key; by default `PINECONE_API_KEY`.
        controller_host: URL of the control plane; by default `PINECONE_CONTROLLER_HOST`, and else
            Pinecone's own.

    Raises:
        IndexNotFoundError: If there is none of this name.
        ConfigurationError: If there is no key.
        MissingExtraError: If pinecone is not installed.
        PineconeError: If Pinecone refuses (deletion protection) or cannot be reached.
    """
    client = connect(api_key=api_key, controller_host=controller_host)
    try:
        with as_pinecone_errors(f"delete the index {name!r}"):
            client.delete_index(name, timeout=-1)
    except PineconeError as error:
        raise _not_found(name) if error.status == 404 else error from error


def _read(model: IndexModel, namespaces: dict[str, int] | None = None) -> PineconeIndex:
    is_sparse = getattr(model, "dimension", None) is None
    return PineconeIndex(
        name=model.name,
        metric=model.metric,
        provenance=None if is_sparse else provenance_of_index(model),
        host=model.host,
        ready=bool(model.status.ready),
        deletion_protected=str(model.deletion_protection) == "enabled",
        namespaces=namespaces,
    )


def _not_found(name: str) -> IndexNotFoundError:
    return IndexNotFoundError(
        f"There is no index {name!r}. See what there is: hfendpoint indexes list", status=404
    )
