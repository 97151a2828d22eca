r"""The local Pinecone through HTTP beside embedded vector databases in-process.

Measures acknowledged inserts a second, the time to reopen, top-5 latency (median and 95th
percentile) with and without a filter that 3 % of the records satisfy, the share of the true five
nearest among the answers (recall), and resident memory. Vectors are drawn around 1,000 centers, as
sentences gather around topics. Chroma's index is approximate: it is measured as it comes, and with
an `ef_search` of all records, which leaves out nothing that its graph reaches.

    python benchmarks/local_pinecone.py                      # 500,000 x 384, ours alone
    python benchmarks/local_pinecone.py --peers --peer-records 20000
    python benchmarks/local_pinecone.py --records 0 --peers --peer-records 500000 \
        --qdrant-records 20000

Peers are skipped if they are not installed: pip install lancedb chromadb qdrant-client.
Ours is measured again at the peers' size, so that every ratio comes from equal work in one run.
Peers get their data as arrays in the same process; ours gets JSON from 16 connections.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import orjson

from langchain_hfendpoint.local.pinecone import LocalPinecone

DIMENSION = 384
BATCH = 400
CLIENTS = 16
QUERIES = 40
SOURCES = 33  # a filter on one of them keeps 3 %
WANTED = 5


Rows = list[int]


@dataclass(frozen=True, slots=True)
class Answers:
    """How long each query took, in seconds, and which records were its answers."""

    seconds: list[float]
    rows: list[Rows]

    @property
    def median(self) -> float:
        """Give the median time."""
        return statistics.median(self.seconds)

    def recall(self, truth: list[Rows]) -> float:
        """Give the share of the true answers that were found."""
        found = sum(len(set(ours) & set(true)) for ours, true in zip(self.rows, truth, strict=True))
        return found / sum(map(len, truth))

    def column(self, truth: list[Rows]) -> str:
        """Write median, 95th percentile and recall."""
        late = np.percentile(self.seconds, 95)
        return f"{self.median * 1e3:8.1f}{late * 1e3:8.1f}{self.recall(truth):7.1%}"


@dataclass(frozen=True, slots=True)
class Truth:
    """The exact answers to all queries."""

    plain: list[Rows]
    filtered: list[Rows]


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured of one engine; seconds, MB."""

    name: str
    records: int
    insert: float
    reopen: float
    plain: Answers
    filtered: Answers
    memory: float

    def row(self, truth: Truth) -> str:
        """Write the figures as a line of the table."""
        return (
            f"{self.name:<22}{self.records:>9,}{self.records / self.insert:>12,.0f}"
            f"{self.reopen:>9.2f}{self.plain.column(truth.plain)}"
            f"{self.filtered.column(truth.filtered)}{self.memory:>9.0f}"
        )


HEADER = (
    f"{'engine':<22}{'records':>9}{'inserts/s':>12}{'reopen s':>9}"
    f"{'p50 ms':>8}{'p95':>8}{'recall':>7}{'3% p50':>8}{'p95':>8}{'recall':>7}{'RSS MB':>9}"
)


