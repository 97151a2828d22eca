"""Documents as columns: id, text, and one for each metadata key.

Types are learned as the documents come, before their texts are paid for. What Arrow can hold in one
column is let through (a missing value, a number that turns out to have decimals); two types for one
key are refused, naming the document.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import orjson
import pyarrow as pa
from langchain_core.documents import Document

from langchain_hfendpoint._hub.encoding import SCALE, VECTOR
from langchain_hfendpoint._indexing.keys import content_hash, key_function
from langchain_hfendpoint.errors import EmbeddedDatasetError

ID = "id"
TEXT = "text"
DIGEST_BYTES = 16

_RESERVED = frozenset({ID, TEXT, VECTOR, SCALE})
_UNFIT = (pa.ArrowException, TypeError, ValueError, OverflowError)
_key = key_function("uuid")


def document_id(document: Document) -> str:
    """Give a document's own id, or else one made from its content and metadata."""
    return document.id or _key(document, content_hash(document.page_content))


def row_digest(document: Document, identifier: str) -> bytes:
    """Hash all there is in a row, so that another source is recognized as such."""
    metadata = orjson.dumps(
        document.metadata,
        option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY,
        default=repr,
    )
    digest = hashlib.blake2b(metadata, digest_size=DIGEST_BYTES)
    for text in (identifier, document.page_content):
        encoded = text.encode()
        digest.update(len(encoded).to_bytes(8, "little"))
        digest.update(encoded)
    return digest.digest()


class Columns:
    """Turns documents into tables, learning the types of their metadata on the way.

    Args:
        declared: Types that the source declares.
        seen: Types of what was written before.
    """

    def __init__(self, *, declared: Sequence[Any] = (), seen: Sequence[Any] = ()) -> None:
        self._schema = pa.schema({ID: pa.string(), TEXT: pa.string()})
        for schema in declared:
            self._learn(schema, "the first")
        self._declared = self._schema
        for schema in seen:
            self._learn(schema, "the first")

    @property
    def schema(self) -> Any:
        """The columns seen so far, with the types that hold everything seen so far."""
        return self._schema

    def table(self, documents: Sequence[Document], ids: Sequence[str]) -> Any:
        """Turn documents into a table, and learn the types of their metadata.

        Args:
            documents: The documents.
            ids: Their ids.

        Returns:
            A table with `id`, `text` and the documents' metadata.

        Raises:
            EmbeddedDatasetError: If metadata cannot be a column of their own.
        """
        texts = [document.page_content for document in documents]
        arrays = {
            ID: self._array(ID, ids, ids),
            TEXT: self._array(TEXT, texts, ids),
        }
        keys = dict.fromkeys(key for document in documents for key in document.metadata)
        for key in keys:
            if not isinstance(key, str) or key in _RESERVED:
                raise EmbeddedDatasetError(
                    f"The metadata key {key!r} (document {ids[0]!r} or later) cannot be a column: "
                    f"keys are text, and {', '.join(sorted(_RESERVED))} are taken. Rename it."
                )
            values = [document.metadata.get(key) for document in documents]
            arrays[key] = self._array(key, values, ids)
        table = pa.table(arrays)
        self._learn(table.schema, repr(ids[0]))
        return table

    def _array(self, key: str, values: Sequence[object], ids: Sequence[str]) -> Any:
        declared = self._declared.get_field_index(key)
        try:
            # Only a declared type may be forced: Arrow would cut the decimals off to fit integers.
            kind = self._declared.types[declared] if declared >= 0 else None
            return pa.array(values, type=kind)
        except _UNFIT as error:
            raise EmbeddedDatasetError(
                f"{key!r} of document {_first_unfit(values, ids)!r} does not fit into one column "
                f"with the others: {error}. Make it of one type, or leave it out."
            ) from error

    def _learn(self, schema: Any, where: str) -> None:
        try:
            self._schema = pa.unify_schemas(
                [self._schema, schema.remove_metadata()], promote_options="permissive"
            )
        except pa.ArrowException as error:
            raise EmbeddedDatasetError(
                f"Metadata of document {where} or soon after do not fit into the columns of those "
                f"before: {error}. Make each key of one type, or leave it out."
            ) from error


def align(table: Any, schema: Any) -> Any:
    """Give a table the columns of a schema, in its order and with its types.

    Args:
        table: A table of `Columns`, or a part of one.
        schema: Columns that hold the table's; what it lacks becomes null.

    Returns:
        The table.
    """
    own = frozenset(table.column_names)
    return pa.table(
        {
            field.name: table.column(field.name).cast(field.type)
            if field.name in own
            else pa.nulls(len(table), field.type)
            for field in schema
        }
    )


def _first_unfit(values: Sequence[object], ids: Sequence[str]) -> str:
    """Name the document whose value does not fit to those before."""
    fits, unfit = 0, len(values)
    while unfit - fits > 1:
        middle = (fits + unfit) // 2
        fits, unfit = (middle, unfit) if _one_type(values[:middle]) else (fits, middle)
    return ids[unfit - 1]


def _one_type(values: Sequence[object]) -> bool:
    try:
        pa.array(values)
    except _UNFIT:
        return False
    return True
