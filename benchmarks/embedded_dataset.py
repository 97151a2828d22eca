"""What it costs to keep embeddings: bytes a vector, and time to write, read and index them.

    python -m benchmarks.embedded_dataset [--vectors 20000] [--dimension 384]

Three comparisons, each with the peers in the same run: files (our shards, those that `datasets`
writes, JSON lines), embedding into a folder (against embedding alone, and against
`Dataset.map`), and indexing from a folder into the local Pinecone. Vectors are random
directions, which compress like real ones: hardly. CPU is that of this process, all threads.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow.parquet as pq
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings

from benchmarks.simulated_endpoint import Shape, SimulatedEndpoint
from langchain_hfendpoint import (
    EmbeddedDataset,
    HFEndpointEmbeddings,
    SQLiteRecordManager,
    index,
    open_pinecone,
)
from langchain_hfendpoint._hub.encoding import Dtype
from langchain_hfendpoint._hub.rows import Columns
from langchain_hfendpoint._hub.shards import ShardHeader, read_vectors, write_shard
from langchain_hfendpoint._hub.stored import StoredEmbeddings
from langchain_hfendpoint._provenance import Provenance
from langchain_hfendpoint.local import LocalPinecone

REPEATS = 3


@dataclass
class Cost:
    """What something took, the best of several times."""

    wall: float = field(default=float("inf"))
    cpu: float = field(default=float("inf"))

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Measure what happens inside the `with` block."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.wall = min(self.wall, time.perf_counter() - wall)
        self.cpu = min(self.cpu, time.process_time() - cpu)


def best(action: Callable[[], object], repeats: int = REPEATS) -> Cost:
    cost = Cost()
    for _ in range(repeats):
        with cost.measured():
            action()
    return cost


def texts_of(count: int) -> list[str]:
    return [f"A man in a blue shirt is standing on ladder number {n}." for n in range(count)]


def documents_of(count: int) -> list[Document]:
    return [
        Document(text, id=f"{n:032x}", metadata={"row": n, "label": n % 3, "split": "train"})
        for n, text in enumerate(texts_of(count))
    ]


def compare_files(folder: Path, count: int, dimension: int) -> None:
    vectors = np.random.default_rng(0).standard_normal((count, dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    documents = documents_of(count)
    ids = [document.id or "" for document in documents]
    rows = Columns().table(documents, ids)
    print(f"\nFiles: {count:,} vectors of {dimension}, one file\n")
    print(f"{'':<34}{'bytes a':>10}{'write ms':>12}{'read ms':>11}")
    print(f"{'':<34}{'vector':>10}{'a 1,000':>12}{'a 1,000':>11}")

    def line(name: str, path: Path, write: Callable[[], object], read: Callable[[], Any]) -> None:
        written, got = best(write), best(read)
        print(
            f"{name:<34}{path.stat().st_size / count:>10,.0f}"
            f"{written.cpu * 1e6 / count:>12.1f}{got.cpu * 1e6 / count:>11.1f}"
        )

    def ours(dtype: Dtype) -> None:
        path = folder / f"{dtype}.parquet"
        header = ShardHeader("train", 0, count, "", dtype, Provenance(dimension))
        line(
            f"ours, {dtype}",
            path,
            lambda: write_shard(path, rows, vectors, header, features={}),
            lambda: [np.asarray(block) for block in read_vectors(path, batch_rows=10_000)],
        )

    ours("float32")
    ours("float16")
    ours("int8")

    features = datasets.Features(
        {
            "text": datasets.Value("string"),
            "embedding": datasets.List(datasets.Value("float32"), length=dimension),
        }
    )
    plain = datasets.Dataset.from_dict(
        {"text": texts_of(count), "embedding": vectors}, features=features
    )
    path = folder / "datasets.parquet"
    line(
        "datasets, float32 (to_parquet)",
        path,
        lambda: plain.to_parquet(path),
        lambda: np.stack(pq.read_table(path).column("embedding").to_numpy()),
    )
    lines = folder / "lines.json"
    some = min(count, 5_000)  # it is slow
    as_lists = [
        {"text": text, "embedding": row}
        for text, row in zip(texts_of(some), vectors[:some].tolist(), strict=True)
    ]

    def write_lines() -> None:
        with lines.open("w") as file:
            for row in as_lists:
                file.write(json.dumps(row) + "\n")

    def read_lines() -> object:
        with lines.open() as file:
            return np.array([json.loads(row)["embedding"] for row in file], dtype=np.float32)

    written, got = best(write_lines, 1), best(read_lines, 1)
    print(
        f"{'JSON lines (json)':<34}{lines.stat().st_size / some:>10,.0f}"
        f"{written.cpu * 1e6 / some:>12.1f}{got.cpu * 1e6 / some:>11.1f}"
    )


def compare_embedding(folder: Path, count: int, dimension: int) -> None:
    shape = Shape(service_seconds=0.080, dimension=dimension)
    texts, documents = texts_of(count), documents_of(count)
    print(f"\nEmbedding {count:,} texts; the endpoint can do {shape.capacity:,.0f} a second\n")
    with SimulatedEndpoint(shape) as endpoint:

        def embeddings() -> HFEndpointEmbeddings:
            return HFEndpointEmbeddings(endpoint_url=endpoint.url)

        def alone() -> None:
            for _ in embeddings().embed_batches(texts):
                pass

        runs = iter(range(1_000))

        def to_parquet() -> None:
            EmbeddedDataset.create(documents, embeddings(), folder / str(next(runs)))

        def mapped() -> None:
            client = embeddings()
            rows = datasets.Dataset.from_dict({"text": texts})
            done = rows.map(
                lambda batch: {"embedding": client.embed_documents(batch["text"])},
                batched=True,
                batch_size=1_000,
                cache_file_name=str(folder / f"{next(runs)}.arrow"),
            )
            done.to_parquet(folder / f"{next(runs)}.parquet")

        alone()  # so that connections and limits are known
        costs = {"alone": Cost(), "to Parquet": Cost(), "Dataset.map": Cost()}
        actions = {"alone": alone, "to Parquet": to_parquet, "Dataset.map": mapped}
        for _ in range(REPEATS):  # in turn, so that a noisy minute hits all of them
            for name, action in actions.items():
                with costs[name].measured():
                    action()
    print(f"{'':<34}{'texts/s':>10}{'CPU ms a 1,000':>17}{'wall ratio':>12}")
    for name, cost in costs.items():
        print(
            f"{name:<34}{count / cost.wall:>10,.0f}{cost.cpu * 1e6 / count:>17.1f}"
            f"{cost.wall / costs['alone'].wall:>12.2f}"
        )


class RandomEmbeddings(Embeddings):
    """Random directions, at once."""

    def __init__(self, dimension: int) -> None:
        self._dimension = dimension
        self._random = np.random.default_rng(0)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Give a random direction for each text."""
        rows = self._random.standard_normal((len(texts), self._dimension))
        unit: list[list[float]] = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).tolist()
        return unit

    def embed_query(self, text: str) -> list[float]:
        """Give a random direction."""
        return self.embed_documents([text])[0]


