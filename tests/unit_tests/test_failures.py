"""What error answers mean; the bodies are those of the servers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_hfendpoint._engine.failures import Kind, read_failure, read_message

TEI = {"error": "{}", "error_type": "Validation"}
BATCH = "batch size 33 > maximum allowed batch size 32"
TOKENS = "Input validation error: `inputs` must have less than 512 tokens. Given: 534"
PLAIN_422 = (
    "Failed to deserialize the JSON body into the target type: inputs: data did not match any "
    "variant of untagged enum Input at line 1 column 9"
)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (422, {"error": BATCH, "error_type": "Validation"}, Kind.TOO_MANY),
        (413, {"error": BATCH, "error_type": "Validation"}, Kind.TOO_MANY),
        (422, {"message": BATCH, "code": 422, "type": "Validation"}, Kind.TOO_MANY),
        (422, {"error": TOKENS, "error_type": "Validation"}, Kind.TOO_LONG),
        (413, {"message": TOKENS, "code": 413, "type": "Validation"}, Kind.TOO_LONG),
        (400, {"error": "`inputs` cannot be empty", "error_type": "Empty"}, Kind.REJECTED),
        (422, {"error": "tokenizer error x", "error_type": "Tokenizer"}, Kind.REJECTED),
        (422, PLAIN_422, Kind.REJECTED),
        (413, "Failed to buffer the request body: length limit exceeded", Kind.TOO_LARGE),
        (415, "Expected request with `Content-Type: application/json`", Kind.FATAL),
        (422, {"error": "`dimensions` should be positive"}, Kind.FATAL),
        (400, {"detail": "Prompt name 'x' not found in the configured prompts"}, Kind.FATAL),
        (422, {"detail": [{"msg": "Value error, must not be empty"}], "body": {}}, Kind.REJECTED),
        (429, {"error": "Model is overloaded", "error_type": "Overloaded"}, Kind.OVERLOADED),
        (429, {"error": {"message": "overloaded", "type": None, "code": 429}}, Kind.OVERLOADED),
        (503, "queue full or timeout", Kind.OVERLOADED),
        (503, {"error": "unhealthy", "error_type": "Unhealthy"}, Kind.UNAVAILABLE),
        (503, {"error": {"code": 503, "message": "Loading model"}}, Kind.UNAVAILABLE),
        (502, "<html><body>Bad Gateway</body></html>", Kind.UNAVAILABLE),
        (504, "", Kind.TIMEOUT),
        (424, {"error": "Backend error: out of memory", "error_type": "Backend"}, Kind.BACKEND),
        (424, {"error": "Backend error: Model is not an embedding model"}, Kind.FATAL),
        (400, {"error": "Model not supported by provider hf-inference"}, Kind.FATAL),
        (400, "Bad Request: Invalid state", Kind.NOT_RUNNING),
        (400, {"error": "Bad Request: Invalid state"}, Kind.NOT_RUNNING),
        (401, "", Kind.AUTHENTICATION),
        (403, {"error": "insufficient permissions"}, Kind.AUTHENTICATION),
        (402, {"error": "You have exceeded your monthly included credits"}, Kind.FATAL),
        (404, "Not Found", Kind.FATAL),
        (500, "Internal Server Error", Kind.CRASHED),
    ],
)
def test_the_words_decide_before_the_status(status: int, body: object, kind: Kind) -> None:
    raw = body if isinstance(body, str) else json.dumps(body)
    assert read_failure(status, raw.encode()).kind is kind


def test_the_limit_is_read_out_of_the_words() -> None:
    failure = read_failure(422, json.dumps({"error": BATCH}).encode())
    assert failure.batch_limit == 32


@pytest.mark.parametrize(
    ("body", "words", "name"),
    [
        (b'{"error":"no","error_type":"Validation"}', "no", "Validation"),
        (b'{"message":"no","code":422,"type":"Validation"}', "no", "Validation"),
        (b'{"object":"error","message":"no","type":"BadRequest"}', "no", "BadRequest"),
        (b'{"error":{"code":400,"message":"no","type":"invalid"}}', "no", "invalid"),
        (b'{"detail":"no"}', "no", None),
        (b'{"detail":[{"msg":"no"},{"msg":"never"}],"body":{"inputs":[""]}}', "no; never", None),
        (b"<html><h1>no</h1></html>", "no", None),
        (b"", "", None),
        (b"[]", "", None),
        (b'"no"', "no", None),
    ],
)
def test_every_servers_words_are_found(body: bytes, words: str, name: str | None) -> None:
    assert read_message(body) == (words, name)


@given(st.integers(100, 599), st.binary(max_size=50))
def test_no_error_body_crashes_it(status: int, body: bytes) -> None:
    failure = read_failure(status, body)
    assert len(failure.message) <= 500
