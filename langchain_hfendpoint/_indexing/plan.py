"""What some batches of documents come to: keys, sources, contents, without duplicates. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from langchain_core.documents import Document

from langchain_hfendpoint._indexing.keys import content_hash
from langchain_hfendpoint._indexing.sources import Chunk
from langchain_hfendpoint._sinks.base import Entry, Row, document_with_id
from langchain_hfendpoint.errors import ConfigurationError, HFEndpointError

MetadataConverter = Callable[[Mapping[str, Any]], Mapping[str, Any]]
SourceIdKey = str | Callable[[Document], str] | None


@dataclass(slots=True, eq=False)
class Item(Entry):
    """A document with its key, its metadata as converted.

    Attributes:
        content: Hash of its text.
        group: Its source.
    """

    content: bytes
    group: str | None


@dataclass(frozen=True, slots=True)
class PlannedDocuments:
    """Documents without their duplicates.

    Attributes:
        items: The documents, in order.
        duplicates: How many were dropped because their key came earlier.
        rejected: Why other documents could not be given a key or a source.
        error: Why a batch could not be planned; nothing of it and of what follows it is here.
    """

    items: Sequence[Item]
    duplicates: int
    rejected: Sequence[Exception]
    error: Exception | None = None


class Planner:
    """Gives documents their keys and sources.

    Args:
        key_of: Gives a document's key, told the hash of its text.
        equal_keys_mean_equal_documents: Whether the key tells text and metadata.
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
        equal_keys_mean_equal_documents: bool,
        source_id_key: SourceIdKey,
        source_required: bool,
        convert_metadata: MetadataConverter | None,
    ) -> None:
        if not (source_id_key is None or isinstance(source_id_key, str) or callable(source_id_key)):
            raise ConfigurationError(
                f"source_id_key={source_id_key!r} must be a metadata key or a function."
            )
        self.equal_keys_mean_equal_documents = equal_keys_mean_equal_documents
        self._key_of = key_of
        self._source_id_key = source_id_key
        self._source_required = source_required
        self._convert = convert_metadata

    def plan(self, batches: Sequence[Chunk], *, skip_errors: bool) -> PlannedDocuments:
        """Give documents their keys, and drop what comes twice.

        Args:
            batches: Batches of the source.
            skip_errors: Whether a document that cannot be given a key is left out; else its batch
                is, and what follows.

        Returns:
            What the batches come to.
        """
        items: dict[str, Item] = {}
        rejected: list[Exception] = []
        error: Exception | None = None
        planned = 0
        for batch in batches:
            some, errors = self._items(batch)
            if errors and not skip_errors:
                error = errors[0]
                break
            rejected += errors
            planned += len(some)
            for item in some:
                items.setdefault(item.key, item)
        return PlannedDocuments(list(items.values()), planned - len(items), rejected, error)

    def _items(self, batch: Chunk) -> tuple[list[Item], list[Exception]]:
        rows = repeat(None) if batch.vectors is None else batch.vectors
        items: list[Item] = []
        errors: list[Exception] = []
        for document, row in zip(batch.documents, rows):  # noqa: B905 (repeat() has no end)
            try:
                item = self._item(document, row)
            except (HFEndpointError, KeyError, ValueError) as error:
                errors.append(error)
                continue
            items.append(item)
        return items, errors

    def _item(self, document: Document, row: Row | None) -> Item:
        if self._convert is not None:
            document = Document(
                id=document.id,
                page_content=document.page_content,
                metadata=dict(self._convert(document.metadata)),
            )
        content = content_hash(document.page_content)
        key = self._key_of(document, content)
        return Item(key, document, row, content, self._group(document, key))

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
