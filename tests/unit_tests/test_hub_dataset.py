"""Embedded data sets in a folder: made, continued, checked and read, without any server."""

import asyncio
import functools
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import DatasetCard, cached_assets_path
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings

from langchain_hfendpoint import EmbeddedDataset
from langchain_hfendpoint._hub import matrix
from langchain_hfendpoint._hub.card import size_category
from langchain_hfendpoint._hub.layout import exclusive_use, split_name
from langchain_hfendpoint._hub.manifest import Manifest
from langchain_hfendpoint.errors import (
    ConfigurationError,
    DataError,
    EmbeddedDatasetError,
    ProvenanceMismatchError,
)
from langchain_hfendpoint.hub import Origin
from tests.support.embeddings import HashEmbeddings


@pytest.fixture(autouse=True)
def _caches_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = functools.partial(cached_assets_path, assets_dir=tmp_path / "assets")
    monkeypatch.setattr(matrix, "cached_assets_path", own)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets")


class CountingEmbeddings(HashEmbeddings):
    """Counts the documents it embeds, and can be made to fail at a text."""

    embedded = 0
    fails_at: str | None = None

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        if self.fails_at in texts:
            raise RuntimeError(f"cannot embed {self.fails_at}")
        self.embedded += len(texts)
        return super().embed_documents(texts)


def _documents(count: int, *, split: str | None = None) -> list[Document]:
    metadata: dict[str, Any] = {} if split is None else {"split": split}
    return [
        Document(f"text {n}", id=f"id-{n}", metadata={"label": n % 3, **metadata})
        for n in range(count)
    ]


def _expected(embeddings: Embeddings, documents: list[Document]) -> np.ndarray[Any, Any]:
    texts = [document.page_content for document in documents]
    return np.array(embeddings.embed_documents(texts), dtype=np.float32)


