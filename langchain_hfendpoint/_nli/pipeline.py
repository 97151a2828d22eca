"""One pass over a source: rows in, lists of items out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from langchain_hfendpoint._nli.batch import Reader
from langchain_hfendpoint._nli.columns import Layout, recognize
from langchain_hfendpoint._nli.items import Choice, Item, Picker
from langchain_hfendpoint._nli.labels import label_reader
from langchain_hfendpoint._nli.report import Counts
from langchain_hfendpoint._nli.sources import Source
from langchain_hfendpoint._nli.stream import (
    Collected,
    repeats,
    share,
    shuffled,
    window,
    with_repeats,
    without_duplicates,
)
from langchain_hfendpoint.errors import BrokenRowError, DataError


@dataclass(frozen=True, slots=True)
class Plan:
    """What a pass does.

    Attributes:
        choice: What is taken of each row.
        needed: Roles whose columns must be there.
        columns: Columns that the caller names for roles.
        labels: What labels mean, as far as the caller says.
        on_error: What to do about broken rows.
        shard: (index, number) of this worker among several.
        unique: Whether duplicates are dropped.
        collect: What is told of the duplicates that are dropped; costs a second pass.
        shuffle: Seed of the order; the source's order if `None`.
        shuffle_buffer: Items to draw from when shuffling.
        offset: Items to leave out at the start.
        limit: Items to give at most.
    """

    choice: Choice
    needed: frozenset[str]
    columns: Mapping[str, str]
    labels: Sequence[str] | Mapping[str | int, str] | None
    on_error: Literal["raise", "skip"]
    shard: tuple[int, int]
    unique: bool
    collect: tuple[Collected, ...]
    shuffle: int | None
    shuffle_buffer: int
    offset: int
    limit: int | None


def run(source: Source, plan: Plan, counts: Counts) -> Iterator[list[Item]]:
    """Read a source as planned.

    Args:
        source: The source.
        plan: What to take of it.
        counts: Where it is counted.

    Yields:
        Lists of items, one for each batch of rows; some may be empty.

    Raises:
        DataError: If the source cannot be read as asked.
    """
    found = repeats(_shared(source, plan, Counts())) if plan.collect else {}
    batches = _shared(source, plan, counts)
    if plan.unique:
        batches = without_duplicates(batches, counts)
    if plan.collect:
        batches = with_repeats(batches, found, plan.collect)
    if plan.shuffle is not None:
        batches = shuffled(batches, seed=plan.shuffle, buffer=plan.shuffle_buffer)
    for batch in window(batches, offset=plan.offset, limit=plan.limit):
        counts.kept += len(batch)
        yield batch


def most(source: Source, plan: Plan) -> int | None:
    """Tell how many items a pass gives at most, if that can be told without reading rows.

    Raises:
        DataError: If the source cannot be read as asked.
    """
    total = 0
    for part in source.parts():
        rows = part.rows()
        if rows is None:
            return None
        with part.open(_never_broken) as reader:
            hypotheses = len(_layout(reader, plan).hypotheses)
        total += rows * sum(1 if kind == "premise" else hypotheses for kind in plan.choice.kinds)
    left = max(0, total - plan.offset)
    return left if plan.limit is None else min(left, plan.limit)


def _never_broken(error: BrokenRowError) -> None:
    raise error


def _layout(reader: Reader, plan: Plan) -> Layout:
    return recognize(reader.names, origin=reader.origin, needed=plan.needed, given=plan.columns)


def _shared(source: Source, plan: Plan, counts: Counts) -> Iterator[list[Item]]:
    index, of = plan.shard
    batches = _picked(source, plan, counts)
    return share(batches, index, of) if of > 1 else batches


def _picked(source: Source, plan: Plan, counts: Counts) -> Iterator[list[Item]]:
    def impossible(error: BrokenRowError) -> None:
        if plan.on_error == "raise":
            raise error
        counts.broken += 1

    def unreadable(error: BrokenRowError) -> None:
        impossible(error)
        counts.rows += 1

    first_row = 0
    for part in source.parts():
        with part.open(unreadable) as reader:
            layout = _layout(reader, plan)
            for name in plan.choice.metadata_columns:
                if name not in reader.names:
                    raise DataError(
                        f"{reader.origin} has no column {name!r} for metadata_columns. "
                        f"Its columns: {', '.join(map(repr, reader.names))}."
                    )
            told = None if layout.label is None else reader.class_names.get(layout.label)
            labels = label_reader(plan.labels, told, layout.label_names)
            picker = Picker(layout, labels, plan.choice, part.split, counts, impossible)
            wanted = list(dict.fromkeys([*layout.wanted, *plan.choice.metadata_columns]))
            next_row = first_row
            for batch in reader.batches(wanted):
                counts.rows += len(batch.rows)
                if batch.rows:
                    next_row = first_row + batch.rows[-1] + 1
                yield picker.pick(batch, first_row)
            first_row = next_row
    counts.complete = True
