"""The protocol table of Text Embeddings Inference 1.9, row by row, as a client sees it."""

import base64

import numpy as np
import pytest

from langchain_hfendpoint.local import LocalEndpoint
from tests.support.http_calls import call

GOLDEN = {
    "First text": ([-0.01706981, 0.05439235, 0.00906055], [0.09818567, 0.10090933, -0.0086112]),
    "Hi!": ([-0.08946919, 0.03267909, 0.01558172], [0.0648054, -0.01970844, 0.0207535]),
    "I love Sentence Transformers": (
        [-0.09226393, -0.01157228, 0.00867325],
        [0.10857432, 0.05021105, -0.06054248],
    ),
}
MEASURED = {
    "x-compute-type",
    "x-compute-time",
    "x-compute-characters",
    "x-compute-tokens",
    "x-total-time",
    "x-tokenization-time",
    "x-queue-time",
    "x-inference-time",
}
SHAPE = "Failed to deserialize the JSON body into the target type: "
LONG = "a word " * 300


@pytest.fixture(scope="module")
def url():
    with LocalEndpoint() as endpoint:
        yield endpoint.url


@pytest.fixture(scope="module")
def locked():
    """A small server with a key: 4 texts a request, 6 at a time, 1,000 bytes, no cutting."""
    with LocalEndpoint(
        api_key="secret-key",
        max_client_batch_size=4,
        max_concurrent_requests=6,
        payload_limit=1000,
        auto_truncate=False,
    ) as endpoint:
        yield endpoint.url


KEY = {"Authorization": "Bearer secret-key"}


def vectors(url, texts, **options):
    answer = call(url, "/embed", {"inputs": texts, **options})
    assert answer.status == 200, answer.text
    return np.array(answer.json)


def test_the_published_vectors_come_out(url):
    rows = vectors(url, list(GOLDEN))
    assert rows.shape == (3, 384)
    for row, (first, last) in zip(rows, GOLDEN.values(), strict=True):
        np.testing.assert_allclose([*row[:3], *row[-3:]], [*first, *last], atol=1e-5)


def test_one_text_is_answered_in_two_dimensions_too(url):
    assert vectors(url, "Hi!").shape == (1, 384)


@pytest.mark.parametrize("path", ["/", "/embed", "/invocations"])
def test_all_routes_that_embed_embed(url, path):
    answer = call(url, path, {"inputs": ["Hi!"]})
    assert answer.headers["content-type"] == "application/json"
    np.testing.assert_allclose(answer.json[0][:3], GOLDEN["Hi!"][0], atol=1e-5)


def test_an_answer_says_what_it_cost(url):
    answer = call(url, "/embed", {"inputs": ["Hi!", "First text"]})
    assert answer.headers.keys() >= MEASURED
    assert answer.headers["x-compute-type"] == "gpu+optimized"
    assert answer.headers["x-compute-characters"] == "13"
    assert answer.headers["x-compute-tokens"] == "8"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert all(answer.headers[name].isdecimal() for name in MEASURED - {"x-compute-type"})


def test_a_browser_may_ask_whether_it_may_ask(url):
    answer = call(url, "/embed", method="OPTIONS", headers={"Origin": "http://example.com"})
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-methods"] == "GET,POST"
    assert answer.headers["access-control-allow-headers"] == "content-type"


def test_characters_are_counted_as_they_were_sent(url):
    for inputs, count in ((LONG, len(LONG)), ([101, 2034, 102], 3), (["é", "ab"], 3)):
        answer = call(url, "/embed", {"inputs": inputs})
        assert answer.headers["x-compute-characters"] == str(count)


def test_floats_are_the_shortest_that_tell_float32_apart(url):
    text = call(url, "/embed", {"inputs": "Hi!"}).text
    written = text.strip("[]").split(",")
    assert all(np.float32(number) == np.float64(np.float32(number)) for number in written)
    assert max(len(number.lstrip("-").removeprefix("0.").lstrip("0")) for number in written) <= 13
    raw = call(url, "/v1/embeddings", {"input": "Hi!", "encoding_format": "base64"}).json
    exact = np.frombuffer(base64.b64decode(raw["data"][0]["embedding"]), "<f4")
    np.testing.assert_array_equal(np.array(written, np.float32), exact)


def test_vectors_have_length_one_unless_asked_otherwise(url):
    scaled, raw = (vectors(url, ["Hi!"], normalize=flag)[0] for flag in (True, False))
    assert np.linalg.norm(scaled) == pytest.approx(1, abs=1e-5)
    assert np.linalg.norm(raw) != pytest.approx(1, abs=1e-2)
    np.testing.assert_allclose(raw / np.linalg.norm(raw), scaled, atol=1e-6)


