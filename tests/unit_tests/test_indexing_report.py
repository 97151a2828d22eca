"""The result: langchain-core's dictionary, and what it does not tell."""

from __future__ import annotations

from langchain_hfendpoint._indexing.report import BusyTime
from langchain_hfendpoint.indexing import FailedDocument, IndexingReport


def a_report(**changes: object) -> IndexingReport:
    values: dict[str, object] = {
        "added": 3,
        "updated": 1,
        "deleted": 2,
        "skipped": 4,
        "embedded": 6,
        "reused": 1,
        "failed": (FailedDocument("a", "no"),),
        "retries": 5,
        "seconds": {"embedding": 1.5, "total": 2.0},
    }
    return IndexingReport(**{**values, **changes})  # type: ignore[arg-type]


def test_the_result_equals_langchain_cores_dictionary() -> None:
    assert a_report() == {"num_added": 3, "num_updated": 1, "num_deleted": 2, "num_skipped": 4}


def test_the_rest_are_attributes() -> None:
    report = a_report()
    assert (report.embedded, report.reused, report.retries) == (6, 1, 5)
    assert report.failed[0].id == "a"
    assert report.texts_per_second == 3.0
    assert not report.interrupted


def test_a_run_without_time_has_no_rate() -> None:
    assert a_report(seconds={}).texts_per_second == 0.0


def test_the_report_shows_both_at_a_glance() -> None:
    assert repr(a_report()) == (
        "IndexingReport(num_added=3, num_updated=1, num_deleted=2, num_skipped=4, embedded=6, "
        "reused=1, failed=1, retries=5, texts_per_second=3.0)"
    )


def test_time_with_two_things_in_flight_counts_once() -> None:
    now = 0.0
    busy = BusyTime(lambda: now)
    with busy.stage("storing"):
        now = 1.0
        with busy.stage("storing"):
            now = 2.0
        now = 3.0
    now = 10.0
    with busy.stage("storing"):
        now = 11.0
    assert busy.seconds() == {"storing": 4.0, "total": 11.0}
