"""For every fault of an endpoint: the exact vectors, or the exact error; never a wrong vector."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from http import HTTPStatus

import numpy as np
import pytest
from aiohttp import web

from langchain_hfendpoint._engine import retry
from langchain_hfendpoint.embeddings import HFEndpointEmbeddings
from langchain_hfendpoint.errors import (
    ColdStartTimeoutError,
    DimensionMismatchError,
    EndpointAuthenticationError,
    EndpointConnectionError,
    EndpointError,
    EndpointNotRunningError,
    EndpointOverloadedError,
    EndpointTimeoutError,
    InputRejectedError,
    InputTooLongError,
    InvalidResponseError,
    TokenLevelEmbeddingsError,
)
from tests.support import fault_server
from tests.support.fault_server import Fault, FaultServer, rows, says, status, vectors

TEXTS = [f"sentence number {n} " + "and so on " * (n % 7) for n in range(100)]
OVERLOADED = {"error": "Model is overloaded", "error_type": "Overloaded"}
TOO_LONG = {
    "error": "Input validation error: `inputs` must have less than 512 tokens. Given: 534",
    "error_type": "Validation",
}
EMPTY = {"error": "Input validation error: `inputs` cannot be empty", "error_type": "Empty"}

Make = Callable[..., HFEndpointEmbeddings]


@pytest.fixture(autouse=True)
def _short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "_LONGEST_DELAY", 0.01)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer().running() as running:
        yield running


@pytest.fixture
def make(server: FaultServer) -> Make:
    def make(**options: object) -> HFEndpointEmbeddings:
        defaults = {"endpoint_url": server.url, "timeout": 5.0, "retry_deadline": 3.0}
        return HFEndpointEmbeddings(**{**defaults, **options})

    return make


def in_base64(number: float) -> Fault:
    """Answer in base64, with this number in every vector."""

    async def fault(request: web.Request, texts: list[str]) -> web.StreamResponse:
        broken = vectors(texts)
        broken[:, 3] = number
        coded = [base64.b64encode(row.tobytes()).decode() for row in broken]
        data = [{"index": index, "embedding": row} for index, row in enumerate(coded)]
        return await says({"data": data})(request, texts)

    return fault


RECOVERS: dict[str, list[Fault]] = {
    "429": [status(429, OVERLOADED)],
    "429 many times": [status(429, OVERLOADED)] * 12,
    "429 with Retry-After in seconds": [status(429, OVERLOADED, Retry_After="0.05")],
    "429 with Retry-After as a date": [
        status(429, OVERLOADED, Retry_After=formatdate(usegmt=True))
    ],
    "429 with a broken Retry-After": [status(429, OVERLOADED, Retry_After="soon")],
    "424 once": [status(424, {"error": "Backend error: x", "error_type": "Backend"})],
    "424 for a batch": [status(424, {"error": "Backend error: x", "error_type": "Backend"})] * 2,
    "500 once": [status(500, "Internal Server Error")],
    "500 for a batch": [status(500, "Internal Server Error")] * 3,
    "502": [status(502, "<html>bad gateway</html>")],
    "503": [status(503, "Service Unavailable")] * 3,
    "503 of a custom router": [status(503, "queue full or timeout")],
    "504": [status(504, "Gateway Timeout")],
    "413 for bytes": [status(413, "Failed to buffer the request body: length limit exceeded")],
    "413 for the count": [
        status(413, {"error": "batch size 32 > maximum allowed batch size 5", "type": "Validation"})
    ],
    "422 for the count": [
        status(422, {"error": "batch size 32 > maximum allowed batch size 8", "type": "Validation"})
    ],
    "422 of a limit without number": [status(422, {"detail": [{"msg": "too many items"}]})],
    "connection reset": [fault_server.reset],
    "broken off in the body": [fault_server.cut_short],
    "no JSON, once": [says("<html>gateway</html>")],
    "truncated JSON, once": [says("[[0.1, 0.2")],
    "too few vectors, once": [rows(lambda r: r[:-1])],
    "NaN, once": [rows(lambda r: [[None] * 8, *r[1:]])],
    "NaN in base64, once": [in_base64(np.nan)],
    "a redirect within the origin": [status(307, "", Location="/v1/embeddings?again")],
}


@pytest.mark.parametrize("name", RECOVERS, ids=lambda name: name.replace(" ", "-"))
def test_what_passes_costs_no_vector(name: str, server: FaultServer, make: Make) -> None:
    server.faults = list(RECOVERS[name])
    assert np.array_equal(make().embed_array(TEXTS), vectors(TEXTS))
    assert not server.faults


FAILS: dict[str, tuple[Fault, type[EndpointError], str]] = {
    "400": (status(400, {"error": "no"}), InputRejectedError, "no"),
    "400 of the toolkit": (status(400, {"error": "bad text"}), InputRejectedError, "bad text"),
    "paused": (status(400, "Bad Request: Invalid state"), EndpointNotRunningError, "resume"),
    "401": (status(401), EndpointAuthenticationError, "api_key"),
    "402": (status(402, {"error": "credits"}), EndpointError, "credit"),
    "403": (status(403, {"error": "forbidden"}), EndpointAuthenticationError, "forbidden"),
    "404": (status(404, "Not Found"), EndpointError, "endpoint_url"),
    "405": (status(405), EndpointError, "endpoint_url"),
    "410": (status(410, {"error": "no longer supported"}), EndpointError, "no longer supported"),
    "415": (status(415, "Expected request with"), EndpointError, "Expected request"),
    "413 for tokens (TEI before 1.9)": (status(413, TOO_LONG), InputTooLongError, "512 tokens"),
    "422 for tokens": (status(422, TOO_LONG), InputTooLongError, "512 tokens"),
    "422 for a prompt": (
        status(422, {"error": "`default-prompt-name` is set to `x`", "error_type": "Validation"}),
        EndpointError,
        "default-prompt-name",
    ),
    "413 for one text": (status(413, "length limit exceeded"), InputTooLongError, "bytes"),
    "424 for ever": (status(424, {"error": "Backend error: cuda"}), EndpointError, "cuda"),
    "424, no embedder": (
        status(424, {"error": "Backend error: Model is not an embedding model"}),
        EndpointError,
        "not an embedding model",
    ),
    "429 for ever": (status(429, OVERLOADED), EndpointOverloadedError, "overloaded"),
    "429 with a long Retry-After": (
        status(429, OVERLOADED, Retry_After="3600"),
        EndpointOverloadedError,
        "overloaded",
    ),
    "500 for ever": (status(500, "Internal Server Error"), EndpointError, "Internal Server Error"),
    "501": (status(501, "no"), EndpointError, "501"),
    "503 for ever": (status(503, "Service Unavailable"), ColdStartTimeoutError, "wake up"),
    "504 for ever": (status(504, "Gateway Timeout"), EndpointTimeoutError, "in time"),
    "reset for ever": (fault_server.reset, EndpointConnectionError, "broke off"),
    "cut short for ever": (fault_server.cut_short, EndpointConnectionError, "broke off"),
    "slow drip": (fault_server.drip, EndpointTimeoutError, "in time"),
    "no JSON": (says("<html>hello</html>"), InvalidResponseError, "hello"),
    "truncated JSON": (says("[[0.1, 0.2"), InvalidResponseError, "JSON"),
    "an error with status 200": (says({"error": "boom"}), InvalidResponseError, "boom"),
    "an unknown object": (says({"foo": 1}), InvalidResponseError, "foo"),
    "null": (says("null"), InvalidResponseError, "list of numbers"),
    "a number": (says("1"), InvalidResponseError, "list of numbers"),
    "nothing": (says("[]"), InvalidResponseError, "list of numbers"),
    "words": (rows(lambda r: [["a"] * 8 for _ in r]), InvalidResponseError, "list of numbers"),
    "too few vectors": (rows(lambda r: r[1:]), InvalidResponseError, "list of numbers"),
    "a vector a token for one text": (
        rows(lambda r: [*r, r[0], r[0]]),
        TokenLevelEmbeddingsError,
        "pooling",
    ),
    "empty vectors": (rows(lambda r: [[] for _ in r]), InvalidResponseError, "empty"),
    "NaN": (rows(lambda r: [[None, *row[1:]] for row in r]), InvalidResponseError, "finite"),
    "infinite": (rows(lambda r: [[1e300, *row[1:]] for row in r]), InvalidResponseError, "finite"),
    "NaN in base64": (in_base64(np.nan), InvalidResponseError, "finite"),
    "infinite in base64": (in_base64(-np.inf), InvalidResponseError, "finite"),
    "ragged": (
        rows(lambda r: [row[: 3 + i % 2] for i, row in enumerate([*r, *r])]),
        InvalidResponseError,
        "one length",
    ),
    "token level, flat": (
        rows(lambda r: [[row, row] for row in r]),
        TokenLevelEmbeddingsError,
        "pooling",
    ),
    "token level, ragged": (
        rows(lambda r: [[[row] * (1 + i)] for i, row in enumerate(r)]),
        TokenLevelEmbeddingsError,
        "pooling",
    ),
    "broken base64": (
        says({"data": [{"index": 0, "embedding": "AAAA!AAA"}]}),
        InvalidResponseError,
        "base64",
    ),
    "short base64": (
        says({"data": [{"index": 0, "embedding": base64.b64encode(b"12345").decode()}]}),
        InvalidResponseError,
        "base64",
    ),
    "indices with a gap": (
        says({"data": [{"index": 1, "embedding": [1.0]}]}),
        InvalidResponseError,
        "numbered",
    ),
    "items without index": (says({"data": [{"embedding": [1.0]}]}), InvalidResponseError, "index"),
    "a redirect to another host": (
        status(307, "", Location="http://127.0.0.2:9/"),
        EndpointError,
        "127.0.0.2",
    ),
    "a redirect in a circle": (status(308, "", Location="/embed"), EndpointError, "circle"),
}


FACES: dict[str, Callable[[HFEndpointEmbeddings], object]] = {
    "sync": lambda embeddings: embeddings.embed_documents(["one text"]),
    "async": lambda embeddings: asyncio.run(embeddings.aembed_documents(["one text"])),
}


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("name", FAILS, ids=lambda name: name.replace(" ", "-"))
def test_what_stays_is_a_typed_error(name: str, face: str, server: FaultServer, make: Make) -> None:
    fault, kind, words = FAILS[name]
    server.always = fault
    embeddings = make(timeout=0.3, retry_deadline=0.4, cold_start_timeout=0.4)
    with pytest.raises(kind, match=words) as caught:
        FACES[face](embeddings)
    assert type(caught.value) is kind
    assert server.url in str(caught.value)


@pytest.mark.parametrize("code", [one.value for one in HTTPStatus if one >= 300])
def test_every_status_is_a_typed_error(code: int, server: FaultServer, make: Make) -> None:
    server.always = status(code, "whatever it means")
    embeddings = make(timeout=0.3, retry_deadline=0.2, cold_start_timeout=0.2)
    with pytest.raises(EndpointError) as caught:
        embeddings.embed_documents(["one text"])
    assert caught.value.status == code
    assert server.url in str(caught.value)


def test_a_text_that_is_too_long_is_named_and_costs_the_others_nothing(
    server: FaultServer, make: Make
) -> None:
    server.poison = {TEXTS[41]: status(422, TOO_LONG), TEXTS[77]: status(422, TOO_LONG)}
    with pytest.raises(InputTooLongError) as caught:
        make().embed_documents(TEXTS)
    assert caught.value.indices in ((41,), (77,))
    report = make().embed_report(TEXTS)
    assert [failure.index for failure in report.failures] == [41, 77]
    others = [n for n in range(100) if n not in (41, 77)]
    assert list(report.indices) == others
    assert np.array_equal(report.vectors, vectors([TEXTS[n] for n in others]))


@pytest.mark.parametrize(
    "fault",
    [
        status(400, EMPTY),
        status(500, "Internal Server Error"),
        status(424, {"error": "Backend error: x"}),
        fault_server.after(0.6, status(200)),
    ],
    ids=["refused", "crashes", "backend", "never-answers"],
)
def test_one_bad_text_is_found_whatever_it_does(
    fault: Fault, server: FaultServer, make: Make
) -> None:
    server.poison = {"bad": fault}
    texts = ["good", "bad", "better", "bad", "best"]
    report = make(timeout=0.3, retry_deadline=0.5).embed_report(texts)
    assert [failure.index for failure in report.failures] == [1, 3]
    assert report.indices == (0, 2, 4)
    assert np.array_equal(report.vectors, vectors(["good", "better", "best"]))


async def nan_for_bad(request: web.Request, texts: list[str]) -> web.StreamResponse:
    """Answer with numbers, but for the text "bad"."""
    answer = [[None] * 8 if text == "bad" else fault_server.vector(text).tolist() for text in texts]
    return await says(answer)(request, texts)


def test_numbers_that_are_not_finite_cost_no_other_text(server: FaultServer, make: Make) -> None:
    server.poison = {"bad": nan_for_bad}
    texts = ["aaaa", "bad", "c", "dd"]
    with pytest.raises(InvalidResponseError, match="finite") as caught:
        make().embed_documents(texts)
    assert caught.value.indices == (1,)
    report = make().embed_report(texts)
    assert [failure.index for failure in report.failures] == [1]
    assert report.indices == (0, 2, 3)
    assert np.array_equal(report.vectors, vectors(["aaaa", "c", "dd"]))


@pytest.mark.parametrize(
    "fault",
    [fault_server.reset, status(503, "gone"), status(429, OVERLOADED), status(401)],
    ids=["reset", "503", "429", "401"],
)
def test_an_outage_is_never_taken_for_bad_texts(
    fault: Fault, server: FaultServer, make: Make
) -> None:
    server.always = fault
    with pytest.raises(EndpointError):
        make(retry_deadline=0.2, cold_start_timeout=0.2).embed_report(["one"])


def test_a_server_that_hangs_is_not_asked_for_every_text_alone(
    server: FaultServer, make: Make
) -> None:
    server.always = fault_server.after(5.0, status(200))
    with pytest.raises(EndpointTimeoutError):
        make(timeout=0.1).embed_report([f"text {n}" for n in range(1000)])
    assert len(server.seen) < 120


def test_a_changed_dimension_is_refused(server: FaultServer, make: Make) -> None:
    embeddings = make()
    embeddings.embed_documents(["first"])
    server.always = rows(lambda r: [row[:4] for row in r])
    with pytest.raises(DimensionMismatchError, match="4 dimensions after vectors of 8"):
        embeddings.embed_documents(["second"])


def test_an_empty_text_does_not_cost_the_batch(server: FaultServer, make: Make) -> None:
    texts = ["a", "", "b"]
    with pytest.raises(InputRejectedError, match="Text 1 is refused: it is empty") as caught:
        make().embed_documents(texts)
    assert caught.value.indices == (1,)
    assert not server.seen
    report = make().embed_report(texts)
    assert report.indices == (0, 2)
    assert report.failures[0].index == 1


def test_texts_no_server_takes_are_refused_by_index(server: FaultServer, make: Make) -> None:
    report = make().embed_report(["ok", "\ud83d", 3, None, " "])  # type: ignore[list-item]
    assert [failure.index for failure in report.failures] == [1, 2, 3]
    assert server.sent() == [["ok", " "]] or server.sent() == [[" ", "ok"]]


def test_a_timeout_halves_the_batch_before_it_repeats_it(server: FaultServer, make: Make) -> None:
    server.faults = [fault_server.after(0.6, status(200))]
    texts = TEXTS[:32]
    assert np.array_equal(make(timeout=0.3).embed_array(texts), vectors(texts))
    assert sorted(map(len, server.sent())) == [16, 16, 32]


def test_a_limit_that_the_server_tells_is_kept_from_then_on(
    server: FaultServer, make: Make
) -> None:
    server.flavor, server.max_batch = "openai", 7
    make().embed_documents(TEXTS[:32])
    server.seen.clear()
    make().embed_documents(TEXTS)
    assert max(map(len, server.sent())) == 7


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        (lambda: "0.3", 0.3),
        # A date has whole seconds: the next but one is one to two seconds away.
        (lambda: formatdate(int(time.time()) + 2, usegmt=True), 1.0),
    ],
    ids=["seconds", "date"],
)
def test_retry_after_holds_back_everybody(
    retry_after: Callable[[], str], seconds: float, server: FaultServer, make: Make
) -> None:
    moments: list[float] = []

    async def refuse(request: web.Request, texts: list[str]) -> web.StreamResponse:
        moments.append(time.monotonic())
        return await status(429, OVERLOADED, Retry_After=retry_after())(request, texts)

    async def note(request: web.Request, texts: list[str]) -> web.StreamResponse:
        moments.append(time.monotonic())
        return await rows(lambda r: r)(request, texts)

    server.flavor = "bare"
    server.faults = [refuse, *[note] * 3]
    make(max_concurrency=1).embed_documents(TEXTS[:64])
    assert moments[1] - moments[0] >= seconds


def test_a_server_that_is_not_there_is_an_error_within_seconds() -> None:
    embeddings = HFEndpointEmbeddings(endpoint_url="http://127.0.0.1:9")
    with pytest.raises(EndpointConnectionError, match="cannot be reached"):
        embeddings.embed_query("hello")


def test_a_sick_server_is_not_stormed(server: FaultServer, make: Make) -> None:
    make().embed_documents(["warm up"])
    server.seen.clear()
    server.always = fault_server.reset
    with pytest.raises(EndpointConnectionError):
        make(retry_deadline=60.0).embed_documents([f"text {n}" for n in range(1000)])
    assert len(server.seen) < 80


def test_nobody_waits_longer_than_the_deadline_because_another_was_told_to(
    server: FaultServer, make: Make
) -> None:
    embeddings = make(retry_deadline=0.5)
    embeddings.embed_query("warm up")
    server.faults = [status(429, OVERLOADED, Retry_After="3600")]
    for _ in range(2):
        with pytest.raises(EndpointOverloadedError):
            embeddings.embed_query("hello")
