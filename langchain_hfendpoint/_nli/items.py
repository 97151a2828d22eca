"""From rows to texts: which sentences of a row are taken, and which are dropped. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal, NamedTuple

import orjson

from langchain_hfendpoint._nli.batch import MISSING, Batch, OnBroken
from langchain_hfendpoint._nli.columns import Layout
from langchain_hfendpoint._nli.digests import digest
from langchain_hfendpoint._nli.labels import UNLABELLED, Label, LabelReader, named
from langchain_hfendpoint._nli.report import Counts
from langchain_hfendpoint.errors import BrokenRowError

Kind = Literal["premise", "hypothesis", "pair"]
MetadataValue = str | int | float | bool | list[str]
Texts = Sequence[str | None]
Labels = Sequence[Label | None]


class Item(NamedTuple):
    """A text to load.

    Attributes:
        text: The sentence, or the pair as one text.
        key: The digest of the text.
        kind: What the text is.
        split: The split it is from, if known.
        row: Number of its row in the source, from 0.
        premise: The row's premise, if it was read.
        hypothesis: The row's hypothesis, if it was read.
        label: The row's label, if the source has labels.
        score: The row's score, if it has one.
        extra: Further columns for the metadata.
    """

    text: str
    key: bytes
    kind: Kind
    split: str | None
    row: int
    premise: str | None
    hypothesis: str | None
    label: Label | None
    score: float | None
    extra: Mapping[str, MetadataValue]


@dataclass(frozen=True, slots=True)
class Choice:
    """What the caller wants of each row.

    Attributes:
        kinds: What becomes a text of its own, in this order.
        template: How a pair becomes one text; with `{premise}`, `{hypothesis}`, `{label}`.
        keep_unlabelled: Whether rows without a gold label count.
        metadata_columns: Columns to put into the metadata.
    """

    kinds: tuple[Kind, ...]
    template: str
    keep_unlabelled: bool
    metadata_columns: tuple[str, ...]


@dataclass(slots=True)
class Picker:
    """Takes the texts out of the batches of one file.

    Attributes:
        layout: Where the file keeps what.
        labels: How its labels are read.
        choice: What the caller wants.
        split: The split the file belongs to, if known.
        counts: Where drops are counted.
        on_broken: Told of rows with impossible values.
    """

    layout: Layout
    labels: LabelReader
    choice: Choice
    split: str | None
    counts: Counts
    on_broken: OnBroken

    def pick(self, batch: Batch, first_row: int) -> list[Item]:
        """Take the texts of a batch.

        Args:
            batch: The rows.
            first_row: Number of the file's first row in the whole source.

        Returns:
            The texts in order, without empty ones and unwanted unlabelled ones.
        """
        try:
            items = self._all(batch, first_row)
        except BrokenRowError:
            # Columns are fast but do not tell which row it was.
            items = [item for row in batch.single_rows() for item in self._one(row, first_row)]
        return [item for item in items if self._stays(item)]

    def _one(self, row: Batch, first_row: int) -> list[Item]:
        try:
            return self._all(row, first_row)
        except BrokenRowError as error:
            self.on_broken(BrokenRowError(f"{row.place(0)}: {error}."))
            return []

    def _all(self, batch: Batch, first_row: int) -> list[Item]:
        """Make every item of the batch, row by row, whatever is in it."""
        columns, count = batch.columns, len(batch.rows)
        rows = [first_row + row for row in batch.rows]
        score = self.layout.score
        scores = [None] * count if score is None else [_score(value) for value in columns[score]]
        extras = self._extras(columns, count)
        lanes = [
            [
                Item(text, digest(text), kind, self.split, *rest)
                for text, *rest in zip(
                    self._written(kind, premises, hypotheses, labels),
                    rows,
                    premises,
                    hypotheses,
                    labels,
                    scores,
                    extras,
                    strict=True,
                )
            ]
            for kind, premises, hypotheses, labels in self._lanes(columns, count)
        ]
        return lanes[0] if len(lanes) == 1 else list(chain.from_iterable(zip(*lanes, strict=True)))

    def _lanes(
        self, columns: Mapping[str, Sequence[object]], count: int
    ) -> Iterator[tuple[Kind, Texts, Texts, Labels]]:
        """Give, for each text that a row becomes, its kind, premises, hypotheses and labels."""
        layout, nothing = self.layout, [None] * count
        premises: Texts = _texts(columns, layout.premise) if layout.premise else nothing
        labels: Labels = self._labels(columns[layout.label]) if layout.label else nothing
        sides: list[tuple[Texts, Labels]] = [
            (_texts(columns, column), labels if implied is None else [named(implied)] * count)
            for column, implied in layout.hypotheses
        ]
        for kind in self.choice.kinds:
            if kind == "premise" and len(sides) != 1:
                # Of several hypotheses in a row none is the premise's own.
                yield kind, premises, nothing, nothing if sides else labels
            else:
                for hypotheses, its_labels in sides:
                    yield kind, premises, hypotheses, its_labels

    def _written(self, kind: Kind, premises: Texts, hypotheses: Texts, labels: Labels) -> list[str]:
        """Give what is embedded; nothing for a pair that lacks one side."""
        if kind != "pair":
            return [text or "" for text in (premises if kind == "premise" else hypotheses)]
        write = self.choice.template.format
        return [
            write(premise=premise, hypothesis=hypothesis, label="" if label is None else label.name)
            if premise and hypothesis and not premise.isspace() and not hypothesis.isspace()
            else ""
            for premise, hypothesis, label in zip(premises, hypotheses, labels, strict=True)
        ]

    def _labels(self, column: Sequence[object]) -> Labels:
        read = self.labels.read
        return [read(None if value is MISSING else value) for value in column]

    def _extras(
        self, columns: Mapping[str, Sequence[object]], rows: int
    ) -> list[Mapping[str, MetadataValue]]:
        names = self.choice.metadata_columns
        if not names:
            return [{}] * rows
        return [
            {
                name: made
                for name in names
                if (made := _metadata_value(columns[name][position])) is not None
            }
            for position in range(rows)
        ]

    def _stays(self, item: Item) -> bool:
        """Count what is empty or unlabelled, and tell whether the item stays."""
        if not item.text or item.text.isspace():
            self.counts.empty += 1
            return False
        if item.label is UNLABELLED:
            self.counts.unlabelled += 1
            return self.choice.keep_unlabelled
        return True


def _texts(columns: Mapping[str, Sequence[object]], name: str) -> Texts:
    return [value if isinstance(value, str) else _nothing(value, name) for value in columns[name]]


def _nothing(value: object, name: str) -> str:
    if value is None:
        return ""
    raise BrokenRowError(
        f"has no {name!r}" if value is MISSING else f"{name!r} is {value!r}, which is no text"
    )


def _score(value: object) -> float | None:
    if value is None or value is MISSING or value == "":
        return None
    try:
        score = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise BrokenRowError(f"score {value!r} is no number") from None
    return score if math.isfinite(score) else None


def _metadata_value(value: object) -> MetadataValue | None:
    """Make a value that JSON and Pinecone take: text, number, truth value or list of texts."""
    if value is None or value is MISSING:
        return None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str | int):
        return value
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return value
    return orjson.dumps(value, default=str).decode()
