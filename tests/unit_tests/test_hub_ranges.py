"""Which rows go into which shard, whatever shards a killed run has left."""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.documents import Document

from langchain_hfendpoint._hub.ranges import Gathering, Ranges, check_vectors
from langchain_hfendpoint._hub.rows import document_id, row_digest
from langchain_hfendpoint._hub.shards import ShardHeader, range_digest
from langchain_hfendpoint._provenance import Provenance
from langchain_hfendpoint.errors import DimensionMismatchError, EmbeddedDatasetError


def _documents(count: int) -> list[Document]:
    return [Document(f"text {n}") for n in range(count)]


def _whole(documents: Sequence[Document], start: int, stop: int, split: str = "s") -> ShardHeader:
    digests = [row_digest(one, document_id(one)) for one in documents[start:stop]]
    return ShardHeader(split, start, stop, range_digest(digests), "float32", Provenance(2))


@given(st.data())
def test_any_whole_shards_are_skipped_and_the_rest_is_covered_once(data: st.DataObject) -> None:
    count = data.draw(st.integers(0, 60))
    cuts = sorted(data.draw(st.sets(st.integers(0, count))))
    ranges = list(itertools.pairwise(cuts))
    kept = [one for one in ranges if data.draw(st.booleans())]
    limit = data.draw(st.integers(1, 20))
    documents = _documents(count)
    planned = Ranges([_whole(documents, *one) for one in kept], rows_per_shard=limit, dimension=2)

    gatherings: list[Gathering] = []
    start = 0
    while start < count:
        size = data.draw(st.integers(1, 25))
        for run in planned.place("s", documents[start : start + size]):
            if run.gathering not in gatherings:
                gatherings.append(run.gathering)
        start += size
    planned.finish()

    new = [(one.start, one.stop) for one in gatherings]
    assert all(
        one.closed and stop - first <= limit
        for one, (first, stop) in zip(gatherings, new, strict=True)
    )
    covered = sorted(kept + new)
    assert [row for first, stop in covered for row in range(first, stop)] == list(range(count))


def test_splits_are_counted_apart() -> None:
    planned = Ranges([], rows_per_shard=2, dimension=2)
    [first] = planned.place("train", _documents(1))
    [other] = planned.place("test", _documents(1))
    [second] = planned.place("train", _documents(1))
    assert first.gathering is second.gathering is not other.gathering
    assert first.gathering.closed
    assert not other.gathering.closed


def test_a_source_that_changed_is_refused_with_the_rows() -> None:
    documents = _documents(5)
    planned = Ranges([_whole(documents, 1, 4)], rows_per_shard=9, dimension=2)
    documents[2] = Document("changed")
    with pytest.raises(EmbeddedDatasetError, match=r"Rows 1 to 3 of the split 's'"):
        planned.place("s", documents)


def test_a_source_that_shrank_is_refused() -> None:
    documents = _documents(5)
    planned = Ranges([_whole(documents, 0, 5)], rows_per_shard=9, dimension=2)
    planned.place("s", documents[:4])
    with pytest.raises(EmbeddedDatasetError, match=r"ended after 4 rows.*vectors for 5"):
        planned.finish()


def test_a_split_that_disappeared_is_refused() -> None:
    planned = Ranges([_whole(_documents(5), 0, 5)], rows_per_shard=9, dimension=2)
    planned.place("another", _documents(5))
    with pytest.raises(EmbeddedDatasetError, match="ended after 0 rows of the split 's'"):
        planned.finish()


def test_two_shards_of_the_same_rows_are_refused() -> None:
    documents = _documents(5)
    with pytest.raises(EmbeddedDatasetError, match="Two shards hold row 2"):
        Ranges([_whole(documents, 0, 3), _whole(documents, 2, 5)], rows_per_shard=9, dimension=2)


def _gathering(count: int) -> Gathering:
    gathering = Gathering("s", 10, limit=count, dimension=2)
    for row in range(count):
        gathering.add(f"id {row}", bytes([row]))
    return gathering


@given(st.permutations(range(6)), st.sets(st.integers(0, 5)))
def test_a_shard_is_complete_after_its_last_row_whatever_the_order(
    order: list[int], failing: set[int]
) -> None:
    gathering = _gathering(6)
    for row in order:
        assert not gathering.complete
        if row in failing:
            gathering.fail(row, "too long")
        else:
            gathering.fill(row, np.full(2, row, dtype=np.float32))
    assert gathering.complete
    rows, vectors = gathering.kept()
    assert rows.tolist() == [row for row in range(6) if row not in failing]
    assert vectors[:, 0].tolist() == rows.tolist()
    assert [one.position for one in gathering.failures()] == [10 + row for row in sorted(failing)]


def test_cutting_keeps_the_leading_rows_that_are_done() -> None:
    gathering = _gathering(5)
    for row in (0, 1, 3):
        gathering.fill(row, np.ones(2, dtype=np.float32))
    assert gathering.cut()
    assert (gathering.start, gathering.stop, gathering.complete) == (10, 12, True)
    assert gathering.digest() == range_digest([b"\x00", b"\x01"])


def test_cutting_keeps_nothing_if_the_first_row_is_missing() -> None:
    gathering = _gathering(2)
    gathering.fill(1, np.ones(2, dtype=np.float32))
    assert not gathering.cut()


def test_vectors_of_another_dimension_are_refused() -> None:
    with pytest.raises(DimensionMismatchError, match=r"\(1, 3\), after one of 2"):
        check_vectors(np.zeros((1, 3), dtype=np.float32), 2)


def test_vectors_that_are_not_finite_are_refused() -> None:
    with pytest.raises(EmbeddedDatasetError, match="not finite"):
        check_vectors(np.array([[1, np.nan]], dtype=np.float32), 2)
