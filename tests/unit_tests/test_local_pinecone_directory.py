"""What is on disk: locks, foreign and damaged files, space, dumps, and reading along."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from langchain_hfendpoint.errors import LocalServerError
from langchain_hfendpoint.local import pinecone as local
from langchain_hfendpoint.local._pinecone import data_plane as plane
from langchain_hfendpoint.local._pinecone import files, namespaces
from langchain_hfendpoint.local._pinecone.config import IndexConfig
from langchain_hfendpoint.local._pinecone.database import Database
from langchain_hfendpoint.local._pinecone.directory import Directory
from langchain_hfendpoint.local._pinecone.index import Index
from langchain_hfendpoint.local._pinecone.wire import WireError
from tests.support.pinecone_calls import ask


def fill(index: Index, count: int, *, namespace: str = "", start: int = 0) -> None:
    vectors = np.random.default_rng(start).standard_normal((count, index.config.dimension))
    ask(
        plane.upsert,
        index,
        {
            "namespace": namespace,
            "vectors": [
                {"id": f"r{start + n:05d}", "values": row.tolist(), "metadata": {"n": start + n}}
                for n, row in enumerate(vectors)
            ],
        },
    )


def content(index: Index) -> dict[str, dict]:
    stats = ask(plane.describe_index_stats, index, version="2025-04")
    return {
        name: ask(
            plane.fetch_by_metadata,
            index,
            {"namespace": name, "limit": 10_000, "filter": {"never": {"$exists": False}}},
        )["vectors"]
        for name in stats["namespaces"]
    }


def test_a_directory_is_locked_against_a_second_server(tmp_path: Path) -> None:
    with (
        Directory(tmp_path),
        pytest.raises(LocalServerError, match="Another local Pinecone is using"),
    ):
        Directory(tmp_path)
    Directory(tmp_path).close()


@pytest.mark.parametrize(
    "junk", [b"no database at all" * 100, b"", b"SQLite format 3\0" + b"x" * 500]
)
def test_a_damaged_file_is_named(tmp_path: Path, junk: bytes) -> None:
    (tmp_path / "broken.sqlite3").write_bytes(junk)
    with pytest.raises(LocalServerError, match=r"broken\.sqlite3"):
        Directory(tmp_path)


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "photos.sqlite3")
    connection.execute("CREATE TABLE photos (name TEXT)")
    connection.commit()
    connection.close()
    before = (tmp_path / "photos.sqlite3").read_bytes()
    with pytest.raises(LocalServerError, match="some other program"):
        Directory(tmp_path)
    assert (tmp_path / "photos.sqlite3").read_bytes() == before


def test_a_newer_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Directory(tmp_path) as directory:
        directory.create(IndexConfig("index", "cosine", 2))
    monkeypatch.setattr(files, "FORMAT_VERSION", 0)
    with pytest.raises(LocalServerError, match="has format 1"):
        Directory(tmp_path)


def test_damage_to_any_page_is_named_at_opening_or_harmless(tmp_path: Path) -> None:
    with Directory(tmp_path) as directory:
        fill(directory.create(IndexConfig("index", "cosine", 64)), 300)
        whole = content(directory.get("index"))
    (file,) = tmp_path.glob("*.sqlite3")
    healthy = file.read_bytes()
    found = 0
    for page in range(len(healthy) // 8_192):
        damaged = bytearray(healthy)
        damaged[8_192 * page : 8_192 * (page + 1)] = b"\xa5" * 8_192
        file.write_bytes(damaged)
        try:
            with Directory(tmp_path) as directory:
                assert content(directory.get("index")) == whole
        except LocalServerError as error:
            assert file.name in str(error)  # noqa: PT017
            found += 1
    assert found > 10


def test_a_deleted_index_leaves_no_file_behind(tmp_path: Path) -> None:
    with Directory(tmp_path) as directory:
        fill(directory.create(IndexConfig("index", "cosine", 2)), 10)
        directory.delete("index")
        assert [path.name for path in tmp_path.iterdir()] == ["lock"]
        with pytest.raises(WireError) as refusal:
            directory.get("index")
        assert refusal.value.status == 404


def test_what_a_killed_server_left_half_made_is_swept_away(tmp_path: Path) -> None:
    for name in ("index-00.new", "gone-00.sqlite3-wal", "gone-00.sqlite3-shm"):
        (tmp_path / name).write_bytes(b"")
    with Directory(tmp_path) as directory:
        assert directory.names() == []
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_the_space_of_replaced_and_deleted_records_is_given_back(tmp_path: Path) -> None:
    with Directory(tmp_path) as directory:
        index = directory.create(IndexConfig("index", "cosine", 256))
        for _ in range(20):
            fill(index, 200)
        ask(plane.delete, index, {"ids": [f"r{n:05d}" for n in range(10, 200)]})
    with Directory(tmp_path) as directory:
        assert len(content(directory.get("index"))[""]) == 10
    (file,) = tmp_path.glob("*.sqlite3")
    connection = sqlite3.connect(file)
    stored = connection.execute("SELECT sum(length(vectors)) / 1024 FROM blocks").fetchone()
    assert stored == (10,)
    assert connection.execute("SELECT count(*) FROM records").fetchone() == (10,)
    assert connection.execute("SELECT count(*) FROM graves").fetchone() == (0,)
    connection.close()


def test_a_dump_restored_elsewhere_holds_the_same(tmp_path: Path) -> None:
    with Directory(tmp_path / "old") as directory:
        dense = directory.create(IndexConfig("dense", "dotproduct", 3, tags={"a": "b"}))
        fill(dense, 500, namespace="n")
        fill(dense, 3)
        sparse = directory.create(IndexConfig("sparse", "dotproduct", 0))
        ask(
            plane.upsert,
            sparse,
            {"vectors": [{"id": "s", "sparseValues": {"indices": [7, 3], "values": [0.5, 1.0]}}]},
        )
        ask(namespaces.create_namespace, dense, {"name": "empty"})
        before = {name: content(directory.get(name)) for name in directory.names()}
        assert local.dump(tmp_path / "old", tmp_path / "all.parquet") == 504  # beside the server
    assert local.restore(tmp_path / "all.parquet", tmp_path / "new") == 504
    with Directory(tmp_path / "new") as directory:
        assert {name: content(directory.get(name)) for name in directory.names()} == before
        assert directory.get("dense").config.tags == {"a": "b"}
    with pytest.raises(LocalServerError, match="already holds indexes"):
        local.restore(tmp_path / "all.parquet", tmp_path / "new")


def test_a_file_that_is_no_dump_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.parquet").write_bytes(b"PAR1 or so")
    with pytest.raises(LocalServerError, match="is no dump"):
        local.restore(tmp_path / "other.parquet", tmp_path / "new")


def test_reading_along_sees_one_moment_while_the_server_goes_on(tmp_path: Path) -> None:
    with Directory(tmp_path) as writer:
        index = writer.create(IndexConfig("index", "cosine", 2))
        fill(index, 20)
        with Directory(tmp_path, read_only=True) as reader:
            before = content(reader.get("index"))
            ask(plane.delete, index, {"deleteAll": True})
            fill(index, 5, start=100)
            assert content(reader.get("index")) == before
    with Directory(tmp_path, read_only=True) as reader:
        assert len(content(reader.get("index"))[""]) == 5


def test_with_a_consistency_delay_a_write_is_durable_at_once_and_visible_later(
    tmp_path: Path,
) -> None:
    now = 0.0
    file = tmp_path / "index.sqlite3"
    index = Index(
        Database.create(file, IndexConfig("index", "cosine", 2)),
        consistency_delay=5.0,
        clock=lambda: now,
    )
    fill(index, 3)
    assert ask(plane.fetch, index, ids=["r00000"])["vectors"] == {}
    # A write sees what a reader does not see yet.
    ask(plane.update, index, {"id": "r00000", "setMetadata": {"later": True}})
    now = 5.0
    assert ask(plane.fetch, index, ids=["r00000"])["vectors"]["r00000"]["metadata"] == {
        "n": 0.0,
        "later": True,
    }
    ask(plane.delete, index, {"ids": ["r00001"]})
    assert "r00001" in ask(plane.fetch, index, ids=["r00001"])["vectors"]
    now = 10.0
    assert ask(plane.describe_index_stats, index)["totalVectorCount"] == 2
    index.close()


def test_a_write_that_fails_on_disk_leaves_no_trace(tmp_path: Path) -> None:
    with Directory(tmp_path) as directory:
        index = directory.create(IndexConfig("index", "cosine", 256))
        fill(index, 5)
        before = content(index)
        pages = index.database.connection.execute("PRAGMA page_count").fetchone()[0]
        index.database.connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(sqlite3.OperationalError, match="full"):
            fill(index, 900, start=3)
        assert content(index) == before
        index.database.connection.execute("PRAGMA max_page_count = 1000000")
        fill(index, 900, start=3)
        assert len(content(index)[""]) == 903


def test_who_reads_while_a_write_fails_sees_what_was_there(tmp_path: Path) -> None:
    with Directory(tmp_path) as directory, ThreadPoolExecutor(1) as pool:
        index = directory.create(IndexConfig("index", "cosine", 256))
        fill(index, 5)
        before = content(index)
        pages = index.database.connection.execute("PRAGMA page_count").fetchone()[0]
        index.database.connection.execute(f"PRAGMA max_page_count = {pages}")
        for _ in range(10):
            write = pool.submit(fill, index, 900, start=3)
            while not write.done():
                assert content(index) == before
            with pytest.raises(sqlite3.OperationalError, match="full"):
                write.result()
