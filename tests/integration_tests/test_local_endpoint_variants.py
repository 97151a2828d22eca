"""Other versions, other servers, and the proxy before them."""

import asyncio
import base64
import time

import aiohttp
import numpy as np
import pytest

from langchain_hfendpoint.errors import ConfigurationError, LocalServerError
from langchain_hfendpoint.local import LocalEndpoint
from tests.support.http_calls import call
from tests.support.tiny_bert import make_tiny_bert

HELLO = [-0.0344773, 0.0310232, 0.0067350, 0.0261090]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    prompts = {"query": "query : ", "passage": "passage : "}
    return make_tiny_bert(tmp_path_factory.mktemp("tiny"), pooling="cls", prompts=prompts)


@pytest.fixture(scope="module")
def serve(tiny):
    """Start servers with the tiny model, which are up at once."""
    running = []

    def start(**options):
        running.append(LocalEndpoint(str(tiny.directory), **options).start())
        return running[-1].url

    yield start
    for endpoint in running:
        endpoint.stop()


def unit(vector):
    return vector / np.linalg.norm(vector)


def test_a_local_directory_is_served_with_its_pooling_and_prompts(serve, tiny):
    url = serve(default_prompt_name="passage")
    info = call(url, "/info").json
    assert (info["model_id"], info["model_type"]) == (
        str(tiny.directory),
        {"embedding": {"pooling": "cls"}},
    )
    for name, prompt in ((None, "passage : "), ("query", "query : ")):
        rows = call(url, "/embed", {"inputs": ["a man"], "prompt_name": name}).json
        np.testing.assert_allclose(rows[0], unit(tiny.embed(f"{prompt}a man")), atol=1e-5)
    answer = call(url, "/embed", {"inputs": ["a man"], "prompt_name": "nope"})
    assert answer.json["error"] == (
        "Input validation error: `default-prompt-name` is set to `nope` but it was not found in "
        "the Sentence Transformers prompts. Available prompts: query, passage"
    )


def test_tei_1_8_answers_413_and_cuts_only_when_asked(serve):
    url = serve(tei_version="1.8.3")
    assert call(url, "/embed", {"inputs": ["a"] * 33}).status == 413
    assert call(url, "/embed", {"inputs": ["a" + " man" * 30]}).status == 413
    assert call(url, "/embed", {"inputs": ["a" + " man" * 30], "truncate": True}).status == 200
    assert call(url, "/embed", {"inputs": ""}).status == 400
    assert call(url, "/embed", {"inputs": "a", "truncation_direction": "left"}).status == 422
    info = call(url, "/info").json
    assert (info["version"], info["auto_truncate"]) == ("1.8.3", False)
    assert "served_model_name" not in info


def test_before_1_5_1_even_health_needs_the_key(serve):
    url = serve(tei_version="1.5.0", api_key="k")
    assert call(url, "/health").status == 401
    assert call(url, "/embed", {"inputs": ""}, headers={"Authorization": "Bearer k"}).status == 413


def test_an_endpoint_made_for_similarity_compares_on_its_main_route(serve):
    url = serve(task="sentence-similarity")
    inputs = {"source_sentence": "a man", "sentences": ["a man", "the grass"]}
    scores = call(url, "/", {"inputs": inputs}).json
    assert scores[0] == pytest.approx(1, abs=1e-5)
    assert call(url, "/", {"inputs": "a"}).status == 422
    assert call(url, "/embed", {"inputs": "a"}).status == 200


@pytest.fixture(scope="module")
def toolkit():
    with LocalEndpoint(flavor="toolkit") as endpoint:
        yield endpoint.url


@pytest.mark.parametrize("path", ["/", "/predict"])
def test_the_toolkit_wraps_vectors_and_gives_one_dimension_for_one_text(toolkit, path):
    one = call(toolkit, path, {"inputs": "hello world"}).json["embeddings"]
    many = call(toolkit, path, {"inputs": ["hello world", "a"]}).json["embeddings"]
    assert (np.shape(one), np.shape(many)) == ((384,), (2, 384))
    np.testing.assert_allclose(one[:4], HELLO, atol=1e-5)
    np.testing.assert_allclose(many[0], one, atol=1e-5)
    named = call(toolkit, path, {"inputs": {"sentences": ["hello world"]}}).json["embeddings"]
    np.testing.assert_allclose(named[0], one, atol=1e-5)


