"""Where vectors come from: what must be equal before vectors may be mixed or compared.

Kept as index tags in Pinecone and in the manifest of an embedded dataset. Pinecone takes at most
20 tags, with keys of 80 and values of 120 characters: ASCII letters, digits and `;@_-.+ ` (its API
description, `IndexTags`). Other characters, such as the `/` of a model id, are percent-encoded
with `+` for `%`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Protocol, runtime_checkable
from urllib.parse import quote, unquote

from langchain_core.embeddings import Embeddings

PROBE_TEXT = "How many numbers are in this vector?"
"""The text that is embedded to learn a dimension."""

_TAG_PREFIX = "hfendpoint-"
_TAG_VALUE_LIMIT = 120
# Pinecone reads an empty tag value as "remove this tag", and a missing one means "not known".
# No encoded text looks like this: there, two hexadecimal digits follow each plus.
_NO_PROMPT = "+none"


@dataclass(frozen=True, slots=True)
class Provenance:
    """How a set of vectors was made; `None` means "not known".

    Attributes:
        dimension: Numbers in a vector.
        model: Model id, as the endpoint or the caller names it.
        revision: Commit of the model.
        normalized: Whether the vectors have length 1.
        document_prompt: Prompt name or literal prefix put before documents (`""`: none).
        query_prompt: Prompt name or literal prefix put before queries (`""`: none).
    """

    dimension: int
    model: str | None = None
    revision: str | None = None
    normalized: bool | None = None
    document_prompt: str | None = None
    query_prompt: str | None = None

    def differences(self, other: Provenance) -> dict[str, tuple[object, object]]:
        """Compare what both sides know.

        The query prompt is left out: it shapes queries only, and the stored vectors stay what
        they are whatever it is.

        Args:
            other: The other side.

        Returns:
            For each field that both know and that differs: (this value, the other's).
        """
        return {
            field.name: (mine, theirs)
            for field in fields(self)
            if field.name != "query_prompt"
            and (mine := getattr(self, field.name)) is not None
            and (theirs := getattr(other, field.name)) is not None
            and _as_tag(mine) != _as_tag(theirs)
        }

    def to_tags(self) -> dict[str, str]:
        """Give the known fields as Pinecone index tags, long values cut to 120 characters."""
        return {
            _TAG_PREFIX + field.name.replace("_", "-"): _as_tag(value)
            for field in fields(self)
            if (value := getattr(self, field.name)) is not None
        }

    @classmethod
    def from_tags(cls, tags: Mapping[str, str], *, dimension: int) -> Provenance:
        """Read the provenance back from an index.

        Args:
            tags: The index's tags; those of others are ignored.
            dimension: The index's dimension.

        Returns:
            What the tags tell.
        """

        def text(name: str) -> str | None:
            value = tags.get(_TAG_PREFIX + name)
            if value is None or value == _NO_PROMPT:
                return value and ""
            return unquote(value.replace("+", "%"))

        normalized = text("normalized")
        return cls(
            dimension=dimension,
            model=text("model"),
            revision=text("revision"),
            normalized=None if normalized is None else normalized == "true",
            document_prompt=text("document-prompt"),
            query_prompt=text("query-prompt"),
        )


def _as_tag(value: str | bool | int) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    encoded = quote(str(value), safe=" ;@").replace("~", "%7E").replace("%", "+")
    return encoded[:_TAG_VALUE_LIMIT] or _NO_PROMPT


@runtime_checkable
class SupportsProvenance(Protocol):
    """Embeddings that know how their vectors are made (`HFEndpointEmbeddings` does)."""

    def provenance(self) -> Provenance:
        """Tell how the vectors are made, asking the endpoint if need be."""


def provenance_of(embeddings: Embeddings) -> Provenance:
    """Find out how embeddings make their vectors; any LangChain embeddings will do.

    Args:
        embeddings: The embeddings. Unless they know better, one probe text is embedded to learn
            their dimension.

    Returns:
        What is known of them, the dimension at least.
    """
    if isinstance(embeddings, SupportsProvenance):
        return embeddings.provenance()
    return Provenance(dimension=len(embeddings.embed_query(PROBE_TEXT)))
