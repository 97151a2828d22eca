import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_hfendpoint import SNLILoader
from langchain_hfendpoint.document_loaders import LoadReport
from langchain_hfendpoint.errors import ConfigurationError, HFEndpointError
from tests.support.nli_files import Row, write

ROWS = [
    Row("A man rides a horse.", "A person is outdoors.", 0),
    Row("A man rides a horse.", "The man is in a race.", 1),
    Row("A dog barks.", "A person is outdoors.", 2),
    Row("A dog barks.", "  ", 2),
    Row("", "Nobody sleeps.", -1),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(ROWS, tmp_path / "some.parquet")


def texts(loader: SNLILoader) -> list[str]:
    return [document.page_content for document in loader.lazy_load()]


def test_load_gives_what_lazy_load_gives(path: Path) -> None:
    loader = SNLILoader(path)
    assert loader.load() == list(loader.lazy_load())


async def test_alazy_load_gives_what_lazy_load_gives(path: Path) -> None:
    loader = SNLILoader(path, column="both")
    assert [document async for document in loader.alazy_load()] == loader.load()


async def test_alazy_load_raises_what_lazy_load_raises(tmp_path: Path) -> None:
    with pytest.raises(HFEndpointError, match="no such file"):
        await SNLILoader(tmp_path / "missing.csv").aload()


def test_lazy_load_is_a_generator_that_opens_nothing_before_it_is_asked(tmp_path: Path) -> None:
    documents = SNLILoader(tmp_path / "missing.csv").lazy_load()
    assert isinstance(documents, Iterator)
    with pytest.raises(HFEndpointError):
        next(documents)


def test_lazy_load_reads_one_batch_at_a_time(tmp_path: Path) -> None:
    many = [Row("p", f"h {number}", 0) for number in range(5_000)]
    loader = SNLILoader(write(many, tmp_path / "many.jsonl"))
    next(loader.lazy_load())
    assert loader.report.rows == 1_000


def test_premises_hypotheses_both_or_pairs_become_documents(path: Path) -> None:
    assert texts(SNLILoader(path, limit=2)) == ["A person is outdoors.", "The man is in a race."]
    assert texts(SNLILoader(path, column="premise", unique=True)) == [
        "A man rides a horse.",
        "A dog barks.",
    ]
    assert texts(SNLILoader(path, column="both", limit=2)) == [
        "A man rides a horse.",
        "A person is outdoors.",
    ]
    assert texts(SNLILoader(path, column="pair", template="{premise} => {label}: {hypothesis}"))[
        :1
    ] == ["A man rides a horse. => entailment: A person is outdoors."]


def test_with_both_the_metadata_say_which_sentence_it_is(path: Path) -> None:
    documents = SNLILoader(path, column="both", limit=2).load()
    assert [document.metadata["column"] for document in documents] == ["premise", "hypothesis"]


def test_the_other_sentence_is_in_the_metadata_on_request(path: Path) -> None:
    document = SNLILoader(path, include_other=True, limit=1).load()[0]
    assert document.metadata["premise"] == "A man rides a horse."
    assert "hypothesis" not in document.metadata
    document = SNLILoader(path, column="premise", include_other=True, limit=1).load()[0]
    assert document.metadata["hypothesis"] == "A person is outdoors."


def test_duplicates_keep_their_first_and_are_counted(path: Path) -> None:
    loader = SNLILoader(path, unique=True)
    assert texts(loader) == ["A person is outdoors.", "The man is in a race.", "Nobody sleeps."]
    assert loader.report == LoadReport(
        rows=5, kept=3, duplicates=1, unlabelled=1, empty=1, broken=0, complete=True
    )


def test_duplicates_can_leave_their_rows_and_labels_behind(path: Path) -> None:
    first, second, _ = SNLILoader(path, unique=True, collect=["rows", "labels"]).load()
    assert first.metadata["duplicate_rows"] == ["2"]
    assert first.metadata["label_names"] == ["entailment", "contradiction"]
    assert second.metadata["duplicate_rows"] == []


def test_unlabelled_rows_are_kept_for_sentences_and_dropped_for_pairs(tmp_path: Path) -> None:
    path = write([Row("A", "B", 0), Row("C", "D", -1)], tmp_path / "some.csv")
    assert len(SNLILoader(path).load()) == 2
    assert len(SNLILoader(path, unlabelled="drop").load()) == 1
    assert len(SNLILoader(path, column="pair").load()) == 1
    assert len(SNLILoader(path, column="pair", unlabelled="keep").load()) == 2
    assert [pair.label for pair in SNLILoader(path).pairs()] == ["entailment"]
    loader = SNLILoader(path, column="pair")
    loader.load()
    assert loader.report.unlabelled == 1


@given(
    hypotheses=st.lists(st.sampled_from(["a", "b", "c", "d", " "])),
    offset=st.integers(0, 8),
    limit=st.none() | st.integers(0, 8),
    unique=st.booleans(),
)
@settings(max_examples=50, deadline=None)
def test_offset_and_limit_are_a_slice_of_all_documents(
    tmp_path_factory: pytest.TempPathFactory,
    hypotheses: list[str],
    offset: int,
    limit: int | None,
    unique: bool,
) -> None:
    rows = [Row("p", hypothesis, 0) for hypothesis in hypotheses]
    path = write(rows, tmp_path_factory.mktemp("slices") / "some.parquet")
    whole = texts(SNLILoader(path, unique=unique))
    end = None if limit is None else offset + limit
    assert texts(SNLILoader(path, unique=unique, offset=offset, limit=limit)) == whole[offset:end]


def test_shards_are_disjoint_whole_and_unique_together(tmp_path: Path) -> None:
    rows = [Row("p", f"text {number % 300}", 0) for number in range(1_000)]
    loader = SNLILoader(write(rows, tmp_path / "some.parquet"), unique=True)
    shards = [texts(loader.shard(index, 4)) for index in range(4)]
    assert all(50 < len(shard) < 100 for shard in shards)
    assert sorted(chain.from_iterable(shards)) == sorted(texts(loader))
    with pytest.raises(ConfigurationError, match=r"0\.\.3"):
        loader.shard(4, 4)


def test_shuffling_is_seeded(tmp_path: Path) -> None:
    rows = [Row("p", f"text {number}", 0) for number in range(100)]
    path = write(rows, tmp_path / "some.parquet")
    mixed = texts(SNLILoader(path, shuffle=1, shuffle_buffer=20))
    assert mixed == texts(SNLILoader(path, shuffle=1, shuffle_buffer=20))
    assert mixed != texts(SNLILoader(path, shuffle=2, shuffle_buffer=20))
    assert sorted(mixed) == sorted(texts(SNLILoader(path)))


def test_ids_are_hashes_of_the_text_alone(path: Path, tmp_path: Path) -> None:
    elsewhere = write([Row("Other premise.", "A person is outdoors.", 1)], tmp_path / "other.csv")
    ids = {
        SNLILoader(path, limit=1).load()[0].id,
        SNLILoader(elsewhere).load()[0].id,
        SNLILoader(elsewhere, column="hypothesis", include_other=True).load()[0].id,
    }
    assert len(ids) == 1
    assert SNLILoader(elsewhere, column="premise").load()[0].id not in ids


def test_an_id_stays_the_same_from_release_to_release(path: Path) -> None:
    assert SNLILoader(path, limit=1).load()[0].id == "8b3e78e45221a341991c81a72b77d593"


def test_metadata_are_json_and_shared_by_no_two_documents(path: Path) -> None:
    documents = SNLILoader(path, column="both", include_other=True).load()
    json.dumps([document.metadata for document in documents])
    assert len({id(document.metadata) for document in documents}) == len(documents)


def test_further_columns_go_into_the_metadata_as_pinecone_takes_them(tmp_path: Path) -> None:
    path = tmp_path / "some.jsonl"
    row = {
        "hypothesis": "A man sits.",
        "genre": "fiction",
        "votes": ["neutral", "neutral"],
        "scores": [1, 2],
        "nothing": None,
    }
    path.write_text(json.dumps(row) + "\n")
    names = ["genre", "votes", "scores", "nothing"]
    metadata = SNLILoader(path, metadata_columns=names).load()[0].metadata
    assert metadata["genre"] == "fiction"
    assert metadata["votes"] == ["neutral", "neutral"]
    assert metadata["scores"] == "[1,2]"
    assert "nothing" not in metadata


def test_how_many_documents_there_may_be_is_told_without_reading(path: Path) -> None:
    assert SNLILoader(path).max_documents() == 5
    assert SNLILoader(path, column="both").max_documents() == 10
    assert SNLILoader(path, limit=3).max_documents() == 3
    assert SNLILoader(path, offset=4, limit=3).max_documents() == 1


def test_a_row_of_triplets_counts_twice(tmp_path: Path) -> None:
    path = tmp_path / "triplets.parquet"
    triplet = {"anchor": ["A"], "positive": ["B"], "negative": ["C"]}
    pq.write_table(pa.table(triplet), path)
    for column, texts_a_row in (("hypothesis", 2), ("premise", 1), ("both", 3), ("pair", 2)):
        loader = SNLILoader(path, column=column)
        assert loader.max_documents() == len(loader.load()) == texts_a_row


def test_a_file_of_lines_does_not_tell_how_many_it_has(tmp_path: Path) -> None:
    assert SNLILoader(write(ROWS, tmp_path / "some.csv")).max_documents() is None


def test_the_report_is_of_the_latest_pass(path: Path) -> None:
    loader = SNLILoader(path)
    assert loader.report == LoadReport()
    loader.load()
    loader.load()
    assert loader.report.rows == 5
    assert loader.report.complete
    list(loader.shard(0, 1).lazy_load())
    assert next(SNLILoader(path).lazy_load()) == next(loader.lazy_load())
    assert not loader.report.complete


def test_pairs_with_unique_are_unique_as_pairs(tmp_path: Path) -> None:
    rows = [Row("A", "B", 0), Row("C", "B", 0), Row("A", "B", 0)]
    path = write(rows, tmp_path / "some.csv")
    assert [pair[:2] for pair in SNLILoader(path, unique=True).pairs()] == [("A", "B"), ("C", "B")]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limit": -1}, "limit=-1"),
        ({"offset": -1}, "offset=-1"),
        ({"shuffle_buffer": 0}, "shuffle_buffer=0"),
        ({"on_error": "ignore"}, "on_error='ignore'"),
        ({"unlabelled": "maybe"}, "unlabelled='maybe'"),
        ({"collect": ["rows"]}, "unique=True"),
        ({"unique": True, "collect": ["texts"]}, "collect="),
        ({"column": "pair", "template": "{question}"}, "template="),
        ({"file_format": "xml"}, "file_format='xml'"),
    ],
)
def test_options_that_cannot_work_are_refused(
    path: Path, options: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        SNLILoader(path, **options).load()  # type: ignore[arg-type]


def test_a_source_that_is_nothing_known_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="source is a int"):
        SNLILoader(7)


def test_a_token_is_never_shown(path: Path) -> None:
    loader = SNLILoader("owner/private", api_key="hf_secret")
    assert "hf_secret" not in repr(vars(loader))