def test_dimensions_cut_first_and_normalize_then(url):
    whole, cut = vectors(url, "Hi!")[0], vectors(url, "Hi!", dimensions=64)[0]
    assert cut.shape == (64,)
    np.testing.assert_allclose(cut, whole[:64] / np.linalg.norm(whole[:64]), atol=1e-6)


def test_a_text_has_the_same_vector_alone_and_in_any_batch(url):
    texts = ["Hi!", "A man is sleeping outside on the grass.", LONG] * 10
    rows = vectors(url, texts)
    for text, row in zip(texts[:3], rows[:3], strict=True):
        np.testing.assert_allclose(vectors(url, text)[0], row, atol=1e-5)
    np.testing.assert_allclose(rows, np.tile(rows[:3], (10, 1)), atol=1e-5)


def test_token_ids_stand_for_a_text(url):
    ids = [token["id"] for token in call(url, "/tokenize", {"inputs": "First text"}).json[0]]
    np.testing.assert_allclose(vectors(url, ids), vectors(url, "First text"), atol=1e-6)
    np.testing.assert_allclose(
        vectors(url, [ids, "Hi!"]), vectors(url, ["First text", "Hi!"]), atol=1e-6
    )


def test_long_texts_are_cut_on_the_side_that_is_asked_for(url):
    head, tail = "start " + LONG, LONG + "end"
    right, left, lower = (
        call(url, "/embed", {"inputs": head, **option})
        for option in (
            {},
            {"truncation_direction": "Left"},
            {"truncation_direction": "left"},
        )
    )
    assert right.headers["x-compute-tokens"] == "256"
    assert left.body == lower.body != right.body
    np.testing.assert_allclose(vectors(url, tail), vectors(url, LONG), atol=1e-5)


def test_embed_all_gives_a_vector_for_each_token(url):
    tokens = call(url, "/embed_all", {"inputs": ["Hi!", "First text"]}).json
    assert [np.shape(one) for one in tokens] == [(4, 384), (4, 384)]
    mean = np.mean(tokens[0], axis=0)
    np.testing.assert_allclose(mean, vectors(url, "Hi!", normalize=False)[0], atol=1e-5)


@pytest.mark.parametrize("path", ["/v1/embeddings", "/embeddings"])
def test_the_openai_route_answers_as_openai_does(url, path):
    answer = call(url, path, {"input": ["Hi!", "First text"], "model": "any", "user": "me"})
    content = answer.json
    assert (content["object"], content["model"]) == (
        "list",
        "sentence-transformers/all-MiniLM-L6-v2",
    )
    assert content["usage"] == {"prompt_tokens": 8, "total_tokens": 8}
    assert [item["index"] for item in content["data"]] == [0, 1]
    assert {item["object"] for item in content["data"]} == {"embedding"}
    np.testing.assert_allclose(content["data"][0]["embedding"][:3], GOLDEN["Hi!"][0], atol=1e-5)
    assert answer.headers.keys() >= MEASURED


def test_base64_holds_the_same_floats(url):
    plain, packed = (
        call(url, "/v1/embeddings", {"input": ["Hi!"], "encoding_format": kind}).json["data"][0]
        for kind in ("float", "base64")
    )
    unpacked = np.frombuffer(base64.b64decode(packed["embedding"]), "<f4")
    np.testing.assert_array_equal(unpacked, np.array(plain["embedding"], np.float32))


def test_the_openai_route_has_errors_of_its_own_shape(url):
    answer = call(url, "/v1/embeddings", {"input": ["a"] * 33})
    assert (answer.status, answer.json) == (
        422,
        {
            "message": "batch size 33 > maximum allowed batch size 32",
            "code": 422,
            "type": "Validation",
        },
    )


def test_similarity_gives_cosines(url):
    texts = ["A dog runs.", "A puppy is running.", "Interest rates fell."]
    inputs = {"source_sentence": texts[0], "sentences": texts[1:]}
    scores = call(url, "/similarity", {"inputs": inputs}).json
    rows = vectors(url, texts)
    np.testing.assert_allclose(scores, rows[1:] @ rows[0], atol=1e-5)
    assert scores[0] > 0.5 > scores[1]


