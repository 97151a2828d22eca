"""Keys of documents: hashes of content and metadata, so that doing it twice is harmless.

The named algorithms of langchain-core give the very keys that `langchain_core.indexing.index`
gives. The default is not among them: its keys are shaped like UUIDs, because Qdrant and Weaviate
take nothing else, and are a quarter as long as core's `"blake2b"` keys, which counts in every
record. With 122 bits of BLAKE2b, two of 10^9 documents collide once in 10^19 times.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Mapping
from typing import Literal

import orjson
from langchain_core.documents import Document
from langchain_core.indexing.api import NAMESPACE_UUID

from langchain_hfendpoint.errors import ConfigurationError, MetadataError

KeyEncoder = Callable[[Document], str] | Literal["uuid", "sha1", "sha256", "sha512", "blake2b"]

_HASH = hashlib.blake2b(digest_size=16)  # copied for each use, at half the cost of a new one
_VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def content_hash(text: str) -> bytes:
    """Hash a text alone, so that it is recognized whatever its document's metadata."""
    digest = _HASH.copy()
    digest.update(text.encode())
    return digest.digest()


def key_function(encoder: KeyEncoder) -> Callable[[Document, bytes], str]:
    """Choose how documents get their keys.

    Args:
        encoder: `"uuid"`, one of langchain-core's names, or a function.

    Returns:
        A function from a document and the hash of its text to its key.

    Raises:
        ConfigurationError: If the name is not known.
    """
    if callable(encoder):
        given = encoder
        return lambda document, _: given(document)
    if encoder == "uuid":
        return _uuid_key
    if encoder in _CORE_DIGESTS:
        digest = _CORE_DIGESTS[encoder]
        return lambda document, _: _core_key(document, digest)
    raise ConfigurationError(
        f"key_encoder={encoder!r} is not known: use 'uuid', 'sha256', 'sha512', 'blake2b', 'sha1' "
        "or a function from a document to its key."
    )


def _uuid_key(document: Document, content: bytes) -> str:
    digest = _HASH.copy()
    digest.update(content + _canonical(document))
    text = digest.hexdigest()
    # Version 8 of RFC 9562 is the one for hashes of one's own choice, and the variant is 10xx.
    variant = _VARIANTS[text[16]]
    return f"{text[:8]}-{text[8:12]}-8{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"


def _canonical(document: Document) -> bytes:
    """Metadata as bytes that are equal for equal metadata."""
    try:
        return orjson.dumps(document.metadata, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # orjson is stricter than json: integers beyond 64 bits, keys not text
        return _canonical_json(document.metadata).encode()


def _canonical_json(metadata: Mapping[str, object]) -> str:
    try:
        return json.dumps(metadata, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise MetadataError(
            f"Metadata cannot be hashed: {error}. Make it JSON with convert_metadata=, or give "
            "key_encoder= a function."
        ) from error


def _core_key(document: Document, digest: Callable[[str], str]) -> str:
    metadata = _canonical_json(document.metadata)
    return digest(digest(document.page_content) + digest(metadata))


def _sha1_uuid(text: str) -> str:
    hexadecimal = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    return str(uuid.uuid5(NAMESPACE_UUID, hexadecimal))


_CORE_DIGESTS: dict[str, Callable[[str], str]] = {
    "sha1": _sha1_uuid,
    "sha256": lambda text: hashlib.sha256(text.encode()).hexdigest(),
    "sha512": lambda text: hashlib.sha512(text.encode()).hexdigest(),
    "blake2b": lambda text: hashlib.blake2b(text.encode()).hexdigest(),
}
