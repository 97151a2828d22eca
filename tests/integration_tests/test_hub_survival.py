"""Embedding into a folder survives kill -9 and Ctrl-C: nothing whole is lost or mixed up."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from langchain_hfendpoint import EmbeddedDataset
from langchain_hfendpoint._hub.layout import shard_files
from langchain_hfendpoint._hub.shards import read_header
from langchain_hfendpoint.errors import EmbeddedDatasetError
from tests.support.embedding_job import documents
from tests.support.embeddings import HashEmbeddings

ROOT = Path(__file__).resolve().parents[2]
TEXTS, ROWS_PER_SHARD = 3_000, 200
# Texts that are in flight with embeddings that are not ours: 4 batches of 64, and those waiting.
IN_FLIGHT = 5 * 64


class Job:
    """Embeds slowly in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "set"
        self._log = folder / "embedded.txt"
        self._log.touch()

    def start(self) -> subprocess.Popen[str]:
        arguments = map(str, (self.folder, TEXTS, ROWS_PER_SHARD, 0.05, self._log))
        return subprocess.Popen(
            [sys.executable, "-m", "tests.support.embedding_job", *arguments],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )

    def embedded(self) -> int:
        return sum(map(int, self._log.read_text().split()))

    def end(self, process: subprocess.Popen[str], number: int, *, after: int) -> str:
        """Send a signal when so many texts have been embedded; give what it said on stderr."""
        target = self.embedded() + after
        deadline = time.monotonic() + 60
        while self.embedded() < target and time.monotonic() < deadline:
            assert process.poll() is None, process.communicate()
            time.sleep(0.005)
        process.send_signal(number)
        return process.communicate(timeout=60)[1]

    def rows_on_disk(self) -> int:
        return sum(read_header(path).rows for path in shard_files(self.folder))


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


def test_kill_9_again_and_again_ends_in_the_same_data_set(job: Job, tmp_path: Path) -> None:
    kills = 0
    for after in (700, 600, 400):
        before = job.rows_on_disk() if job.folder.exists() else 0
        process = job.start()
        job.end(process, signal.SIGKILL, after=after)
        kills += 1
        assert job.rows_on_disk() >= before
        with pytest.raises(EmbeddedDatasetError, match="embedding was interrupted"):
            EmbeddedDataset.load(job.folder)
    process = job.start()
    assert process.wait(timeout=60) == 0, process.communicate()

    loaded = EmbeddedDataset.load(job.folder)
    whole = EmbeddedDataset.create(
        documents(TEXTS),
        HashEmbeddings(dimension=8, model="m"),
        tmp_path / "whole",
        rows_per_shard=ROWS_PER_SHARD,
    )
    assert loaded.manifest.shards == whole.manifest.shards
    # Each of the two splits may lose one unfinished shard.
    assert job.embedded() <= TEXTS + kills * (2 * ROWS_PER_SHARD + IN_FLIGHT)
    assert not list(job.folder.rglob("*.partial"))


def test_ctrl_c_keeps_what_has_been_embedded(job: Job) -> None:
    process = job.start()
    said = job.end(process, signal.SIGINT, after=500)
    assert process.returncode != 0
    assert "KeyboardInterrupt" in said
    kept, paid = job.rows_on_disk(), job.embedded()
    assert kept >= paid - IN_FLIGHT
    assert kept % ROWS_PER_SHARD, "only whole shards were kept"

    process = job.start()
    assert process.wait(timeout=60) == 0, process.communicate()
    assert job.embedded() <= TEXTS + paid - kept + IN_FLIGHT
    loaded = EmbeddedDataset.load(job.folder)
    for split in ("train", "test"):
        expected = [one for one in documents(TEXTS) if one.metadata["split"] == split]
        assert list(loaded.as_documents(split)) == expected
        texts = [one.page_content for one in expected]
        vectors = HashEmbeddings(dimension=8).embed_documents(texts)
        assert loaded.to_numpy(split).tolist() == vectors


@pytest.mark.slow
def test_memory_does_not_grow_with_the_source(tmp_path: Path) -> None:
    program = """
import resource, sys
import numpy as np
from langchain_core.documents import Document
from langchain_hfendpoint import EmbeddedDataset
from langchain_hfendpoint._engine.results import EmbeddedBatch
from langchain_hfendpoint._provenance import Provenance
from tests.support.embeddings import HashEmbeddings

class Instant(HashEmbeddings):
    async def aembed_batches(self, texts, *, on_error="raise"):
        index = 0
        async for _ in texts:
            row = np.full((1, 384), index % 1_000, dtype=np.float32)
            yield EmbeddedBatch((index,), row)
            index += 1

documents = (Document(f"text {n}", metadata={"row": n}) for n in range(int(sys.argv[1])))
EmbeddedDataset.create(documents, Instant(384), sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""

    def peak_megabytes(count: int) -> int:
        done = subprocess.run(
            [sys.executable, "-c", program, str(count), str(tmp_path / str(count))],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        return int(done.stdout)

    assert peak_megabytes(400_000) < peak_megabytes(40_000) + 60
