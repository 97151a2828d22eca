"""What Pinecone can hold beside a vector; anything else is refused before it costs anything.

Flat, at most 40 KB a record: strings, finite numbers, booleans and lists of strings; no key begins
with `$`. A missing value (`None`) is left out, as Pinecone itself does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import orjson

from langchain_hfendpoint.errors import MetadataError

MAX_METADATA_BYTES = 40_960
MAX_ID_LENGTH = 512
_PLAIN = frozenset({str, bool})
_BIG = 2**63


def encode_metadata(metadata: Mapping[str, object], *, text: str, text_key: str) -> bytes:
    """Encode a document's text and metadata the way `PineconeVectorStore` reads them back.

    Args:
        metadata: The document's metadata; not changed.
        text: The document's text, stored under the text key.
        text_key: The store's text key; metadata of that name gives way, as in the store.

    Returns:
        A JSON object.

    Raises:
        MetadataError: If a value is of a kind that Pinecone cannot hold, or all of it is too large.
    """
    kept: dict[str, object] = {}
    for key, value in metadata.items():
        if value is None:
            continue
        kind = type(value)
        plain = kind in _PLAIN or (kind is int and -_BIG < value < _BIG)  # type: ignore[operator]
        if not (plain and type(key) is str and key[:1] != "$") and (
            problem := _problem(key, value)
        ):
            raise MetadataError(
                f"The metadata {key!r} {problem}. Pinecone holds strings, numbers, booleans and "
                f"lists of strings: change or drop it with convert_metadata= ({_which(text)})."
            )
        kept[key] = value
    kept[text_key] = text
    try:
        encoded = orjson.dumps(kept, option=orjson.OPT_SERIALIZE_NUMPY)
    except TypeError as error:
        raise MetadataError(
            f"Text or metadata cannot be sent as JSON: {error} ({_which(text)})."
        ) from error
    if len(encoded) > MAX_METADATA_BYTES:
        size = len(text.encode())
        raise MetadataError(
            f"Text and metadata are {len(encoded):,} bytes, and Pinecone takes "
            f"{MAX_METADATA_BYTES:,} a record; the text alone is {size:,}. Split the document with "
            f"a text splitter, or shorten the metadata with convert_metadata= ({_which(text)})."
        )
    return encoded


def check_id(key: str, *, text: str) -> None:
    """Refuse an id that Pinecone does not take: 1 to 512 ASCII characters without NUL.

    Args:
        key: The id.
        text: The document's text, for the message.

    Raises:
        MetadataError: If it cannot be an id.
    """
    if not 1 <= len(key) <= MAX_ID_LENGTH or not key.isascii() or "\0" in key:
        raise MetadataError(
            f"The id {key[:80]!r} cannot be stored: Pinecone takes 1 to {MAX_ID_LENGTH} ASCII "
            f"characters without NUL. Choose another key_encoder= ({_which(text)})."
        )


def _problem(key: object, value: object) -> str | None:
    if not isinstance(key, str):
        return f"has a key of type {type(key).__name__}, not text"
    if key.startswith("$"):
        return "begins with '$', which Pinecone keeps for filters"
    if isinstance(value, (str, bool)):
        return None
    if isinstance(value, int):
        return None if value.bit_length() < 64 else "is an integer of more than 64 bits"
    if isinstance(value, float):
        return None if math.isfinite(value) else f"is {value}, which is no finite number"
    if isinstance(value, list):
        wrong = [type(item).__name__ for item in value if not isinstance(item, str)]
        return f"is a list with a {wrong[0]} in it" if wrong else None
    return f"is a {type(value).__name__}"


def _which(text: str) -> str:
    start = text if len(text) <= 60 else text[:57] + "..."
    return f"document {start!r}"
