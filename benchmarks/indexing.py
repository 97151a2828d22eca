"""How fast a corpus gets through an endpoint into Pinecone, beside what one would use else.

`remote` simulates an endpoint and a Pinecone far away and compares, in the same run, the tutorial's
loop, langchain-core's index(), PineconeVectorStore.add_texts, LlamaIndex's IngestionPipeline and
ours. `local` indexes SNLI hypotheses through the local servers with the real model, compares with
the bare model, and runs again with nothing to embed. `scale` indexes everything in the sentence
pool with a trivial embedder, watching memory; then again, as a file that is known not to have
changed; then again as an iterator, of which nothing is known and everything has to be read.

    python benchmarks/indexing.py remote
    python benchmarks/indexing.py local ../shared/data/snli/train_partial.parquet
    python benchmarks/indexing.py scale ../shared/data/pool/sentence_pool.parquet

Peers that are not installed are left out. `--peers PYTHON` names the interpreter of an environment
that has them: pip install langchain-huggingface langchain-pinecone requests llama-index-core
llama-index-embeddings-text-embeddings-inference llama-index-vector-stores-pinecone, and this.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import click
import numpy as np
import pyarrow.parquet as pq
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings

from benchmarks import simulated_endpoint, simulated_pinecone
from benchmarks.indexing_contenders import BATCH, CONTENDERS
from langchain_hfendpoint import (
    HFEndpointEmbeddings,
    SNLILoader,
    SQLiteRecordManager,
    index,
    open_pinecone,
)
from langchain_hfendpoint.local import LocalEndpoint, LocalPinecone

# The bare model's rate wavers by a tenth from run to run.
BARE_RUNS = 3
ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How long a contender took, in seconds for each 1,000 texts, and its rate."""

    wall: float
    cpu: float

    @property
    def rate(self) -> float:
        """Texts a second."""
        return 1_000 / self.wall


@click.group(help=__doc__)
def main() -> None:
    """Choose what to measure."""


@main.command()
@click.option("--texts", default=20_000, show_default=True, help="How many texts we index.")
@click.option("--peer-texts", default=2_000, show_default=True, help="The peers' rate is steady.")
@click.option("--rounds", default=3, show_default=True, help="How often each; the best counts.")
@click.option("--peers", default=sys.executable, help="Python that has the peers.")
def remote(texts: int, peer_texts: int, rounds: int, peers: str) -> None:
    """Compare on a simulated remote endpoint and Pinecone."""
    shape = simulated_endpoint.Shape()
    print(
        f"endpoint: {shape.round_trip * 1000:g} ms round trip, {shape.service_seconds * 1000:g} ms "
        f"a batch of {BATCH}, {shape.workers} workers; its limit is {shape.capacity:,.0f} texts/s"
    )
    best: dict[str, Outcome] = {}
    for _ in range(rounds):
        for name in CONTENDERS:
            mine = name == "ours"
            count, python = (texts, sys.executable) if mine else (peer_texts, peers)
            outcome = contend(name, python=python, texts=count)
            if outcome is not None and (name not in best or outcome.wall < best[name].wall):
                best[name] = outcome
    mine_outcome = best["ours"]
    for name, outcome in best.items():
        print(
            f"{name:32}{outcome.rate:8,.0f} texts/s ({outcome.rate / shape.capacity:6.1%} of the "
            f"limit), CPU {outcome.cpu * 1000:7.1f} ms per 1,000; ours is "
            f"{outcome.wall / mine_outcome.wall:5.1f} x as fast with 1/"
            f"{outcome.cpu / mine_outcome.cpu:.1f} of the CPU"
        )


