"""How much of the bare model's speed reaches a client of the local endpoint.

Measures the bare runtime on batches sorted by length, and the server over HTTP with requests of
1, 8 and 32 texts in arrival order, 64 in flight. A machine's speed wavers by more than what is to
be seen, so each rate over HTTP is compared with one of the bare runtime, at its best batch size,
right before it, and the median of these ratios counts. Also the time from start to the first
answer, and the server's memory.

With `--peers PYTHON`, the interpreter of an environment with sentence-transformers and hf-serve,
those run on the first thousand texts, and the server on the same before and after each of them:

* hf-serve with requests of 32 texts.
* sentence-transformers in its own process without HTTP, called once with all texts, which it sorts
  by length, in batches of 32, 64 and 128. The server gets requests of 32 in arrival order.
* sentence-transformers as an app calls it whose texts come 32, 8 or 1 at a time: in arrival order,
  one call for each. The server gets requests of as many.

The figure of sentence-transformers is its best of two runs of each of these with one call at a time
on all cores, and with a call at a time on each core.

    python benchmarks/local_endpoint.py ../shared/data/snli/validation.parquet
"""

from __future__ import annotations

import json
import os
import re
import selectors
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import cast

import click
import pyarrow.parquet as pq

from langchain_hfendpoint.local import LocalEndpoint
from langchain_hfendpoint.local._endpoint.locating import locate
from langchain_hfendpoint.local._endpoint.model import describe
from langchain_hfendpoint.local._endpoint.runtime import CTranslate2Runtime, pool
from langchain_hfendpoint.local._endpoint.tokenizing import TextInput, TextTokenizer

IN_FLIGHT = 64
REQUEST_SIZES = (32, 8, 1)
_MOST_AT_ONCE = 1 << 20
_LENGTH = re.compile(rb"(?i)content-length: *(\d+)")
SENTENCE_TRANSFORMERS = """
import itertools, json, sys, time
from concurrent.futures import ThreadPoolExecutor

import torch
from sentence_transformers import SentenceTransformer

model = SentenceTransformer(sys.argv[1], device="cpu")
size, cores = map(int, sys.argv[2:])
texts = json.load(sys.stdin)
for callers, batch in itertools.product({1, cores}, [size] if size else [32, 64, 128]):
    if size:
        calls = [texts[start : start + size] for start in range(0, len(texts), size)]
    else:
        calls = [texts[start::callers] for start in range(callers)]

    def encode(call):
        model.encode(call, batch_size=batch, show_progress_bar=False)

    threads = cores // callers
    with ThreadPoolExecutor(callers, initializer=torch.set_num_threads, initargs=[threads]) as pool:
        list(pool.map(encode, [call[:32] for call in calls[: 2 * callers]]))
        for _ in range(2):
            start, cpu = time.perf_counter(), time.process_time()
            list(pool.map(encode, calls))
            print(time.perf_counter() - start, time.process_time() - cpu)
"""


@dataclass(frozen=True, slots=True)
class Rate:
    """Texts a second of wall-clock time, and of the CPU time of all cores."""

    wall: float
    cpu: float


