"""`hfendpoint indexes`, against the local servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pinecone import Pinecone

from langchain_hfendpoint.indexes import delete_index, describe_index, list_indexes
from langchain_hfendpoint.local.endpoint import LocalEndpoint
from langchain_hfendpoint.local.pinecone import LocalPinecone
from tests.support.commands import Commands

MODEL = "sentence-transformers/all-MiniLM-L6-v2"


@pytest.fixture(scope="module")
def endpoint_url() -> Iterator[str]:
    with LocalEndpoint() as server:
        yield server.url


@pytest.fixture(scope="module")
def server() -> Iterator[LocalPinecone]:
    with LocalPinecone() as running:
        yield running


@pytest.fixture
def pinecone(server: LocalPinecone, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalPinecone]:
    """An empty Pinecone."""
    monkeypatch.setenv("PINECONE_CONTROLLER_HOST", server.host)
    monkeypatch.setenv("PINECONE_API_KEY", server.api_key)
    yield server
    client = Pinecone(api_key=server.api_key, host=server.host)
    for name in client.list_indexes().names():
        client.configure_index(name, deletion_protection="disabled")
        client.delete_index(name)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    return Commands(monkeypatch, capsys)


def test_an_index_is_made_to_fit_the_endpoint_and_remembers_its_model(
    pinecone: LocalPinecone, endpoint_url: str, run: Commands
) -> None:
    arguments = ("indexes", "create", "demo", "--endpoint-url", endpoint_url, "--json")
    made = run(*arguments)
    assert made.code == 0
    assert (made.json["dimension"], made.json["metric"]) == (384, "cosine")
    assert made.json["provenance"]["model"] == MODEL
    assert run(*arguments).json == made.json
    described = run("indexes", "describe", "demo").out
    assert MODEL in described
    assert "384" in described


def test_an_index_with_another_metric_is_not_taken(
    pinecone: LocalPinecone, endpoint_url: str, run: Commands
) -> None:
    url = ("--endpoint-url", endpoint_url)
    run("indexes", "create", "demo", *url)
    ran = run("indexes", "create", "demo", "--metric", "dotproduct", *url)
    assert ran.code == 1
    assert "metric" in ran.err


def test_namespaces_are_counted_one_by_one(pinecone: LocalPinecone, run: Commands) -> None:
    client = Pinecone(api_key=pinecone.api_key, host=pinecone.host)
    client.create_index("demo", dimension=2, spec={"serverless": {"cloud": "aws", "region": "x"}})
    index = client.Index(host=client.describe_index("demo").host)
    index.upsert([("a", [1.0, 0.0]), ("b", [0.0, 1.0])])
    index.upsert([("c", [1.0, 1.0])], namespace="test")
    assert run("indexes", "namespaces", "demo", "--json").json["namespaces"] == {"": 2, "test": 1}
    table = run("indexes", "namespaces", "demo").out.splitlines()
    assert [line.split() for line in table[1:]] == [["(unnamed)", "2"], ["test", "1"]]
    assert describe_index("demo").vectors == 3


def test_an_index_of_others_has_no_known_model(pinecone: LocalPinecone, run: Commands) -> None:
    client = Pinecone(api_key=pinecone.api_key, host=pinecone.host)
    client.create_index("demo", dimension=2, spec={"serverless": {"cloud": "aws", "region": "x"}})
    (listed,) = run("indexes", "list", "--json").json["indexes"]
    assert (listed["name"], listed["dimension"]) == ("demo", 2)
    assert listed["provenance"]["model"] is None
    assert [each.name for each in list_indexes()] == ["demo"]


def test_delete_asks_with_the_number_of_vectors(pinecone: LocalPinecone, run: Commands) -> None:
    client = Pinecone(api_key=pinecone.api_key, host=pinecone.host)
    client.create_index("demo", dimension=2, spec={"serverless": {"cloud": "aws", "region": "x"}})
    client.Index(host=client.describe_index("demo").host).upsert([("a", [1.0, 0.0])])
    ran = run("indexes", "delete", "demo")
    assert ran.code == 2
    assert "with its 1 vectors for good?" in ran.err
    assert client.has_index("demo")
    assert run("indexes", "delete", "demo", "--yes").code == 0
    assert not client.has_index("demo")


def test_a_protected_index_is_not_deleted(pinecone: LocalPinecone, run: Commands) -> None:
    client = Pinecone(api_key=pinecone.api_key, host=pinecone.host)
    client.create_index(
        "demo",
        dimension=2,
        spec={"serverless": {"cloud": "aws", "region": "x"}},
        deletion_protection="enabled",
    )
    ran = run("indexes", "delete", "demo", "--yes")
    assert ran.code == 1
    assert "eletion protection" in ran.err
    assert describe_index("demo").deletion_protected


@pytest.mark.parametrize("command", ["describe", "namespaces", "delete"])
def test_an_index_that_does_not_exist_is_told_so(
    pinecone: LocalPinecone, run: Commands, command: str
) -> None:
    ran = run("indexes", command, "nothing")
    assert ran.code == 1
    assert "There is no index 'nothing'" in ran.err


def test_a_wrong_key_is_told_in_one_sentence_without_the_key(
    pinecone: LocalPinecone, run: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PINECONE_API_KEY", "wrong-key")
    ran = run("indexes", "list")
    assert ran.code == 1
    assert "PINECONE_API_KEY" in ran.err
    assert "wrong-key" not in ran.err


def test_without_an_account_the_indexes_are_those_of_this_machine(
    tmp_path: Path, endpoint_url: str, run: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PINECONE_API_KEY", raising=False)
    monkeypatch.delenv("PINECONE_CONTROLLER_HOST", raising=False)
    monkeypatch.setenv("HFENDPOINT_HOME", str(tmp_path))
    assert "There is no index" in run("indexes", "list").err
    run("indexes", "create", "demo", "--endpoint-url", endpoint_url)
    assert run("indexes", "list").out.split()[5] == "demo"


def test_the_library_deletes_without_asking(pinecone: LocalPinecone) -> None:
    client = Pinecone(api_key=pinecone.api_key, host=pinecone.host)
    client.create_index("demo", dimension=2, spec={"serverless": {"cloud": "aws", "region": "x"}})
    delete_index("demo")
    assert not client.has_index("demo")
