"""Namespaces: listed, described, made and deleted by their names."""

from __future__ import annotations

from typing import Any

from langchain_hfendpoint.local._pinecone import operations
from langchain_hfendpoint.local._pinecone.calls import (
    Answer,
    Call,
    Write,
    page_limit,
    paged,
    read_token,
)
from langchain_hfendpoint.local._pinecone.fields import Fields
from langchain_hfendpoint.local._pinecone.memory import Namespace, Snapshot
from langchain_hfendpoint.local._pinecone.requests import stored_namespace
from langchain_hfendpoint.local._pinecone.wire import UNNAMED_NAMESPACE, invalid, not_found


def list_namespaces(call: Call) -> Answer:
    """`GET /namespaces`."""
    limit = page_limit(call)
    prefix = call.parameter("prefix")
    after = read_token(call.parameter("paginationToken"))
    with call.index.reading() as moment:
        found = sorted(
            (namespace.name or UNNAMED_NAMESPACE, namespace)
            for namespace in call.index.namespaces(moment.snapshot)
            if (namespace.name or UNNAMED_NAMESPACE).startswith(prefix)
        )
        later = [pair for pair in found if pair[0] > after]
        page = [_namespace(namespace, moment.snapshot) for _, namespace in later[:limit]]
    body = {"namespaces": page, "total_count": len(found)}
    return Answer(
        paged(body, later[limit - 1][0] if len(later) > limit else None), moment.snapshot.lsn
    )


def describe_namespace(call: Call) -> Answer:
    """`GET /namespaces/{namespace}`."""
    stored = stored_namespace(call.path["namespace"])
    with call.index.reading() as moment:
        namespace = call.index.namespace(stored, moment.snapshot)
        if namespace is None:
            raise not_found("Namespace not found")
        return Answer(_namespace(namespace, moment.snapshot), moment.snapshot.lsn)


def create_namespace(call: Call) -> Write:
    """`POST /namespaces`."""
    body = Fields.parse(call.body)
    name = body.text("name")
    if not stored_namespace(name):
        raise invalid(f"Namespace name must be 1 to 512 characters and not '{UNNAMED_NAMESPACE}'")
    schema = _schema(body.inner("schema"))
    described: dict[str, Any] = {"name": name, "record_count": 0}
    if schema is not None:
        described["schema"] = schema
    return Write(operations.create_namespace(name, schema), lambda _: described)


def delete_namespace(call: Call) -> Write:
    """`DELETE /namespaces/{namespace}`."""
    return Write(operations.drop_namespace(stored_namespace(call.path["namespace"])))


def _namespace(namespace: Namespace, snapshot: Snapshot) -> dict[str, Any]:
    body: dict[str, Any] = {
        "name": namespace.name or UNNAMED_NAMESPACE,
        "record_count": namespace.count(snapshot),
    }
    if namespace.schema is not None:
        body["schema"] = namespace.schema
    return body


def _schema(raw: Fields | None) -> dict[str, object] | None:
    if raw is None:
        return None
    fields = raw.get("fields")
    if not isinstance(fields, dict) or not all(
        isinstance(options, dict) and options.get("filterable") is True
        for options in fields.values()
    ):
        raise invalid("Invalid schema: every field must be declared as {'filterable': true}")
    return {"fields": {name: {"filterable": True} for name in fields}}
