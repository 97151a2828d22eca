"""A stand-in of Hugging Face's Inference Endpoints API on loopback, for the real `huggingface_hub`.

Faithful in what the client reads (`huggingface_hub` 1.31 to 2.4, `_inference_endpoints.py`,
`hf_api.py::create_inference_endpoint`): routes, required keys, states, `status.url` missing before
an endpoint is scheduled and present when it is scaled to zero, "already running" on resume. In
place of time, an endpoint takes one step of its `course` each time somebody looks at it. The
endpoints themselves answer below `/serving/NAME`, as the proxy in front of real ones does: 503
while starting, 400 "Invalid state" when paused, and a request wakes one that is scaled to zero.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

USER = "ada"
TOKEN = "hf_test_token_of_ada"
MODEL = "sentence-transformers/all-MiniLM-L6-v2"
DIMENSION = 8

_MESSAGES = {
    "pending": "Endpoint waiting to be scheduled",
    "initializing": "Endpoint is initializing",
    "running": "Endpoint is ready",
    "failed": "Endpoint failed to start. Scheduling failure: not enough hardware capacity",
    "updateFailed": "Endpoint failed to update",
    "paused": "Endpoint paused",
    "scaledToZero": "Endpoint scaled to zero",
}
_WHEN = "2026-11-20T12:41:53.263Z"


@dataclass
class ServedEndpoint:
    """One endpoint: its object as the API gives it, and the states still to come."""

    raw: dict[str, Any]
    course: list[str] = field(default_factory=list)
    cold_requests: int = 1

    @property
    def state(self) -> str:
        return str(self.raw["status"]["state"])

    def enter(self, state: str, *, base_url: str) -> None:
        status = self.raw["status"]
        status["state"] = state
        status["message"] = _MESSAGES.get(state, state)
        status["readyReplica"] = 1 if state == "running" else 0
        if state in {"running", "scaledToZero", "updating", "updateFailed"}:
            status["url"] = f"{base_url}/serving/{self.raw['name']}"
        else:
            status.pop("url", None)


class EndpointsAPI:
    """The state of the stand-in, and the means to script it.

    Attributes:
        endpoints: By name.
        course: States that a new or resumed endpoint goes through, one a look.
        failures: Status codes to answer the next management requests with; 0 is none.
        hardware: What `/provider/{namespace}` offers: (type, size, accelerator, price).
        requests: Every management request: (method, path, body).
        served: Every request to an endpoint: (method, path, headers).
        revoked: Whether the token is refused.
        lose_answer_to: Method whose next answer is lost on the way.
        interrupt_at: Method whose next request brings Ctrl-C, and is obeyed only after that.
        hang: If set, no management request is answered until this happens.
        url: Base URL.
    """

    def __init__(self) -> None:
        self.endpoints: dict[str, ServedEndpoint] = {}
        self.course = ["initializing", "running"]
        self.failures: list[int] = []
        self.hardware: list[tuple[str, str, str, float]] | None = [
            ("intel-spr", "x1", "cpu", 0.033),
            ("intel-spr", "x4", "cpu", 0.132),
            ("nvidia-l4", "x1", "gpu", 0.8),
        ]
        self.requests: list[tuple[str, str, Any]] = []
        self.served: list[tuple[str, str, dict[str, str]]] = []
        self.revoked = False
        self.lose_answer_to: str | None = None
        self.interrupt_at: str | None = None
        self.hang: threading.Event | None = None
        self.lock = threading.Lock()
        self.url = ""

    def add(self, name: str, state: str = "running", *, model: str = MODEL) -> ServedEndpoint:
        """Put an endpoint there, as if it had been deployed before."""
        payload = {
            "name": name,
            "type": "authenticated",
            "provider": {"vendor": "aws", "region": "us-east-1"},
            "compute": {
                "accelerator": "cpu",
                "instanceType": "intel-spr",
                "instanceSize": "x1",
                "scaling": {"minReplica": 0, "maxReplica": 1, "scaleToZeroTimeout": 15},
            },
            "model": {
                "repository": model,
                "revision": None,
                "task": "sentence-embeddings",
                "framework": "pytorch",
                "image": {"tei": {"url": "tei:cpu"}},
            },
        }
        endpoint = self._make(payload)
        endpoint.cold_requests = 0
        endpoint.enter(state, base_url=self.url)
        return endpoint

    def calls(self, method: str, suffix: str = "") -> list[Any]:
        """Give the bodies of the management requests with a method and an end of the path."""
        return [
            body for verb, path, body in self.requests if verb == method and path.endswith(suffix)
        ]

    def _make(self, payload: dict[str, Any], course: list[str] | None = None) -> ServedEndpoint:
        image = payload["model"]["image"]
        raw = {
            **payload,
            "accountId": None,
            "healthRoute": next(iter(image.values())).get("healthRoute", "/health"),
            "tags": payload.get("tags", []),
            "status": {
                "createdAt": _WHEN,
                "createdBy": {"id": "6273f303f6d63a28483fde12", "name": USER},
                "updatedAt": _WHEN,
                "updatedBy": {"id": "6273f303f6d63a28483fde12", "name": USER},
                "private": None,
                "targetReplica": payload["compute"]["scaling"]["maxReplica"],
            },
        }
        raw["model"].setdefault("revision", None)
        raw["model"].setdefault("task", "custom")
        endpoint = ServedEndpoint(raw, list(course or []))
        endpoint.enter("pending", base_url=self.url)
        self.endpoints[payload["name"]] = endpoint
        return endpoint

    def manage(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Answer a request to the management API: status and JSON."""
        with self.lock:
            self.requests.append((method, path, body))
            if self.failures and (status := self.failures.pop(0)):
                return status, {"error": f"Scripted failure {status}"}
            match [method, *path.strip("/").split("/")]:
                case ["GET", "provider", _]:
                    return self._hardware()
                case ["GET", "endpoint", _]:
                    return 200, {"items": [each.raw for each in self.endpoints.values()]}
                case ["POST", "endpoint", _]:
                    return self._create(body)
                case [verb, "endpoint", _, name, *action]:
                    if name not in self.endpoints:
                        return 404, {"error": f"Endpoint {name} not found"}
                    return self._one(verb, name, action[0] if action else "")
        return 404, {"error": "Not found"}

    def _create(self, body: dict[str, Any]) -> tuple[int, Any]:
        if body["name"] in self.endpoints:
            return 409, {"error": f"Endpoint {body['name']} exists"}
        if len(body["model"]["image"]) != 1:
            return 400, {"error": "model.image must have one key"}
        if "task" in body["model"] and body["model"]["task"] is None:
            return 400, {"error": "model.task must not be null"}
        return 202, self._make(body, self.course).raw

    def _one(self, method: str, name: str, action: str) -> tuple[int, Any]:
        endpoint = self.endpoints[name]
        if method == "GET" and not action:
            shown = json.loads(json.dumps(endpoint.raw))
            if endpoint.course:
                endpoint.enter(endpoint.course.pop(0), base_url=self.url)
            return 200, shown
        if method == "DELETE":
            del self.endpoints[name]
            return 202, {}
        if action == "pause":
            if endpoint.state == "paused":
                return 400, {"error": "Endpoint is already paused"}
            endpoint.course = []
            endpoint.enter("paused", base_url=self.url)
        elif action == "resume":
            if endpoint.state == "running":
                return 400, {"error": "Endpoint is already running"}
            endpoint.course = list(self.course)
            endpoint.enter("pending", base_url=self.url)
        elif action == "scale-to-zero":
            if endpoint.state == "paused":
                return 400, {"error": "Bad Request: Invalid state"}
            endpoint.course = []
            endpoint.enter("scaledToZero", base_url=self.url)
        else:
            return 405, {"error": "Method not allowed"}
        return 200, endpoint.raw

    def _hardware(self) -> tuple[int, Any]:
        if self.hardware is None:
            return 404, {"error": "Not found"}
        computes = [
            {
                "id": f"aws-us-east-1-{kind}-{size}",
                "accelerator": accelerator,
                "instanceType": kind,
                "instanceSize": size,
                "architecture": kind,
                "numAccelerators": 1,
                "numCpus": 1,
                "memoryGb": 2,
                "gpuMemoryGb": None,
                "pricePerHour": price,
                "status": "available",
                "quota": {"maxAccelerators": 8, "usedAccelerators": 0},
            }
            for kind, size, accelerator, price in self.hardware
        ]
        return 200, {
            "vendors": [{"name": "aws", "regions": [{"name": "us-east-1", "computes": computes}]}]
        }

    def serve(self, method: str, path: str, body: Any, headers: dict[str, str]) -> tuple[int, Any]:
        """Answer a request to an endpoint itself: status and JSON or text."""
        _, _, name, *rest = path.split("/")
        route = "/" + "/".join(rest)
        with self.lock:
            self.served.append((method, path, headers))
            endpoint = self.endpoints.get(name)
            if endpoint is None:
                return 404, ""
            if endpoint.state == "paused":
                return 400, "Bad Request: Invalid state"
            if endpoint.state == "scaledToZero":
                endpoint.enter("initializing", base_url=self.url)
                endpoint.course = ["initializing", "running"]
                return 503, "503 Service Unavailable"
            if endpoint.state != "running" or endpoint.cold_requests > 0:
                endpoint.cold_requests -= 1
                return 503, "503 Service Unavailable"
        return self._embed(route, body)

    def _embed(self, route: str, body: Any) -> tuple[int, Any]:
        if route in {"/health", "/", "/ping"} and body is None:
            return 200, ""
        if route == "/info":
            return 200, {
                "model_id": "/repository",
                "model_sha": "c9745ed1d9f207416be6d2e6f8de32d1f16199bf",
                "model_dtype": "float32",
                "model_type": {"embedding": {"pooling": "mean"}},
                "max_concurrent_requests": 512,
                "max_input_length": 256,
                "max_batch_tokens": 16384,
                "max_batch_requests": None,
                "max_client_batch_size": 32,
                "auto_truncate": True,
                "tokenization_workers": 2,
                "version": "1.9.3",
                "sha": None,
                "docker_label": None,
            }
        if body is None:
            return 404, ""
        texts = body.get("inputs", body.get("input"))
        rows = [_vector(text) for text in ([texts] if isinstance(texts, str) else texts)]
        if route in {"/embed", "/"}:
            return 200, rows
        data = [{"object": "embedding", "embedding": row, "index": i} for i, row in enumerate(rows)]
        return 200, {
            "object": "list",
            "data": data,
            "model": "/repository",
            "usage": {"prompt_tokens": 1, "total_tokens": 1},
        }


