"""How texts are put into requests."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_hfendpoint._engine.batching import Item, Limits, encode, plan, size_of, split
from langchain_hfendpoint._engine.failures import Failure, Kind

any_text = st.text(st.characters(codec=None), max_size=20)  # half surrogate pairs, too
texts = st.lists(any_text, max_size=50)
items = st.lists(st.integers(1, 300), max_size=80).map(
    lambda sizes: [Item(b"x" * size, (place,)) for place, size in enumerate(sizes)]
)
limits = st.builds(Limits, texts=st.integers(1, 40), size=st.integers(1, 2000))


@given(texts, st.integers(0, 100), any_text)
def test_every_text_is_encoded_or_refused_exactly_once(
    given_texts: list[str], first: int, prefix: str
) -> None:
    encoded, refused = encode(given_texts, first=first, prefix=prefix)
    places = [place for item in encoded for place in item.indices]
    places += [refusal.index for refusal in refused]
    assert sorted(places) == list(range(first, first + len(given_texts)))


@given(texts)
def test_what_is_encoded_is_the_text_to_the_last_byte(given_texts: list[str]) -> None:
    encoded, _ = encode(given_texts, first=0, prefix="query: ")
    for item in encoded:
        for place in item.indices:
            assert orjson.loads(item.text) == "query: " + given_texts[place]


@given(st.lists(st.sampled_from(["a", "b", "c", "\n", " "]), max_size=30))
def test_equal_texts_are_encoded_once(given_texts: list[str]) -> None:
    encoded, _ = encode(given_texts, first=0, prefix="")
    assert len(encoded) == len(set(given_texts))


def test_refusals_come_in_order_with_their_reason() -> None:
    _, refused = encode(["ok", "\ud800", "", None], first=10, prefix="p: ")  # type: ignore[list-item]
    assert [refusal.index for refusal in refused] == [11, 12, 13]
    assert "surrogate" in refused[0].reason
    assert "empty" in refused[1].reason
    assert "NoneType" in refused[2].reason


@given(items, limits)
def test_a_plan_holds_every_item_once_within_the_limits(
    given_items: list[Item], limit: Limits
) -> None:
    batches = list(plan(given_items, limit))
    assert sorted(i.indices for batch in batches for i in batch) == [i.indices for i in given_items]
    for batch in batches:
        assert len(batch) <= limit.texts
        assert size_of(batch) <= limit.size or len(batch) == 1


@given(items, limits)
def test_texts_of_like_length_go_together_the_longest_first(
    given_items: list[Item], limit: Limits
) -> None:
    lengths = [len(item.text) for batch in plan(given_items, limit) for item in batch]
    assert lengths == sorted(lengths, reverse=True)


@given(items.filter(lambda given_items: len(given_items) > 1), st.none() | st.integers(0, 100))
def test_the_parts_of_a_batch_are_smaller_and_hold_everything(
    batch: list[Item], limit: int | None
) -> None:
    kind = Kind.REJECTED if limit is None else Kind.TOO_MANY
    parts = split(batch, Failure(kind, "", batch_limit=limit))
    assert [item for part in parts for item in part] == batch
    assert all(0 < len(part) < len(batch) for part in parts)
    if limit:
        assert all(len(part) <= limit for part in parts)


@pytest.mark.parametrize("size", [2, 3, 32, 33])
def test_a_refused_batch_is_halved(size: int) -> None:
    batch = [Item(b"x", (n,)) for n in range(size)]
    parts = split(batch, Failure(Kind.REJECTED, ""))
    assert len(parts) == 2
    assert abs(len(parts[0]) - len(parts[1])) <= 1