def vectors(start: int, count: int) -> np.ndarray:
    """Make clustered unit vectors; the same for the same start."""
    centers = np.random.default_rng(0).standard_normal((1_000, DIMENSION), dtype=np.float32)
    generator = np.random.default_rng(start + 1)
    rows = centers[generator.integers(0, len(centers), count)]
    rows = rows + 0.7 * generator.standard_normal((count, DIMENSION), dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def batches(records: int) -> Iterator[tuple[list[str], np.ndarray, list[dict[str, Any]]]]:
    """Make ids, vectors and metadata, batch by batch."""
    for start in range(0, records, BATCH):
        numbers = range(start, min(records, start + BATCH))
        metadata = [
            {"label": n % 3, "source": f"s{n % SOURCES}", "text": f"Sentence {n}: a man plays."}
            for n in numbers
        ]
        yield [f"snli/{n:07d}" for n in numbers], vectors(start, len(numbers)), metadata


def exact_answers(records: int) -> Truth:
    """Find the five nearest of all records, and of those that the filter keeps, by brute force."""
    queries = vectors(10**9, QUERIES + 1)[1:]
    matrix = np.concatenate(
        [
            queries @ vectors(start, min(BATCH, records - start)).T
            for start in range(0, records, BATCH)
        ],
        axis=1,
    )
    kept = np.arange(records) % SOURCES == WANTED
    return Truth(_best_five(matrix), _best_five(np.where(kept, matrix, -np.inf)))


def _best_five(scores: np.ndarray) -> list[Rows]:
    rows: list[Rows] = np.argpartition(-scores, 5, axis=1)[:, :5].tolist()
    return rows


def measure_ours(records: int, folder: Path) -> list[Figures]:
    """Run the whole course through HTTP."""
    return [asyncio.run(_measure_ours(records, folder))]


async def _measure_ours(records: int, folder: Path) -> Figures:
    with LocalPinecone(folder) as server:
        async with _session(server) as session:
            spec = {"serverless": {"cloud": "aws", "region": "us-east-1"}}
            index = {"name": "bench", "dimension": DIMENSION, "metric": "cosine", "spec": spec}
            async with session.post(f"{server.host}/indexes", json=index) as answer:
                answer.raise_for_status()
            insert = await _insert(session, f"{server.host}/i/bench", records)
        await asyncio.sleep(2)  # when there is nothing to do, the server gives back what it freed
        memory = _resident(server.pid)
    started = time.perf_counter()
    with LocalPinecone(folder) as server:
        reopen = time.perf_counter() - started
        async with _session(server) as session:
            url = f"{server.host}/i/bench/query"
            plain = await _ask(session, url, None)
            filtered = await _ask(session, url, {"source": {"$eq": f"s{WANTED}"}})
        memory = max(memory, _resident(server.pid))
    return Figures("ours, over HTTP", records, insert, reopen, plain, filtered, memory)


def _session(server: LocalPinecone) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        headers={"Api-Key": server.api_key}, connector=aiohttp.TCPConnector(limit=CLIENTS)
    )


async def _insert(session: aiohttp.ClientSession, url: str, records: int) -> float:
    """Send everything; making the bodies is not timed."""
    elapsed = 0.0
    waiting: list[bytes] = []
    last = (records - 1) // BATCH
    for number, (ids, rows, metadata) in enumerate(batches(records)):
        body = [
            {"id": id_, "values": row, "metadata": fields}
            for id_, row, fields in zip(ids, rows, metadata, strict=True)
        ]
        waiting.append(orjson.dumps({"vectors": body}, option=orjson.OPT_SERIALIZE_NUMPY))
        if len(waiting) == 8 * CLIENTS or number == last:
            elapsed += await _send(session, url, waiting)
            waiting = []
    return elapsed


async def _send(session: aiohttp.ClientSession, url: str, bodies: list[bytes]) -> float:
    left = iter(bodies)

    async def client() -> None:
        for body in left:
            async with session.post(f"{url}/vectors/upsert", data=body) as answer:
                answer.raise_for_status()

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return time.perf_counter() - started


async def _ask(session: aiohttp.ClientSession, url: str, filter_: Any) -> Answers:
    answers = Answers([], [])
    for query in vectors(10**9, QUERIES + 1):
        body = {"topK": 5, "vector": query.tolist(), "includeMetadata": True, "filter": filter_}
        encoded = orjson.dumps(body)
        started = time.perf_counter()
        async with session.post(url, data=encoded) as answer:
            matches = orjson.loads(await answer.read())["matches"]
        answers.seconds.append(time.perf_counter() - started)
        answers.rows.append([int(match["id"].removeprefix("snli/")) for match in matches])
    return _without_first(answers)