def _vector(text: str) -> list[float]:
    numbers = [byte - 127.5 for byte in hashlib.sha256(text.encode()).digest()[:DIMENSION]]
    length = sum(number * number for number in numbers) ** 0.5
    return [number / length for number in numbers]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api: EndpointsAPI

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep quiet."""

    def _answer(self) -> None:
        size = int(self.headers.get("content-length") or 0)
        body = json.loads(self.rfile.read(size)) if size else None
        authorized = self.headers.get("authorization") == f"Bearer {TOKEN}"
        if not authorized or self.api.revoked:
            self._send(401, {"error": "Invalid username or password."})
        elif self.path == "/api/whoami-v2":
            self._send(
                200,
                {
                    "type": "user",
                    "id": "6273f303f6d63a28483fde12",
                    "name": USER,
                    "orgs": [],
                    "auth": {
                        "type": "access_token",
                        "accessToken": {"displayName": "test", "role": "write"},
                    },
                },
            )
        elif self.path.startswith("/serving/"):
            self._send(*self.api.serve(self.command, self.path, body, dict(self.headers)))
        else:
            if self.api.hang is not None:
                self.api.hang.wait()
            if self.api.interrupt_at == self.command:
                self.api.interrupt_at = None
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.3)
            status, answer = self.api.manage(self.command, self.path.removeprefix("/v2"), body)
            if self.api.lose_answer_to == self.command:
                self.api.lose_answer_to = None
                self.close_connection = True
                return
            self._send(status, answer)

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815  # the names http.server calls

    def _send(self, status: int, answer: object) -> None:
        text = isinstance(answer, str)
        content = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if text else "application/json")
        self.send_header("Content-Length", str(len(content)))
        # Whoever was interrupted does not listen any more.
        with suppress(ConnectionError):
            self.end_headers()
            self.wfile.write(content)


@contextmanager
def serve_endpoints_api() -> Iterator[EndpointsAPI]:
    """Run the stand-in on a free port."""
    api = EndpointsAPI()
    handler = type("Handler", (_Handler,), {"api": api})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    api.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def stand_in_for_hugging_face(monkeypatch: pytest.MonkeyPatch) -> Iterator[EndpointsAPI]:
    """Run the stand-in where the real `huggingface_hub` finds it, with a token to use it.

    The base URL of the management API has no setting (`hf_api.py` reads the constant), so the
    constant is what has to be replaced.
    """
    with serve_endpoints_api() as api:
        constants = "huggingface_hub.constants"
        monkeypatch.setattr(f"{constants}.INFERENCE_ENDPOINTS_ENDPOINT", f"{api.url}/v2")
        monkeypatch.setattr(f"{constants}.ENDPOINT", api.url)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield api
