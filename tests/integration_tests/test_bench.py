"""`hfendpoint bench`, against an endpoint whose capacity is known."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.simulated_endpoint import Shape, SimulatedEndpoint
from langchain_hfendpoint._bench.points import Point
from langchain_hfendpoint._bench.run import benchmark
from langchain_hfendpoint.embeddings import HFEndpointEmbeddings
from langchain_hfendpoint.errors import (
    ConfigurationError,
    EndpointAuthenticationError,
    EndpointOverloadedError,
)
from langchain_hfendpoint.local.endpoint import LocalEndpoint
from tests.support.commands import Commands

QUICK = ("--seconds", "0.1", "--batch-size", "32", "--in-flight", "1", "--in-flight", "4")


@pytest.fixture(scope="module")
def simulated() -> Iterator[SimulatedEndpoint]:
    with SimulatedEndpoint(Shape(workers=2, permits=256, service_seconds=0.02)) as endpoint:
        yield endpoint


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    return Commands(monkeypatch, capsys)


@pytest.fixture(scope="module")
def locked() -> Iterator[LocalEndpoint]:
    with LocalEndpoint(api_key="sesame") as server:
        yield server


def test_what_is_measured_never_exceeds_capacity_or_permits(simulated: SimulatedEndpoint) -> None:
    seen: list[Point] = []
    report = benchmark(
        HFEndpointEmbeddings(endpoint_url=simulated.url), seconds=0.1, on_point=seen.append
    )
    assert len(seen) == len(report.points)
    assert {point.batch_size for point in report.points} == {1, 8, 32}
    for point in report.points:
        workers_used = min(point.in_flight, simulated.shape.workers)
        capacity = workers_used * 32 / simulated.shape.service_seconds
        assert 0 < point.texts_per_second < 1.25 * capacity
        assert 0 < point.p50 <= point.p90 <= point.p99
        assert point.in_flight * point.batch_size <= simulated.shape.permits
    assert simulated.stats()["rejected"] == 0
    assert report.complete
    assert report.auto is not None
    assert report.auto.batch_size == 32


def test_given_batches_and_loads_are_all_that_is_measured(simulated: SimulatedEndpoint) -> None:
    report = benchmark(
        HFEndpointEmbeddings(endpoint_url=simulated.url),
        batch_sizes=[16],
        loads=[3, 1],
        seconds=0.1,
    )
    assert [(point.batch_size, point.in_flight) for point in report.points] == [(16, 1), (16, 3)]


def test_a_batch_that_the_endpoint_refuses_is_refused_before(
    simulated: SimulatedEndpoint,
) -> None:
    with pytest.raises(ConfigurationError, match="at most 32 texts in a request, not 33"):
        benchmark(HFEndpointEmbeddings(endpoint_url=simulated.url), batch_sizes=[33])


def test_no_load_is_begun_when_the_time_is_over(simulated: SimulatedEndpoint) -> None:
    embeddings = HFEndpointEmbeddings(endpoint_url=simulated.url)
    report = benchmark(embeddings, seconds=0.2, budget=0.3)
    assert len(report.points) == 1
    assert report.auto is None
    assert not report.complete
    with pytest.raises(ConfigurationError, match="too short"):
        benchmark(embeddings, seconds=1.0, budget=0.5)


def test_an_endpoint_that_refuses_everything_is_an_error() -> None:
    with (
        SimulatedEndpoint(Shape(permits=0)) as endpoint,
        pytest.raises(EndpointOverloadedError, match="every request"),
    ):
        benchmark(HFEndpointEmbeddings(endpoint_url=endpoint.url), batch_sizes=[1], seconds=0.1)


def test_a_server_that_wants_a_key_is_an_error(locked: LocalEndpoint) -> None:
    with pytest.raises(EndpointAuthenticationError):
        benchmark(HFEndpointEmbeddings(endpoint_url=locked.url), seconds=0.1)


def test_a_key_of_ones_own_is_taken_from_the_environment(
    locked: LocalEndpoint, run: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = ("--seconds", "0.1", "--budget", "0.15", "--batch-size", "1", "--in-flight", "1")
    refused = run("bench", locked.url, *load)
    assert refused.code == 1
    assert refused.err.count("\n") == 1
    monkeypatch.setenv("HF_ENDPOINT_API_KEY", "sesame")
    assert run("bench", locked.url, *load, "--json").json["points"][0]["rejected"] == 0


def test_the_command_prints_a_table_and_ends_with_advice(
    simulated: SimulatedEndpoint, run: Commands
) -> None:
    ran = run("bench", simulated.url, *QUICK, "--hourly-price", "0.8")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0].split()[:3] == ["BATCH", "IN", "FLIGHT"]
    assert [line.split()[:2] for line in lines[1:3]] == [["32", "1"], ["32", "4"]]
    assert "The endpoint saturates at" in ran.out
    assert "A million texts cost $" in ran.out
    assert "32 texts a request, 4 in flight" in ran.err


def test_the_command_gives_json(simulated: SimulatedEndpoint, run: Commands) -> None:
    outcome = run("bench", simulated.url, *QUICK, "--json").json
    assert [each["in_flight"] for each in outcome["points"]] == [1, 4]
    assert outcome["usd_per_million_texts"] is None
    assert outcome["best"] in outcome["points"]


def test_without_matplotlib_nothing_is_loaded_and_the_extra_is_named(
    simulated: SimulatedEndpoint, run: Commands, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    before = simulated.stats()["requests"]
    ran = run("bench", simulated.url, *QUICK, "--plot", str(tmp_path / "bench.png"))
    assert ran.code == 1
    assert "langchain-hfendpoint[bench]" in ran.err
    assert simulated.stats()["requests"] == before


def test_the_plot_is_a_png(simulated: SimulatedEndpoint, run: Commands, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra bench")
    file = tmp_path / "bench.png"
    assert run("bench", simulated.url, *QUICK, "--plot", str(file)).code == 0
    assert file.read_bytes().startswith(b"\x89PNG\r\n")
