"""Where vectors come from: what must be equal before vectors may be mixed or compared.

Kept as index tags in Pinecone and in the manifest of an embedded dataset. Pinecone takes at most
20 tags, with keys of 80 and values of 120 characters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

_TAG_PREFIX = "hfendpoint-"
_TAG_VALUE_LIMIT = 120


@dataclass(frozen=True, slots=True)
class Provenance:
    """How a set of vectors was made; `None` or empty means "not known".

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

        Args:
            other: The other side.

        Returns:
            For each field that both know and that differs: (this value, the other's).
        """
        return {
            field.name: (mine, theirs)
            for field in fields(self)
            if (mine := getattr(self, field.name)) is not None
            and (theirs := getattr(other, field.name)) is not None
            and mine != theirs
        }

    def to_tags(self) -> dict[str, str]:
        """Give the known fields as Pinecone index tags, long values cut to 120 characters."""
        tags = {}
        for field in fields(self):
            value = getattr(self, field.name)
            # Pinecone reads an empty tag value as "remove this tag".
            if value is not None and value != "":
                text = str(value).lower() if isinstance(value, bool) else str(value)
                tags[_TAG_PREFIX + field.name.replace("_", "-")] = text[:_TAG_VALUE_LIMIT]
        return tags

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
            return tags.get(_TAG_PREFIX + name)

        normalized = text("normalized")
        return cls(
            dimension=dimension,
            model=text("model"),
            revision=text("revision"),
            normalized=None if normalized is None else normalized == "true",
            document_prompt=text("document-prompt"),
            query_prompt=text("query-prompt"),
        )