def _written(folder: Path) -> dict[Path, int]:
    """When each file was written."""
    return {
        path: path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def test_documents_and_vectors_come_back_as_they_were(tmp_path: Path) -> None:
    documents, embeddings = _documents(2_345), HashEmbeddings(dimension=16)
    made = EmbeddedDataset.create(documents, embeddings, tmp_path / "set", rows_per_shard=500)
    loaded = EmbeddedDataset.load(tmp_path / "set")
    assert loaded.manifest == made.manifest
    assert loaded.splits == {"train": 2_345}
    assert len(loaded) == 2_345
    assert list(loaded.as_documents()) == documents
    vectors = loaded.to_numpy()
    assert isinstance(vectors, np.memmap)
    assert vectors.tobytes() == _expected(embeddings, documents).tobytes()


def test_any_langchain_embeddings_will_do(tmp_path: Path) -> None:
    embeddings = DeterministicFakeEmbedding(size=5)
    made = EmbeddedDataset.create(_documents(3), embeddings, tmp_path / "set")
    assert made.provenance.dimension == 5
    assert made.manifest.embedded_with == "DeterministicFakeEmbedding"


async def test_the_async_face_makes_the_same_files(tmp_path: Path) -> None:
    async def give() -> AsyncIterator[Document]:
        for document in _documents(30):
            await asyncio.sleep(0)
            yield document

    one = await EmbeddedDataset.acreate(give(), HashEmbeddings(), tmp_path / "a")
    other = await asyncio.to_thread(
        EmbeddedDataset.create, _documents(30), HashEmbeddings(), tmp_path / "b"
    )
    assert one.manifest == other.manifest


def test_splits_are_kept(tmp_path: Path) -> None:
    documents = _documents(5, split="train") + _documents(3, split="dev-matched")
    made = EmbeddedDataset.create(documents, HashEmbeddings(), tmp_path / "set")
    assert made.splits == {"dev_matched": 3, "train": 5}
    assert list(made.as_documents("dev_matched")) == documents[5:]
    with pytest.raises(ConfigurationError, match="Name a split: there are dev_matched, train"):
        made.to_numpy()
    with pytest.raises(ConfigurationError, match="no split 'test'"):
        made.as_documents("test").__next__()


def test_what_is_there_is_not_embedded_again(tmp_path: Path) -> None:
    embeddings = CountingEmbeddings()
    create = functools.partial(EmbeddedDataset.create, path=tmp_path / "set", rows_per_shard=10)
    create(_documents(25), embeddings)
    assert embeddings.embedded == 25
    before = _written(tmp_path / "set")
    create(_documents(25), embeddings)
    assert embeddings.embedded == 25
    assert _written(tmp_path / "set") == before


def test_a_source_that_has_grown_is_embedded_from_where_it_ended(tmp_path: Path) -> None:
    embeddings = CountingEmbeddings()
    EmbeddedDataset.create(_documents(25), embeddings, tmp_path / "set", rows_per_shard=10)
    made = EmbeddedDataset.create(_documents(40), embeddings, tmp_path / "set", rows_per_shard=10)
    assert embeddings.embedded == 40
    assert list(EmbeddedDataset.load(tmp_path / "set").as_documents()) == _documents(40)
    assert made.to_numpy().tobytes() == _expected(HashEmbeddings(), _documents(40)).tobytes()


def test_a_failure_keeps_what_was_paid_for(tmp_path: Path) -> None:
    embeddings = CountingEmbeddings()
    embeddings.fails_at = "text 900"
    with pytest.raises(RuntimeError, match="cannot embed text 900"):
        EmbeddedDataset.create(_documents(1_000), embeddings, tmp_path / "set")
    with pytest.raises(EmbeddedDatasetError, match="embedding was interrupted: run it again"):
        EmbeddedDataset.load(tmp_path / "set")
    paid, embeddings.fails_at = embeddings.embedded, None
    assert paid > 0
    made = EmbeddedDataset.create(_documents(1_000), embeddings, tmp_path / "set")
    assert embeddings.embedded < 1_000 + paid
    assert list(made.as_documents()) == _documents(1_000)
    assert made.to_numpy().tobytes() == _expected(HashEmbeddings(), _documents(1_000)).tobytes()


def test_texts_that_fail_are_left_out_and_listed(tmp_path: Path) -> None:
    embeddings = CountingEmbeddings()
    embeddings.fails_at = "text 70"
    made = EmbeddedDataset.create(
        _documents(100), embeddings, tmp_path / "set", on_error="skip", rows_per_shard=30
    )
    failed = [text.position for text in made.manifest.failed]
    assert failed == list(range(64, 100))  # the foreign class fails batch by batch
    assert "cannot embed text 70" in made.manifest.failed[0].reason
    assert list(EmbeddedDataset.load(tmp_path / "set").as_documents()) == _documents(64)


def test_other_embeddings_are_refused_with_both_values(tmp_path: Path) -> None:
    EmbeddedDataset.create(_documents(3), HashEmbeddings(model="a"), tmp_path / "set")
    with pytest.raises(ProvenanceMismatchError, match="model 'a' there, 'b' here"):
        EmbeddedDataset.create(_documents(9), HashEmbeddings(model="b"), tmp_path / "set")
    with pytest.raises(ProvenanceMismatchError, match="float32 vectors, not int8"):
        EmbeddedDataset.create(
            _documents(9), HashEmbeddings(model="a"), tmp_path / "set", dtype="int8"
        )


def test_another_source_is_refused(tmp_path: Path) -> None:
    EmbeddedDataset.create(_documents(3), HashEmbeddings(), tmp_path / "set")
    with pytest.raises(EmbeddedDatasetError, match="Rows 0 to 2"):
        EmbeddedDataset.create([Document("other")] * 3, HashEmbeddings(), tmp_path / "set")


def test_metadata_that_change_half_way_get_equal_columns_everywhere(tmp_path: Path) -> None:
    documents = [Document(f"{n}", metadata={"n": n}) for n in range(10)]
    documents += [Document(f"{n}", metadata={"n": n + 0.5, "late": "x"}) for n in range(10)]
    made = EmbeddedDataset.create(documents, HashEmbeddings(), tmp_path / "set", rows_per_shard=10)
    opened = made.to_dataset()
    assert opened.column_names == ["id", "text", "n", "late", "embedding"]
    assert opened["n"][:] == [*map(float, range(10)), *(n + 0.5 for n in range(10))]
    assert [one.metadata for one in EmbeddedDataset.load(tmp_path / "set").as_documents()] == [
        one.metadata for one in documents
    ]


def test_nothing_to_embed_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedDatasetError, match="nothing to embed"):
        EmbeddedDataset.create([], HashEmbeddings(), tmp_path / "set")


