"""The STS Benchmark, and the figure it is read with."""

from pathlib import Path

import numpy as np


def read_sts(path: Path) -> tuple[list[str], list[str], np.ndarray]:
    """Both sentences of each pair, and the scores that people gave them."""
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    scores = np.array([float(row[4]) for row in rows])
    return [row[5] for row in rows], [row[6] for row in rows], scores


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Rank correlation, ties sharing their mean rank."""
    return float(np.corrcoef(_ranks(a), _ranks(b))[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[places]