def compare_indexing(folder: Path, count: int, dimension: int) -> None:
    embedded = EmbeddedDataset.create(documents_of(count), RandomEmbeddings(dimension), folder)
    print(f"\nIndexing {count:,} vectors of {dimension} into the local Pinecone\n")
    print(f"{'':<34}{'vectors/s':>10}{'CPU ms a 1,000':>17}")

    def line(name: str, cost: Cost, rows: int) -> None:
        print(f"{name:<34}{rows / cost.wall:>10,.0f}{cost.cpu * 1e6 / rows:>17.1f}")

    with LocalPinecone() as pinecone:
        reading = best(lambda: [len(documents) for documents, _ in embedded.lazy_load_vectors()])
        line("reading alone", reading, count)
        cost = Cost()
        for number in range(REPEATS):
            store = open_pinecone(
                f"ours-{number}",
                StoredEmbeddings(embedded.provenance),
                api_key=pinecone.api_key,
                controller_host=pinecone.host,
            )
            records = SQLiteRecordManager(f"benchmark/{number}", folder / "records.sqlite")
            with cost.measured():
                index(embedded, records, store)
        line("index(EmbeddedDataset)", cost, count)

        some = min(count, 5_000)
        rows = embedded.to_dataset().select(range(some))
        store = open_pinecone(
            "stock",
            StoredEmbeddings(embedded.provenance),
            api_key=pinecone.api_key,
            controller_host=pinecone.host,
        )
        cost = Cost()
        with cost.measured():
            for batch in rows.iter(batch_size=100):
                store.index.upsert(
                    [
                        {"id": key, "values": values, "metadata": {"text": text, "row": row}}
                        for key, values, text, row in zip(
                            batch["id"],
                            batch["embedding"],
                            batch["text"],
                            batch["row"],
                            strict=True,
                        )
                    ]
                )
        line("datasets + pinecone's own upsert", cost, some)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--vectors", type=int, default=20_000)
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--only", choices=["files", "embedding", "indexing"])
    options = parser.parse_args(arguments)
    datasets.disable_progress_bars()
    parts = {
        "files": compare_files,
        "embedding": compare_embedding,
        "indexing": compare_indexing,
    }
    for name, compare in parts.items():
        if options.only in (None, name):
            with tempfile.TemporaryDirectory() as folder:
                compare(Path(folder), options.vectors, options.dimension)


if __name__ == "__main__":
    main()
