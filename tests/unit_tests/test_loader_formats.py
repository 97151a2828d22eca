import gzip
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_hfendpoint import SNLILoader
from langchain_hfendpoint.errors import ConfigurationError, DataError
from tests.support.nli_files import FORMATS, LABELS, Row, write

ROWS = [
    Row("A man rides a horse.", "A person is outdoors.", 0),
    Row("A man rides a horse.", "The man is in a race.", 1),
    Row("A man rides a horse.", "The man sleeps.", 2),
    Row("Zwei Hunde spielen im Schnee. \u2028 Ja!", "두 마리의 개가 있다.", -1),
    Row('She said, "Go, now".', '"No" is an answer, "yes" too', 0),
]


@pytest.mark.parametrize("ending", [f".{name}{gz}" for name in FORMATS for gz in ("", ".gz")])
def test_every_format_gives_the_same_texts_ids_and_labels(tmp_path: Path, ending: str) -> None:
    path = write(ROWS, tmp_path / f"snli_dev{ending}")
    documents = SNLILoader(path).load()
    assert [document.page_content for document in documents] == [row.hypothesis for row in ROWS]
    assert [document.metadata for document in documents] == [
        {
            "dataset": "snli_dev",
            "split": "validation",
            "row": number,
            "label": row.label,
            "label_name": LABELS[row.label],
        }
        for number, row in enumerate(ROWS)
    ]
    reference = SNLILoader(write(ROWS, tmp_path / "reference.parquet")).load()
    assert [document.id for document in documents] == [document.id for document in reference]


sentences = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters='"'), min_size=1, max_size=30
).filter(lambda text: not text.isspace() and not text.startswith("\ufeff"))
rows = st.lists(
    st.builds(Row, sentences, sentences, st.sampled_from([0, 1, 2, -1])), min_size=1, max_size=8
)


@pytest.mark.parametrize("file_format", FORMATS)
@given(rows=rows)
@settings(max_examples=40, deadline=None)
def test_what_is_written_is_what_is_read(file_format: str, rows: list[Row]) -> None:
    with TemporaryDirectory() as folder:
        path = write(rows, Path(folder) / f"some.{file_format}")
        read = SNLILoader(path, unlabelled="keep", delimiter=None).pairs()
        assert list(read) == [(row.premise, row.hypothesis, LABELS[row.label]) for row in rows]


quotable = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), min_size=1)