def test_a_folder_is_written_by_one_process_at_a_time(tmp_path: Path) -> None:
    with exclusive_use(tmp_path), pytest.raises(EmbeddedDatasetError, match="Another process"):
        EmbeddedDataset.create(_documents(1), HashEmbeddings(), tmp_path)


@pytest.fixture
def embedded(tmp_path: Path) -> EmbeddedDataset:
    return EmbeddedDataset.create(
        _documents(100), HashEmbeddings(model="a"), tmp_path / "set", rows_per_shard=30
    )


def test_a_flipped_bit_is_detected(embedded: EmbeddedDataset) -> None:
    shard = embedded.path / embedded.manifest.shards[1].path
    content = bytearray(shard.read_bytes())
    content[200] ^= 1
    shard.write_bytes(content)
    with pytest.raises(EmbeddedDatasetError, match=r"train-0000000030.*checksum"):
        EmbeddedDataset.load(embedded.path)
    with pytest.raises(EmbeddedDatasetError, match=r"train-0000000030.*checksum"):
        embedded.push_to_hub("me/broken")


def test_a_shard_that_was_cut_short_is_detected(embedded: EmbeddedDataset) -> None:
    shard = embedded.path / embedded.manifest.shards[1].path
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(EmbeddedDatasetError, match="bytes instead of"):
        EmbeddedDataset.load(embedded.path, verify_checksums=False)
    with pytest.raises(EmbeddedDatasetError, match="is damaged"):
        EmbeddedDataset.create(_documents(100), HashEmbeddings(model="a"), embedded.path)


def test_a_missing_shard_is_detected_and_made_again(embedded: EmbeddedDataset) -> None:
    (embedded.path / embedded.manifest.shards[1].path).unlink()
    with pytest.raises(EmbeddedDatasetError, match="it is missing"):
        EmbeddedDataset.load(embedded.path)
    embeddings = CountingEmbeddings(model="a")
    again = EmbeddedDataset.create(_documents(100), embeddings, embedded.path, rows_per_shard=30)
    assert embeddings.embedded == 30
    assert again.manifest.shards == embedded.manifest.shards


def test_a_shard_of_another_data_set_is_detected(embedded: EmbeddedDataset, tmp_path: Path) -> None:
    other = EmbeddedDataset.create(_documents(5), HashEmbeddings(model="b"), tmp_path / "other")
    shard = other.path / other.manifest.shards[0].path
    shard.rename(embedded.path / "data" / "test-0000000000.parquet")
    with pytest.raises(EmbeddedDatasetError, match=r"'test-0000000000.parquet', which is not part"):
        EmbeddedDataset.load(embedded.path)
    with pytest.raises(ProvenanceMismatchError, match="'b' there, 'a' here"):
        EmbeddedDataset.create(_documents(100), HashEmbeddings(model="a"), embedded.path)


def test_a_shard_whose_vectors_have_another_length_than_it_says_is_detected(
    embedded: EmbeddedDataset,
) -> None:
    path = embedded.path / embedded.manifest.shards[0].path
    table = pq.read_table(path)
    short = pa.array([[0.0]] * len(table), pa.list_(pa.float32(), 1))
    pq.write_table(
        table.set_column(table.column_names.index("embedding"), "embedding", short), path
    )
    with pytest.raises(EmbeddedDatasetError, match=r"is damaged: 'embedding' is fixed_size_list"):
        EmbeddedDataset.create(_documents(100), HashEmbeddings(model="a"), embedded.path)


def test_what_an_endpoint_tells_only_later_does_not_part_its_shards(tmp_path: Path) -> None:
    EmbeddedDataset.create(_documents(5), HashEmbeddings(), tmp_path / "set")
    EmbeddedDataset.create(_documents(9), HashEmbeddings(model="a"), tmp_path / "set")
    loaded = EmbeddedDataset.load(tmp_path / "set")
    assert (len(loaded), loaded.provenance.model) == (9, "a")