class Answers:
    """Counts what comes over one connection; anything more would cost the server its share.

    Args:
        connection: The connection.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._missing = 0

    def read(self) -> bool:
        """Take what has come; tell whether an answer is complete."""
        data = self._connection.recv(_MOST_AT_ONCE)
        if not data:
            raise click.ClickException("the server hung up")
        if not self._missing:  # the head comes in one piece
            head, _, data = data.partition(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise click.ClickException(f"the server says {head.decode()}")
            self._missing = int(_LENGTH.search(head)[1])  # type: ignore[index]
        self._missing -= len(data)
        return not self._missing


def bare_runtime(texts: Sequence[str], *, cores: int) -> Callable[[int], Rate]:
    """Make a function that gives the rate for a batch size, tokenizing not counted."""
    model = describe(locate())
    tokenizer = TextTokenizer(model.source.directory, max_input_length=model.max_input_length)
    runtime = CTranslate2Runtime(model, dtype="float32", workers=cores)
    ids = sorted(tokenizer.encode([TextInput(text) for text in texts]), key=len)

    def compute(batch: Sequence[Sequence[int]]) -> None:
        pool(runtime.forward(batch), [len(one) for one in batch], "mean")

    def measure(size: int) -> Rate:
        batches = [ids[start : start + size] for start in range(0, len(ids), size)]
        with ThreadPoolExecutor(cores) as workers:
            start, cpu = time.perf_counter(), time.process_time()
            list(workers.map(compute, batches))
            took, cpu = time.perf_counter() - start, time.process_time() - cpu
            return Rate(len(ids) / took, cores * len(ids) / cpu)

    return measure


def over_http(
    server: LocalEndpoint | subprocess.Popen[bytes],
    url: str,
    texts: Sequence[str],
    *,
    size: int,
    cores: int,
) -> Rate:
    """Give the rate for requests of `size` texts; the client's own CPU time counts too."""
    cpu = time.process_time() + cpu_seconds(server.pid)
    took = send_all(url, texts, size=size)
    cpu = time.process_time() + cpu_seconds(server.pid) - cpu
    return Rate(len(texts) / took, cores * len(texts) / cpu)


