"""Requests to an index of the local Pinecone without a network between."""

from collections.abc import Callable
from typing import Any

import orjson

from langchain_hfendpoint.local._pinecone.data_plane import Answer, Call, Write, encode
from langchain_hfendpoint.local._pinecone.index import Index


def ask(
    operation: Callable[[Call], Answer | Write],
    index: Index,
    body: dict[str, Any] | None = None,
    *,
    version: str = "2025-10",
    path: dict[str, str] | None = None,
    **parameters: str | list[str],
) -> dict[str, Any]:
    """Run an operation as the server does, through JSON both ways.

    Raises:
        WireError: As the operation does.
    """
    query = {
        name: value if isinstance(value, list) else [value] for name, value in parameters.items()
    }
    encoded = b"" if body is None else orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
    outcome = operation(Call(index, version, path or {}, query, encoded))
    if isinstance(outcome, Write):
        answered = outcome.answer(index.write(outcome.operation).result(timeout=60).value)
    else:
        answered = outcome.body
    decoded: dict[str, Any] = orjson.loads(encode(answered))
    return decoded
