"""The tutorial in one command, in processes of its own, on the local servers."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from pinecone import Pinecone

from langchain_hfendpoint.local import LocalEndpoint, LocalPinecone

QUERY = "A person on a horse jumps over a broken down airplane."


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A newcomer's environment: no account, an empty home, and no Hub to reach."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HF_", "PINECONE_", "HUGGING"))
    }
    return {**kept, "HFENDPOINT_HOME": str(tmp_path), "HF_ENDPOINT": "http://127.0.0.1:9"}


def _command(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "langchain_hfendpoint", *arguments]


def _run(
    arguments: Sequence[str], environment: dict[str, str], *, code: int = 0
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        _command(arguments), env=environment, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == code, done.stderr
    return done


def test_the_tutorial_runs_twice_and_embeds_once(environment: dict[str, str]) -> None:
    arguments = ["quickstart", "--data", "sample", "--limit", "600", "--json"]
    first = json.loads(_run(arguments, environment).stdout)
    assert first["texts"] == first["embedded"] == 600
    assert first["dimension"] == 384
    assert first["stats"]["total_vector_count"] == 600
    assert first["texts_per_second"] > 0
    assert {"endpoint", "dimension", "index", "embed_and_upsert", "queries"} <= set(
        first["seconds"]
    )
    assert len(first["queries"]) == 3
    for query in first["queries"]:
        scores = [answer["score"] for answer in query["answers"]]
        assert len(scores) == 5
        assert scores == sorted(scores, reverse=True)

    second = json.loads(_run(arguments, environment).stdout)
    assert (second["texts"], second["embedded"]) == (600, 0)
    assert second["duplicates"] is None, "the data have not changed, so they were not read"
    assert second["queries"] == first["queries"]


def test_search_finds_what_quickstart_stored(environment: dict[str, str]) -> None:
    _run(["quickstart", "--data", "sample", "--limit", "1500"], environment)
    shown = _run(["search", QUERY, "-k", "4"], environment).stdout
    assert len(re.findall(r"^ +\d\.\d+  ", shown, flags=re.MULTILINE)) == 4
    assert re.search(r"\b(horse|rider|pony)", shown)
    found = json.loads(_run(["search", QUERY, "-k", "4", "--json"], environment).stdout)
    assert found["text"] == QUERY
    assert len(found["answers"]) == 4


def test_without_internet_the_sample_stands_in_and_says_so(environment: dict[str, str]) -> None:
    done = _run(["quickstart", "--limit", "50"], environment)
    assert "the Hub cannot be reached" in done.stderr
    assert "hfendpoint search" in done.stdout


def test_a_configured_endpoint_and_pinecone_take_the_place_of_the_local_ones(
    environment: dict[str, str], local_endpoint: LocalEndpoint, local_pinecone: LocalPinecone
) -> None:
    configured = {
        **environment,
        "HF_ENDPOINT_URL": local_endpoint.url,
        "PINECONE_API_KEY": local_pinecone.api_key,
        "PINECONE_CONTROLLER_HOST": local_pinecone.host,
        "PINECONE_INDEX_NAME": "mine",
    }
    done = _run(["quickstart", "--data", "sample", "--limit", "60"], configured)
    assert local_endpoint.url in done.stderr
    assert f"mine in Pinecone at {local_pinecone.host}" in done.stderr
    client = Pinecone(api_key=local_pinecone.api_key, host=local_pinecone.host)
    stats = client.Index("mine").describe_index_stats()
    assert stats.total_vector_count == 60
    assert "airplane" in _run(["search", "a plane", "-k", "3"], configured).stdout


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "tsv"])
def test_data_may_be_a_file_of_ones_own(
    suffix: str, environment: dict[str, str], tmp_path: Path
) -> None:
    rows = [(f"Premise {n // 3}.", f"Hypothesis {n}.", n % 3) for n in range(210)]
    path = tmp_path / f"mine.{suffix}"
    if suffix == "jsonl":
        names = ("premise", "hypothesis", "label")
        lines = [json.dumps(dict(zip(names, row, strict=True))) for row in rows]
    else:
        comma = "," if suffix == "csv" else "\t"
        lines = [comma.join(map(str, row)) for row in [("premise", "hypothesis", "label"), *rows]]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    outcome = json.loads(
        _run(["quickstart", "--data", str(path), "--limit", "40", "--json"], environment).stdout
    )
    assert outcome["texts"] == 40
    assert [query["text"] for query in outcome["queries"]] == [
        "Premise 0.",
        "Premise 33.",
        "Premise 66.",
    ]


def test_a_file_that_is_not_there_is_one_sentence(environment: dict[str, str]) -> None:
    done = _run(["quickstart", "--data", "no/such.parquet"], environment, code=1)
    assert done.stderr.splitlines()[-1].startswith("Error: ")
    assert "no/such.parquet" in done.stderr
    assert "Traceback" not in done.stderr


def test_searching_before_anything_is_indexed_says_what_to_do(environment: dict[str, str]) -> None:
    done = _run(["search", "anything"], environment, code=1)
    assert "There is no index 'hf-endpoints'" in done.stderr
    assert "quickstart" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT as a terminal does")
def test_ctrl_c_stops_cleanly_and_the_next_run_continues(environment: dict[str, str]) -> None:
    arguments = ["quickstart", "--data", "sample", "--limit", "4000", "--json"]
    process = subprocess.Popen(
        [*_command(arguments), "--progress"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stderr is not None
    seen = b""
    # The bar has moved: some texts are stored, and most are not.
    while not re.search(rb"Indexing:[^\r]*[1-9]\d*/4000", seen):
        chunk = os.read(process.stderr.fileno(), 65536)
        assert chunk, seen
        seen += chunk
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert b"Traceback" not in stderr

    rest = json.loads(_run(arguments, environment).stdout)
    assert rest["texts"] == 4000
    assert 0 < rest["embedded"] < 4000
    assert rest["stats"]["total_vector_count"] == 4000


def test_the_local_servers_end_with_a_killed_command(environment: dict[str, str]) -> None:
    process = subprocess.Popen(
        [*_command(["quickstart", "--data", "sample"]), "--no-progress"],
        env=environment,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    while b"Data" not in process.stderr.readline():
        pass
    children = _children(process.pid)
    assert len(children) == 2
    process.kill()
    process.wait()
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{child}").exists() for child in children):
        assert time.monotonic() < deadline, "a local server outlived its command"
        time.sleep(0.05)


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task")
    if not tasks.exists():
        pytest.skip("needs /proc to find the servers of a command")
    return [
        int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()
    ]