def test_tokenize_gives_bytes_and_decode_turns_back(url):
    tokens = call(url, "/tokenize", {"inputs": "Hé you!"}).json
    assert tokens[0][0] == {
        "id": 101,
        "text": "[CLS]",
        "special": True,
        "start": None,
        "stop": None,
    }
    assert tokens[0][2] == {"id": 2017, "text": "you", "special": False, "start": 4, "stop": 7}
    bare = call(url, "/tokenize", {"inputs": ["Hi!"], "add_special_tokens": False}).json
    assert [token["text"] for token in bare[0]] == ["Hi", "!"]
    ids = [token["id"] for token in tokens[0]]
    assert call(url, "/decode", {"ids": ids}).json == ["he you!"]
    decoded = call(url, "/decode", {"ids": [ids, ids[:2]], "skip_special_tokens": False}).json
    assert decoded == ["[CLS] he you! [SEP]", "[CLS] he"]


def test_tokenize_and_decode_need_something_to_work_on(url):
    nothing, empty = (call(url, "/tokenize", {"inputs": inputs}) for inputs in ([], [""]))
    assert refused(nothing) == (400, "Empty", "`inputs` cannot be empty")
    assert refused(empty) == EMPTY
    assert refused(call(url, "/decode", {"ids": []}))[2].endswith("`input_ids` cannot be empty")


def test_vertex_wraps_requests_in_instances(url):
    instances = [{"inputs": "Hi!"}, {"inputs": ["First text"], "normalize": False}]
    predictions = call(url, "/vertex", {"instances": instances}).json["predictions"]
    assert [np.shape(one) for one in predictions] == [(1, 384), (1, 384)]
    np.testing.assert_allclose(predictions[0][0][:3], GOLDEN["Hi!"][0], atol=1e-5)


def test_info_tells_the_limits(url):
    assert call(url, "/info").json == {
        "model_id": "sentence-transformers/all-MiniLM-L6-v2",
        "model_sha": call(url, "/info").json["model_sha"],
        "model_dtype": "float32",
        "served_model_name": "sentence-transformers/all-MiniLM-L6-v2",
        "model_type": {"embedding": {"pooling": "mean"}},
        "max_concurrent_requests": 512,
        "max_input_length": 256,
        "max_batch_tokens": 16384,
        "max_batch_requests": None,
        "max_client_batch_size": 32,
        "auto_truncate": True,
        "tokenization_workers": call(url, "/info").json["tokenization_workers"],
        "version": "1.9.3",
        "sha": None,
        "docker_label": None,
    }


@pytest.mark.parametrize("path", ["/", "/health", "/ping"])
def test_health_is_an_empty_200(url, path):
    answer = call(url, path)
    assert (answer.status, answer.body) == (200, b"")


def test_metrics_count_what_happens(url):
    call(url, "/embed", {"inputs": ["a"]})
    call(url, "/embed", {"inputs": [""]})
    text = call(url, "/metrics").text
    assert 'te_request_success{method="batch"}' in text
    assert 'te_request_failure{err="empty"}' in text
    assert "te_queue_size 0" in text


def refused(answer):
    return answer.status, answer.json["error_type"], answer.json["error"]


EMPTY = (400, "Empty", "Input validation error: `inputs` cannot be empty")


@pytest.mark.parametrize(
    "inputs", ["", [], [""], ["a", "", "b"], [[]], [999_999], ["a", [999_999]]]
)
def test_an_empty_text_anywhere_fails_the_request(url, inputs):
    assert refused(call(url, "/embed", {"inputs": inputs})) == EMPTY


REFUSALS = [
    ({"inputs": ["a"] * 33}, 422, "batch size 33 > maximum allowed batch size 32"),
    (
        {"inputs": LONG, "truncate": False},
        422,
        "Input validation error: `inputs` must have less than 256 tokens. Given: 602",
    ),
    (
        {"inputs": "a" * 64_001, "truncate": False},
        422,
        "Input validation error: `inputs` must have less than 64000 characters. Given: 64001",
    ),
    (
        {"inputs": "a", "prompt_name": "query"},
        422,
        (
            "Input validation error: `default-prompt-name` is set to `query` but no prompts were "
            "found in the Sentence Transformers configuration"
        ),
    ),
    (
        {"inputs": "a", "dimensions": 0},
        422,
        "Input validation error: `dimensions` should be positive",
    ),
    (
        {"inputs": "a", "dimensions": 385},
        422,
        (
            "Input validation error: `dimensions` should be smaller than the maximum embedding "
            "dimension."
        ),
    ),
]


