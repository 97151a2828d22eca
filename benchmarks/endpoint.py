"""Embed texts with an endpoint: this package and its peers, side by side in one run.

The endpoint is simulated (20 ms round trip, 40 ms for 32 texts, 8 workers, TEI's permits), so that
its capacity is known: 6,400 texts a second. Nothing is tuned, and the ramp-up counts. Contenders
that send one request at a time get fewer texts, as theirs is a steady rate. Each runs in a process
of its own; its processor time is counted there, and the endpoint's is not.

    python benchmarks/endpoint.py                  # throughput and processor time
    python benchmarks/endpoint.py --texts 100000 --only ours
    python benchmarks/endpoint.py --queries        # what a query costs beside the bare exchange
    python benchmarks/endpoint.py --million        # 1,000,000 texts in constant memory
    python benchmarks/endpoint.py --local          # the local endpoint with its real model
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.endpoint_contenders import BATCH, CONTENDERS  # noqa: E402
from benchmarks.simulated_endpoint import Shape, SimulatedEndpoint  # noqa: E402

SEQUENTIAL_TEXTS = 40 * BATCH
INSTANT = Shape(round_trip=0.0, service_seconds=0.0001, workers=64, permits=4096)
WORDS = ("a man", "two dogs", "the children", "outside", "is sleeping", "play", "near the water")


def sentences(count: int) -> list[str]:
    """Make unlike sentences of a caption's length."""
    return [
        f"{n} " + " ".join(WORDS[(n * step) % len(WORDS)] for step in range(1, 3 + n % 9))
        for n in range(count)
    ]


def measure(name: str, url: str, warm_up_url: str, count: int) -> dict[str, float]:
    """Embed with one contender, here; everything is imported, but `url` was never asked."""
    contender = CONTENDERS[name]
    contender.prepare(warm_up_url)(sentences(4 * BATCH))
    embed, texts = contender.prepare(url), sentences(count)
    began, cpu = time.perf_counter(), time.process_time()
    embed(texts)
    return {
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - cpu,
        "texts": count,
    }


class ContenderError(Exception):
    """A contender did not get its vectors; holds the last thing it said."""


def measure_apart(name: str, url: str, warm_up_url: str, count: int) -> dict[str, float]:
    """Embed with one contender in a process of its own.

    Raises:
        ContenderError: If it failed.
    """
    options = [f"--run={name}", f"--url={url}", f"--warm-up-url={warm_up_url}", f"--texts={count}"]
    command = [sys.executable, __file__, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ContenderError(done.stderr.strip().rpartition("\n")[2])
    result: dict[str, float] = json.loads(done.stdout)
    return result


@contextlib.contextmanager
def local_endpoint() -> Iterator[str]:
    """Run the local endpoint with its real model."""
    from langchain_hfendpoint.local import LocalEndpoint

    with LocalEndpoint() as endpoint:
        yield endpoint.url


def compare(names: list[str], count: int, dimension: int, *, local: bool) -> None:
    """Print the throughput and processor time of each contender."""
    shape = Shape(dimension=dimension)
    print(f"{'':42} {'texts':>7} {'seconds':>8} {'texts/s':>8} {'of capacity':>11} "
          f"{'CPU ms/1,000':>12} {'ours is':>8}")  # fmt: skip
    best = cpu = 0.0
    for name in names:
        contender = CONTENDERS[name]
        if contender.missing:
            print(f"{contender.title:42} not here: pip install {' '.join(contender.missing)}")
            continue
        texts = count if contender.parallel or local else min(count, SEQUENTIAL_TEXTS)
        try:
            with contextlib.ExitStack() as running:
                warm_up = running.enter_context(SimulatedEndpoint(INSTANT))
                simulated = contextlib.nullcontext() if local else SimulatedEndpoint(shape)
                endpoint = running.enter_context(simulated)
                url = endpoint.url if endpoint else running.enter_context(local_endpoint())
                result = measure_apart(name, url, warm_up.url, texts)
        except ContenderError as failure:
            print(f"{contender.title:42} failed: {str(failure)[:120]}")
            continue
        rate, per_thousand = texts / result["seconds"], result["cpu"] / texts * 1e6
        if name == "ours":
            best, cpu = rate, per_thousand
        share = "" if local else f"{rate / shape.capacity:.1%}"
        ratio = f"{best / rate:.1f}x, {cpu / per_thousand:.2f} CPU" if best else ""
        print(f"{contender.title:42} {texts:7} {result['seconds']:8.2f} {rate:8.0f} {share:>11} "
              f"{per_thousand:12.1f} {ratio:>8}")  # fmt: skip


def queries(count: int = 300) -> None:
    """Print what `embed_query` takes beside the bare HTTP exchange of the same bytes."""
    from langchain_hfendpoint import HFEndpointEmbeddings

    with SimulatedEndpoint(INSTANT) as endpoint:
        embeddings = HFEndpointEmbeddings(endpoint_url=endpoint.url)
        bare = http.client.HTTPConnection(urlsplit(endpoint.url).netloc)
        query = "a query"
        body = json.dumps({"input": [query], "encoding_format": "base64"}).encode()
        ours: list[float] = []
        plain: list[float] = []

        def exchange() -> None:
            bare.request("POST", "/v1/embeddings", body, {"Content-Type": "application/json"})
            bare.getresponse().read()

        # By turns, so that whatever else this machine does weighs on both.
        for _ in range(count):
            for action, times in ((exchange, plain), (lambda: embeddings.embed_query(query), ours)):
                began = time.perf_counter()
                action()
                times.append(time.perf_counter() - began)
    added = (statistics.median(ours) - statistics.median(plain)) * 1000
    print(f"bare exchange {statistics.median(plain) * 1000:.2f} ms, embed_query "
          f"{statistics.median(ours) * 1000:.2f} ms: {added:.2f} ms more (medians)")  # fmt: skip


def million(count: int) -> None:
    """Print the memory that streaming many texts takes."""
    from langchain_hfendpoint import HFEndpointEmbeddings

    async def stream(url: str) -> None:
        done, began, step = 0, time.perf_counter(), max(1, count // 10)
        texts = (f"text number {n}" for n in range(count))
        async for batch in HFEndpointEmbeddings(endpoint_url=url).aembed_batches(texts):
            before, done = done, done + len(batch.indices)
            if done // step > before // step:
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
                rate = done / (time.perf_counter() - began)
                print(f"{done:9} texts, peak {peak:6.1f} MiB, {rate:6.0f} texts/s", flush=True)

    with SimulatedEndpoint(INSTANT) as endpoint:
        asyncio.run(stream(endpoint.url))


def main() -> None:
    """Read the command line and run what it asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--texts", type=int, help="texts for contenders that work in parallel")
    parser.add_argument("--dimension", type=int, default=768)
    parser.add_argument("--only", nargs="+", choices=list(CONTENDERS), default=list(CONTENDERS))
    parser.add_argument("--local", action="store_true")
    parser.add_argument("--queries", action="store_true")
    parser.add_argument("--million", action="store_true")
    parser.add_argument("--run", choices=list(CONTENDERS), help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--warm-up-url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        result = measure(options.run, options.url, options.warm_up_url, options.texts)
        print(json.dumps(result))
    elif options.queries:
        queries()
    elif options.million:
        million(options.texts or 1_000_000)
    else:
        default = 2_000 if options.local else 20_000
        names = [name for name in options.only if name != "baseten" or not options.local]
        compare(names, options.texts or default, options.dimension, local=options.local)


if __name__ == "__main__":
    main()