def _resident(pid: int | None) -> float:
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return float("nan")
    (line,) = (part for part in status.read_text().splitlines() if part.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def _timed(ask: Callable[[np.ndarray], Rows]) -> Answers:
    answers = Answers([], [])
    for query in vectors(10**9, QUERIES + 1):
        started = time.perf_counter()
        rows = ask(query)
        answers.seconds.append(time.perf_counter() - started)
        answers.rows.append(rows)
    return _without_first(answers)


def _without_first(answers: Answers) -> Answers:
    """Leave out the first query, which builds what the others use."""
    return Answers(answers.seconds[1:], answers.rows[1:])


def measure_lancedb(records: int, folder: Path) -> list[Figures]:
    """LanceDB, upserting by merge as ours does, without an index (exact, as ours)."""
    import lancedb
    import pyarrow as pa

    schema = pa.schema(
        [
            ("id", pa.string()),
            ("vector", pa.list_(pa.float32(), DIMENSION)),
            ("label", pa.float64()),
            ("source", pa.string()),
            ("text", pa.string()),
        ]
    )
    table = lancedb.connect(folder).create_table("bench", schema=schema)
    insert = 0.0
    for ids, rows, metadata in batches(records):
        columns = {key: [item[key] for item in metadata] for key in metadata[0]}
        data = pa.table({"id": ids, "vector": list(rows), **columns}, schema=schema)
        started = time.perf_counter()
        merge = table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
        merge.execute(data)
        insert += time.perf_counter() - started
    started = time.perf_counter()
    table = lancedb.connect(folder).open_table("bench")
    reopen = time.perf_counter() - started

    def ask(query: np.ndarray, where: str | None = None) -> Rows:
        search = table.search(query).metric("cosine").limit(5)
        found = (search.where(where, prefilter=True) if where else search).to_list()
        return [int(row["id"].removeprefix("snli/")) for row in found]

    filtered = _timed(lambda query: ask(query, f"source = 's{WANTED}'"))
    name = "LanceDB (merge)"
    return [Figures(name, records, insert, reopen, _timed(ask), filtered, _own_peak())]


def measure_chroma(records: int, folder: Path) -> list[Figures]:
    """Chroma's persistent client, as it comes and with an `ef_search` of all records."""
    import chromadb
    from chromadb.api.shared_system_client import SharedSystemClient

    client = chromadb.PersistentClient(str(folder))
    collection = client.create_collection("bench", metadata={"hnsw:space": "cosine"})
    insert = 0.0
    for ids, rows, metadata in batches(records):
        started = time.perf_counter()
        collection.upsert(ids=ids, embeddings=rows, metadatas=metadata)
        insert += time.perf_counter() - started
    started = time.perf_counter()
    collection = chromadb.PersistentClient(str(folder)).get_collection("bench")
    reopen = time.perf_counter() - started
    plain, filtered = _ask_chroma(collection)
    memory = _own_peak()
    found = [Figures("Chroma (HNSW)", records, insert, reopen, plain, filtered, memory)]
    collection.modify(configuration={"hnsw": {"ef_search": records}})
    # An index that is loaded keeps the width it was loaded with.
    SharedSystemClient.clear_system_cache()
    collection = chromadb.PersistentClient(str(folder)).get_collection("bench")
    plain, filtered = _ask_chroma(collection)
    name = "Chroma, ef all"
    return [*found, Figures(name, records, insert, reopen, plain, filtered, memory)]


def _ask_chroma(collection: Any) -> tuple[Answers, Answers]:
    """Give the answers without and with the filter."""

    def ask(query: np.ndarray, where: dict[str, str] | None = None) -> Rows:
        (ids,) = collection.query(query_embeddings=[query], n_results=5, where=where)["ids"]
        return [int(one.removeprefix("snli/")) for one in ids]

    filtered = _timed(lambda query: ask(query, {"source": f"s{WANTED}"}))
    return _timed(ask), filtered


def measure_qdrant(records: int, folder: Path) -> list[Figures]:
    """Qdrant's local mode (exact)."""
    from qdrant_client import QdrantClient, models

    client = QdrantClient(path=str(folder))
    client.create_collection(
        "bench", models.VectorParams(size=DIMENSION, distance=models.Distance.COSINE)
    )
    insert, done = 0.0, 0
    for _, rows, metadata in batches(records):
        numbers = list(range(done, done + len(rows)))
        started = time.perf_counter()
        client.upsert("bench", models.Batch(ids=numbers, vectors=rows.tolist(), payloads=metadata))
        insert += time.perf_counter() - started
        done += len(rows)
    client.close()
    started = time.perf_counter()
    client = QdrantClient(path=str(folder))
    reopen = time.perf_counter() - started
    wanted = models.FieldCondition(key="source", match=models.MatchValue(value=f"s{WANTED}"))

    def ask(query: np.ndarray, where: Any = None) -> Rows:
        answer = client.query_points("bench", query=query, limit=5, query_filter=where)
        return [point.id for point in answer.points]

    filtered = _timed(lambda query: ask(query, models.Filter(must=[wanted])))
    name = "Qdrant local mode"
    return [Figures(name, records, insert, reopen, _timed(ask), filtered, _own_peak())]


PEERS: dict[str, tuple[str, Callable[[int, Path], list[Figures]]]] = {
    "lancedb": ("lancedb", measure_lancedb),
    "chroma": ("chromadb", measure_chroma),
    "qdrant": ("qdrant_client", measure_qdrant),
}


def _own_peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _alone(measure: Callable[[int, Path], list[Figures]], records: int) -> list[Figures]:
    """Measure in a process of its own, so that memory counts for one engine only."""
    with (
        tempfile.TemporaryDirectory() as folder,
        multiprocessing.get_context("spawn").Pool(1) as pool,
    ):
        return pool.apply(measure, (records, Path(folder) / "data"))


def main() -> None:
    """Run the benchmark and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=500_000, help="records for ours (0: none)")
    parser.add_argument("--peers", nargs="*", choices=PEERS, help="measure these too, or all")
    parser.add_argument("--peer-records", type=int, default=20_000, help="records for the peers")
    parser.add_argument(
        "--qdrant-records", type=int, help="records for Qdrant, by far the slowest (as the peers)"
    )
    arguments = parser.parse_args()
    print(f"{DIMENSION} dimensions, {os.cpu_count()} cores, Python {sys.version.split()[0]}")
    print(HEADER)
    if arguments.records:
        (ours,) = _alone(measure_ours, arguments.records)
        matrix = arguments.records * DIMENSION * 4 / 2**20
        print(ours.row(exact_answers(arguments.records)))
        print(f"  memory: the matrix ({matrix:.0f} MB) plus {ours.memory / matrix - 1:.0%}")
    if arguments.peers is not None:
        sizes = dict.fromkeys(arguments.peers or PEERS, arguments.peer_records)
        if "qdrant" in sizes and arguments.qdrant_records:
            sizes["qdrant"] = arguments.qdrant_records
        for records in dict.fromkeys(sizes.values()):
            compare(records, [name for name, size in sizes.items() if size == records])


def compare(records: int, peers: list[str]) -> None:
    """Measure the peers and ours at one size, and print the ratios."""
    truth = exact_answers(records)
    (ours,) = _alone(measure_ours, records)
    print(ours.row(truth), flush=True)
    for module, measure in map(PEERS.__getitem__, peers):
        if importlib.util.find_spec(module) is None:
            print(f"{module}: not installed, skipped")
            continue
        for peer in _alone(measure, records):
            print(peer.row(truth))
            inserts, plain, filtered = (
                peer.insert / ours.insert,
                peer.plain.median / ours.plain.median,
                peer.filtered.median / ours.filtered.median,
            )
            print(
                f"  ours: inserts x{inserts:.2f}, top-5 x{plain:.2f}, with filter x{filtered:.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
