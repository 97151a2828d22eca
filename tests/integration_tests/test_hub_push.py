"""To the Hub and back, with real huggingface_hub and `datasets` in processes of their own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from langchain_core.documents import Document
from pydantic import SecretStr

from langchain_hfendpoint import EmbeddedDataset
from langchain_hfendpoint._hub import remote
from langchain_hfendpoint.errors import DataError, EmbeddedDatasetError, HubUnreachableError
from tests.support.embeddings import HashEmbeddings
from tests.support.hub_caches import Caches, use_hub
from tests.support.hub_push_server import PushHubServer

ROOT = Path(__file__).resolve().parents[2]
REPO = "me/snli-minilm"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[PushHubServer]:
    with PushHubServer() as server:
        use_hub(server, monkeypatch)
        yield server


@pytest.fixture
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Caches:
    return Caches(tmp_path / "caches", monkeypatch)


@pytest.fixture
def embedded(tmp_path: Path) -> EmbeddedDataset:
    return _make(tmp_path / "set")


def _documents() -> list[Document]:
    return [
        Document(f"text {n}", id=f"id-{n}", metadata={"label": n % 3, "split": split})
        for split, count in (("train", 70), ("test", 25))
        for n in range(count)
    ]


def _make(folder: Path, *, rows_per_shard: int = 30) -> EmbeddedDataset:
    embeddings = HashEmbeddings(dimension=16, model="a/b")
    return EmbeddedDataset.create(_documents(), embeddings, folder, rows_per_shard=rows_per_shard)


def _start(
    program: str, environment: Mapping[str, str], *arguments: object
) -> subprocess.Popen[str]:
    """Run a Python program as a user would, under another Hub."""
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={**os.environ, **environment, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


PUSH = """
import sys
from langchain_hfendpoint import EmbeddedDataset
EmbeddedDataset.load(sys.argv[1]).push_to_hub(sys.argv[2])
"""

LOAD_WITHOUT_US = """
import json, sys
import datasets, numpy as np, pandas as pd
loaded = datasets.load_dataset(sys.argv[1])
streamed = datasets.load_dataset(sys.argv[1], split="test", streaming=True)
frame = pd.read_parquet(f"hf://datasets/{sys.argv[1]}/data/test-0000000000.parquet")
assert not any(name.startswith("langchain") for name in sys.modules)
train = np.array(loaded["train"]["embedding"], dtype=np.float32)
print(json.dumps([
    {name: split.num_rows for name, split in loaded.items()},
    str(loaded["train"].features["embedding"]),
    train.tobytes().hex(),
    [row["text"] for row in streamed],
    list(frame["text"]),
]))
"""


def test_what_is_pushed_comes_back_bit_for_bit(
    hub: PushHubServer, caches: Caches, embedded: EmbeddedDataset
) -> None:
    commit = embedded.push_to_hub(REPO)
    assert hub.commits == [(REPO, "Upload texts with their embeddings")]
    assert hub.repositories[REPO].token is not None, "it is not private"
    assert hub.repositories[REPO].sha == commit
    assert f'load_dataset("{REPO}"'.encode() in hub.repositories[REPO].files["README.md"]

    for revision in (None, "main", commit):
        caches.new()
        loaded = EmbeddedDataset.load(REPO, revision=revision)
        assert loaded.manifest == embedded.manifest
        assert list(loaded.as_documents("test")) == _documents()[70:]
        assert np.array_equal(loaded.to_numpy("train"), embedded.to_numpy("train"))


def test_load_dataset_and_pandas_read_it_without_this_package(
    hub: PushHubServer, caches: Caches, embedded: EmbeddedDataset, tmp_path: Path
) -> None:
    embedded.push_to_hub(REPO)
    environment = {**hub.environment(tmp_path / "home"), "HF_TOKEN": hub.token}
    process = _start(LOAD_WITHOUT_US, environment, REPO)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    rows, feature, vectors, streamed, read = json.loads(output)
    assert rows == {"train": 70, "test": 25}
    assert feature == "List(Value('float32'), length=16)"
    assert bytes.fromhex(vectors) == embedded.to_numpy("train").tobytes()
    assert streamed == read == [f"text {n}" for n in range(25)]


def test_pushing_again_sends_nothing_and_commits_nothing(
    hub: PushHubServer, caches: Caches, embedded: EmbeddedDataset
) -> None:
    first = embedded.push_to_hub(REPO)
    uploads = list(hub.uploads)
    assert embedded.push_to_hub(REPO) == first
    assert hub.uploads == uploads
    assert len(hub.commits) == 1


def test_a_push_that_was_killed_continues_with_what_is_missing(
    hub: PushHubServer, caches: Caches, embedded: EmbeddedDataset, tmp_path: Path
) -> None:
    hub.stores = 2
    environment = {**hub.environment(tmp_path / "home"), "HF_TOKEN": hub.token}
    process = _start(PUSH, environment, embedded.path, REPO)
    deadline = time.monotonic() + 60
    while len(hub.uploads) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert len(hub.uploads) == 2
    assert hub.commits == []
    with pytest.raises(EmbeddedDatasetError, match=r"has no embedding\.json"):
        EmbeddedDataset.load(REPO)

    hub.stores = None
    embedded.push_to_hub(REPO)
    assert len(hub.commits) == 1
    assert sorted(hub.uploads) == sorted(shard.sha256 for shard in embedded.manifest.shards)
    assert EmbeddedDataset.load(REPO).manifest == embedded.manifest


def test_another_sharding_replaces_the_old_one_and_old_revisions_stay(
    hub: PushHubServer, caches: Caches, embedded: EmbeddedDataset, tmp_path: Path
) -> None:
    old = embedded.push_to_hub(REPO)
    other = _make(tmp_path / "other", rows_per_shard=50)
    new = other.push_to_hub(REPO)
    parquet = [path for path in hub.repositories[REPO].files if path.endswith(".parquet")]
    assert sorted(parquet) == sorted(shard.path for shard in other.manifest.shards)
    assert EmbeddedDataset.load(REPO, revision=old).manifest == embedded.manifest
    assert EmbeddedDataset.load(REPO, revision=new).manifest == other.manifest
    assert EmbeddedDataset.load(REPO).manifest == other.manifest


def test_many_shards_take_several_commits_with_the_manifest_in_the_last(
    hub: PushHubServer, caches: Caches, embedded: EmbeddedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "_FILES_PER_COMMIT", 2)
    embedded.push_to_hub(REPO)
    first, last = hub.committed
    assert "embedding.json" not in first
    assert {"embedding.json", "README.md"} < last
    assert EmbeddedDataset.load(REPO).manifest == embedded.manifest


def test_private_vectors_do_not_go_to_a_public_repository(
    hub: PushHubServer, caches: Caches, embedded: EmbeddedDataset
) -> None:
    hub.add(REPO, {".gitattributes": ""})
    with pytest.raises(EmbeddedDatasetError, match="exists already and is public"):
        embedded.push_to_hub(REPO)
    assert hub.uploads == []
    embedded.push_to_hub(REPO, private=False)
    assert len(hub.commits) == 1


def test_data_of_somebody_else_are_left_alone(
    hub: PushHubServer, caches: Caches, embedded: EmbeddedDataset
) -> None:
    hub.add(REPO, {"data/train-00000-of-00001.parquet": b"PAR1"})
    with pytest.raises(EmbeddedDatasetError, match=r"data/train-00000-of-00001\.parquet"):
        embedded.push_to_hub(REPO, private=False)
    assert hub.commits == []


def test_refusals_are_data_errors_without_the_token(
    hub: PushHubServer, caches: Caches, embedded: EmbeddedDataset
) -> None:
    with pytest.raises(DataError, match="a token that may write") as refusal:
        embedded.push_to_hub(REPO, api_key=SecretStr("hf_wrong_secret"))
    assert "hf_wrong_secret" not in str(refusal.value)
    hub.refuses = "You have exceeded your quota"
    with pytest.raises(DataError, match="exceeded your quota"):
        embedded.push_to_hub(REPO)


def test_what_is_no_embedded_data_set_is_not_downloaded(hub: PushHubServer, caches: Caches) -> None:
    hub.add("me/plain", {"README.md": "nothing", "data/train.parquet": b"PAR1"})
    with pytest.raises(EmbeddedDatasetError, match=r"me/plain is no embedded data set"):
        EmbeddedDataset.load("me/plain")
    assert not any("parquet" in request for request in hub.requests)


def test_a_repository_or_revision_that_does_not_exist_is_named(
    hub: PushHubServer, caches: Caches, embedded: EmbeddedDataset
) -> None:
    with pytest.raises(DataError, match="no data set 'me/none'"):
        EmbeddedDataset.load("me/none")
    embedded.push_to_hub(REPO)
    with pytest.raises(DataError, match="no revision 'v9'"):
        EmbeddedDataset.load(REPO, revision="v9")


def test_a_shard_that_was_changed_on_the_hub_is_detected(
    hub: PushHubServer, caches: Caches, embedded: EmbeddedDataset
) -> None:
    embedded.push_to_hub(REPO)
    files = hub.repositories[REPO].files
    path = embedded.manifest.shards[0].path
    files[path] = files[path][:300] + bytes([files[path][300] ^ 1]) + files[path][301:]
    with pytest.raises(EmbeddedDatasetError, match="its checksum is another one"):
        EmbeddedDataset.load(REPO)


def test_without_the_hub_the_cache_serves(
    hub: PushHubServer, caches: Caches, embedded: EmbeddedDataset
) -> None:
    commit = embedded.push_to_hub(REPO)
    EmbeddedDataset.load(REPO)
    hub.stop()
    assert EmbeddedDataset.load(REPO).manifest == embedded.manifest
    assert EmbeddedDataset.load(REPO, revision=commit).manifest == embedded.manifest
    caches.new()
    with pytest.raises(HubUnreachableError, match="cannot be reached"):
        EmbeddedDataset.load(REPO)
    with pytest.raises(HubUnreachableError, match="cannot be reached"):
        embedded.push_to_hub(REPO)
