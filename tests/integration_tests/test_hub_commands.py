"""The second tutorial as three commands: embed, push, index."""

import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from langchain_hfendpoint import EmbeddedDataset
from langchain_hfendpoint.local import LocalEndpoint
from tests.support.commands import Commands
from tests.support.hub_caches import Caches, use_hub
from tests.support.hub_push_server import PushHubServer

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[LocalEndpoint]:
    with LocalEndpoint() as server:
        yield server


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[PushHubServer]:
    with PushHubServer() as server:
        use_hub(server, monkeypatch)
        yield server


@pytest.fixture
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Caches:
    return Caches(tmp_path / "caches", monkeypatch)


@pytest.fixture
def run(
    endpoint: LocalEndpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Commands:
    monkeypatch.setenv("HF_ENDPOINT_URL", endpoint.url)
    monkeypatch.setenv("HFENDPOINT_HOME", str(tmp_path / "home"))
    for name in ("PINECONE_API_KEY", "PINECONE_CONTROLLER_HOST", "PINECONE_INDEX_NAME"):
        monkeypatch.delenv(name, raising=False)
    return Commands(monkeypatch, capsys)


def test_embed_push_index_and_search(
    run: Commands, hub: PushHubServer, caches: Caches, tmp_path: Path
) -> None:
    out = str(tmp_path / "out")
    options = ("--unique", "--limit", "200", "--license", "cc-by-4.0", "--json")
    made = run("embed", "sample", out, *options)
    assert made.json["splits"] == {"train": 200}
    assert made.json["model"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert (made.json["dimension"], made.json["failed"]) == (384, [])

    pushed = run("push", out, "me/sample", "--json").json
    assert pushed["url"] == f"{hub.url}/datasets/me/sample"
    assert hub.repositories["me/sample"].sha == pushed["commit"]

    indexed = run("index", "me/sample", "--revision", pushed["commit"], "--json").json
    assert (indexed["num_added"], indexed["embedded"]) == (200, 0)
    assert indexed["stats"]["total_vector_count"] == 200

    document = next(iter(EmbeddedDataset.load(out).as_documents()))
    found = run("search", document.page_content, "-k", "1", "--json").json
    assert found["answers"][0]["text"] == document.page_content


def test_commands_say_what_to_do_next(run: Commands, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    shown = run("embed", "sample", out, "--limit", "20", "--dtype", "int8")
    assert shown.code == 0
    assert f"hfendpoint push {out}" in shown.out
    assert run("index", out).out.startswith("20 texts are new in the index, 0 were there.")
    assert run("index", out).out.startswith("0 texts are new in the index, 20 were there.")


def test_texts_come_from_stdin_one_a_line(
    run: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("a dog \n\nein Vögelchen\na dog \n"))
    out = str(tmp_path / "out")
    assert run("embed", "-", out, "--unique", "--json").json["splits"] == {"train": 2}
    texts = [document.page_content for document in EmbeddedDataset.load(out).as_documents()]
    assert texts == ["a dog ", "ein Vögelchen"]


def test_a_folder_that_cannot_be_made_is_one_sentence(run: Commands, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ran = run("embed", "sample", str(tmp_path / "file" / "out"))
    assert ran.code == 1
    assert ran.err.splitlines()[-1] == f"Error: Not a directory: {tmp_path / 'file' / 'out'}"


def test_what_nobody_expected_is_one_sentence_too_unless_debugging(
    run: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    ran = run("embed", "-", str(tmp_path / "out"))
    assert ran.code == 1
    assert ran.err.splitlines()[-1].startswith("Error: TypeError: 'NoneType' object")
    assert "hfendpoint --debug" in ran.err
    with pytest.raises(TypeError):
        run("--debug", "embed", "-", str(tmp_path / "out"))


def test_what_is_no_embedded_data_set_is_one_sentence(run: Commands, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for command in (["push", str(tmp_path / "empty"), "me/x"], ["index", str(tmp_path / "empty")]):
        ran = run(*command)
        assert (ran.code, ran.out) == (1, "")
        assert ran.err.splitlines()[-1].startswith("Error: There is no embedding.json in")


def test_the_second_tutorial_embeds_once_and_finds(
    run: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    command = [sys.executable, str(EXAMPLES / "embedding_as_a_service.py")]
    for _ in range(2):
        done = subprocess.run(
            [*command, "--out", str(tmp_path / "faq")], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        assert "13 questions with vectors of 384 numbers" in done.stdout
        first = done.stdout.split("return something?\n")[1].splitlines()[0]
        assert first.endswith("What happens if I bring a book back late?")
