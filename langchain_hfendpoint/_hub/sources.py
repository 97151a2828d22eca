"""What can be embedded: loaders, documents, and data sets of the `datasets` library."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, Union

from langchain_core.documents import Document

from langchain_hfendpoint._hub.layout import split_name
from langchain_hfendpoint._hub.manifest import Origin
from langchain_hfendpoint._indexing.sources import DocumentSource, known_length
from langchain_hfendpoint.errors import ConfigurationError, EmbeddedDatasetError

if TYPE_CHECKING:
    import datasets

_ROWS = 1_000
# The Hub refuses a card whose license is a text.
_LICENSE_ID = re.compile(r"[a-z0-9.-]{2,40}")

Source: TypeAlias = Union[
    DocumentSource,
    "datasets.Dataset",
    "datasets.IterableDataset",
    "datasets.DatasetDict",
    "datasets.IterableDatasetDict",
]


@dataclass(frozen=True, slots=True)
class Part:
    """Documents of one split, or of splits that their metadata name.

    Attributes:
        documents: The documents.
        split: The split, or `None` for the one in each document's metadata.
        total: Number of documents, if known.
    """

    documents: DocumentSource
    split: str | None = None
    total: int | None = None

    def split_of(self, document: Document) -> str:
        """Tell which split a document belongs to."""
        return self.split or split_name(document.metadata.get("split"))


@dataclass(frozen=True, slots=True)
class Opened:
    """A source, ready to be read.

    Attributes:
        parts: Its parts.
        schemas: Arrow types of the metadata, where the source declares them.
        features: The source's own description of them, as `datasets` writes it.
        origin: What the source tells of where it comes from.
    """

    parts: tuple[Part, ...]
    schemas: tuple[Any, ...] = ()
    features: Mapping[str, Any] = field(default_factory=dict)
    origin: Origin = Origin()  # noqa: RUF009 (frozen)

    @property
    def total(self) -> int | None:
        """Number of documents, if all parts know theirs."""
        totals = [part.total for part in self.parts]
        return None if None in totals else sum(total or 0 for total in totals)


def open_source(source: Source, *, text_column: str, id_column: str | None) -> Opened:
    """Find out what a source is.

    Args:
        source: A loader, documents, or a data set of the `datasets` library.
        text_column: The column of a data set that is embedded.
        id_column: The column that identifies its rows, if any.

    Returns:
        The source, ready to be read.

    Raises:
        ConfigurationError: If a data set has no such column.
    """
    library = sys.modules.get("datasets")  # whoever made a data set has imported it
    if library is not None:
        if isinstance(source, (library.DatasetDict, library.IterableDatasetDict)):
            opened = [
                _open_dataset(dataset, split_name(name), text_column, id_column)
                for name, dataset in source.items()
            ]
            return Opened(
                parts=tuple(part for one in opened for part in one.parts),
                schemas=tuple(schema for one in opened for schema in one.schemas),
                features={name: value for one in opened for name, value in one.features.items()},
                origin=opened[0].origin if opened else Origin(),
            )
        if isinstance(source, (library.Dataset, library.IterableDataset)):
            split = split_name(None if source.split is None else str(source.split))
            return _open_dataset(source, split, text_column, id_column)
    limit = getattr(source, "max_documents", None)
    total = limit() if callable(limit) else known_length(source)
    return Opened((Part(source, total=total),))


def _open_dataset(dataset: Any, split: str, text_column: str, id_column: str | None) -> Opened:
    taken = {text_column, id_column}
    schemas: tuple[Any, ...] = ()
    described: dict[str, Any] = {}
    if dataset.features is not None:
        missing = sorted(name for name in taken if name and name not in dataset.features)
        if missing:
            raise ConfigurationError(
                f"The data set has no column {missing[0]!r}, only {', '.join(dataset.features)}. "
                "Name the column to embed with text_column=."
            )
        features = dataset.features.__class__(
            {name: kind for name, kind in dataset.features.items() if name not in taken}
        )
        schemas = (features.arrow_schema,)
        described = features.to_dict()
    rows = getattr(dataset, "num_rows", None)
    documents = _documents(dataset, split, text_column, id_column)
    license_id = dataset.info.license or ""
    origin = Origin(
        name=dataset.info.dataset_name,
        license=license_id if _LICENSE_ID.fullmatch(license_id) else None,
    )
    return Opened((Part(documents, split, rows),), schemas, described, origin)


def _documents(
    dataset: Any, split: str, text_column: str, id_column: str | None
) -> Iterator[Document]:
    # As Arrow, because rows would be decoded (images, audio) only to be encoded again.
    position = 0
    for table in dataset.with_format("arrow").iter(batch_size=_ROWS):
        for row in table.to_pylist():
            text = row.pop(text_column)
            if not isinstance(text, str):
                raise EmbeddedDatasetError(
                    f"Row {position:,} of the split {split!r} has {text!r} in {text_column!r}, "
                    "which is no text. Filter such rows out first."
                )
            identifier = None if id_column is None else str(row.pop(id_column))
            yield Document(text, id=identifier, metadata=row)
            position += 1
