"""Requests made up from Pinecone's own API descriptions: no crash, no answer that breaks them.

Needs the command `schemathesis` (HFENDPOINT_SCHEMATHESIS, or on the PATH); `make test-schemathesis`
installs it into an environment of its own and runs this.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from pinecone import Pinecone, ServerlessSpec

from langchain_hfendpoint.local.pinecone import LocalPinecone

CHECKS = "not_a_server_error,content_type_conformance,response_schema_conformance"


@pytest.mark.slow
@pytest.mark.parametrize("version", ["2025-04", "2025-10"])
@pytest.mark.parametrize("plane", ["data", "control"])
def test_the_published_descriptions_hold(shared_specs: Path, plane: str, version: str) -> None:
    command = os.environ.get("HFENDPOINT_SCHEMATHESIS") or shutil.which("schemathesis")
    if command is None:
        pytest.skip("needs schemathesis: make test-schemathesis")
    with LocalPinecone() as server:
        client = Pinecone(api_key=server.api_key, host=server.host)
        client.create_index(
            "fuzz",
            dimension=4,
            metric="dotproduct",
            spec=ServerlessSpec(cloud="aws", region="us-east-1"),
        )
        index = client.Index("fuzz")
        index.upsert([(f"id-{n}", [1.0, 2.0, 3.0, n + 0.5], {"year": n}) for n in range(20)])
        finished = subprocess.run(
            [
                command,
                "run",
                str(shared_specs / f"db_{plane}_{version}.oas.yaml"),
                f"--url={server.host}/i/fuzz" if plane == "data" else f"--url={server.host}",
                f"--header=Api-Key: {server.api_key}",
                f"--header=X-Pinecone-Api-Version: {version}",
                f"--checks={CHECKS}",
                "--phases=examples,coverage,fuzzing",
                "--max-examples=30",
                # Its body is newline-delimited JSON, which schemathesis cannot write.
                "--exclude-path=/records/namespaces/{namespace}/upsert",
                "--no-color",
            ],
            capture_output=True,
            text=True,
            timeout=280,
        )
    assert finished.returncode == 0, finished.stdout[-4_000:]
