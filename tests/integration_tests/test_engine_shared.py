"""What users of one endpoint share, and where the engine works: threads, loops, forks."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.rate_limiters import InMemoryRateLimiter

from langchain_hfendpoint._engine import retry
from langchain_hfendpoint.embeddings import EmbeddedBatch, HFEndpointEmbeddings
from langchain_hfendpoint.errors import ConfigurationError, EndpointError
from tests.support import fault_server
from tests.support.fault_server import Fault, FaultServer, says, status, vectors

TEXTS = [f"sentence number {n}" for n in range(500)]
SECRET = "hf_TopSecretOfTests"


@pytest.fixture(autouse=True)
def _short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "_LONGEST_DELAY", 0.01)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer().running() as running:
        yield running


def test_a_server_is_asked_what_it_is_only_once(server: FaultServer) -> None:
    def use(_: int) -> None:
        HFEndpointEmbeddings(endpoint_url=server.url + "/v1").embed_documents(TEXTS[:40])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(use, range(8)))
    assert server.paths.count("GET /info") == 1


@pytest.mark.parametrize("flavor", ["tei", "openai", "toolkit", "bare"])
def test_every_kind_of_server_gives_the_same_vectors(server: FaultServer, flavor: str) -> None:
    server.flavor = flavor
    embeddings = HFEndpointEmbeddings(endpoint_url=server.url)
    assert np.allclose(embeddings.embed_array(TEXTS), vectors(TEXTS), atol=1e-7)
    asked = [path for path in server.paths if path.startswith("GET")]
    assert len(asked) == {"tei": 1, "openai": 2, "toolkit": 4, "bare": 4}[flavor]


def test_all_callers_together_stay_within_the_permits(server: FaultServer) -> None:
    server.permits, server.seconds = 96, 0.01

    def use(_: int) -> None:
        embeddings = HFEndpointEmbeddings(endpoint_url=server.url)
        assert np.array_equal(embeddings.embed_array(TEXTS), vectors(TEXTS))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(use, range(6)))
    assert server.peak <= 96


def test_max_concurrency_and_batch_size_are_kept(server: FaultServer) -> None:
    server.seconds = 0.005
    HFEndpointEmbeddings(endpoint_url=server.url, max_concurrency=2, batch_size=5).embed_documents(
        TEXTS[:100]
    )
    assert server.peak <= 10
    assert max(map(len, server.sent())) == 5


def test_a_query_does_not_wait_behind_the_documents(server: FaultServer) -> None:
    server.permits, server.seconds = 32, 0.02
    embeddings = HFEndpointEmbeddings(endpoint_url=server.url)
    bulk = threading.Thread(target=embeddings.embed_documents, args=(TEXTS * 2,))
    bulk.start()
    while len(server.seen) < 5:
        time.sleep(0.005)
    embeddings.embed_query("urgent")
    behind = len(server.seen)
    bulk.join()
    assert behind < len(server.seen) - 3


def test_equal_texts_are_sent_once_and_come_back_everywhere(server: FaultServer) -> None:
    texts = ["a", "b", "a", "c", "b", "a"]
    embeddings = HFEndpointEmbeddings(endpoint_url=server.url)
    assert np.array_equal(embeddings.embed_array(texts), vectors(texts))
    assert sorted(text for batch in server.sent() for text in batch) == ["a", "b", "c"]


def test_texts_are_sent_as_they_are(server: FaultServer) -> None:
    texts = [
        "two\nlines",
        " spaces ",
        "tab\t",
        "é",
        "é",
        "\x00",
        "😀",
        '"quoted"',
        "\u2028",
        "\ufeff",
    ]
    embeddings = HFEndpointEmbeddings(endpoint_url=server.url)
    assert np.array_equal(embeddings.embed_array(texts), vectors(texts))
    assert {text for batch in server.sent() for text in batch} == set(texts)


def test_prefixes_and_prompts_reach_the_right_kind_of_text(server: FaultServer) -> None:
    embeddings = HFEndpointEmbeddings(
        endpoint_url=server.url, query_prefix="query: ", document_prompt_name="passage"
    )
    embeddings.embed_documents(["d"])
    embeddings.embed_query("q")
    assert server.seen[0]["prompt_name"] == "passage"
    assert server.sent() == [["d"], ["query: q"]]
    assert "prompt_name" not in server.seen[1]


def test_an_option_the_server_lacks_is_an_error(server: FaultServer) -> None:
    server.flavor = "toolkit"
    embeddings = HFEndpointEmbeddings(endpoint_url=server.url, query_prompt_name="query")
    with pytest.raises(ConfigurationError, match="query_prefix"):
        embeddings.embed_query("q")
    assert embeddings.embed_documents(["d"])


def test_dimensions_are_cut_and_brought_to_length_one_where_the_server_does_not(
    server: FaultServer,
) -> None:
    server.flavor = "toolkit"
    embeddings = HFEndpointEmbeddings(endpoint_url=server.url, dimensions=3)
    rows = embeddings.embed_array(TEXTS[:5])
    cut = vectors(TEXTS[:5])[:, :3]
    assert np.allclose(rows, cut / np.linalg.norm(cut, axis=1, keepdims=True), atol=1e-6)
    raw = HFEndpointEmbeddings(endpoint_url=server.url, dimensions=3, normalize=False)
    assert np.allclose(raw.embed_array(TEXTS[:5]), cut, atol=1e-7)


@pytest.mark.parametrize("face", ["sync", "async"])
def test_batches_come_as_they_finish_and_name_every_text_once(
    server: FaultServer, face: str
) -> None:
    embeddings = HFEndpointEmbeddings(endpoint_url=server.url)
    texts = (text for text in TEXTS)
    if face == "sync":
        batches = list(embeddings.embed_batches(texts))
    else:
        batches = asyncio.run(_collect(embeddings, texts))
    assert sorted(n for batch in batches for n in batch.indices) == list(range(500))
    for batch in batches:
        assert np.array_equal(batch.vectors, vectors([TEXTS[n] for n in batch.indices]))


async def _collect(
    embeddings: HFEndpointEmbeddings, texts: Iterator[str] | AsyncIterator[str]
) -> list[EmbeddedBatch]:
    return [batch async for batch in embeddings.aembed_batches(texts)]


@pytest.mark.parametrize("face", ["sync", "async"])
def test_no_more_is_pulled_than_the_consumer_keeps_up_with(server: FaultServer, face: str) -> None:
    pulled = 0

    def endless() -> Iterator[str]:
        nonlocal pulled
        while True:
            pulled += 1
            yield f"text {pulled}"

    embeddings = HFEndpointEmbeddings(endpoint_url=server.url)

    async def some() -> None:
        stream = embeddings.aembed_batches(endless())
        for _ in range(20):
            await stream.__anext__()
        await asyncio.sleep(0.2)
        await stream.aclose()

    if face == "async":
        asyncio.run(some())
    else:
        stream = embeddings.embed_batches(endless())
        for _ in range(20):
            next(stream)
        time.sleep(0.2)
        stream.close()  # type: ignore[attr-defined]
    assert pulled <= 6000


def test_a_slow_source_does_not_hold_back_what_it_gave(server: FaultServer) -> None:
    async def slow() -> AsyncIterator[str]:
        yield "first"
        await asyncio.sleep(1.5)
        yield "second"

    async def first_after() -> float:
        began = time.monotonic()
        async for _ in HFEndpointEmbeddings(endpoint_url=server.url).aembed_batches(slow()):
            return time.monotonic() - began
        raise AssertionError

    assert asyncio.run(first_after()) < 1.2


def test_an_error_of_the_source_is_raised_as_it_is(server: FaultServer) -> None:
    async def broken() -> AsyncIterator[str]:
        yield "first"
        raise LookupError("no more rows")

    async def consume() -> None:
        embeddings = HFEndpointEmbeddings(endpoint_url=server.url)
        async for _ in embeddings.aembed_batches(broken()):
            pass

    with pytest.raises(LookupError, match="no more rows"):
        asyncio.run(consume())


def test_many_event_loops_and_threads_share_the_engine(server: FaultServer) -> None:
    embeddings = HFEndpointEmbeddings(endpoint_url=server.url)

    def in_own_loop(n: int) -> bool:
        part = TEXTS[n * 20 : n * 20 + 30]
        return np.array_equal(asyncio.run(embeddings.aembed_array(part)), vectors(part))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(in_own_loop, range(20)))


async def test_a_sync_method_works_inside_a_running_loop(server: FaultServer) -> None:
    embeddings = HFEndpointEmbeddings(endpoint_url=server.url)
    assert len(embeddings.embed_query("in Jupyter")) == fault_server.DIMENSION


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_it_works_after_a_fork(server: FaultServer) -> None:
    embeddings = HFEndpointEmbeddings(endpoint_url=server.url)
    embeddings.embed_query("before")
    with multiprocessing.get_context("fork").Pool(2) as pool:
        answers = pool.map(embeddings.embed_query, ["a", "b", "c", "d"])
    assert answers == [vectors([text])[0].tolist() for text in "abcd"]
    assert embeddings.embed_query("after")


def test_it_works_after_close(server: FaultServer) -> None:
    with HFEndpointEmbeddings(endpoint_url=server.url) as embeddings:
        embeddings.embed_query("a")
        other = HFEndpointEmbeddings(endpoint_url=server.url)
        other.embed_query("b")
    assert other.embed_query("c")
    assert embeddings.embed_query("d")


def test_ctrl_c_ends_a_long_call_at_once_and_leaves_the_engine_usable(server: FaultServer) -> None:
    server.seconds = 0.05
    embeddings = HFEndpointEmbeddings(endpoint_url=server.url, max_concurrency=1)
    main = threading.main_thread().ident
    assert main is not None
    ended = threading.Event()

    def press_ctrl_c() -> None:
        time.sleep(0.3)
        # Python swallows an interrupt that falls into a weakref's callback; one presses again.
        while not ended.is_set():
            signal.pthread_kill(main, signal.SIGINT)
            ended.wait(3)

    threading.Thread(target=press_ctrl_c, daemon=True).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            embeddings.embed_documents([f"text {n}" for n in range(20_000)])
    finally:
        ended.set()
    time.sleep(0.2)
    sent = len(server.seen)
    time.sleep(0.3)
    assert len(server.seen) == sent
    assert embeddings.embed_query("again")


def test_a_process_that_uses_it_ends_silently(server: FaultServer) -> None:
    code = (
        "from langchain_hfendpoint import HFEndpointEmbeddings\n"
        f"HFEndpointEmbeddings(endpoint_url={server.url!r}).embed_query('hello')"
    )
    command = [sys.executable, "-X", "dev", "-W", "error::ResourceWarning", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_rate_limiter_is_asked_once_a_request(server: FaultServer) -> None:
    class Counting(InMemoryRateLimiter):
        asked = 0

        async def aacquire(self, *, blocking: bool = True) -> bool:
            Counting.asked += 1
            return True

    embeddings = HFEndpointEmbeddings(
        endpoint_url=server.url, rate_limiter=Counting(requests_per_second=1)
    )
    embeddings.embed_documents(TEXTS + TEXTS)
    assert Counting.asked == len(server.seen) == 16


def test_extra_headers_and_the_scale_up_timeout_are_sent(server: FaultServer) -> None:
    HFEndpointEmbeddings(
        endpoint_url=server.url, extra_headers={"X-Mine": "1"}, bill_to="org", timeout=50
    ).embed_query("q")
    for headers in server.headers:
        assert headers["X-Mine"] == "1"
        assert headers["X-HF-Bill-To"] == "org"
        assert headers["X-Scale-Up-Timeout"] == "45"
        assert headers["Content-Type"] == "application/json"
        assert headers["Accept"] == "application/json"


def test_an_ambient_token_stays_away_from_other_hosts(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", SECRET)
    HFEndpointEmbeddings(endpoint_url=server.url).embed_query("q")
    assert all("Authorization" not in headers for headers in server.headers)
    HFEndpointEmbeddings(endpoint_url=server.url, api_key=SECRET).embed_query("q")
    assert server.headers[-1]["Authorization"] == f"Bearer {SECRET}"


LEAKS: dict[str, Fault] = {
    "echo as JSON": status(400, {"error": f"bad header Bearer {SECRET}"}),
    "echo as text": status(500, f"{'x' * 480} Authorization: Bearer {SECRET}"),
    "echo with status 200": says({"error": f"Bearer {SECRET}"}),
    "echo that is no JSON": says(f"<html>{SECRET}</html>"),
    "401": status(401, f"Bearer {SECRET} is wrong"),
    "redirect": status(307, "", Location=f"http://127.0.0.2:9/{SECRET}"),
    "reset": fault_server.reset,
    "timeout": fault_server.drip,
}


@pytest.mark.parametrize("name", LEAKS, ids=lambda name: name.replace(" ", "-"))
def test_no_error_log_or_pickle_holds_the_token(
    name: str, server: FaultServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.always = LEAKS[name]
    embeddings = HFEndpointEmbeddings(
        endpoint_url=server.url, api_key=SECRET, timeout=0.3, retry_deadline=0.4
    )
    with pytest.raises(EndpointError) as caught:
        embeddings.embed_documents(["one", "two"])
    error = caught.value
    told = ["".join(traceback.format_exception(type(error), error, error.__traceback__))]
    told += [repr(error), str(vars(error)), repr(pickle.loads(pickle.dumps(error)))]
    told += [str(vars(pickle.loads(pickle.dumps(error)))), caplog.text]
    for text in told:
        assert SECRET not in text
        assert SECRET[:12] not in text


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # _short_delays, for all alike
)
@given(
    texts=st.lists(st.text(min_size=1, max_size=12), max_size=90),
    faults=st.lists(
        st.sampled_from(
            [
                status(429, {"error": "Model is overloaded", "error_type": "Overloaded"}),
                status(503, "Service Unavailable"),
                status(413, "length limit exceeded"),
                status(422, {"error": "batch size 9 > maximum allowed batch size 4"}),
                status(500, "Internal Server Error"),
                fault_server.reset,
                fault_server.cut_short,
                says("[[1,2"),
            ]
        ),
        max_size=6,
    ),
)
def test_order_out_is_order_in_whatever_fails(texts: list[str], faults: list[Fault]) -> None:
    # A server of its own for each example: the retry budget is shared by all users of one.
    with FaultServer(faults=list(faults)).running() as server:
        embeddings = HFEndpointEmbeddings(endpoint_url=server.url, retry_deadline=5.0)
        try:
            rows = embeddings.embed_array(texts)
        except EndpointError:
            # So many faults may hit the same text that it is given up; which do not is in
            # test_engine_faults.
            assert len(faults) > 1
        else:
            assert np.array_equal(rows.reshape(-1, 8), vectors(texts))


def test_a_cold_start_is_waited_for(server: FaultServer) -> None:
    server.info_faults = [status(503, "Service Unavailable")] * 5
    server.faults = [status(503, "Service Unavailable")] * 5
    embeddings = HFEndpointEmbeddings(endpoint_url=server.url, retry_deadline=0.0)
    assert np.array_equal(embeddings.embed_array(["a"]), vectors(["a"]))


def test_provenance_tells_what_the_server_and_the_caller_know(server: FaultServer) -> None:
    known = HFEndpointEmbeddings(endpoint_url=server.url, query_prefix="q: ").provenance()
    assert (known.dimension, known.model, known.revision) == (8, "test/model", "abc")
    assert (known.normalized, known.document_prompt, known.query_prompt) == (True, "", "q: ")
    given_model = HFEndpointEmbeddings(endpoint_url=server.url, model="mine", revision="r")
    assert asyncio.run(given_model.aprovenance()).model == "mine"
