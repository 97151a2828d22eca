"""The examples run as a newcomer runs them: without any account."""

import os
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def _run(example: str, *arguments: str) -> str:
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HF_", "PINECONE_", "HUGGING"))
    }
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / example), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_first_tutorial_runs_and_deletes_its_index() -> None:
    shown = _run("inference_endpoint_to_pinecone.py", "--data", "sample", "--limit", "400")
    assert "400 hypotheses in" in shown
    assert "Deleted the index" in shown


def test_the_rag_chain_answers_from_what_it_retrieved() -> None:
    assert "horse" in _run("rag_chain.py", "What is the man on the horse doing?")
