"""What was acknowledged survives kill -9 at any moment, and batches are whole or absent."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from pinecone import Pinecone, ServerlessSpec

from langchain_hfendpoint.errors import LocalServerError
from langchain_hfendpoint.local.pinecone import LocalPinecone

BATCH = 20


def open_index(server: LocalPinecone):
    return Pinecone(api_key=server.api_key, host=server.host).Index("crash")


def write_until_it_dies(server: LocalPinecone, writer: int, acknowledged: set[tuple[int, int]]):
    index = open_index(server)
    for batch in range(10_000):
        # The last number says which version of the record this is: batches rewrite each other.
        vectors = [(f"w{writer}-{n}", [1.0, float(n), float(batch)]) for n in range(BATCH)]
        try:
            index.upsert(vectors, namespace=f"w{writer}", _request_timeout=5, _check_type=False)
        except Exception:  # noqa: BLE001 (however the client puts it: no acknowledgement came)
            return
        acknowledged.add((writer, batch))


@pytest.mark.parametrize("patience", [0.3, 0.7, 1.1])
def test_acknowledged_batches_survive_kill_9_whole(tmp_path: Path, patience: float) -> None:
    acknowledged: set[tuple[int, int]] = set()
    server = LocalPinecone(tmp_path).start()
    Pinecone(api_key=server.api_key, host=server.host).create_index(
        "crash", dimension=3, spec=ServerlessSpec(cloud="aws", region="us-east-1")
    )
    threads = [
        threading.Thread(
            target=write_until_it_dies, args=(server, writer, acknowledged), daemon=True
        )
        for writer in range(4)
    ]
    for thread in threads:
        thread.start()
    time.sleep(patience)
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    done = set(acknowledged)
    server.stop()
    with LocalPinecone(tmp_path) as again:
        index = open_index(again)
        for writer in range(4):
            last = max((batch for owner, batch in done if owner == writer), default=-1)
            found = index.fetch([f"w{writer}-{n}" for n in range(BATCH)], namespace=f"w{writer}")
            versions = {vector.values[2] for vector in found.vectors.values()}
            assert len(versions) <= 1, "half a batch is visible"
            if last >= 0:
                assert len(found.vectors) == BATCH
                assert versions.pop() >= last, "an acknowledged batch is gone"


def test_a_second_server_on_the_same_folder_says_why_it_cannot_start(tmp_path: Path) -> None:
    with (
        LocalPinecone(tmp_path),
        pytest.raises(LocalServerError, match="Another local Pinecone is using"),
    ):
        LocalPinecone(tmp_path).start()


def test_a_read_only_server_reads_along_and_refuses_to_write(tmp_path: Path) -> None:
    with LocalPinecone(tmp_path) as server:
        client = Pinecone(api_key=server.api_key, host=server.host)
        client.create_index(
            "crash", dimension=3, spec=ServerlessSpec(cloud="aws", region="us-east-1")
        )
        open_index(server).upsert([("a", [1.0, 2.0, 3.0])])
        with LocalPinecone(tmp_path, read_only=True) as reader:
            index = open_index(reader)
            assert index.query(id="a", top_k=1).matches[0].score == 1.0
            with pytest.raises(Exception, match="read-only"):
                index.upsert([("b", [1.0, 2.0, 3.0])])


def test_data_outlive_a_clean_stop_and_a_temporary_folder_does_not(tmp_path: Path) -> None:
    for _ in range(2):
        with LocalPinecone(tmp_path) as server:
            client = Pinecone(api_key=server.api_key, host=server.host)
            if not client.has_index("crash"):
                client.create_index(
                    "crash", dimension=3, spec=ServerlessSpec(cloud="aws", region="us-east-1")
                )
            open_index(server).upsert([(os.urandom(4).hex(), [1.0, 2.0, 3.0])])
            count = open_index(server).describe_index_stats().total_vector_count
    assert count == 2
    with LocalPinecone() as server:
        folder = Path(server._temporary.name)  # type: ignore[union-attr]
        assert folder.is_dir()
    assert not folder.exists()
