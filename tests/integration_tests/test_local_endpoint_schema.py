"""The server keeps its own OpenAPI description: schemathesis, where it is installed."""

import os
import shutil
import subprocess

import pytest

from langchain_hfendpoint.local import LocalEndpoint
from tests.support.http_calls import call
from tests.support.tiny_bert import make_tiny_bert

PROGRAM = os.environ.get("HFENDPOINT_SCHEMATHESIS") or shutil.which("schemathesis")


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    tiny = make_tiny_bert(tmp_path_factory.mktemp("tiny"), prompts={"query": "query : "})
    with LocalEndpoint(str(tiny.directory)) as endpoint:
        yield endpoint.url


def test_the_description_names_every_route_and_the_limits(url):
    paths = call(url, "/api-doc/openapi.json").json["paths"]
    assert set(paths) == {
        "/",
        "/decode",
        "/embed",
        "/embed_all",
        "/embeddings",
        "/health",
        "/info",
        "/metrics",
        "/similarity",
        "/tokenize",
        "/v1/embeddings",
        "/vertex",
    }
    assert call(url, "/docs").headers["content-type"].startswith("text/html")


@pytest.mark.slow
@pytest.mark.skipif(
    PROGRAM is None, reason="needs schemathesis: name its program in HFENDPOINT_SCHEMATHESIS"
)
def test_schemathesis_finds_no_answer_that_the_description_does_not_allow(url):
    done = subprocess.run(
        [
            PROGRAM,
            "run",
            f"{url}/api-doc/openapi.json",
            "--max-examples=10",
            "--phases=coverage,fuzzing",
            # 13.0 is an integer to JSON Schema, but not to serde.
            "--exclude-checks=positive_data_acceptance",
            "--generation-deterministic",
        ],
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout[-6000:]
