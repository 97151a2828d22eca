"""Killed, interrupted or with every fifth request spoiled: nothing is lost, nothing comes twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_pinecone import PineconeVectorStore

from benchmarks.simulated_endpoint import Shape, SimulatedEndpoint, row_of, vector_table
from langchain_hfendpoint import HFEndpointEmbeddings, SQLiteRecordManager, index, open_pinecone
from langchain_hfendpoint._indexing.keys import content_hash, key_function
from langchain_hfendpoint.errors import PineconeError
from langchain_hfendpoint.local.pinecone import LocalPinecone
from tests.support.fault_proxy import FaultProxy
from tests.support.indexing_job import corpus

DIMENSION = 16
ROOT = Path(__file__).resolve().parents[2]
# What may have been embedded but not yet recorded: the endpoint's 512 permits, and a few upserts.
IN_FLIGHT = 512 + 4 * 200


@pytest.fixture(scope="module")
def endpoint() -> Iterator[SimulatedEndpoint]:
    with SimulatedEndpoint(Shape(dimension=DIMENSION, workers=2, round_trip=0.005)) as running:
        yield running


@pytest.fixture(scope="module")
def pinecone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPinecone]:
    with LocalPinecone(tmp_path_factory.mktemp("pinecone")) as running:
        yield running


def new_store(endpoint: SimulatedEndpoint, pinecone: LocalPinecone) -> PineconeVectorStore:
    return open_pinecone(
        f"survival-{uuid.uuid4().hex[:8]}",
        HFEndpointEmbeddings(endpoint_url=endpoint.url),
        api_key=pinecone.api_key,
        controller_host=pinecone.host,
    )


def everything(store: PineconeVectorStore) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for ids in store.index.list():
        found.update(store.index.fetch(ids=ids).vectors)
    return found


def assert_exact(store: PineconeVectorStore, documents: list[Document]) -> set[str]:
    """The store holds these documents with their own vectors, and nothing else; give its ids."""
    key_of = key_function("uuid")
    table = vector_table(DIMENSION)
    expected = {key_of(one, content_hash(one.page_content)): one for one in documents}
    found = everything(store)
    assert found.keys() == expected.keys()
    for key, document in expected.items():
        assert found[key].metadata == {**document.metadata, "text": document.page_content}
        vector = np.asarray(found[key].values, dtype=np.float32)
        assert np.array_equal(vector, table[row_of(document.page_content)])
    return set(found)


class Job:
    """The job of `tests/support/indexing_job.py`, ready to read its first document."""

    def __init__(self, store: PineconeVectorStore, url: str, records: Path, size: int) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.support.indexing_job",
                f"--endpoint={url}",
                f"--pinecone={store._index_host}",
                f"--api-key={store._pinecone_api_key.get_secret_value()}",
                f"--records={records}",
                f"--documents={size}",
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n"

    def kill_after(self, seconds: float) -> None:
        time.sleep(seconds)
        self.process.kill()
        self.process.communicate()

    def finish(self) -> dict[str, int]:
        out, error = self.process.communicate(timeout=240)
        assert self.process.returncode == 0, error.decode()
        report: dict[str, int] = json.loads(out)
        return report


def torture(
    endpoint: SimulatedEndpoint, pinecone: LocalPinecone, folder: Path, *, runs: int, size: int
) -> None:
    chance = random.Random(1984)
    documents = list(corpus(size))
    unique = len({one.page_content for one in documents})
    store = new_store(endpoint, pinecone)
    whole = Job(store, endpoint.url, folder / "whole.sqlite", size)
    begun = time.monotonic()
    whole.finish()
    length = time.monotonic() - begun
    lost: list[int] = []
    for run in range(runs):
        store = new_store(endpoint, pinecone)
        records = folder / f"{run}.sqlite"
        before = endpoint.stats()["texts"]
        Job(store, endpoint.url, records, size).kill_after(chance.uniform(0, length))
        report = Job(store, endpoint.url, records, size).finish()
        ids = assert_exact(store, documents)
        assert set(SQLiteRecordManager("torture", records).list_keys()) == ids
        assert report["num_added"] + report["num_skipped"] == size
        # Each process asks for one probe to learn the dimension, and may ask what the server is.
        lost.append(endpoint.stats()["texts"] - before - unique)
        assert lost[-1] <= IN_FLIGHT
    print(f"{runs} kills of {size} documents in {length:.1f} s; embedded again: {sorted(lost)}")


def test_a_killed_job_is_continued_by_the_same_command(
    endpoint: SimulatedEndpoint, pinecone: LocalPinecone, tmp_path: Path
) -> None:
    torture(endpoint, pinecone, tmp_path, runs=2, size=3_000)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_hundred_killed_jobs_end_exactly(
    endpoint: SimulatedEndpoint, pinecone: LocalPinecone, tmp_path: Path
) -> None:
    torture(endpoint, pinecone, tmp_path, runs=100, size=5_000)


def faulty(endpoint: SimulatedEndpoint, pinecone: LocalPinecone, *, size: int, seed: int) -> None:
    store = new_store(endpoint, pinecone)
    documents = list(corpus(size))
    with (
        FaultProxy(endpoint.url, seed=seed) as bad_endpoint,
        FaultProxy(store._index_host, seed=seed + 1) as bad_pinecone,
    ):
        through = PineconeVectorStore(
            embedding=HFEndpointEmbeddings(endpoint_url=bad_endpoint.url, timeout=1.0),
            pinecone_api_key=pinecone.api_key,
            host=bad_pinecone.url,
        )
        report = index(documents, SQLiteRecordManager("faulty", ":memory:"), through)
        assert report["num_added"] == size
        assert bad_endpoint.spoiled
        assert bad_pinecone.spoiled
        assert report.retries > 0
    assert_exact(store, documents)


def test_all_documents_arrive_though_every_fifth_request_is_spoiled(
    endpoint: SimulatedEndpoint, pinecone: LocalPinecone
) -> None:
    faulty(endpoint, pinecone, size=2_000, seed=3)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(10))
def test_all_documents_arrive_whichever_requests_are_spoiled(
    endpoint: SimulatedEndpoint, pinecone: LocalPinecone, seed: int
) -> None:
    faulty(endpoint, pinecone, size=5_000, seed=100 + seed)


def test_a_run_whose_very_first_question_is_answered_429_goes_on(
    endpoint: SimulatedEndpoint, pinecone: LocalPinecone
) -> None:
    store = new_store(endpoint, pinecone)
    documents = list(corpus(200))
    faults = ("429", "429-retry-after")
    with FaultProxy(store._index_host, rate=0.5, seed=1, faults=faults) as busy:
        through = PineconeVectorStore(
            embedding=HFEndpointEmbeddings(endpoint_url=endpoint.url),
            pinecone_api_key=pinecone.api_key,
            host=busy.url,
        )
        index(documents, SQLiteRecordManager("busy", ":memory:"), through)
        assert busy.spoiled
    assert_exact(store, documents)


def test_when_pinecone_dies_what_it_confirmed_is_recorded_and_the_rest_comes_later(
    endpoint: SimulatedEndpoint, tmp_path: Path
) -> None:
    documents = list(corpus(3_000))
    records = SQLiteRecordManager("dies", ":memory:")
    with LocalPinecone(tmp_path / "data") as mortal:
        store = new_store(endpoint, mortal)

        def dying() -> Iterator[Document]:
            for number, document in enumerate(documents):
                if number == 2_000:
                    store._pinecone_api_key = type(store._pinecone_api_key)("no longer valid")
                    raise ConnectionError("the source went away")
                yield document

        with pytest.raises(ConnectionError, match="went away"):
            index(dying(), records, store)
        assert sorted(records.list_keys()) == sorted(everything(store)), (
            "recorded is what is stored"
        )
        with pytest.raises(PineconeError, match="API key"):
            index(documents, records, store)
        store._pinecone_api_key = type(store._pinecone_api_key)(mortal.api_key)
        index(documents, records, store)
        assert_exact(store, documents)


@pytest.mark.skipif(os.name == "nt", reason="needs SIGINT between processes")
def test_ctrl_c_finishes_what_is_in_flight_records_it_and_says_what_is_left(
    endpoint: SimulatedEndpoint, pinecone: LocalPinecone, tmp_path: Path
) -> None:
    store = new_store(endpoint, pinecone)
    records = tmp_path / "records.sqlite"
    size = 30_000
    job = Job(store, endpoint.url, records, size)
    time.sleep(0.5)
    job.process.send_signal(signal.SIGINT)
    _, error = job.process.communicate(timeout=60)
    assert job.process.returncode != 0
    said = error.decode()
    assert "finishing what is in flight" in said
    assert "Left: the rest" in said
    assert "KeyboardInterrupt" in said
    recorded = SQLiteRecordManager("torture", records).list_keys()
    assert sorted(recorded) == sorted(everything(store))
    assert len(recorded) < size
