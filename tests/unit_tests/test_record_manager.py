"""The SQLite record manager keeps what it is told, for every thread, process and namespace."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_hfendpoint.errors import ConfigurationError
from langchain_hfendpoint.record_manager import SQLiteRecordManager
from tests.support.indexing import TickingRecordManager


@pytest.fixture
def manager(tmp_path: Path) -> SQLiteRecordManager:
    return SQLiteRecordManager("tests", tmp_path / "records.sqlite")


a_key = st.sampled_from("abcdef")
a_group = st.sampled_from([None, "1", "2"])
an_update = st.tuples(st.just("update"), st.dictionaries(a_key, a_group, max_size=4), st.booleans())
a_deletion = st.tuples(st.just("delete"), st.lists(a_key, max_size=3), st.just(True))


@settings(max_examples=80, deadline=None)
@given(
    steps=st.lists(an_update | a_deletion, max_size=8),
    cut=st.integers(0, 8),
    groups=st.lists(st.sampled_from("123"), max_size=3),
)
def test_it_answers_as_langchain_cores_in_memory_one(
    steps: list[Any], cut: int, groups: list[str]
) -> None:
    ours, theirs = SQLiteRecordManager("tests", ":memory:"), TickingRecordManager()
    our_cut, their_cut = ours.get_time(), theirs.get_time()
    for position, (action, arguments, with_groups) in enumerate(steps):
        if position == cut:
            our_cut, their_cut = ours.get_time(), theirs.get_time()
        for manager in (ours, theirs):
            if action == "delete":
                manager.delete_keys(arguments)
            else:
                manager.update(
                    list(arguments), group_ids=list(arguments.values()) if with_groups else None
                )
    assert ours.exists(list("abcdefg")) == theirs.exists(list("abcdefg"))
    for asked in (None, groups):
        assert sorted(ours.list_keys(group_ids=asked)) == sorted(theirs.list_keys(group_ids=asked))
        assert sorted(ours.list_keys(before=our_cut, group_ids=asked)) == sorted(
            theirs.list_keys(before=their_cut, group_ids=asked)
        )
        assert sorted(ours.list_keys(after=our_cut, group_ids=asked)) == sorted(
            theirs.list_keys(after=their_cut, group_ids=asked)
        )
    assert len(ours.list_keys(limit=2)) == len(theirs.list_keys(limit=2))
    ours.close()


def test_records_are_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    first = SQLiteRecordManager("tests", tmp_path / "records.sqlite")
    first.update(["a"], group_ids=["1"])
    first.close()
    again = SQLiteRecordManager("tests", str(tmp_path / "records.sqlite"))
    assert again.list_keys(group_ids=["1"]) == ["a"]


def test_namespaces_in_one_file_do_not_see_each_other(tmp_path: Path) -> None:
    one = SQLiteRecordManager("one", tmp_path / "records.sqlite")
    other = SQLiteRecordManager("other", tmp_path / "records.sqlite")
    one.update(["a"], contents=[b"x"])
    assert other.exists(["a"]) == [False]
    assert other.keys_by_content([b"x"]) == {}
    other.delete_keys(["a"])
    assert one.exists(["a"]) == [True]


def test_its_time_never_stands_still_nor_goes_behind_what_is_recorded(tmp_path: Path) -> None:
    manager = SQLiteRecordManager("tests", tmp_path / "records.sqlite")
    times = [manager.get_time() for _ in range(100)]
    assert times == sorted(set(times))
    manager.update(["a"])
    manager.close()
    # As if the record had been written before the machine's clock was set back by a day.
    with sqlite3.connect(tmp_path / "records.sqlite") as raw:
        raw.execute("UPDATE writes SET time = time + 86400")
    again = SQLiteRecordManager("tests", tmp_path / "records.sqlite")
    assert again.list_keys(before=again.get_time()) == ["a"]


def test_a_document_is_found_by_its_text_and_keeps_it_when_refreshed(
    manager: SQLiteRecordManager,
) -> None:
    manager.update(["a", "b"], contents=[b"1", b"2"])
    manager.update(["a"])
    assert manager.keys_by_content([b"1", b"3"]) == {b"1": "a"}
    manager.delete_keys(["a"])
    assert manager.keys_by_content([b"1"]) == {}


def test_texts_are_found_by_an_index_which_is_made_when_the_first_is_looked_for(
    tmp_path: Path,
) -> None:
    manager = SQLiteRecordManager("tests", tmp_path / "records.sqlite")
    manager.update([str(number) for number in range(100)], contents=[b"1"] * 99 + [b"2"])
    other = SQLiteRecordManager("tests", tmp_path / "records.sqlite")
    assert "by_content" not in _way_to_a_text(tmp_path / "records.sqlite")
    for asked in (manager, other, manager):
        assert asked.keys_by_content([b"2"]) == {b"2": "99"}
    assert "by_content" in _way_to_a_text(tmp_path / "records.sqlite")


def _way_to_a_text(path: Path) -> str:
    with sqlite3.connect(path) as raw:
        query = "SELECT key FROM records WHERE namespace = 1 AND content IN (?)"
        ((*_, way),) = raw.execute(f"EXPLAIN QUERY PLAN {query}", (b"2",))
    return str(way)


def test_lists_of_different_lengths_are_refused(manager: SQLiteRecordManager) -> None:
    with pytest.raises(ValueError, match="each key"):
        manager.update(["a", "b"], group_ids=["1"])
    assert manager.list_keys() == []


def test_a_time_in_the_future_is_refused_and_nothing_is_recorded(
    manager: SQLiteRecordManager,
) -> None:
    with pytest.raises(ValueError, match="later than"):
        manager.update(["a"], time_at_least=manager.get_time() + 3600)
    assert manager.list_keys() == []


def test_more_keys_than_sqlite_takes_variables_are_looked_up(manager: SQLiteRecordManager) -> None:
    keys = [str(number) for number in range(3_000)]
    manager.update(keys[::2], group_ids=keys[::2])
    assert manager.exists(keys) == [number % 2 == 0 for number in range(3_000)]
    assert len(manager.list_keys(group_ids=keys)) == 1_500
    assert len(manager.list_keys(group_ids=keys, limit=700)) == 700


def test_a_key_of_a_source_named_twice_is_listed_once(manager: SQLiteRecordManager) -> None:
    manager.update(["a"], group_ids=["1"])
    assert manager.list_keys(group_ids=["1"] * 1_001) == ["a"]


def test_threads_may_share_it(manager: SQLiteRecordManager) -> None:
    def write(worker: int) -> None:
        for number in range(20):
            manager.update([f"{worker}-{number}"])

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(manager.list_keys()) == 80


async def test_the_async_methods_do_the_same(manager: SQLiteRecordManager) -> None:
    await manager.acreate_schema()
    before = await manager.aget_time()
    await manager.aupdate(["a", "b"], group_ids=["1", None], contents=[b"1", b"2"])
    assert await manager.aexists(["a", "c"]) == [True, False]
    assert await manager.alist_keys(group_ids=["1"], after=before, limit=5) == ["a"]
    assert await manager.akeys_by_content([b"2"]) == {b"2": "b"}
    await manager.adelete_keys(["a"])
    assert await manager.alist_keys() == ["b"]


def test_a_path_that_cannot_be_used_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="Give another path"):
        SQLiteRecordManager("tests", tmp_path / "missing" / "records.sqlite")


def test_a_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a database, " * 100)
    with pytest.raises(ConfigurationError, match="Give another path"):
        SQLiteRecordManager("tests", tmp_path / "notes.txt")


def test_the_file_of_another_program_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "theirs.sqlite"
    with sqlite3.connect(path) as theirs:
        theirs.execute("CREATE TABLE records (something TEXT)")
    with pytest.raises(ConfigurationError, match="belongs to another program"):
        SQLiteRecordManager("n", path)
    with sqlite3.connect(path) as theirs:
        tables = theirs.execute("SELECT name FROM sqlite_master").fetchall()
    assert tables == [("records",)]


@settings(max_examples=60, deadline=None)
@given(
    recorded=st.dictionaries(a_key, a_group, max_size=6),
    seen=st.dictionaries(a_key, a_group, max_size=6),
)
def test_refreshing_is_to_update_what_exists(
    recorded: dict[str, str | None], seen: dict[str, str | None]
) -> None:
    refreshed, updated = (SQLiteRecordManager("tests", ":memory:") for _ in range(2))
    for manager in (refreshed, updated):
        manager.update(
            list(recorded),
            group_ids=list(recorded.values()),
            contents=[key.encode() for key in recorded],
        )
    cuts = {manager: manager.get_time() for manager in (refreshed, updated)}
    answer = refreshed.refresh(
        list(seen), group_ids=list(seen.values()), time_at_least=cuts[refreshed]
    )
    assert answer == updated.exists(list(seen))
    both = [key for key in seen if key in recorded]
    updated.update(both, group_ids=[seen[key] for key in both])
    for groups in (None, ["1"], ["2"]):
        assert sorted(refreshed.list_keys(after=cuts[refreshed], group_ids=groups)) == sorted(
            updated.list_keys(after=cuts[updated], group_ids=groups)
        )
    contents = [key.encode() for key in "abcdef"]
    assert refreshed.keys_by_content(contents) == updated.keys_by_content(contents)


def test_refreshing_by_a_clock_that_is_ahead_is_refused(manager: SQLiteRecordManager) -> None:
    with pytest.raises(ValueError, match="later than"):
        manager.refresh(["a"], group_ids=[None], time_at_least=manager.get_time() + 1_000)