def test_the_license_can_be_told_later(embedded: EmbeddedDataset) -> None:
    again = EmbeddedDataset.create(
        _documents(100),
        HashEmbeddings(model="a"),
        embedded.path,
        origin=Origin("me/questions", license="mit"),
    )
    assert again.manifest.shards == embedded.manifest.shards
    assert DatasetCard.load(embedded.path / "README.md").data.license == "mit"


def test_a_parquet_file_of_somebody_else_is_detected(embedded: EmbeddedDataset) -> None:
    datasets.Dataset.from_dict({"a": [1]}).to_parquet(embedded.path / "data" / "x.parquet")
    with pytest.raises(EmbeddedDatasetError, match="is no shard of an embedded data set"):
        EmbeddedDataset.create(_documents(100), HashEmbeddings(model="a"), embedded.path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "its format is 'other'"),
        ({"version": 99}, "version 99.*upgrade"),
        ({"dtype": "float8"}, "'float8' is not known"),
        ({"shards": [{"path": "../x"}]}, "cannot be read"),
    ],
)
def test_a_manifest_that_is_not_understood_is_refused(
    embedded: EmbeddedDataset, change: dict[str, object], message: str
) -> None:
    path = embedded.path / "embedding.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **change}))
    with pytest.raises(EmbeddedDatasetError, match=message):
        EmbeddedDataset.load(embedded.path)


def test_a_manifest_cannot_name_files_outside_of_its_folder(embedded: EmbeddedDataset) -> None:
    text = embedded.manifest.to_json().replace(b"data/train-0000000000", b"../train-0000000000")
    with pytest.raises(ValueError, match="outside of data/"):
        Manifest.from_json(text)


def test_what_is_neither_folder_nor_repository_is_refused(tmp_path: Path) -> None:
    for name in (tmp_path / "none", "nothing", "./a", "/a/b/c"):
        with pytest.raises(EmbeddedDatasetError, match="neither a folder nor"):
            EmbeddedDataset.load(name)
    with pytest.raises(EmbeddedDatasetError, match="It is no embedded data set"):
        EmbeddedDataset.load(tmp_path)


def test_the_card_tells_load_dataset_where_the_splits_are(tmp_path: Path) -> None:
    made = EmbeddedDataset.create(
        _documents(5, split="train") + _documents(2, split="test"),
        HashEmbeddings(model="sentence-transformers/x"),
        tmp_path / "set",
        origin=Origin("stanfordnlp/snli", revision="abc", license="cc-by-sa-4.0"),
    )
    card = DatasetCard.load(made.path / "README.md")
    assert card.data.license == "cc-by-sa-4.0"
    assert card.data.size_categories == ["n<1K"]
    [config] = card.data.configs
    assert [one["split"] for one in config["data_files"]] == ["test", "train"]
    for word in ("stanfordnlp/snli", "`abc`", "`sentence-transformers/x`", "| Dimension | 8 |"):
        assert word in card.text
    for snippet in ("load_dataset(", "EmbeddedDataset.load(", "pd.read_parquet("):
        assert snippet in card.text
    assert "$" not in card.text
    opened = datasets.load_dataset(str(made.path), cache_dir=str(tmp_path / "cache"))
    assert {name: len(split) for name, split in opened.items()} == made.splits
    feature = opened["train"].features["embedding"]
    assert feature == datasets.List(datasets.Value("float32"), length=8)


@pytest.mark.parametrize(
    ("rows", "name"), [(0, "n<1K"), (1_000, "1K<n<10K"), (99_999, "10K<n<100K"), (10**13, "n>1T")]
)
def test_sizes_have_the_hubs_names(rows: int, name: str) -> None:
    assert size_category(rows) == name


@pytest.mark.parametrize(
    ("name", "split"),
    [("train", "train"), ("train[:10%]", "train"), ("dev-m", "dev_m"), ("", "train"), (3, "train")],
)
def test_splits_get_names_that_datasets_allows(name: object, split: str) -> None:
    assert split_name(name) == split


