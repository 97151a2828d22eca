"""The control plane's bodies, in the API versions of 2025 and of 2026.

Until 2025-10 an index has dimension, metric and spec; from 2026-07 it has a schema with a vector
field named `_values` (or `_sparse_values`) and a deployment. Both say the same here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, cast

from langchain_hfendpoint.local._pinecone.config import IndexConfig
from langchain_hfendpoint.local._pinecone.fields import Fields
from langchain_hfendpoint.local._pinecone.search import Metric
from langchain_hfendpoint.local._pinecone.wire import MAX_DIMENSION, MAX_TAGS, WireError, invalid

SCHEMA_VERSION: Final = "2026-07"
"""The first API version with schema and deployment."""

_READ_CAPACITY_VERSION: Final = "2025-10"
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_TAG_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")
_TAG_VALUE: Final = re.compile(r"[A-Za-z0-9;@_.+ -]{0,120}")
_METRICS: Final = ("cosine", "euclidean", "dotproduct")


def read_new_index(body: Fields, version: str) -> IndexConfig:
    """Read the request that creates an index.

    Args:
        body: The request.
        version: API version the client speaks.

    Returns:
        What the index shall be.

    Raises:
        WireError: If it breaks a rule.
    """
    name = _name(body.get("name"))
    tags = merge_tags({}, body.strings("tags"))
    protected = _protection(body, default=False)
    if version >= SCHEMA_VERSION and body.get("schema") is not None:
        dimension, metric = _from_schema(body)
        where = body.inner("deployment") or Fields({})
        if where.text("deploymentType", default="managed") != "managed":
            raise invalid("Only managed deployments are supported by the local Pinecone")
    else:
        dimension, metric = _from_dimension(body)
        spec = body.inner("spec")
        if spec is None:
            raise _unprocessable("spec")
        serverless = spec.inner("serverless")
        if serverless is None:
            raise invalid("Only serverless indexes are supported by the local Pinecone")
        where = serverless
        if not where.text("cloud"):
            raise _unprocessable("cloud")
        if not where.text("region"):
            raise _unprocessable("region")
    return IndexConfig(
        name=name,
        metric=metric,
        dimension=dimension,
        tags=tags,
        deletion_protected=protected,
        cloud=where.text("cloud", default="aws"),
        region=where.text("region", default="us-east-1"),
    )


def read_changes(body: Fields, config: IndexConfig) -> IndexConfig:
    """Read the request that configures an index.

    Args:
        body: The request.
        config: What the index is.

    Returns:
        What it shall be.

    Raises:
        WireError: If the change breaks a rule.
    """
    spec = body.inner("spec")
    if spec is not None and spec.get("pod") is not None:
        raise invalid("Cannot configure pods of a serverless index")
    return replace(
        config,
        tags=merge_tags(config.tags, body.strings("tags")),
        deletion_protected=_protection(body, default=config.deletion_protected),
    )


def describe(config: IndexConfig, *, host: str, version: str) -> dict[str, Any]:
    """Describe an index.

    Args:
        config: What it is.
        host: Where its data plane is, with scheme.
        version: API version the client speaks.

    Returns:
        The body.
    """
    body: dict[str, Any] = {
        "name": config.name,
        "host": host,
        "status": {"ready": True, "state": "Ready"},
        "deletion_protection": "enabled" if config.deletion_protected else "disabled",
        "tags": config.tags,
    }
    read_capacity = {"mode": "OnDemand", "status": {"state": "Ready"}}
    if version >= SCHEMA_VERSION:
        vector: dict[str, Any] = {"type": "sparse_vector", "metric": config.metric}
        if not config.sparse:
            vector |= {"type": "dense_vector", "dimension": config.dimension}
        return {
            **body,
            "schema": {"fields": {"_sparse_values" if config.sparse else "_values": vector}},
            "deployment": {
                "deployment_type": "managed",
                "cloud": config.cloud,
                "region": config.region,
                "environment": config.region,
            },
            "read_capacity": read_capacity,
        }
    serverless: dict[str, Any] = {"cloud": config.cloud, "region": config.region}
    if version >= _READ_CAPACITY_VERSION:
        serverless["read_capacity"] = read_capacity
    body |= {
        "metric": config.metric,
        "vector_type": "sparse" if config.sparse else "dense",
        "spec": {"serverless": serverless},
    }
    if not config.sparse:
        body["dimension"] = config.dimension
    return body


def merge_tags(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """Set tags; an empty value removes one.

    Args:
        old: The tags so far.
        new: The tags to set.

    Returns:
        All tags.

    Raises:
        WireError: If a tag breaks a rule, or they become too many.
    """
    for key, value in new.items():
        if not _TAG_KEY.fullmatch(key):
            raise invalid(
                f"Tag key '{key}' is invalid: it must be 1 to 80 characters, alphanumeric, '_' "
                "or '-'"
            )
        if not _TAG_VALUE.fullmatch(value):
            raise invalid(
                f"Tag value of '{key}' is invalid: it must be at most 120 characters, "
                "alphanumeric, ';', '@', '_', '-', '.', '+', or ' '"
            )
    tags = {key: value for key, value in {**old, **new}.items() if value}
    if len(tags) > MAX_TAGS:
        raise invalid(f"An index can have at most {MAX_TAGS} tags, but got {len(tags)}")
    return tags


def _name(value: object) -> str:
    if not isinstance(value, str):
        raise _unprocessable("name")
    if not 1 <= len(value) <= 45:
        raise invalid("Index name must be between 1 and 45 characters long")
    if not _NAME.fullmatch(value):
        raise invalid(
            "Index name must contain only lowercase alphanumeric characters or hyphens, and must "
            "not begin or end with a hyphen."
        )
    return value


def _from_dimension(body: Fields) -> tuple[int, Metric]:
    kind = body.text("vectorType", default="dense")
    if kind not in ("dense", "sparse"):
        raise invalid(f"Invalid vector_type '{kind}': it must be dense or sparse")
    default = "cosine" if kind == "dense" else "dotproduct"
    metric = _metric(body.text("metric", default=default))
    dimension = body.number("dimension")
    if kind == "sparse":
        return _sparse(metric, dimension)
    return _dimension(dimension), metric


def _from_schema(body: Fields) -> tuple[int, Metric]:
    schema = body.inner("schema")
    fields = None if schema is None else schema.inner("fields")
    dense = None if fields is None else fields.inner("_values")
    sparse = None if fields is None else fields.inner("_sparse_values")
    if dense is not None:
        return _dimension(dense.number("dimension")), _metric(dense.text("metric"))
    if sparse is not None:
        return _sparse(_metric(sparse.text("metric", default="dotproduct")), None)
    raise invalid(
        "The local Pinecone stores vectors, not documents: "
        "the schema must declare '_values' or '_sparse_values'"
    )


def _dimension(value: int | None) -> int:
    if value is None:
        raise _unprocessable("dimension")
    if not 1 <= value <= MAX_DIMENSION:
        raise invalid(f"Dimension must be between 1 and {MAX_DIMENSION}, but got {value}")
    return value


def _sparse(metric: Metric, dimension: int | None) -> tuple[int, Metric]:
    if metric != "dotproduct":
        raise invalid("Sparse vector indexes must use the metric dotproduct.")
    if dimension is not None:
        raise invalid("Sparse vector indexes must not have a dimension.")
    return 0, metric


def _metric(value: str) -> Metric:
    if value not in _METRICS:
        raise invalid(f"Invalid metric '{value}': it must be one of {', '.join(_METRICS)}")
    return cast("Metric", value)


def _protection(body: Fields, *, default: bool) -> bool:
    value = body.text("deletionProtection", default="enabled" if default else "disabled")
    if value not in ("enabled", "disabled"):
        raise invalid(f"Invalid deletion_protection '{value}': it must be enabled or disabled")
    return value == "enabled"


def _unprocessable(name: str) -> WireError:
    return WireError(
        422,
        "UNPROCESSABLE_ENTITY",
        f"Failed to deserialize the JSON body into the target type: missing field `{name}`",
    )