def test_the_toolkit_knows_no_limits_and_no_parameters(toolkit):
    rows = call(toolkit, "/", {"inputs": ["a"] * 100, "parameters": {"normalize": False}}).json
    assert np.shape(rows["embeddings"]) == (100, 384)
    assert np.linalg.norm(rows["embeddings"][0]) == pytest.approx(1, abs=1e-5)
    assert call(toolkit, "/", {"inputs": []}).json == {"embeddings": []}
    assert np.shape(call(toolkit, "/", {"inputs": ["", "a"]}).json["embeddings"]) == (2, 384)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "Input is a zero-length, empty document: line 1 column 1 (char 0)"),
        (b'{"text":"a"}', 'Body needs to provide a inputs key, received: b\'{"text":"a"}\''),
        (b'{"inputs":null}', "'NoneType' object is not subscriptable"),
        (
            b'{"inputs":{"text":"a"}}',
            "SentenceEmbeddingPipeline.__call__() got an unexpected keyword argument 'text'",
        ),
    ],
)
def test_every_error_of_the_toolkit_is_a_400(toolkit, body, error):
    answer = call(toolkit, "/", body=body, headers={"Content-Type": "application/json"})
    assert (answer.status, answer.json) == (400, {"error": error})


def test_the_toolkit_is_particular_about_content_types(toolkit):
    body = b'{"inputs":"a"}'
    for headers in (
        {},
        {"Content-Type": "application/json; charset=utf-8"},
        {"Content-Type": "application/json", "Accept": "application/json, text/plain, */*"},
    ):
        answer = call(toolkit, "/", body=body, headers=headers)
        assert answer.status == 400
        assert "not supported" in answer.json["error"]
    headers = {"Content-Type": "application/json; charset=UTF-8", "Accept": "*/*"}
    assert call(toolkit, "/", body=body, headers=headers).status == 200


def test_the_toolkit_has_few_routes(toolkit):
    assert (call(toolkit, "/").text, call(toolkit, "/health").text) == ("Ok", "Ok")
    assert call(toolkit, "/metrics").text == "inf_batch_current_size 0\ninf_queue_size 0\n"
    for path in ("/info", "/embed", "/v1/embeddings"):
        answer = call(toolkit, path, {"inputs": "a"})
        assert (answer.status, answer.text) == (404, "Not Found")
    assert call(toolkit, "/predict").text == "Method Not Allowed"


def test_the_toolkits_other_tasks(serve, tiny):
    url = serve(flavor="toolkit", task="feature-extraction")
    one = call(url, "/", {"inputs": "a man"}).json
    many = call(url, "/", {"inputs": ["a man", "dog"]}).json
    assert np.shape(one) == (1, 4, 16)
    assert [np.shape(text) for text in many] == [(1, 4, 16), (1, 3, 16)]
    np.testing.assert_allclose(one[0], tiny.states([2, 4, 5, 3]), atol=1e-5)
    assert call(url, "/", {"inputs": []}).json == []
    url = serve(flavor="toolkit", task="sentence-similarity", api_key="k")
    key = {"Authorization": "Bearer k"}
    inputs = {"source_sentence": "a man", "sentences": ["a man"]}
    answer = call(url, "/", {"inputs": inputs}, headers=key)
    assert answer.json["similarities"][0] == pytest.approx(1, abs=1e-5)
    answer = call(url, "/", {"inputs": ["a"]}, headers=key)
    assert answer.json["error"].endswith("missing 1 required positional argument: 'sentences'")
    assert call(url, "/", {"inputs": inputs}).status == 401


@pytest.fixture(scope="module")
def hf_serve():
    with LocalEndpoint(flavor="hf-serve") as endpoint:
        yield endpoint.url


@pytest.mark.parametrize("content", [{"inputs": "hello world"}, {"sentences": ["hello world"]}])
def test_hf_serve_wraps_vectors_in_two_dimensions(hf_serve, content):
    answer = call(hf_serve, "/", {**content, "normalize": False, "truncate": True})
    rows = np.array(answer.json["embeddings"])
    assert rows.shape == (1, 384)
    np.testing.assert_allclose(rows[0, :4], HELLO, atol=1e-5)
    assert {"x-request-id", "x-process-time"} <= answer.headers.keys()


