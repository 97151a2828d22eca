"""Servers that no test here can run, played by stand-ins that answer as they are documented.

Paths, keys and the shape of answers are those of vLLM, SGLang, llama.cpp and Infinity as far as
they are documented; what SGLang and llama.cpp say of their owner, and the words of refusals, are
assumed. A stand-in answers only on its server's own path.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import orjson
import pytest

from langchain_hfendpoint import HFEndpointEmbeddings
from langchain_hfendpoint.errors import EndpointError

TEXTS = ["a man", "two dogs", "the children"]
REFUSED = "refuse me"


def _vector(text: str) -> list[float]:
    # Of unit length, so that nothing is left to normalize.
    return [-1.0 if n == len(text) else 0.0 for n in range(16)]


def _coded(text: str) -> str:
    return base64.b64encode(np.array(_vector(text), "<f4").tobytes()).decode()


def _openai(texts: list[str], *, coded: bool, **more: object) -> dict[str, object]:
    data = [
        {"object": "embedding", "index": n, "embedding": _coded(text) if coded else _vector(text)}
        for n, text in enumerate(texts)
    ]
    usage = {"prompt_tokens": 3, "total_tokens": 3}
    return {"object": "list", "data": data, "model": "m", "usage": usage, **more}


class _Server:
    """What one server is: its models' route and owner, its path, its answer and its refusal."""

    def __init__(
        self,
        models: str,
        owner: str,
        path: str,
        answer: Callable[[list[str]], object],
        refusal: dict[str, object],
        health: object,
    ) -> None:
        self.models, self.owner, self.path = models, owner, path
        self.answer, self.refusal, self.health = answer, refusal, health
        self.bodies: list[dict[str, Any]] = []


def _servers() -> dict[str, _Server]:
    return {
        "vllm": _Server(
            "/v1/models", "vllm", "/v1/embeddings",
            lambda texts: _openai(texts, coded=True, id="embd-1", created=1),
            {"error": {"message": REFUSED, "type": "BadRequestError", "param": None, "code": 400}},
            "",
        ),
        "sglang": _Server(
            "/v1/models", "sglang", "/v1/embeddings",
            lambda texts: _openai(texts, coded=False),
            {"object": "error", "message": REFUSED, "type": "BadRequestError", "code": 400},
            "",
        ),
        "llamacpp": _Server(
            "/v1/models", "llamacpp", "/v1/embeddings",
            lambda texts: _openai(texts, coded=True),
            {"error": {"code": 400, "message": REFUSED, "type": "invalid_request_error"}},
            {"status": "ok"},
        ),
        "infinity": _Server(
            "/models", "infinity", "/embeddings",
            lambda texts: _openai(texts, coded=True, id="infinity-1", created=1),
            {"error": {"message": REFUSED, "type": None, "param": None, "code": 400}},
            {"unix": 1.0},
        ),
    }  # fmt: skip


class _Place:
    """A URL, and which server answers there."""

    def __init__(self, server: _Server) -> None:
        self.server = server
        self.asked: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _reply(self, status: int, body: object) -> None:
                raw = body.encode() if isinstance(body, str) else orjson.dumps(body)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def do_GET(self) -> None:
                server = place.server
                place.asked.append(self.path)
                if self.path == server.models:
                    data = [{"id": "m", "object": "model", "owned_by": server.owner}]
                    self._reply(200, {"object": "list", "data": data})
                elif self.path == "/health":
                    self._reply(200, server.health)
                else:
                    self._reply(404, {"detail": "Not Found"})

            def do_POST(self) -> None:
                server = place.server
                place.asked.append(self.path)
                body = orjson.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path != server.path:
                    self._reply(404, {"detail": "Not Found"})
                    return
                server.bodies.append(body)
                if REFUSED in body["input"]:
                    self._reply(400, server.refusal)
                else:
                    self._reply(200, server.answer(body["input"]))

            def log_message(self, *_: object) -> None:
                pass

        place = self
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture(params=list(_servers()))
def played(request: pytest.FixtureRequest) -> Iterator[tuple[str, _Server, str]]:
    server = _servers()[request.param]
    with closing(_Place(server)) as place:
        yield request.param, server, place.url


def test_a_server_is_recognized_and_its_vectors_come_back(
    played: tuple[str, _Server, str],
) -> None:
    name, server, url = played
    with HFEndpointEmbeddings(endpoint_url=url) as embeddings:
        assert embeddings.server_info().software == name
        assert embeddings.embed_documents(TEXTS) == [_vector(text) for text in TEXTS]
    known = {"input", "model", "encoding_format"}
    assert all(set(body) <= known for body in server.bodies)


def test_a_refusal_names_the_text_and_repeats_the_servers_words(
    played: tuple[str, _Server, str],
) -> None:
    _, _, url = played
    with (
        HFEndpointEmbeddings(endpoint_url=url) as embeddings,
        pytest.raises(EndpointError, match=REFUSED) as caught,
    ):
        embeddings.embed_documents([*TEXTS, REFUSED])
    assert (caught.value.status, tuple(caught.value.indices)) == (400, (3,))


def test_another_server_under_the_same_url_is_recognized_without_a_restart() -> None:
    servers = _servers()
    with (
        closing(_Place(servers["vllm"])) as place,
        HFEndpointEmbeddings(endpoint_url=place.url) as embeddings,
    ):
        vectors = [_vector(text) for text in TEXTS]
        for name in ("vllm", "infinity", "vllm"):
            place.server = servers[name]
            assert embeddings.embed_documents(TEXTS) == vectors
            assert embeddings.server_info().software == name


def test_a_route_that_is_missing_though_the_server_is_the_same_is_an_error_at_once() -> None:
    server = _servers()["vllm"]
    with (
        closing(_Place(server)) as place,
        HFEndpointEmbeddings(endpoint_url=place.url) as embeddings,
    ):
        embeddings.embed_query("a man")
        server.path = "/elsewhere"
        place.asked.clear()
        with pytest.raises(EndpointError, match="404") as caught:
            embeddings.embed_documents(TEXTS)
    assert caught.value.status == 404
    assert place.asked == ["/v1/embeddings", "/info", "/v1/models"]


def test_a_protocol_that_was_named_is_kept_whatever_the_server_is() -> None:
    with (
        closing(_Place(_servers()["infinity"])) as place,
        HFEndpointEmbeddings(endpoint_url=place.url, protocol="tei") as embeddings,
        pytest.raises(EndpointError, match="404"),
    ):
        embeddings.embed_documents(TEXTS)
    assert [path for path in place.asked if "embed" in path] == place.asked[-1:]
