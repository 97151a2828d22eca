"""How exact the local endpoint is: on real sentence pairs, and beside sentence-transformers.

`HFENDPOINT_PEER_PYTHON` names the interpreter of an environment with sentence-transformers.
"""

import json
import os
import subprocess

import numpy as np
import orjson
import pytest

from langchain_hfendpoint.local import LocalEndpoint
from langchain_hfendpoint.local._endpoint.locating import locate
from tests.support.http_calls import call
from tests.support.sts import read_sts, spearman

PEER = os.environ.get("HFENDPOINT_PEER_PYTHON")
PEER_PROGRAM = """
import json, sys
from sentence_transformers import SentenceTransformer
texts, path = json.load(sys.stdin)
model = SentenceTransformer(path, device="cpu")
sys.stdout.buffer.write(model.encode(texts).astype("<f4").tobytes())
"""


def embed(texts, **options):
    with LocalEndpoint(**options) as endpoint:
        rows = []
        for start in range(0, len(texts), 32):
            body = orjson.dumps({"inputs": texts[start : start + 32]})
            answer = call(
                endpoint.url, "/embed", body=body, headers={"Content-Type": "application/json"}
            )
            rows += orjson.loads(answer.body)
    return np.array(rows, np.float32)


def score(rows, gold):
    half = len(rows) // 2
    return spearman((rows[:half] * rows[half:]).sum(axis=1), gold)


@pytest.fixture(scope="module")
def sts(shared_data):
    first, second, gold = read_sts(shared_data / "sts" / "sts-dev.csv")
    return first + second, gold


@pytest.fixture(scope="module")
def exact(sts):
    return embed(sts[0])


@pytest.mark.slow
def test_int8_costs_little_on_the_sts_benchmark(sts, exact, record_property):
    texts, gold = sts
    rounded = embed(texts, dtype="int8")
    figures = {"float32": score(exact, gold), "int8": score(rounded, gold)}
    cosines = (exact * rounded).sum(axis=1)
    print(f"STS-B dev Spearman {figures}, cosine mean {cosines.mean():.4f} min {cosines.min():.4f}")
    assert figures["float32"] == pytest.approx(0.8672, abs=5e-5)
    assert figures["int8"] == pytest.approx(figures["float32"], abs=0.005)
    assert cosines.min() > 0.95


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(PEER is None, reason="needs sentence-transformers: HFENDPOINT_PEER_PYTHON")
def test_vectors_agree_with_sentence_transformers(sts, exact):
    texts, gold = sts
    done = subprocess.run(
        [PEER, "-c", PEER_PROGRAM],
        input=json.dumps([texts, str(locate().directory)]).encode(),
        capture_output=True,
        timeout=800,
        check=True,
    )
    theirs = np.frombuffer(done.stdout, "<f4").reshape(exact.shape)
    assert np.abs(theirs - exact).max() < 1e-5
    assert f"{score(theirs, gold):.4f}" == f"{score(exact, gold):.4f}"
