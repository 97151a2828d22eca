"""What a record's metadata may be, and how they are stored.

Pinecone keeps a flat object of strings, numbers (as 64-bit floats), booleans and lists of strings,
40 KB a record, and drops nulls. Stored here as compact JSON, so that an answer copies the bytes.
"""

from __future__ import annotations

import orjson

from langchain_hfendpoint.local._pinecone.wire import MAX_METADATA_BYTES, invalid, shown

Value = str | float | bool | list[str]
Metadata = dict[str, Value]


def clean_metadata(raw: object) -> Metadata:
    """Check metadata and bring them into the form that is stored.

    Args:
        raw: The decoded JSON value of a request.

    Returns:
        The fields without nulls, every number a float.

    Raises:
        WireError: If it is no flat object of the allowed types.
    """
    if not isinstance(raw, dict):
        raise invalid(f"Metadata must be an object, got '{shown(raw)}'")
    clean: Metadata = {}
    for key, value in raw.items():
        if isinstance(value, str | bool | float):
            clean[key] = value
        elif isinstance(value, int):
            clean[key] = float(value)
        elif isinstance(value, list) and all(isinstance(item, str) for item in value):
            clean[key] = value
        elif value is not None:
            raise invalid(
                "Metadata value must be a string, number, boolean or list of strings, "
                f"got '{shown(value)}' for field '{key}'"
            )
        if key.startswith("$"):
            raise invalid(f"Metadata key cannot start with '$', got '{key}'")
    return clean


def encode_metadata(metadata: Metadata) -> bytes | None:
    """Serialize clean metadata.

    Args:
        metadata: What `clean_metadata` returned.

    Returns:
        Compact JSON, or `None` if there is nothing to keep.

    Raises:
        WireError: If it is larger than 40 KB.
    """
    if not metadata:
        return None
    encoded = orjson.dumps(metadata)
    if len(encoded) > MAX_METADATA_BYTES:
        raise invalid(
            f"metadata size is {len(encoded)} bytes, which exceeds the limit of "
            f"{MAX_METADATA_BYTES} bytes per vector"
        )
    return encoded


def decode_metadata(encoded: bytes | None) -> Metadata:
    """Read metadata back; the reverse of `encode_metadata`."""
    if encoded is None:
        return {}
    metadata: Metadata = orjson.loads(encoded)
    return metadata
