import gzip
import json
from pathlib import Path

import pytest

from langchain_hfendpoint import SNLILoader
from langchain_hfendpoint.document_loaders import LoadReport
from langchain_hfendpoint.errors import BrokenRowError, DataError
from tests.support.nli_files import Row, content, write

MANY = [Row(f"premise {number}", f"hypothesis {number}", 0) for number in range(3_000)]


def failure(path: Path, **options: object) -> str:
    with pytest.raises(DataError) as caught:
        SNLILoader(path, **options).load()  # type: ignore[arg-type]
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_a_truncated_gzip_does_not_pass_for_whole(tmp_path: Path) -> None:
    for name in ("jsonl", "csv", "tsv", "json", "parquet"):
        whole = gzip.compress(content(MANY, name))
        path = tmp_path / f"cut.{name}.gz"
        path.write_bytes(whole[: len(whole) * 3 // 4])
        assert "truncated" in failure(path)


def test_a_damaged_gzip_does_not_pass_for_whole(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(content(MANY, "jsonl")))
    packed[-8] ^= 0xFF
    path = tmp_path / "damaged.jsonl.gz"
    path.write_bytes(packed)
    assert "damaged" in failure(path)


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_truncated_parquet_file_does_not_pass_for_whole(tmp_path: Path, share: float) -> None:
    whole = content(MANY, "parquet")
    path = tmp_path / "cut.parquet"
    path.write_bytes(whole[: int(len(whole) * share)])
    assert "Parquet" in failure(path)


def test_a_damaged_parquet_file_does_not_pass_for_whole(tmp_path: Path) -> None:
    damaged = bytearray(content(MANY, "parquet"))
    damaged[1_000:2_000] = bytes(1_000)
    path = tmp_path / "damaged.parquet"
    path.write_bytes(damaged)
    failure(path, column="pair")


def test_a_truncated_json_array_does_not_pass_for_whole(tmp_path: Path) -> None:
    path = tmp_path / "cut.json"
    path.write_bytes(content(MANY, "json")[:-3])
    assert "cut off" in failure(path)


def test_a_truncated_last_line_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "cut.jsonl"
    path.write_bytes(content(MANY, "jsonl")[:-20])
    assert "line 3000: not JSON" in failure(path)


def test_a_row_with_too_few_fields_names_the_line(tmp_path: Path) -> None:
    for name, delimiter in (("cut.tsv", "\t"), ("cut.csv", ",")):
        path = tmp_path / name
        row = delimiter.join(["A", "B", "neutral"])
        path.write_text(
            f"{row}\n".replace("A", "premise").replace("B", "hypothesis") + row + "\nA\n"
        )
        path.write_text(path.read_text().replace("neutral", "label", 1))
        assert "line 3: 1 fields where 3 columns are" in failure(path)


def test_an_open_quote_names_the_line_it_begins_on(tmp_path: Path) -> None:
    path = tmp_path / "open.csv"
    path.write_text('premise,hypothesis\nA,B\n"C,D\nE,F\n')
    assert "line 3: badly quoted" in failure(path)
    assert "quoting=False" in failure(path)


def test_a_wrong_encoding_names_the_line_and_the_option(tmp_path: Path) -> None:
    for name in ("some.tsv", "some.jsonl", "some.csv"):
        path = tmp_path / name
        text = content([Row("p", "gut", 0), Row("p", "schön", 1)], path.suffix[1:]).decode()
        path.write_bytes(text.encode("latin-1"))
        message = failure(path)
        line = 2 if path.suffix == ".jsonl" else 3
        assert f"line {line}: not utf-8 (byte 0xf6" in message
        assert "encoding='...'" in message


def test_utf_16_is_recognized_by_its_mark(tmp_path: Path) -> None:
    path = tmp_path / "some.tsv"
    path.write_text("premise\thypothesis\nA\tB\n", encoding="utf-16")
    assert "encoding='utf-16'" in failure(path)


def test_a_picture_is_no_data(tmp_path: Path) -> None:
    for name in ("picture.jsonl", "picture.csv", "picture.tsv", "picture.parquet", "picture.json"):
        path = tmp_path / name
        path.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1\0")
        failure(path)


def test_a_web_page_is_no_data(tmp_path: Path) -> None:
    for name in ("page.jsonl", "page.csv", "page.tsv", "page.parquet", "page.json"):
        path = tmp_path / name
        path.write_text("<!DOCTYPE html>\n<html><body>404: not found</body></html>\n")
        failure(path)


def test_an_empty_file_is_no_data(tmp_path: Path) -> None:
    for name in ("empty.jsonl", "empty.csv", "empty.tsv", "empty.parquet", "empty.json"):
        path = tmp_path / name
        path.write_bytes(b"")
        failure(path)


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    assert "no such file" in failure(tmp_path / "missing.parquet")
    assert "no such file" in failure(tmp_path / "*.parquet")


def test_what_can_be_neither_a_file_nor_a_data_set_is_said() -> None:
    with pytest.raises(DataError, match=r"'-' is neither a file nor the id of a data set"):
        next(SNLILoader("-").lazy_load())


def test_a_missing_column_lists_those_that_are_there(tmp_path: Path) -> None:
    path = tmp_path / "reviews.csv"
    path.write_text("title,body\nGood,Very good\n")
    message = failure(path)
    assert "'title', 'body'" in message
    assert "columns={'hypothesis'" in message
    assert SNLILoader(path, column="body").load()[0].page_content == "Very good"


def test_a_missing_column_for_the_metadata_is_an_error(tmp_path: Path) -> None:
    path = write(MANY[:2], tmp_path / "some.parquet")
    assert "no column 'genre' for metadata_columns" in failure(path, metadata_columns=["genre"])


def test_a_row_without_the_column_is_broken(tmp_path: Path) -> None:
    path = tmp_path / "some.jsonl"
    path.write_text('{"hypothesis": "A"}\n{"label": 0}\n{"hypothesis": 3}\n')
    assert "line 2: has no 'hypothesis'" in failure(path)
    loader = SNLILoader(path, on_error="skip")
    assert [document.metadata["row"] for document in loader.load()] == [0]
    assert loader.report.broken == 2


def test_an_impossible_label_names_the_row(tmp_path: Path) -> None:
    path = write([Row("A", "B", 0), Row("C", "D", 7)], tmp_path / "some.parquet")
    assert "row 1: label 7 is outside" in failure(path)


def test_broken_rows_are_skipped_and_counted_if_asked(tmp_path: Path) -> None:
    path = tmp_path / "some.jsonl"
    lines = ['{"hypothesis": "A"}', "{broken", "[1]", '{"hypothesis": "B", "label": "?"}', "17"]
    path.write_text("\n".join([*lines, '{"hypothesis": "C", "label": "neutral"}']))
    loader = SNLILoader(path, on_error="skip")
    assert [(d.page_content, d.metadata["row"]) for d in loader.lazy_load()] == [("A", 0), ("C", 5)]
    assert loader.report == LoadReport(rows=6, kept=2, unlabelled=1, broken=4, complete=True)


def test_broken_delimited_rows_are_skipped_and_counted_if_asked(tmp_path: Path) -> None:
    path = tmp_path / "some.csv"
    path.write_text('premise,hypothesis\nA,B\nC\n"D"x,E\nF,G\n')
    loader = SNLILoader(path, on_error="skip")
    assert [d.page_content for d in loader.lazy_load()] == ["B", "G"]
    assert (loader.report.rows, loader.report.broken) == (4, 2)


def test_skipping_rows_does_not_skip_a_truncated_file(tmp_path: Path) -> None:
    packed = gzip.compress(content(MANY, "jsonl"))
    path = tmp_path / "cut.jsonl.gz"
    path.write_bytes(packed[:-100])
    assert "truncated" in failure(path, on_error="skip")


def test_a_broken_row_can_be_caught_as_such(tmp_path: Path) -> None:
    path = tmp_path / "some.json"
    path.write_text(json.dumps([{"hypothesis": "A"}, 17]))
    with pytest.raises(BrokenRowError, match="row 1: not an object but 17"):
        SNLILoader(path).load()


def test_an_unfinished_pass_is_not_reported_as_complete(tmp_path: Path) -> None:
    loader = SNLILoader(write(MANY, tmp_path / "some.parquet"), limit=10)
    loader.load()
    assert not loader.report.complete