def test_a_data_set_keeps_features_and_splits(tmp_path: Path) -> None:
    features = datasets.Features(
        {
            "sentence": datasets.Value("string"),
            "label": datasets.ClassLabel(names=["no", "yes"]),
            "weight": datasets.Value("float32"),
        }
    )
    rows = {"sentence": ["a", "b"], "label": [0, 1], "weight": [0.1, 0.2]}
    source = datasets.DatasetDict(
        train=datasets.Dataset.from_dict(rows, features=features),
        test=datasets.Dataset.from_dict(rows, features=features),
    )
    made = EmbeddedDataset.create(
        source, HashEmbeddings(), tmp_path / "set", text_column="sentence"
    )
    opened = made.to_dataset("test")
    assert opened.features["label"] == features["label"]
    assert opened.features["weight"] == features["weight"]
    assert opened["weight"][:] == source["test"]["weight"][:]
    assert opened["text"][:] == ["a", "b"]


def test_a_streaming_data_set_with_ids(tmp_path: Path) -> None:
    source = datasets.Dataset.from_dict({"key": [7, 8], "text": ["a", "b"]}).to_iterable_dataset()
    made = EmbeddedDataset.create(source, HashEmbeddings(), tmp_path / "set", id_column="key")
    assert [(one.id, one.metadata) for one in made.as_documents()] == [("7", {}), ("8", {})]


def test_a_data_set_without_the_column_is_refused(tmp_path: Path) -> None:
    source = datasets.Dataset.from_dict({"sentence": ["a"]})
    with pytest.raises(ConfigurationError, match="no column 'text', only sentence"):
        EmbeddedDataset.create(source, HashEmbeddings(), tmp_path / "set")


def test_a_row_without_text_is_refused_by_its_number(tmp_path: Path) -> None:
    source = datasets.Dataset.from_dict({"text": ["a", None]})
    with pytest.raises(EmbeddedDatasetError, match="Row 1 of the split 'train' has None"):
        EmbeddedDataset.create(source, HashEmbeddings(), tmp_path / "set")


@pytest.mark.parametrize("dtype", ["float16", "int8"])
def test_small_dtypes_find_the_same_texts(tmp_path: Path, dtype: Any) -> None:
    embeddings = HashEmbeddings(dimension=64)
    made = EmbeddedDataset.create(_documents(200), embeddings, tmp_path / "set", dtype=dtype)
    [(found, score)] = made.similarity_search_with_score("text 42", embeddings, k=1)
    assert found.id == "id-42"
    assert score == pytest.approx(1, abs=1e-3)


def test_search_gives_whole_documents_best_first(embedded: EmbeddedDataset) -> None:
    found = embedded.similarity_search_with_score("text 71", HashEmbeddings(model="a"), k=5)
    assert found[0] == (_documents(100)[71], pytest.approx(1))
    scores = [score for _, score in found]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_a_faiss_index_finds_the_same_texts(tmp_path: Path, dtype: Any) -> None:
    pytest.importorskip("faiss", reason="needs faiss-cpu (pip install faiss-cpu)")
    embeddings = HashEmbeddings(dimension=64)
    made = EmbeddedDataset.create(_documents(200), embeddings, tmp_path / "set", dtype=dtype)
    opened = made.with_faiss_index()
    query = np.array(embeddings.embed_query("text 42"), dtype=np.float32)
    scores, found = opened.get_nearest_examples("embedding", query, k=2)
    assert found["id"][0] == "id-42"
    assert scores[0] == pytest.approx(1, abs=1e-3)
    assert scores[0] > scores[1]


def test_queries_by_another_model_are_refused_with_both_values(embedded: EmbeddedDataset) -> None:
    with pytest.raises(ProvenanceMismatchError, match="model 'a' there, 'b' here"):
        embedded.similarity_search_with_score("text", HashEmbeddings(model="b"))


def test_the_vectors_are_decoded_once(embedded: EmbeddedDataset, tmp_path: Path) -> None:
    first = embedded.to_numpy()
    [cached] = (tmp_path / "assets").rglob("*.float32")
    written = cached.stat().st_mtime_ns
    assert np.array_equal(EmbeddedDataset.load(embedded.path).to_numpy(), first)
    assert cached.stat().st_mtime_ns == written
    assert not first.flags.writeable


def test_errors_are_data_errors() -> None:
    assert issubclass(EmbeddedDatasetError, DataError)


def test_a_loader_that_fails_ends_the_run_with_its_own_error(tmp_path: Path) -> None:
    def give() -> Iterator[Document]:
        yield from _documents(3)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        EmbeddedDataset.create(give(), HashEmbeddings(), tmp_path / "set")