def test_hf_serve_cuts_without_normalizing_on_its_own_route_only(hf_serve):
    own = call(hf_serve, "/predict", {"inputs": "a", "parameters": {"dimensions": 64}})
    assert np.linalg.norm(own.json["embeddings"][0]) < 0.9
    openai = call(hf_serve, "/v1/embeddings", {"input": "a", "model": "m", "dimensions": 64})
    assert np.linalg.norm(openai.json["data"][0]["embedding"]) == pytest.approx(1, abs=1e-5)
    assert openai.json["model"] == "m"


def test_hf_serve_packs_floats_in_base64(hf_serve):
    content = {"input": ["hello world"], "model": "m", "encoding_format": "base64"}
    item = call(hf_serve, "/v1/embeddings", content).json["data"][0]
    row = np.frombuffer(base64.b64decode(item["embedding"]), "<f4")
    np.testing.assert_allclose(row[:4], HELLO, atol=1e-5)


@pytest.mark.parametrize("inputs", [[], "", ["", "a"]])
def test_hf_serve_refuses_empty_texts_on_its_own_route(hf_serve, inputs):
    answer = call(hf_serve, "/", {"inputs": inputs})
    assert answer.status == 422
    assert answer.json["detail"][0]["type"] == "value_error"
    assert "must" in answer.json["detail"][0]["msg"]
    assert answer.json["body"] == {"inputs": inputs}


def test_hf_serve_gives_an_empty_vector_for_an_empty_list_on_openais_route(hf_serve):
    answer = call(hf_serve, "/v1/embeddings", {"input": [], "model": "m"})
    assert [item["embedding"] for item in answer.json["data"]] == [[]]


def test_hf_serve_needs_a_model_name_on_openais_route(hf_serve):
    answer = call(hf_serve, "/v1/embeddings", {"input": "a"})
    assert (answer.status, answer.json["detail"][0]["loc"]) == (422, ["body", "model"])


def test_hf_serve_complains_as_fastapi_does(hf_serve):
    json_type = {"Content-Type": "application/json"}
    broken = call(hf_serve, "/", body=b"{", headers=json_type)
    assert (broken.status, broken.json["detail"][0]["type"]) == (422, "json_invalid")
    empty = call(hf_serve, "/", body=b"", headers=json_type)
    assert (empty.status, empty.json["detail"][0]["type"]) == (422, "missing")
    for answer in (
        call(hf_serve, "/", ["a"]),
        call(hf_serve, "/", body=b'{"inputs":"a"}', headers={"Content-Type": "text/plain"}),
    ):
        assert (answer.status, answer.text) == (500, "Internal Server Error")
    prompt = call(hf_serve, "/", {"inputs": "a", "prompt_name": "nope"})
    assert prompt.status == 400
    assert prompt.json["detail"].startswith("Prompt name 'nope' not found")
    wrong, unknown = call(hf_serve, "/"), call(hf_serve, "/embed", {"inputs": "a"})
    assert (wrong.status, wrong.json) == (405, {"detail": "Method Not Allowed"})
    assert (unknown.status, unknown.json) == (404, {"detail": "Not Found"})
    assert call(hf_serve, "/health").json == {"status": "ok"}
    assert call(hf_serve, "/v1/models").json["data"][0]["owned_by"] == "sentence-transformers"


def test_a_scaled_to_zero_endpoint_answers_503_until_it_is_up(serve):
    url = serve(cold_start=1.0)
    statuses = []
    while not statuses or statuses[-1] != 200:
        statuses.append(call(url, "/embed", {"inputs": "a"}).status)
        time.sleep(0.1)
    assert statuses[0] == 503
    assert set(statuses) == {503, 200}


def test_a_scaled_to_zero_endpoint_holds_a_patient_request(serve):
    url = serve(cold_start=1.0)
    impatient = call(url, "/embed", {"inputs": "a"}, headers={"X-Scale-Up-Timeout": "0.05"})
    patient = call(url, "/embed", {"inputs": "a"}, headers={"X-Scale-Up-Timeout": "60"})
    assert (impatient.status, patient.status) == (503, 200)


