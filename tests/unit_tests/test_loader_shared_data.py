"""Every file of the real data, with the counts that its README states."""

from pathlib import Path

import pytest

from langchain_hfendpoint import SNLILoader

ROWS = {
    "snli/train_partial.parquet": 56_050,
    "snli/validation.parquet": 10_000,
    "snli/test.parquet": 10_000,
    "snli/official_format/snli_1.0_train.jsonl": 10,
    "snli/official_format/snli_1.0_dev.jsonl": 10,
    "snli/official_format/snli_1.0_dev.txt": 10,
    "snli/official_format/snli_1.0_test.jsonl": 10,
    "snli/official_format/snli_1.0_test.txt": 10,
    "nli/mnli_dev.csv.gz": 19_647,
    "nli/anli_r1_dev.jsonl.gz": 1_000,
    "nli/breaking_nli.jsonl.gz": 8_193,
    "nli/SICK_train.txt": 4_500,
    "nli/newprotocols_base_val.tsv.gz": 1_268,
    "nli/xnli_dev_ko.tsv.gz": 2_490,
    "sts/sts-dev.csv": 1_500,
}


@pytest.mark.parametrize(("name", "rows"), ROWS.items())
def test_every_row_of_every_file_is_read(shared_data: Path, name: str, rows: int) -> None:
    loader = SNLILoader(shared_data / name, column="pair", unlabelled="keep")
    assert sum(1 for _ in loader.lazy_load()) == rows
    assert loader.report.rows == loader.report.kept == rows
    assert loader.report.complete


def test_no_file_of_the_data_is_left_out(shared_data: Path) -> None:
    there = {
        str(path.relative_to(shared_data))
        for folder in ("snli", "nli")
        for path in (shared_data / folder).rglob("*.*")
    }
    assert there == {name for name in ROWS if not name.startswith("sts")}


@pytest.mark.parametrize(
    ("name", "unlabelled"), [("snli/validation.parquet", 158), ("snli/test.parquet", 176)]
)
def test_rows_without_a_gold_label_are_counted(
    shared_data: Path, name: str, unlabelled: int
) -> None:
    loader = SNLILoader(shared_data / name)
    assert len(loader.load()) == 10_000
    assert loader.report.unlabelled == unlabelled
    assert sum(1 for _ in loader.pairs()) == 10_000 - unlabelled


def test_unique_hypotheses_are_as_many_as_stated(shared_data: Path) -> None:
    loader = SNLILoader(shared_data / "snli/train_partial.parquet", unique=True)
    texts = [document.page_content for document in loader.lazy_load()]
    assert len(texts) == len(set(texts)) == 54_089
    assert loader.report.duplicates == 56_050 - 54_089


def test_all_splits_of_a_folder_are_read_together(shared_data: Path) -> None:
    loader = SNLILoader(shared_data / "snli", split="validation")
    assert len(loader.load()) == 10_000


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("nli/mnli_dev.csv.gz", {"entailment": 6_998, "neutral": 6_117, "contradiction": 6_532}),
        ("nli/anli_r1_dev.jsonl.gz", {"entailment": 334, "neutral": 333, "contradiction": 333}),
        ("nli/breaking_nli.jsonl.gz", {"entailment": 982, "neutral": 47, "contradiction": 7_164}),
        ("nli/SICK_train.txt", {"entailment": 1_299, "neutral": 2_536, "contradiction": 665}),
        ("nli/xnli_dev_ko.tsv.gz", {"entailment": 830, "neutral": 830, "contradiction": 830}),
        (
            "nli/newprotocols_base_val.tsv.gz",
            {"entailment": 428, "neutral": 402, "contradiction": 438},
        ),
    ],
)
def test_labels_of_every_set_mean_the_same(
    shared_data: Path, name: str, labels: dict[str, int]
) -> None:
    found = [pair.label for pair in SNLILoader(shared_data / name).pairs()]
    assert {label: found.count(label) for label in labels} == labels
    assert len(found) == sum(labels.values())


def test_quotation_marks_are_kept_where_they_are_text_and_removed_where_they_are_not(
    shared_data: Path,
) -> None:
    korean = next(SNLILoader(shared_data / "nli/xnli_dev_ko.tsv.gz").pairs()).premise
    assert korean == '그리고 그가 말했다, "엄마, 저 왔어요."'
    quoted = next(SNLILoader(shared_data / "nli/newprotocols_base_val.tsv.gz").pairs()).premise
    assert quoted.startswith('In 1967, Ray wrote a script for a film to be called "The Alien", ')


def test_the_same_texts_have_the_same_ids_in_jsonl_and_in_txt(shared_data: Path) -> None:
    folder = shared_data / "snli/official_format"
    for split in ("dev", "test"):
        one, other = (
            [(d.id, d.page_content) for d in SNLILoader(path, column="both").lazy_load()]
            for path in (folder / f"snli_1.0_{split}.jsonl", folder / f"snli_1.0_{split}.txt")
        )
        assert one == other


def test_the_same_texts_have_the_same_ids_in_the_hubs_and_in_the_official_format(
    shared_data: Path,
) -> None:
    official = SNLILoader(shared_data / "snli/official_format/snli_1.0_test.jsonl").load()
    hub = SNLILoader(shared_data / "snli/test.parquet", limit=10).load()
    assert [document.id for document in official] == [document.id for document in hub]
    assert [document.metadata["label"] for document in official] == [
        document.metadata["label"] for document in hub
    ]


def test_scores_of_sick_and_sts_are_in_the_metadata(shared_data: Path) -> None:
    assert (
        SNLILoader(shared_data / "nli/SICK_train.txt", limit=1).load()[0].metadata["score"] == 4.5
    )
    sts = SNLILoader(shared_data / "sts/sts-dev.csv").pairs()
    assert next(sts) == (
        "A man with a hard hat is dancing.",
        "A man wearing a hard hat is dancing.",
        5.0,
    )