def contend(name: str, *, python: str, texts: int) -> Outcome | None:
    """Run one contender in a process of its own, against servers of its own."""
    with (
        simulated_endpoint.SimulatedEndpoint() as endpoint,
        simulated_pinecone.SimulatedPinecone() as pinecone,
    ):
        done = subprocess.run(
            [
                python,
                "-m",
                "benchmarks.indexing_contenders",
                name,
                f"--endpoint={endpoint.url}",
                f"--pinecone={pinecone.url}",
                f"--texts={texts}",
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            print(f"{name}: left out ({done.stderr.strip().splitlines()[-1]})")
            return None
        stored = pinecone.stats()["records"]
        if stored != texts:
            raise click.ClickException(f"{name} stored {stored} of {texts} texts")
        result = json.loads(done.stdout.splitlines()[-1])
        return Outcome(result["seconds"] / texts * 1_000, result["cpu"] / texts * 1_000)


@main.command()
@click.argument("data", type=click.Path(exists=True, dir_okay=False))
@click.option("--texts", default=50_000, show_default=True)
def local(data: str, texts: int) -> None:
    """Index through the local servers with the real model; compare with the bare model."""
    from benchmarks.local_endpoint import bare_runtime

    column = pq.read_table(data, columns=["hypothesis"])["hypothesis"].to_pylist()
    sentences = list(dict.fromkeys(column))[:texts]
    bare = bare_runtime(sentences[:5_000], cores=len(os.sched_getaffinity(0)))
    before = fmean(bare(64).wall for _ in range(BARE_RUNS))
    with LocalEndpoint() as endpoint, LocalPinecone() as pinecone, folder() as place:
        embeddings = HFEndpointEmbeddings(endpoint_url=endpoint.url)
        store = open_pinecone(
            "benchmark", embeddings, api_key=pinecone.api_key, controller_host=pinecone.host
        )
        records = SQLiteRecordManager("benchmark", place / "records.sqlite")
        report = index((Document(text) for text in sentences), records, store)
        again = index((Document(text) for text in sentences), records, store)
    after = fmean(bare(64).wall for _ in range(BARE_RUNS))
    rate, model = report.texts_per_second, (before + after) / 2
    print(
        f"{report['num_added']:,} hypotheses: {rate:,.0f} texts/s; the bare model gives "
        f"{before:,.0f} before and {after:,.0f} after: {rate / model:.0%}"
    )
    first, second = report.seconds["total"], again.seconds["total"]
    print(
        f"again: {again['num_skipped']:,} skipped, {again.embedded:,} embedded in {second:.2f} s, "
        f"{first / second:.0f} x as fast as the first run"
    )


@main.command()
@click.argument("data", type=click.Path(exists=True, dir_okay=False))
@click.option("--texts", type=int, help="By default all.")
def scale(data: str, texts: int | None) -> None:
    """Index the whole pool with a trivial embedder, and again, and watch the client's memory."""
    watch = MemoryWatch()
    source = Pool(data, texts, watch)
    begun = time.perf_counter()
    documents = sum(1 for _ in source.lazy_load())
    print(f"reading alone: {documents:,} documents in {time.perf_counter() - begun:.1f} s")
    with LocalPinecone() as pinecone, folder() as place:
        embeddings = HashEmbeddings()
        store = open_pinecone(
            "pool", embeddings, api_key=pinecone.api_key, controller_host=pinecone.host
        )
        records = SQLiteRecordManager("pool", place / "records.sqlite")
        seconds: dict[str, float] = {}
        runs: dict[str, Pool | Iterator[Document]] = {
            "first": source,
            "again": source,
            "again, as an iterator": source.lazy_load(),
        }
        for run, documents_of_run in runs.items():
            embeddings.embedded = 0
            watch.reset()
            begun = time.perf_counter()
            report = index(documents_of_run, records, store)
            seconds[run] = time.perf_counter() - begun
            print(
                f"{run}: {report['num_added']:,} added, {report['num_skipped']:,} skipped, "
                f"{embeddings.embedded:,} embedded in {seconds[run]:.2f} s "
                f"({seconds['first'] / seconds[run]:.1f} x); "
                f"peak memory {watch.peak:.0f} MB; memory in MB by documents read: {watch.marks}"
            )


class Pool(SNLILoader):
    """The pool's sentences, noting the memory held as they are read."""

    def __init__(self, data: str, limit: int | None, watch: MemoryWatch) -> None:
        super().__init__(data, column="text", limit=limit)
        self._watch = watch

    def lazy_load(self) -> Iterator[Document]:
        """Give the sentences one by one."""
        for read, document in enumerate(super().lazy_load()):
            if read % 50_000 == 0:
                self._watch.mark(read)
            yield document


class HashEmbeddings(Embeddings):
    """A trivial embedder: 384 numbers from a hash of the text."""

    def __init__(self) -> None:
        self.embedded = 0

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Make one vector a text."""
        self.embedded += len(texts)
        digests = [hashlib.shake_128(text.encode()).digest(384) for text in texts]
        rows = np.frombuffer(b"".join(digests), dtype=np.int8).reshape(-1, 384)
        vectors: list[list[float]] = (rows / np.float32(128)).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        """Make a vector for a query, in the same way."""
        return self.embed_documents([text])[0]


class MemoryWatch:
    """Samples this process's memory (Linux), and keeps its peak."""

    def __init__(self) -> None:
        self.peak = 0.0
        self.marks: dict[int, int] = {}
        threading.Thread(target=self._run, daemon=True).start()

    def reset(self) -> None:
        """Begin anew."""
        self.peak, self.marks = 0.0, {}

    def mark(self, documents: int) -> None:
        """Note the memory held after so many documents."""
        self.marks[documents] = round(self._now())

    def _run(self) -> None:
        while True:
            self.peak = max(self.peak, self._now())
            time.sleep(0.1)

    @staticmethod
    def _now() -> float:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


class folder(tempfile.TemporaryDirectory[str]):  # noqa: N801 (used like a function)
    """A temporary folder, as a path."""

    def __enter__(self) -> Path:  # type: ignore[override]
        return Path(super().__enter__())


if __name__ == "__main__":
    main()
