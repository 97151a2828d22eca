"""The evaluation example: a premise finds what follows from it."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "evaluate_retrieval.py"


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("evaluate_retrieval", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_recall_counts_the_right_answers_among_the_first(example: ModuleType) -> None:
    answers = [["a", "b", "c"], ["x", "y", "z"]]
    right = [{"a", "c"}, {"q"}]
    assert example.recall_at(1, answers, right) == pytest.approx(0.25)
    assert example.recall_at(3, answers, right) == pytest.approx(0.5)


def test_the_reciprocal_rank_is_that_of_the_first_right_answer(example: ModuleType) -> None:
    answers = [["a", "b"], ["x", "y"], ["m", "n"]]
    right = [{"b"}, {"x", "y"}, {"q"}]
    assert example.mean_reciprocal_rank(answers, right) == pytest.approx((1 / 2 + 1 + 0) / 3)


def test_premises_of_the_sample_find_what_follows_from_them(tmp_path: Path) -> None:
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HF_", "PINECONE_", "HUGGING"))
    }
    rows = tmp_path / "rows.tsv"
    rows.write_text(
        "premise\thypothesis\tlabel\n"
        "A man leads a brown horse along a path.\tA man is outside with a horse.\tentailment\n"
        "A chef chops onions in a busy kitchen.\tA cook prepares food.\tentailment\n"
        "Two girls build a castle on the beach.\tChildren are playing with sand.\tentailment\n"
        "Two girls build a castle on the beach.\tThe girls are asleep in bed.\tcontradiction\n"
    )
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), "--data", str(rows)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert "3 premises asked 4 hypotheses" in done.stdout
    figures = dict(re.findall(r"(\S+) +(\d\.\d+)", done.stdout))
    assert figures["recall@5"] == figures["recall@20"] == "1.000"
    assert float(figures["MRR"]) > 0.8
