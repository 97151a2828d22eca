"""The command `hfendpoint local pinecone` as a person types it."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from pinecone import Pinecone, ServerlessSpec

from langchain_hfendpoint.local.pinecone import LocalPinecone

COMMAND = [sys.executable, "-m", "langchain_hfendpoint", "local", "pinecone"]


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=60
    )


def test_it_prints_what_to_export_and_ends_with_a_signal(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "--dir", tmp_path, "--port", "0"], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    banner = "".join(process.stderr.readline() for _ in range(4))
    host = re.search(r"export PINECONE_CONTROLLER_HOST=(http://127\.0\.0\.1:\d+)", banner)
    key = re.search(r"export PINECONE_API_KEY=(\S+)", banner)
    assert host is not None
    assert key is not None
    assert not Pinecone(api_key=key[1], host=host[1]).has_index("none")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0
    process.stderr.close()


def test_a_dump_and_a_restore_take_one_command_each(tmp_path: Path) -> None:
    with LocalPinecone(tmp_path / "old") as server:
        client = Pinecone(api_key=server.api_key, host=server.host)
        client.create_index("i", dimension=2, spec=ServerlessSpec(cloud="aws", region="us-east-1"))
        client.Index("i").upsert([("a", [1.0, 2.0], {"n": 1})])
    dumped = run("--dir", tmp_path / "old", "--dump", tmp_path / "all.parquet")
    assert (dumped.returncode, dumped.stderr) == (0, "Dumped 1 records.\n")
    restored = run("--dir", tmp_path / "new", "--restore", tmp_path / "all.parquet")
    assert (restored.returncode, restored.stderr) == (0, "Restored 1 records.\n")
    with LocalPinecone(tmp_path / "new") as server:
        index = Pinecone(api_key=server.api_key, host=server.host).Index("i")
        assert index.fetch(["a"]).vectors["a"].metadata == {"n": 1.0}


def test_listening_to_other_machines_needs_a_key(tmp_path: Path) -> None:
    refused = run("--dir", tmp_path, "--host", "0.0.0.0", "--port", "0")
    assert refused.returncode == 1
    assert "a key is needed" in refused.stderr


def test_a_port_in_use_is_one_sentence_and_no_hanging_process(tmp_path: Path) -> None:
    with LocalPinecone(tmp_path) as server:
        client = Pinecone(api_key=server.api_key, host=server.host)
        client.create_index("i", dimension=2, spec=ServerlessSpec(cloud="aws", region="us-east-1"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = run("--dir", tmp_path, "--port", str(taken.getsockname()[1]))
    assert refused.returncode == 1
    assert "Cannot listen on" in refused.stderr


@pytest.mark.skipif(os.name != "posix", reason="reads the list of processes of POSIX")
def test_the_key_is_in_no_argument_of_the_server(tmp_path: Path) -> None:
    with LocalPinecone(tmp_path, api_key="a-secret-key") as server:
        shown = subprocess.run(
            ["ps", "-o", "args=", "-p", str(server.pid)], capture_output=True, text=True
        ).stdout
        assert "pinecone" in shown
        assert "a-secret-key" not in shown
