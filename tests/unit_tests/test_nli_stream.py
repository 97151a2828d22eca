from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from langchain_hfendpoint._nli.stream import shuffled, window

batches_of_numbers = st.lists(st.lists(st.integers()))


def flat(batches: Iterator[list[int]]) -> list[int]:
    return [number for batch in batches for number in batch]


@given(batches_of_numbers, st.integers(0, 30), st.none() | st.integers(0, 30))
def test_a_window_is_a_slice_of_the_whole(
    batches: list[list[int]], offset: int, limit: int | None
) -> None:
    whole = flat(iter(batches))
    expected = whole[offset:] if limit is None else whole[offset : offset + limit]
    assert flat(window(iter(batches), offset=offset, limit=limit)) == expected


def test_a_window_reads_no_further_than_its_end() -> None:
    def endless() -> Iterator[list[int]]:
        yield [1, 2]
        yield [3, 4]
        raise AssertionError("read on after the limit was reached")

    assert flat(window(endless(), offset=1, limit=3)) == [2, 3, 4]


@given(batches_of_numbers, st.integers(), st.integers(1, 10))
def test_shuffling_loses_and_invents_nothing(
    batches: list[list[int]], seed: int, buffer: int
) -> None:
    mixed = flat(shuffled(iter(batches), seed=seed, buffer=buffer))
    assert sorted(mixed) == sorted(flat(iter(batches)))
    assert mixed == flat(shuffled(iter(batches), seed=seed, buffer=buffer))


def test_a_shuffled_item_leaves_early_by_less_than_the_buffer() -> None:
    mixed = flat(shuffled(iter([list(range(1_000))]), seed=3, buffer=50))
    assert mixed != sorted(mixed)
    assert all(number - place < 50 for place, number in enumerate(mixed))