@given(rows=st.lists(st.builds(Row, quotable, quotable, st.just(0)), min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_quoted_csv_may_hold_quotes_commas_tabs_and_line_ends(rows: list[Row]) -> None:
    rows = [row for row in rows if row.premise.strip() and row.hypothesis.strip()]
    with TemporaryDirectory() as folder:
        path = write(rows, Path(folder) / "some.csv")
        read = list(SNLILoader(path).pairs())
    assert [(premise, hypothesis) for premise, hypothesis, _ in read] == [row[:2] for row in rows]


def test_a_tsv_saved_with_quotes_is_unquoted(tmp_path: Path) -> None:
    path = tmp_path / "quoted.tsv"
    path.write_text('premise\thypothesis\r\n"He said ""go""."\tHe spoke.\r\n', newline="")
    assert list(SNLILoader(path).pairs()) == [('He said "go".', "He spoke.", None)]
    raw = SNLILoader(path, quoting=False).pairs()
    assert next(raw).premise == '"He said ""go""."'


def test_a_file_without_a_header_is_read_with_column_names(tmp_path: Path) -> None:
    path = tmp_path / "bare.txt"
    path.write_text("A man sits.\tA man rests.\tentails\n")
    loader = SNLILoader(path, column_names=["premise", "hypothesis", "label"])
    assert list(loader.pairs()) == [("A man sits.", "A man rests.", "entailment")]


def test_other_encodings_are_read_when_said(tmp_path: Path) -> None:
    for encoding in ("latin-1", "utf-16", "utf-8-sig"):
        path = tmp_path / f"{encoding}.tsv"
        path.write_text("premise\thypothesis\nUne fée.\tÇa va.\n", encoding=encoding)
        assert [d.page_content for d in SNLILoader(path, encoding=encoding).load()] == ["Ça va."]


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    path = tmp_path / "excel.csv"
    path.write_bytes(b"\xef\xbb\xbfhypothesis,label\r\nA man sits.,neutral\r\n")
    assert SNLILoader(path).load()[0].page_content == "A man sits."


def test_names_of_labels_in_parquet_files_of_datasets_are_used(tmp_path: Path) -> None:
    features = datasets.Features(
        {
            "premise": datasets.Value("string"),
            "hypothesis": datasets.Value("string"),
            "label": datasets.ClassLabel(names=["contradiction", "entailment", "neutral"]),
        }
    )
    made = {"premise": ["p", "p"], "hypothesis": ["a", "b"], "label": [0, 1]}
    datasets.Dataset.from_dict(made, features=features).to_parquet(tmp_path / "set.parquet")
    labels = [d.metadata["label"] for d in SNLILoader(tmp_path / "set.parquet").lazy_load()]
    assert labels == [2, 0]


def test_dictionary_columns_of_parquet_are_read(tmp_path: Path) -> None:
    column = pa.array(["one", "two", "one"]).dictionary_encode()
    pq.write_table(pa.table({"text": column}), tmp_path / "set.parquet")
    loader = SNLILoader(tmp_path / "set.parquet", column="text", unique=True)
    assert [document.page_content for document in loader.load()] == ["one", "two"]


@pytest.mark.parametrize("streamed", [False, True])
def test_data_sets_in_hand_are_read(streamed: bool) -> None:
    held = datasets.Dataset.from_list([row._asdict() for row in ROWS])
    loader = SNLILoader(held.to_iterable_dataset() if streamed else held, split="dev")
    assert [d.page_content for d in loader.lazy_load()] == [row.hypothesis for row in ROWS]
    assert loader.load() == list(loader.lazy_load())
    assert loader.load()[0].metadata["split"] == "dev"


def test_a_streamed_data_set_need_not_declare_its_columns() -> None:
    stream = datasets.IterableDataset.from_generator(lambda: (row._asdict() for row in ROWS))
    assert len(SNLILoader(stream).load()) == len(ROWS)


def test_of_several_splits_in_hand_one_is_chosen() -> None:
    held = datasets.Dataset.from_list([ROWS[0]._asdict()])
    splits = datasets.DatasetDict({"train": held, "test": held})
    assert SNLILoader(splits, split="test").load()[0].metadata["split"] == "test"
    with pytest.raises(ConfigurationError, match="no split 'dev'"):
        SNLILoader(splits, split="dev")


def test_triplets_give_two_hypotheses_a_row(tmp_path: Path) -> None:
    path = tmp_path / "allnli.jsonl"
    path.write_text(json.dumps({"anchor": "A", "positive": "B", "negative": "C"}) + "\n")
    assert list(SNLILoader(path).pairs()) == [("A", "B", "entailment"), ("A", "C", "contradiction")]
    assert [d.page_content for d in SNLILoader(path, column="both").load()] == ["A", "B", "C"]


def test_scores_are_in_the_metadata_and_in_the_pairs(tmp_path: Path) -> None:
    path = tmp_path / "sts.jsonl"
    path.write_text(json.dumps({"sentence1": "A", "sentence2": "B", "score": 4.5}) + "\n")
    assert list(SNLILoader(path).pairs()) == [("A", "B", 4.5)]
    metadata = SNLILoader(path).load()[0].metadata
    assert metadata["score"] == 4.5
    assert "label" not in metadata


def test_a_glob_reads_its_files_in_order_and_counts_rows_on(tmp_path: Path) -> None:
    write(ROWS[:2], tmp_path / "train-00000.parquet")
    write(ROWS[2:3], tmp_path / "train-00001.jsonl")
    documents = SNLILoader(f"{tmp_path}/train-*").load()
    assert [document.metadata["row"] for document in documents] == [0, 1, 2]
    assert [document.page_content for document in documents] == [r.hypothesis for r in ROWS[:3]]


def test_of_a_folder_the_files_of_the_split_are_read(tmp_path: Path) -> None:
    write(ROWS[:2], tmp_path / "train-00000.parquet")
    write(ROWS[2:3], tmp_path / "dev.parquet")
    (tmp_path / "README.md").write_text("About the data.")
    assert len(SNLILoader(tmp_path, split="validation").load()) == 1
    assert {d.metadata["split"] for d in SNLILoader(tmp_path).load()} == {"train", "validation"}
    with pytest.raises(DataError, match="named after the split 'test'"):
        SNLILoader(tmp_path, split="test").load()


def test_urls_are_read_through_fsspec(tmp_path: Path) -> None:
    path = write(ROWS, tmp_path / "some.csv.gz")
    assert len(SNLILoader(f"file://{path}").load()) == len(ROWS)
    with pytest.raises(ConfigurationError, match="nosuch"):
        SNLILoader("nosuch://bucket/some.csv").load()


def test_gzip_is_told_by_the_content_not_by_the_name(tmp_path: Path) -> None:
    path = tmp_path / "some.jsonl"
    path.write_bytes(gzip.compress(b'{"hypothesis": "A man sits."}\n'))
    assert SNLILoader(path).load()[0].page_content == "A man sits."


def test_a_format_can_be_said_where_the_name_does_not_tell(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_text("hypothesis\nA man sits.\n")
    with pytest.raises(DataError, match="file_format="):
        SNLILoader(path).load()
    assert SNLILoader(path, file_format="csv").load()[0].page_content == "A man sits."
