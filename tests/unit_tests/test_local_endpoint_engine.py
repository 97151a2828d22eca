"""The engine with a model that answers with the lengths of texts, so that mix-ups would show."""

import asyncio
import threading
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_hfendpoint.local._endpoint.engine import Engine
from langchain_hfendpoint.local._endpoint.locating import ModelSource
from langchain_hfendpoint.local._endpoint.model import describe
from langchain_hfendpoint.local._endpoint.refusals import RefusalError
from langchain_hfendpoint.local._endpoint.tokenizing import TextInput, TextTokenizer
from tests.support.tiny_bert import POSITIONS, WORDS, make_tiny_bert


class Echo:
    """A runtime whose vector of a text is its first token id, and which can fail or be held up."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.free = threading.Event()
        self.free.set()
        self.entered = threading.Semaphore(0)
        self.error: Exception | None = None
        self.held: dict[int, threading.Event] = {}  # by the tokens of a text in the batch

    def forward(self, token_ids: Sequence[Sequence[int]]) -> np.ndarray:
        self.entered.release()
        self.free.wait(timeout=30)
        for length in {len(ids) for ids in token_ids} & self.held.keys():
            self.held[length].wait(timeout=30)
        if self.error is not None:
            raise self.error
        self.batches.append([len(ids) for ids in token_ids])
        hidden = np.zeros((len(token_ids), max(map(len, token_ids)), 2), np.float32)
        for number, ids in enumerate(token_ids):
            hidden[number, : len(ids)] = ids[1], len(ids)
        return hidden


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    tiny = make_tiny_bert(tmp_path_factory.mktemp("tiny"))
    model = describe(ModelSource(tiny.directory, "tiny"))
    return model, TextTokenizer(tiny.directory, max_input_length=model.max_input_length)


@pytest.fixture
def echo():
    return Echo()


@pytest.fixture
def engine(parts, echo):
    made = Engine(*parts, echo, workers=2, max_batch_texts=4, max_batch_tokens=64)
    yield made
    echo.free.set()
    made.close()


def inputs(texts):
    return [TextInput(text) for text in texts]


def expected(parts, texts):
    return [[ids[1], len(ids)] for ids in parts[1].encode(inputs(texts))]


SENTENCE = st.lists(st.sampled_from(WORDS), min_size=1, max_size=POSITIONS - 2).map(" ".join)
REQUESTS = st.lists(st.lists(SENTENCE, min_size=1, max_size=10), min_size=1, max_size=8)


@settings(deadline=None, max_examples=30)
@given(requests=REQUESTS)
def test_every_request_gets_the_vectors_of_its_own_texts_in_its_own_order(parts, requests):
    engine = Engine(*parts, Echo(), workers=2, max_batch_texts=8, max_batch_tokens=64)

    async def run():
        return await asyncio.gather(*(engine.embed(inputs(texts)) for texts in requests))

    try:
        for texts, answer in zip(requests, asyncio.run(run()), strict=True):
            assert np.round(answer.rows).tolist() == expected(parts, texts)
            assert answer.tokens == sum(int(row[1]) for row in answer.rows)
    finally:
        engine.close()


async def test_requests_that_wait_share_batches_of_like_length(engine, echo):
    echo.free.clear()
    blockers = []
    for _ in range(2):  # one for each worker
        blockers.append(asyncio.create_task(engine.embed(inputs(["on"]))))
        await asyncio.to_thread(echo.entered.acquire, timeout=30)
    mixed = ["a man", "a man is running on the grass"]
    waiting = [asyncio.create_task(engine.embed(inputs(mixed))) for _ in range(4)]
    await asyncio.sleep(0)
    echo.free.set()
    await asyncio.gather(*blockers, *waiting)
    assert all(len(set(batch)) == 1 for batch in echo.batches)
    assert sum(map(len, echo.batches)) == 10


async def test_a_text_beside_a_long_batch_is_answered_without_waiting_for_its_end(parts):
    runtime = Echo()
    first, long, short = "on the grass", "a man is running", "man"
    for text in (first, long):
        runtime.held[len(parts[1].encode(inputs([text]))[0])] = threading.Event()
    release_first, release_long = runtime.held.values()
    engine = Engine(*parts, runtime, workers=2, max_batch_texts=8, max_batch_tokens=64)
    try:
        blocker = asyncio.create_task(engine.embed(inputs([first])))
        await asyncio.to_thread(runtime.entered.acquire, timeout=30)
        # The other worker takes the long ones; the short ones are for whoever is free first.
        mixed = asyncio.create_task(engine.embed(inputs([long] * 5 + [short] * 3)))
        await asyncio.to_thread(runtime.entered.acquire, timeout=30)
        release_first.set()
        await blocker
        await asyncio.wait_for(engine.embed(inputs([short])), timeout=20)
        assert not mixed.done()
        release_long.set()
        assert np.round((await mixed).rows).tolist() == expected(parts, [long] * 5 + [short] * 3)
    finally:
        for event in runtime.held.values():
            event.set()
        engine.close()


async def test_a_failing_model_refuses_the_request_and_serves_the_next(engine, echo, parts):
    echo.error = RuntimeError("out of memory")
    with pytest.raises(RefusalError, match="Backend error: out of memory") as caught:
        await engine.embed(inputs(["a", "man"]))
    assert caught.value.error_type == "Backend"
    echo.error = None
    answer = await engine.embed(inputs(["a"]))
    assert np.round(answer.rows).tolist() == expected(parts, ["a"])


async def test_a_text_that_is_too_long_fails_its_request_only(engine, parts):
    long = TextInput("dog " * 50, truncate=False)
    results = await asyncio.gather(
        engine.embed([TextInput("a"), long]), engine.embed(inputs(["a"])), return_exceptions=True
    )
    assert isinstance(results[0], RefusalError)
    assert f"less than {POSITIONS} tokens. Given: 52" in str(results[0])
    assert np.round(results[1].rows).tolist() == expected(parts, ["a"])


async def test_a_text_without_a_token_never_reaches_the_model(engine):
    with pytest.raises(RefusalError, match="cannot be empty"):
        await engine.embed([TextInput((999_999,))])


async def test_a_request_that_is_given_up_does_not_disturb_the_others(engine, echo, parts):
    echo.free.clear()
    given_up = asyncio.create_task(engine.embed(inputs(["a", "man"])))
    kept = asyncio.create_task(engine.embed(inputs(["dog"])))
    await asyncio.sleep(0.01)
    given_up.cancel()
    echo.free.set()
    assert np.round((await kept).rows).tolist() == expected(parts, ["dog"])


async def test_every_vector_comes_normalized_as_well(engine):
    answer = await engine.embed(inputs(["a man", "dog"]))
    lengths = np.linalg.norm(answer.rows, axis=1, keepdims=True)
    np.testing.assert_allclose(answer.unit_rows, answer.rows / lengths, rtol=1e-6)


async def test_the_vectors_of_all_tokens_can_be_had(engine):
    answer = await engine.embed(inputs(["a man", "dog"]), every_token=True)
    assert [row.shape for row in answer.rows] == [(4, 2), (3, 2)]