@pytest.mark.parametrize(("content", "status", "message"), REFUSALS)
def test_a_request_that_breaks_a_rule_is_refused_in_teis_words(url, content, status, message):
    assert refused(call(url, "/embed", content)) == (status, "Validation", message)


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        ("/embed_sparse", {"inputs": "a"}, "model is not an embedding model with SPLADE pooling"),
        ("/predict", {"inputs": "a"}, "model is not a classifier model"),
        ("/rerank", {"query": "a", "texts": ["b"]}, "model is not a re-ranker model"),
    ],
)
def test_what_only_other_models_can_do_is_424(url, path, content, message):
    assert refused(call(url, path, content)) == (424, "Backend", f"Backend error: {message}")


def test_similarity_needs_sentences(url):
    answer = call(url, "/similarity", {"inputs": {"source_sentence": "a", "sentences": []}})
    assert refused(answer) == (400, "Empty", "`inputs.sentences` cannot be empty")


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_only_json_is_taken(url, kind):
    headers = {} if kind is None else {"Content-Type": kind}
    answer = call(url, "/embed", body=b'{"inputs":"a"}', headers=headers)
    assert (answer.status, answer.text) == (
        415,
        "Expected request with `Content-Type: application/json`",
    )
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "application/vnd.api+json"])
def test_json_may_be_named_in_longer_ways(url, kind):
    headers = {"Content-Type": kind}
    assert call(url, "/embed", body=b'{"inputs":"a"}', headers=headers).status == 200


@pytest.mark.parametrize("body", [b"", b"{", b'{"inputs": [}'])
def test_bad_json_is_a_plain_400(url, body):
    answer = call(url, "/embed", body=body, headers={"Content-Type": "application/json"})
    assert answer.status == 400
    assert answer.text.startswith("Failed to parse the request body as JSON: ")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


def test_json_of_another_shape_is_a_plain_422(url):
    answer = call(url, "/embed", {"texts": ["a"]})
    assert (answer.status, answer.text) == (
        422,
        f"{SHAPE}missing field `inputs` at line 1 column 16",
    )
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    answer = call(url, "/embed", {"inputs": "a", "normalize": None})
    assert answer.text.startswith(f"{SHAPE}normalize: invalid type: null, expected a boolean")


def test_an_unknown_path_and_a_wrong_method_have_empty_answers(url):
    unknown, wrong = call(url, "/nothing"), call(url, "/embed")
    assert (unknown.status, unknown.body) == (404, b"")
    assert (wrong.status, wrong.body) == (405, b"")
    assert call(url, "/v1/models").status == 404


def test_a_body_beyond_the_limit_is_a_plain_413(locked):
    answer = call(locked, "/embed", {"inputs": "a" * 1000}, headers=KEY)
    assert (answer.status, answer.text) == (
        413,
        "Failed to buffer the request body: length limit exceeded",
    )


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "secret-key"}]
)
def test_without_the_right_key_there_is_an_empty_401(locked, headers):
    for answer in (
        call(locked, "/embed", {"inputs": "a"}, headers=headers),
        call(locked, "/info", headers=headers),
    ):
        assert (answer.status, answer.body) == (401, b"")


@pytest.mark.parametrize("path", ["/", "/health", "/ping", "/metrics"])
def test_health_and_metrics_need_no_key(locked, path):
    assert call(locked, path).status == 200


def test_the_limits_can_be_set_and_are_told(locked):
    info = call(locked, "/info", headers=KEY).json
    assert (info["max_client_batch_size"], info["max_concurrent_requests"]) == (4, 6)
    assert info["auto_truncate"] is False
    answer = call(locked, "/embed", {"inputs": ["a"] * 5}, headers=KEY)
    assert refused(answer)[2] == "batch size 5 > maximum allowed batch size 4"
    answer = call(locked, "/embed", {"inputs": LONG[:900]}, headers=KEY)
    assert refused(answer)[2].startswith("Input validation error: `inputs` must have less than 256")


def test_the_checks_are_made_in_teis_order(locked):
    too_big = b"x" * 1001
    assert call(locked, "/embed", body=too_big).status == 401
    assert call(locked, "/embed", body=too_big, headers=KEY).status == 415
    headers = {**KEY, "Content-Type": "application/json"}
    assert call(locked, "/embed", body=too_big, headers=headers).status == 413
    assert call(locked, "/embed", body=b"x", headers=headers).status == 400
    answer = call(locked, "/embed", {"inputs": [""] * 5, "dimensions": 0}, headers=KEY)
    assert answer.json["error"].startswith("batch size")
    answer = call(locked, "/embed", {"inputs": [""], "dimensions": 0}, headers=KEY)
    assert answer.json["error"].endswith("`dimensions` should be positive")