def send_all(url: str, texts: Sequence[str], *, size: int) -> float:
    """Send all texts in requests of `size`, 64 in flight; give the seconds it took."""
    host, port = url.removeprefix("http://").split(":")
    requests = []
    for start in range(0, len(texts), size):
        body = json.dumps({"inputs": texts[start : start + size]}).encode()
        head = f"POST / HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n"
        requests.append(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    requests.reverse()
    with selectors.DefaultSelector() as waiting, ExitStack() as connections:
        for _ in range(min(IN_FLIGHT, len(requests))):
            connection = connections.enter_context(socket.create_connection((host, int(port))))
            waiting.register(connection, selectors.EVENT_READ, Answers(connection))
        begin = time.perf_counter()
        left = len(requests)
        for key in waiting.get_map().values():
            cast("socket.socket", key.fileobj).sendall(requests.pop())
        while left:
            for key, _ in waiting.select():
                if key.data.read():
                    left -= 1
                    if requests:
                        cast("socket.socket", key.fileobj).sendall(requests.pop())
        return time.perf_counter() - begin


def first_answer() -> tuple[float, float]:
    """Give the seconds from start to the first answer, and the server's memory in MB after it."""
    start = time.perf_counter()
    with LocalEndpoint() as endpoint:
        request = urllib.request.Request(
            f"{endpoint.url}/embed", b'{"inputs":"a"}', {"Content-Type": "application/json"}
        )
        urllib.request.urlopen(request).read()
        return time.perf_counter() - start, memory(endpoint.pid)


def memory(pid: int | None) -> float:
    """Give the most memory a process ever held, in MB (Linux)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise click.ClickException("this system does not tell the memory of a process")


def cpu_seconds(pid: int | None) -> float:
    """Give the CPU time of a process (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def hf_serve(python: str, directory: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run hf-serve on the model, and wait until it is up."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = str(Path(python).parent / "hf-serve")
    arguments = ["--model-dir", str(directory), "--task", "sentence-embeddings"]
    process = subprocess.Popen(
        [command, *arguments, "--device", "cpu", "--host", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{url}/health").read()
                break
            except OSError:
                time.sleep(0.5)
        yield process, url
    finally:
        process.terminate()
        process.wait()


def sentence_transformers(
    python: str, directory: Path, texts: Sequence[str], *, size: int, cores: int
) -> Rate:
    """Give the best rate of sentence-transformers, called with `size` texts; 0 is all of them."""
    command = [python, "-c", SENTENCE_TRANSFORMERS, str(directory), str(size), str(cores)]
    done = subprocess.run(
        command, input=json.dumps(texts), capture_output=True, text=True, check=True
    )
    seconds = [tuple(map(float, line.split())) for line in done.stdout.splitlines()]
    walls, cpus = zip(*seconds, strict=True)
    return Rate(len(texts) / min(walls), cores * len(texts) / min(cpus))


@click.command()
@click.argument("data", type=click.Path(exists=True, dir_okay=False))
@click.option("--texts", "count", default=3000, show_default=True, help="How many hypotheses.")
@click.option("--rounds", default=7, show_default=True)
@click.option("--peers", help="Python with sentence-transformers and hf-serve.")
def main(data: str, count: int, rounds: int, peers: str | None) -> None:
    """Measure the local endpoint on the column `hypothesis` of a Parquet file."""
    texts = pq.read_table(data, columns=["hypothesis"])["hypothesis"].to_pylist()[:count]
    cores = len(os.sched_getaffinity(0))
    print(f"{len(texts)} texts, {cores} cores")
    seconds, peak = first_answer()
    print(f"start to first answer {seconds:.2f} s, memory {peak:.0f} MB")

    bare = bare_runtime(texts, cores=cores)
    best = best_batch(bare, rounds=rounds)
    with LocalEndpoint(max_concurrent_requests=IN_FLIGHT * 32) as endpoint:
        over_http(endpoint, endpoint.url, texts[:640], size=32, cores=cores)
        for size in REQUEST_SIZES:
            pairs = [
                (bare(best), over_http(endpoint, endpoint.url, texts, size=size, cores=cores))
                for _ in range(rounds)
            ]
            report(f"HTTP, {size} a request", pairs)
        print(f"memory under load {memory(endpoint.pid):.0f} MB")
    if peers is None:
        print("peers not measured: --peers PYTHON, with sentence-transformers and hf-serve there")
        return
    compare(peers, texts[:1000], cores=cores)


def best_batch(bare: Callable[[int], Rate], *, rounds: int) -> int:
    """Find the batch size at which the bare runtime is fastest."""
    sizes = (32, 64, 128)
    measured = [[bare(size).wall for size in sizes] for _ in range(rounds)]
    rates = [median(column) for column in zip(*measured, strict=True)]
    for size, rate in zip(sizes, rates, strict=True):
        print(f"bare, batches of {size:<6d}{rate:7.0f} texts/s")
    return sizes[rates.index(max(rates))]


def report(name: str, pairs: Sequence[tuple[Rate, Rate]]) -> None:
    """Print a rate beside its share of the bare rate measured right before it."""
    wall = median(rate.wall / bare.wall for bare, rate in pairs)
    cpu = median(rate.cpu / bare.cpu for bare, rate in pairs)
    texts = median(rate.wall for _, rate in pairs)
    print(f"{name:22s}{texts:7.0f} texts/s{wall:6.0%} of bare ({cpu:.0%} by CPU time)")


def compare(python: str, texts: Sequence[str], *, cores: int) -> None:
    """Print how many times as fast as each peer the server is, measured before and after it."""
    directory = locate().directory
    with LocalEndpoint(max_concurrent_requests=IN_FLIGHT * 32) as endpoint:
        over_http(endpoint, endpoint.url, texts[:640], size=32, cores=cores)

        def against(name: str, size: int, measure: Callable[[], Rate]) -> None:
            before = over_http(endpoint, endpoint.url, texts, size=size, cores=cores)
            theirs = measure()
            after = over_http(endpoint, endpoint.url, texts, size=size, cores=cores)
            wall = (before.wall + after.wall) / 2 / theirs.wall
            cpu = (before.cpu + after.cpu) / 2 / theirs.cpu
            print(
                f"{name:46s}{theirs.wall:5.0f} texts/s: we are {wall:.1f}x ({cpu:.1f}x by CPU time)"
            )

        for size in (0, *REQUEST_SIZES):
            calls = f"{size} a call, as they come" if size else "all in one call"
            run = partial(sentence_transformers, python, directory, texts, size=size, cores=cores)
            against(f"sentence-transformers, {calls}", size or max(REQUEST_SIZES), run)
        with hf_serve(python, directory) as (process, url):
            run = partial(over_http, process, url, texts, size=32, cores=cores)
            against("hf-serve, 32 a request", 32, run)


if __name__ == "__main__":
    main()
