"""Requests and answers of every server kind."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from langchain_hfendpoint._engine.failures import Kind
from langchain_hfendpoint._engine.protocols import (
    BadAnswer,
    ServerInfo,
    WireOptions,
    parse_vectors,
    wire_form,
)
from langchain_hfendpoint.errors import ConfigurationError

TEI = ServerInfo("tei", "text-embeddings-inference", version="1.9.3")
TOOLKIT = ServerInfo("inference-toolkit", "inference-toolkit")
VLLM = ServerInfo("openai", "vllm", model="served")
HF_SERVE = ServerInfo("openai", "hf-serve", model="served")
SERVERLESS = ServerInfo("hf-inference", "hf-inference")


def request(server: ServerInfo, **options: Any) -> tuple[str, dict[str, Any]]:
    form = wire_form(server, WireOptions(**options))
    return form.path, orjson.loads(form.body([b'"a"', b'"b"']))


@pytest.mark.parametrize(
    ("server", "options", "path", "body"),
    [
        (TEI, {}, "/v1/embeddings", {"input": ["a", "b"], "encoding_format": "base64"}),
        (
            TEI,
            {"dimensions": 64},
            "/v1/embeddings",
            {"input": ["a", "b"], "encoding_format": "base64", "dimensions": 64},
        ),
        (
            ServerInfo("tei", version="1.2.3"),
            {"dimensions": 64},
            "/embed",
            {"inputs": ["a", "b"], "normalize": True},
        ),
        (TEI, {"normalize": False}, "/embed", {"inputs": ["a", "b"], "normalize": False}),
        (
            TEI,
            {"truncate": True, "truncation_direction": "left", "prompt_name": "query"},
            "/embed",
            {
                "inputs": ["a", "b"],
                "normalize": True,
                "truncate": True,
                "truncation_direction": "Left",
                "prompt_name": "query",
            },
        ),
        (TOOLKIT, {"dimensions": 64, "truncate": True}, "", {"inputs": ["a", "b"]}),
        (
            VLLM,
            {"truncate": True},
            "/v1/embeddings",
            {
                "input": ["a", "b"],
                "model": "served",
                "encoding_format": "base64",
                "truncate_prompt_tokens": -1,
            },
        ),
        (
            HF_SERVE,
            {"model": "mine"},
            "/v1/embeddings",
            {"input": ["a", "b"], "model": "mine", "encoding_format": "base64"},
        ),
        (
            ServerInfo("openai", "hf-serve"),
            {},
            "/v1/embeddings",
            {"input": ["a", "b"], "model": "default", "encoding_format": "base64"},
        ),
        (HF_SERVE, {"prompt_name": "q"}, "", {"inputs": ["a", "b"], "prompt_name": "q"}),
        (SERVERLESS, {}, "", {"inputs": ["a", "b"], "normalize": True}),
    ],
)
def test_each_server_is_asked_in_its_own_words(
    server: ServerInfo, options: dict[str, Any], path: str, body: dict[str, Any]
) -> None:
    assert request(server, **options) == (path, body)


@given(
    st.sampled_from([TEI, ServerInfo("tei", version="1.2.0"), SERVERLESS]),
    st.builds(
        WireOptions,
        normalize=st.booleans(),
        truncate=st.none() | st.booleans(),
        truncation_direction=st.sampled_from([None, "left", "right"]),
        dimensions=st.none() | st.integers(1, 999),
        prompt_name=st.none() | st.just("query"),
    ),
)
def test_no_null_is_ever_sent(server: ServerInfo, options: WireOptions) -> None:
    body = orjson.loads(wire_form(server, options).body([b'"a"']))
    assert None not in body.values()


@pytest.mark.parametrize(
    ("server", "options"),
    [
        (TOOLKIT, {"prompt_name": "query"}),
        (TOOLKIT, {"truncate": False}),
        (TOOLKIT, {"truncation_direction": "left"}),
        (VLLM, {"prompt_name": "query"}),
        (VLLM, {"truncate": False}),
        (ServerInfo("openai", "llamacpp"), {"truncate": True}),
        (HF_SERVE, {"truncate": False}),
    ],
)
def test_what_a_server_cannot_do_is_not_silently_left_out(
    server: ServerInfo, options: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        request(server, **options)


matrices = npst.arrays(
    np.float32,
    st.tuples(st.integers(1, 5), st.integers(1, 7)),
    elements=st.floats(-1e6, 1e6, width=32),
)


def answers(rows: np.ndarray[Any, Any]) -> dict[str, object]:
    numbers = rows.tolist()
    coded = [base64.b64encode(row.astype("<f4").tobytes()).decode() for row in rows]
    items = [{"index": n, "embedding": row} for n, row in enumerate(numbers)]
    coded_items = [{"index": n, "embedding": row} for n, row in enumerate(coded)]
    return {
        "tei": numbers,
        "toolkit": {"embeddings": numbers},
        "openai": {"object": "list", "data": items},
        "openai, unordered": {"data": items[::-1]},
        "openai, base64": {"data": coded_items[::-1]},
        "llama.cpp": [{"index": n, "embedding": [row]} for n, row in enumerate(numbers)],
    }


@given(matrices)
def test_every_form_gives_the_same_vectors_to_the_last_bit(rows: np.ndarray[Any, Any]) -> None:
    for form, answer in answers(rows).items():
        vectors = parse_vectors(orjson.dumps(answer), len(rows))
        assert vectors.dtype == np.float32, form
        assert np.array_equal(vectors, rows), form


@pytest.mark.parametrize("answer", [[1.0, 2.0], {"embeddings": [1.0, 2.0]}, [[1, 2]]])
def test_one_vector_may_come_without_its_list(answer: object) -> None:
    assert parse_vectors(orjson.dumps(answer), 1).tolist() == [[1.0, 2.0]]


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=3) | st.integers(-9, 9),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["embeddings", "data", "index", "embedding", "error"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=20,
)


@given(json_values, st.integers(1, 3))
def test_any_other_answer_is_refused_and_never_crashes(answer: object, count: int) -> None:
    try:
        vectors = parse_vectors(orjson.dumps(answer), count)
    except BadAnswer as refused:
        kind = refused.failure.kind
        assert kind in (Kind.BAD_ANSWER, Kind.NOT_POOLED)
    else:
        assert vectors.shape[0] == count
        assert vectors.shape[1] > 0
        assert np.isfinite(vectors).all()


@pytest.mark.parametrize("answer", [[], {"data": []}, {"embeddings": []}, [[]], {"data": [{}]}])
def test_an_answer_without_vectors_is_refused(answer: object) -> None:
    with pytest.raises(BadAnswer):
        parse_vectors(orjson.dumps(answer), 1)


@given(st.binary(max_size=30), st.integers(1, 3))
def test_no_bytes_crash_it(body: bytes, count: int) -> None:
    try:
        parse_vectors(body, count)
    except BadAnswer as refused:
        words = refused.failure.message or refused.failure.kind.value
        assert words


def test_one_flipped_character_of_base64_is_noticed_or_is_another_number() -> None:
    good = base64.b64encode(np.ones(6, dtype="<f4").tobytes()).decode()
    for place in range(len(good)):
        bad = good[:place] + "*" + good[place + 1 :]
        body = orjson.dumps({"data": [{"index": 0, "embedding": bad}]})
        with pytest.raises(BadAnswer, match="base64"):
            parse_vectors(body, 1)