def test_a_paused_endpoint_answers_400(serve):
    url = serve(paused=True)
    for answer in (call(url, "/embed", {"inputs": "a"}), call(url, "/health")):
        assert answer.status == 400
        assert "Bad Request: Invalid state" in answer.text


def test_faults_come_in_the_servers_own_words_and_spare_health(serve):
    url = serve(faults={429: 1.0}, latency=0.01)
    answer = call(url, "/embed", {"inputs": "a"})
    assert (answer.status, answer.json) == (
        429,
        {"error": "Model is overloaded", "error_type": "Overloaded"},
    )
    assert call(url, "/health").status == 200
    url = serve(faults={502: 1.0})
    assert call(url, "/embed", {"inputs": "a"}).text == "502 Bad Gateway"
    url = serve(flavor="toolkit", faults={500: 1.0})
    assert call(url, "/", {"inputs": "a"}).json == {"error": "injected fault"}


def test_a_seed_makes_faults_repeatable(serve):
    runs = [
        [
            call(url, "/embed", {"inputs": "a"}).status
            for url in [serve(faults={503: 0.5}, fault_seed=3)]
            for _ in range(20)
        ]
        for _ in range(2)
    ]
    assert runs[0] == runs[1]
    assert set(runs[0]) == {200, 503}


def test_what_cannot_be_is_refused_before_a_server_starts():
    with pytest.raises(ConfigurationError):
        LocalEndpoint(faults={429: 0.7, 503: 0.7})


def test_a_model_that_is_nowhere_is_an_error_in_one_sentence():
    with pytest.raises(LocalServerError, match="'no/such-model' was not found: no directory"):
        LocalEndpoint("no/such-model").start()


def test_a_default_prompt_that_the_model_does_not_have_is_an_error_in_one_sentence(tiny):
    with pytest.raises(LocalServerError, match="no prompt 'nope'; it has: query, passage"):
        LocalEndpoint(str(tiny.directory), default_prompt_name="nope").start()


async def test_the_context_manager_is_async_too(tiny):
    async with LocalEndpoint(str(tiny.directory)) as endpoint, aiohttp.ClientSession() as session:
        content = {"inputs": ["a man"]}
        async with session.post(f"{endpoint.url}/embed", json=content) as answer:
            assert answer.status == 200


async def test_health_and_info_answer_while_the_model_is_busy_and_overload_is_429():
    """All permits are taken by texts as long as the model takes them."""
    long_texts = ["word " * 250] * 32
    limits = {"max_concurrent_requests": 64}
    async with LocalEndpoint(**limits) as endpoint, aiohttp.ClientSession(endpoint.url) as session:

        async def embed():
            async with session.post("/embed", json={"inputs": long_texts}) as answer:
                return answer.status, await answer.read()

        async def get(path):
            async with session.get(path) as answer:
                return answer.status

        busy = [asyncio.create_task(embed()) for _ in range(2)]
        for _ in range(1000):
            if 'te_request_count{method="batch"} 2' in await _text(session, "/metrics"):
                break
        status, body = await embed()
        assert (status, body) == (
            429,
            b'{"error":"Model is overloaded","error_type":"Overloaded"}',
        )
        assert [await get(path) for path in ("/health", "/info", "/metrics")] == [200] * 3
        assert not any(task.done() for task in busy)
        for task in busy:
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)


async def test_what_nobody_waits_for_any_more_is_not_computed():
    """The client hangs up on a minute's work; its permits come back at once."""
    limits = {"max_client_batch_size": 1000, "max_concurrent_requests": 1000}
    async with LocalEndpoint(**limits) as endpoint, aiohttp.ClientSession(endpoint.url) as session:
        content = {"inputs": ["word " * 250] * 1000}
        with pytest.raises(asyncio.TimeoutError):
            await session.post("/embed", json=content, timeout=aiohttp.ClientTimeout(total=2))
        async with session.post("/embed", json={"inputs": ["a"] * 1000}) as answer:
            assert answer.status == 200
        assert "te_queue_size 0" in await _text(session, "/metrics")


async def _text(session, path):
    async with session.get(path) as answer:
        return await answer.text()
