"""How fast SNLILoader reads, beside bare `datasets` and pandas, and how much memory it takes.

    python benchmarks/loader.py ../shared/data/snli/train_partial.parquet
    python benchmarks/loader.py ../shared/data/pool/sentence_pool.parquet --column text --memory

Every reader goes over the whole file several times in turn; the best time of each counts, because
other work on the machine only ever adds. Without a file, the built-in sample is written to one.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from langchain_hfendpoint import SNLILoader

Reader = Callable[[str, str], int]


def count(rows: Iterator[object]) -> int:
    return sum(1 for _ in rows)


def bare_datasets(path: str, _: str) -> int:
    import datasets

    return count(iter(datasets.Dataset.from_parquet(path, cache_dir=CACHE.name)))


def streamed_datasets(path: str, _: str) -> int:
    import datasets

    return count(
        iter(datasets.load_dataset("parquet", data_files=path, split="train", streaming=True))
    )


def pandas_documents(path: str, column: str) -> int:
    """What people write by hand: pandas, drop_duplicates, one Document a row."""
    import pandas as pd
    from langchain_core.documents import Document

    frame = pd.read_parquet(path).drop_duplicates(column)
    return count(
        Document(page_content=row[column], metadata={key: row[key] for key in row if key != column})
        for row in frame.to_dict("records")
    )


def ours(path: str, column: str) -> int:
    loader = SNLILoader(path, column=column)
    count(loader.lazy_load())
    return loader.report.rows


def ours_unique(path: str, column: str) -> int:
    loader = SNLILoader(path, column=column, unique=True)
    count(loader.lazy_load())
    return loader.report.rows


READERS: dict[str, tuple[Reader, str]] = {
    "datasets, bare": (bare_datasets, "datasets"),
    "datasets, streaming": (streamed_datasets, "datasets"),
    "pandas, unique Documents": (pandas_documents, "pandas"),
    "SNLILoader": (ours, "pyarrow"),
    "SNLILoader, unique=True": (ours_unique, "pyarrow"),
}
CACHE = tempfile.TemporaryDirectory()


def measure_speed(path: str, column: str, repeats: int) -> None:
    best: dict[str, float] = {}
    rows = SNLILoader(path, column=column).max_documents() or 0
    for _ in range(repeats):
        for name, (reader, module) in READERS.items():
            if importlib.util.find_spec(module) is None:
                print(f"{name}: left out; pip install {module}")
                continue
            begin = time.perf_counter()
            reader(path, column)
            best[name] = min(best.get(name, float("inf")), time.perf_counter() - begin)
    reference = best["datasets, bare"]
    print(f"{rows:,} rows of {path}, best of {repeats}:")
    for name, seconds in best.items():
        print(f"  {name:26} {rows / seconds:10,.0f} rows/s  {reference / seconds:5.2f} x bare")


def measure_memory(path: str, column: str) -> None:
    """Compare the peak memory of processes that read a little and all (on Linux)."""
    loader = SNLILoader(path, column=column)
    total = loader.max_documents() or 0
    print(f"peak memory over {total:,} rows of {path}:")
    for unique in (False, True):
        little = _peak(path, column, unique=unique, limit=20_000)
        whole = _peak(path, column, unique=unique, limit=total)
        print(
            f"  unique={unique!s:5}  {little / 1e6:6.1f} MB for 20,000, "
            f"{whole / 1e6:6.1f} MB for all: {(whole - little) / total:5.1f} bytes a row"
        )


def _peak(path: str, column: str, *, unique: bool, limit: int) -> int:
    asked = [sys.executable, __file__, path, "--column", column, "--peak", str(limit)]
    # Arrow's own allocator keeps some tens of MB of what was freed, which would hide the rest.
    environment = {**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "system"}
    asked += ["--unique"] * unique
    done = subprocess.run(asked, env=environment, capture_output=True, check=True)
    return int(done.stdout)


def _report_peak(path: str, column: str, *, unique: bool, limit: int) -> None:
    count(SNLILoader(path, column=column, unique=unique, limit=limit).lazy_load())
    # Not getrusage: its peak counts the parent process up to exec.
    [peak] = [
        line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line
    ]
    print(int(peak.split()[1]) * 1024)


def _written_sample() -> str:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pairs = list(SNLILoader("sample").pairs())
    path = str(Path(CACHE.name, "sample.parquet"))
    columns = {name: [getattr(pair, name) for pair in pairs] for name in pairs[0]._fields}
    pq.write_table(pa.table(columns), path)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("path", nargs="?", help="a Parquet file (default: the built-in sample)")
    parser.add_argument("--column", default="hypothesis", help="column of the texts")
    parser.add_argument("--repeats", type=int, default=3, help="passes of each reader")
    parser.add_argument("--memory", action="store_true", help="measure memory too")
    parser.add_argument("--peak", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--unique", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    path = options.path or _written_sample()
    if options.peak is not None:
        _report_peak(path, options.column, unique=options.unique, limit=options.peak)
        return
    if options.repeats:
        measure_speed(path, options.column, options.repeats)
    if options.memory:
        measure_memory(path, options.column)


if __name__ == "__main__":
    main()
