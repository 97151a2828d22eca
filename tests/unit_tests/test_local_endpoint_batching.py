from hypothesis import given
from hypothesis import strategies as st

from langchain_hfendpoint.local._endpoint.batching import WaitingTexts

LENGTHS = st.lists(st.integers(min_value=1, max_value=512), max_size=200)
LIMITS = st.tuples(st.integers(1, 64), st.integers(1, 4096))


def filled(lengths):
    waiting = WaitingTexts()
    for number, length in enumerate(lengths):
        waiting.add((number, length), length=length)
    return waiting


def batches(lengths, max_texts, max_tokens):
    waiting = filled(lengths)
    while waiting:
        yield waiting.take(max_texts=max_texts, max_tokens=max_tokens)


@given(LENGTHS, LIMITS)
def test_every_text_is_in_exactly_one_batch(lengths, limits):
    taken = [text for batch in batches(lengths, *limits) for text in batch]
    assert sorted(taken) == list(enumerate(lengths))


@given(LENGTHS, LIMITS)
def test_the_text_that_waited_longest_is_always_taken(lengths, limits):
    left = set(range(len(lengths)))
    for batch in batches(lengths, *limits):
        numbers = {number for number, _ in batch}
        assert min(left) in numbers
        left -= numbers


@given(LENGTHS, LIMITS)
def test_a_batch_keeps_both_limits_unless_one_text_alone_breaks_them(lengths, limits):
    max_texts, max_tokens = limits
    for batch in batches(lengths, max_texts, max_tokens):
        longest = max(length for _, length in batch)
        assert len(batch) <= max_texts
        assert len(batch) == 1 or len(batch) * longest <= max_tokens


@given(LENGTHS, st.integers(1, 64))
def test_no_text_is_left_behind_that_is_nearer_in_length_to_the_oldest(lengths, max_texts):
    waiting = filled(lengths)
    left = dict(enumerate(lengths))
    while waiting:
        oldest = left[min(left)]
        batch = waiting.take(max_texts=max_texts, max_tokens=10**9)
        for number, _ in batch:
            del left[number]
        farthest = max(abs(length - oldest) for _, length in batch)
        assert all(abs(length - oldest) >= farthest for length in left.values())


@given(LENGTHS)
def test_texts_of_one_length_are_taken_in_the_order_of_their_arrival(lengths):
    for batch in batches(lengths, 8, 4096):
        for length in {length for _, length in batch}:
            numbers = [number for number, of in batch if of == length]
            assert numbers == sorted(numbers)


def test_nothing_is_taken_where_nothing_waits():
    assert WaitingTexts().take(max_texts=4, max_tokens=4) == []


def test_a_text_that_is_too_long_for_the_batch_does_not_keep_shorter_ones_out():
    waiting = filled([10, 15, 4])
    batch = waiting.take(max_texts=8, max_tokens=20)
    assert batch == [(0, 10), (2, 4)]
