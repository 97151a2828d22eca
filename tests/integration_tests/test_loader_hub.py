"""Loading from the Hub, over a stand-in of its HTTP routes.

Each test runs a program of its own, because the Hub's clients read their settings when imported.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.hub_server import HubServer
from tests.support.nli_files import Row, content

CARD = """---
configs:
- config_name: plain_text
  data_files:
  - split: test
    path: plain_text/test-*
  - split: train
    path: plain_text/train-*
dataset_info:
  config_name: plain_text
  features:
  - name: premise
    dtype: string
  - name: hypothesis
    dtype: string
  - name: label
    dtype:
      class_label:
        names:
          '0': entailment
          '1': neutral
          '2': contradiction
  splits:
  - name: test
    num_bytes: 1
    num_examples: 3
  - name: train
    num_bytes: 1
    num_examples: 2500
---
"""
TRAIN = [
    Row(f"premise {number // 3}", f"text {number % 2000}", number % 3) for number in range(2500)
]
TEST = [Row("A man sits.", "A man rests.", 0), Row("A man sits.", "Rain.", -1), Row("B", "C", 2)]

PROGRAM = """
import json, sys
from dataclasses import asdict
from langchain_hfendpoint import SNLILoader
from langchain_hfendpoint.errors import DataError
answers = []
for source, options in json.loads(sys.argv[1]):
    loader = SNLILoader(source, **options)
    try:
        most = loader.max_documents()
        documents = loader.load()
    except DataError as error:
        answers.append({"error": type(error).__name__, "message": str(error)})
    else:
        answers.append({
            "most": most,
            "texts": [document.page_content for document in documents],
            "metadata": [document.metadata for document in documents][:3],
            "report": asdict(loader.report),
        })
print(json.dumps(answers))
"""
SNLI = "stanfordnlp/snli"
Answer = dict[str, Any]


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer() as hub:
        hub.add(
            SNLI,
            {
                "README.md": CARD,
                "plain_text/train-00000-of-00002.parquet": content(TRAIN[:1500], "parquet"),
                "plain_text/train-00001-of-00002.parquet": content(TRAIN[1500:], "parquet"),
                "plain_text/test-00000-of-00001.parquet": content(TEST, "parquet"),
            },
        )
        yield hub


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def load_all(
    hub: HubServer, home: Path, *asked: tuple[str, dict[str, Any]], offline: bool = False
) -> list[Answer]:
    environment = {**os.environ, **hub.environment(home), "HF_HUB_OFFLINE": str(int(offline))}
    environment.pop("HF_TOKEN", None)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(asked)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    answers: list[Answer] = json.loads(done.stdout)
    return answers


def load(hub: HubServer, home: Path, *, offline: bool = False, **options: Any) -> Answer:
    return load_all(hub, home, (SNLI, options), offline=offline)[0]


def test_a_hub_data_set_is_streamed_split_train_by_default(hub: HubServer, home: Path) -> None:
    answer = load(hub, home, unique=True)
    assert answer["texts"] == [f"text {number}" for number in range(2000)]
    assert answer["report"]["duplicates"] == 500
    assert answer["report"]["complete"]
    assert answer["most"] == 2500
    assert answer["metadata"][2] == {
        "dataset": "stanfordnlp/snli",
        "split": "train",
        "row": 2,
        "label": 2,
        "label_name": "contradiction",
    }
    assert not any(home.rglob("*.arrow")), "streaming downloads no data set"


def test_a_limit_reads_no_further_file(hub: HubServer, home: Path) -> None:
    answer = load(hub, home, limit=5, revision=hub.repositories[SNLI].sha)
    assert len(answer["texts"]) == answer["most"] == 5
    assert not [request for request in hub.requests if "train-00001" in request]


def test_a_downloaded_data_set_is_there_without_the_hub(hub: HubServer, home: Path) -> None:
    commit = hub.repositories[SNLI].sha
    first = load(hub, home, split="test", streaming=False)
    assert first["texts"] == ["A man rests.", "Rain.", "C"]
    assert first["report"]["unlabelled"] == 1
    seen = len(hub.requests)
    assert load(hub, home, split="test", offline=True) == first
    assert len(hub.requests) == seen
    hub.stop()
    newest, same, other = load_all(
        hub,
        home,
        (SNLI, {"split": "test"}),
        (SNLI, {"split": "test", "revision": commit}),
        (SNLI, {"split": "test", "revision": "v2"}),
    )
    assert newest == same == first
    assert other["error"] == "HubUnreachableError"


def test_a_hub_out_of_reach_is_told_in_seconds(hub: HubServer, home: Path) -> None:
    hub.stop()
    answer = load(hub, home)
    assert answer["error"] == "HubUnreachableError"
    assert "'sample'" in answer["message"]


def test_offline_without_a_cache_says_what_forbids_it(hub: HubServer, home: Path) -> None:
    answer = load(hub, home, offline=True)
    assert answer["error"] == "HubUnreachableError"
    assert "HF_HUB_OFFLINE" in answer["message"]
    assert not hub.requests


def test_what_is_not_on_the_hub_is_said(hub: HubServer, home: Path) -> None:
    messages = {
        "no data set 'stanfordnlp/nothing' that you may read": ("stanfordnlp/nothing", {}),
        "no revision 'v9'": (SNLI, {"revision": "v9"}),
        "Available splits: ['test', 'train']": (SNLI, {"split": "dev"}),
        "Available: ['plain_text']": (SNLI, {"config": "other"}),
        "'premise', 'hypothesis', 'label'": (SNLI, {"column": "title"}),
    }
    answers = load_all(hub, home, *messages.values())
    for message, answer in zip(messages, answers, strict=True):
        assert answer["error"] == "DataError"
        assert message in answer["message"]


def test_a_private_data_set_needs_its_token(hub: HubServer, home: Path) -> None:
    hub.add("me/private", {"train.jsonl": content(TEST, "jsonl")}, token="hf_secret")
    refused, answer = load_all(
        hub, home, ("me/private", {}), ("me/private", {"api_key": "hf_secret"})
    )
    assert "api_key" in refused["message"]
    assert answer["texts"] == ["A man rests.", "Rain.", "C"]


def test_a_file_on_the_hub_is_read_by_its_url(hub: HubServer, home: Path) -> None:
    url = "hf://datasets/stanfordnlp/snli/plain_text/test-00000-of-00001.parquet"
    [answer] = load_all(hub, home, (url, {}))
    assert answer["texts"] == ["A man rests.", "Rain.", "C"]
    assert answer["metadata"][0]["split"] == "test"
