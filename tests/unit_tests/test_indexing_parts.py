"""The small parts of indexing, each on its own: channel, keys, remembered and lent vectors."""

from __future__ import annotations

import asyncio

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_core.vectorstores import InMemoryVectorStore

from langchain_hfendpoint._indexing.channel import Channel
from langchain_hfendpoint._indexing.keys import content_hash, key_function
from langchain_hfendpoint._indexing.vectors import VectorMemory
from langchain_hfendpoint._sinks.lending import Borrower, LentVectors
from tests.support.indexing import CountingEmbeddings, vector_of


@given(things=st.lists(st.lists(st.integers(), max_size=4), max_size=20), limit=st.integers(1, 6))
def test_a_channel_passes_everything_on_in_order_and_never_holds_much(
    things: list[list[int]], limit: int
) -> None:
    async def run() -> tuple[list[list[int]], int]:
        channel: Channel[list[int]] = Channel(limit, weigh=len)
        sent = taken = most = 0
        received = []

        async def send() -> None:
            nonlocal sent, most
            for thing in things:
                await channel.put(thing)
                sent += len(thing)
                most = max(most, sent - taken)
            channel.close()

        sending = asyncio.create_task(send())
        while (thing := await channel.get()) is not None:
            taken += len(thing)
            received.append(thing)
            await asyncio.sleep(0)
        await sending
        return received, most

    received, most = asyncio.run(run())
    assert received == things
    assert most < limit + 4


async def test_a_channel_gives_nothing_when_patience_ends_or_it_is_closed() -> None:
    channel: Channel[int] = Channel(1)
    assert await channel.get(patience=0.01) is None
    await channel.put(1)
    channel.close()
    assert await channel.get(patience=0.01) == 1
    assert await channel.get() is None


async def test_whoever_waits_at_a_hurried_channel_waits_no_longer_unless_it_is_for_ever() -> None:
    channel: Channel[int] = Channel(1)
    patient = asyncio.create_task(channel.get(patience=3_600))
    for_ever = asyncio.create_task(channel.get())
    await asyncio.sleep(0)
    channel.hurry(True)
    assert await patient is None
    assert await channel.get(patience=3_600) is None
    channel.hurry(False)
    await channel.put(1)
    assert await for_ever == 1


async def test_a_cleared_channel_has_room_again() -> None:
    channel: Channel[int] = Channel(1)
    await channel.put(1)
    channel.clear()
    await asyncio.wait_for(channel.put(2), 1)
    assert await channel.get() == 2


a_document = st.builds(
    Document,
    st.sampled_from(["a", "b", "ab", ""]),
    metadata=st.dictionaries(st.sampled_from("xy"), st.integers(0, 2) | st.text(max_size=1)),
)


@given(a_document, a_document)
def test_documents_share_a_key_only_if_text_and_metadata_are_equal(
    one: Document, other: Document
) -> None:
    key_of = key_function("uuid")
    keys = [key_of(each, content_hash(each.page_content)) for each in (one, other)]
    alike = (one.page_content, one.metadata) == (other.page_content, other.metadata)
    assert (keys[0] == keys[1]) == alike


def test_keys_do_not_change_from_version_to_version() -> None:
    # Whoever has indexed with them would have to index everything again.
    document = Document("A man inspects a uniform.", metadata={"label": 2, "split": "train"})
    key = key_function("uuid")(document, content_hash(document.page_content))
    assert key == "847c97d2-4e5a-8a1c-b83d-aed637b4489d"


def test_metadata_that_orjson_refuses_still_have_keys() -> None:
    document = Document("a", metadata={"big": 2**70})
    assert key_function("uuid")(document, b"")


def test_the_memory_of_vectors_forgets_what_was_not_used_for_longest() -> None:
    memory = VectorMemory(max_bytes=3 * 8)
    rows = {name: np.full(2, ord(name), dtype=np.float32) for name in "abcd"}
    for name in "abc":
        memory.put(name.encode(), rows[name])
    memory.get(b"a")
    memory.put(b"d", rows["d"])
    assert [memory.get(name.encode()) is not None for name in "abcd"] == [True, False, True, True]


async def test_lent_vectors_are_known_within_the_block_and_the_rest_is_asked_for() -> None:
    embeddings = CountingEmbeddings()
    lent = LentVectors(embeddings)
    row = np.arange(8, dtype=np.float32)
    with lent.lend({"a": row}):
        with lent.lend({"a": row}):
            assert lent.embed_documents(["a", "b", "a"]) == [
                row.tolist(),
                vector_of("b"),
                row.tolist(),
            ]
        assert await lent.aembed_documents(["a"]) == [row.tolist()]
        assert lent.embed_query("a") == vector_of("a")
        assert await lent.aembed_query("a") == vector_of("a")
    assert embeddings.asked == {"b": 1}
    assert await lent.aembed_documents(["a"]) == [vector_of("a")]


def test_embeddings_that_somebody_else_put_in_place_are_left_there() -> None:
    store = InMemoryVectorStore(CountingEmbeddings())
    borrower = Borrower.of(store)
    assert borrower is not None
    borrower.begin()
    assert Borrower.of(store) is None, "another run does not stand in for the stand-in"
    store.embedding = other = CountingEmbeddings()
    borrower.end()
    assert store.embedding is other
