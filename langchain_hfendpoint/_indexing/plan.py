"""What a batch of documents comes to: keys, sources, contents, without duplicates. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.documents import Document

from langchain_hfendpoint._indexing.keys import content_hash
from langchain_hfendpoint._sinks.base import document_with_id
from langchain_hfendpoint.errors import ConfigurationError, HFEndpointError

MetadataConverter = Callable[[Mapping[str, Any]], Mapping[str, Any]]
SourceIdKey = str | Callable[[Document], str] | None


@dataclass(slots=True, eq=False)  # not frozen: there is one a document, and that costs 1 us
class Item:
    """A document with its key.

    Attributes:
        document: The document, its metadata as converted.
        key: Its key.
        content: Hash of its text.
        group: Its source.
        position: Its place in the batch.
    """

    document: Document
    key: str
    content: bytes
    group: str | None
    position: int


@dataclass(frozen=True, slots=True)
class PlannedBatch:
    """A batch without its duplicates.

    Attributes:
        items: The documents, in order.
        duplicates: How many were dropped because their key came earlier in the batch.
        rejected: Why other documents could not be given a key or a source.
    """

    items: Sequence[Item]
    duplicates: int
    rejected: Sequence[Exception]


class Planner:
    """Gives documents their keys and sources.

    Args:
        key_of: Gives a document's key, told the hash of its text.
        source_id_key: Metadata key of the source, or a function from a document to it.
        source_required: Whether a document without a source is an error.
        convert_metadata: Makes the metadata that are stored, if not the document's own.

    Raises:
        ConfigurationError: If `source_id_key` is neither text nor callable.
    """

    def __init__(
        self,
        key_of: Callable[[Document, bytes], str],
        *,
        source_id_key: SourceIdKey,
        source_required: bool,
        convert_metadata: MetadataConverter | None,
    ) -> None:
        if not (source_id_key is None or isinstance(source_id_key, str) or callable(source_id_key)):
            raise ConfigurationError(
                f"source_id_key={source_id_key!r} must be a metadata key or a function."
            )
        self._key_of = key_of
        self._source_id_key = source_id_key
        self._source_required = source_required
        self._convert = convert_metadata

    def plan(self, documents: Sequence[Document], *, skip_errors: bool) -> PlannedBatch:
        """Give a batch its keys, and drop what comes twice.

        Args:
            documents: The batch.
            skip_errors: Whether a document that cannot be given a key is left out; else its error
                is raised.

        Returns:
            What the batch comes to.
        """
        items: dict[str, Item] = {}
        rejected: list[Exception] = []
        for position, document in enumerate(documents):
            try:
                item = self._item(document, position)
            except (HFEndpointError, KeyError, ValueError) as error:
                if not skip_errors:
                    raise
                rejected.append(error)
                continue
            items.setdefault(item.key, item)
        duplicates = len(documents) - len(rejected) - len(items)
        return PlannedBatch(list(items.values()), duplicates, rejected)

    def _item(self, document: Document, position: int) -> Item:
        if self._convert is not None:
            document = Document(
                id=document.id,
                page_content=document.page_content,
                metadata=dict(self._convert(document.metadata)),
            )
        content = content_hash(document.page_content)
        key = self._key_of(document, content)
        return Item(document, key, content, self._group(document, key), position)

    def _group(self, document: Document, key: str) -> str | None:
        if self._source_id_key is None:
            return None
        if isinstance(self._source_id_key, str):
            group: str | None = document.metadata[self._source_id_key]
        else:
            group = self._source_id_key(document_with_id(document, key))
        if group is None and self._source_required:
            raise ConfigurationError(
                "Source IDs are required when cleanup mode is incremental or scoped_full, and the "
                f"document {document.page_content[:100]!r} has none. Give it one, or use "
                "cleanup='full' or None."
            )
        return group
