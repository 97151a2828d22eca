"""Writes rows of premise, hypothesis and label in every format the loader reads."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq


class Row(NamedTuple):
    """A row; labels as SNLI's numbers."""

    premise: str
    hypothesis: str
    label: int


FORMATS = ("parquet", "jsonl", "json", "csv", "tsv")
LABELS = {0: "entailment", 1: "neutral", 2: "contradiction", -1: "-"}


def content(rows: Sequence[Row], file_format: str) -> bytes:
    """Give the rows in a format: numbers as labels in Parquet and CSV, words elsewhere."""
    numbered = [row._asdict() for row in rows]
    worded = [{**row._asdict(), "label": LABELS.get(row.label)} for row in rows]
    if file_format == "parquet":
        types = [("premise", pa.string()), ("hypothesis", pa.string()), ("label", pa.int64())]
        sink = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(numbered, pa.schema(types)), sink)
        return sink.getvalue()
    if file_format == "jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in worded).encode()
    if file_format == "json":
        return json.dumps(worded, indent=1).encode()
    if file_format == "csv":
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerows([Row._fields, *rows])
        return text.getvalue().encode()
    lines = ["\t".join([row.premise, row.hypothesis, LABELS.get(row.label, "?")]) for row in rows]
    return ("\n".join(["\t".join(Row._fields), *lines]) + "\n").encode()


def write(rows: Sequence[Row], path: Path) -> Path:
    """Write the rows as the name of the file says, gzipped if it ends with `.gz`."""
    packed = path.suffix == ".gz"
    data = content(rows, (path.with_suffix("") if packed else path).suffix[1:])
    path.write_bytes(gzip.compress(data) if packed else data)
    return path
