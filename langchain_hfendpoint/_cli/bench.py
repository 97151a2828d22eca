"""`hfendpoint bench`: measure an endpoint."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from langchain_hfendpoint._cli.options import json_option
from langchain_hfendpoint._cli.render import print_json, print_table
from langchain_hfendpoint._cli.services import open_endpoint

if TYPE_CHECKING:
    from langchain_hfendpoint._bench.points import BenchReport, Point


@click.command()
@click.argument("url")
@click.option(
    "--batch-size",
    "batch_sizes",
    type=click.IntRange(min=1),
    multiple=True,
    help="Texts in a request. May be repeated.  [default: 1, 8, 32 and what the server allows]",
)
@click.option(
    "--in-flight",
    "loads",
    type=click.IntRange(min=1),
    multiple=True,
    help="Requests in flight. May be repeated.  [default: doubled until more does not help]",
)
@click.option(
    "--max-in-flight",
    type=click.IntRange(min=1),
    default=64,
    show_default=True,
    help="Requests in flight that are never exceeded.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0.1),
    default=1.5,
    show_default=True,
    help="How long each load is given.",
)
@click.option(
    "--budget",
    type=click.FloatRange(min=0.1),
    default=90.0,
    show_default=True,
    help="Seconds after which no further load is begun.",
)
@click.option(
    "--hourly-price",
    type=click.FloatRange(min=0),
    help="US dollars that the endpoint costs an hour, to tell the price of a million texts.",
)
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE.png",
    help="Draw throughput and latency into a PNG (needs the extra `bench`).",
)
@json_option
def bench(
    *,
    url: str,
    batch_sizes: tuple[int, ...],
    loads: tuple[int, ...],
    max_in_flight: int,
    seconds: float,
    budget: float,
    hourly_price: float | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Measure how fast the endpoint at URL is.

    Throughput, latency, where it saturates, and what a million texts cost. Loads it in steps with
    short sentences, and ends with what this package does by itself. The endpoint is really used,
    for up to --budget seconds: measure only what is yours.

    Example: hfendpoint bench http://127.0.0.1:8080 --plot bench.png
    """
    from langchain_hfendpoint._bench.plot import check_can_plot, write_plot
    from langchain_hfendpoint._bench.run import benchmark

    if plot is not None:
        check_can_plot()
    with open_endpoint(url) as endpoint:
        report = benchmark(
            endpoint.embeddings,
            batch_sizes=batch_sizes,
            loads=loads,
            most_in_flight=max_in_flight,
            seconds=seconds,
            budget=budget,
            hourly_price=hourly_price,
            on_point=_tell,
        )
    if plot is not None:
        write_plot(report, plot)
    if as_json:
        print_json(asdict(report))
    else:
        _show(report, hourly_price)
    if plot is not None:
        click.echo(f"Drawn into {plot}.", err=True)


def _tell(point: Point) -> None:
    click.echo(
        f"{point.batch_size} texts a request, {point.in_flight} in flight: "
        f"{point.texts_per_second:,.0f} texts/s",
        err=True,
    )


def _show(report: BenchReport, hourly_price: float | None) -> None:
    from langchain_hfendpoint._bench.points import price_per_million

    headings = ["BATCH", "IN FLIGHT", "TEXTS/S", "P50 MS", "P90 MS", "P99 MS", "REJECTED"]
    if hourly_price is not None:
        headings.append("$/MILLION")
    rows = []
    for point in report.points:
        row: list[object] = [
            point.batch_size,
            point.in_flight,
            f"{point.texts_per_second:,.0f}",
            *(f"{latency * 1000:.1f}" for latency in (point.p50, point.p90, point.p99)),
            point.rejected,
        ]
        if hourly_price is not None:
            row.append(f"{price_per_million(hourly_price, point.texts_per_second):.3f}")
        rows.append([*row, "<- saturated" if point == report.saturation else ""])
    print_table([*headings, ""], rows)
    click.echo(f"\n{report.software}. {report.advice}")
    if report.usd_per_million_texts is not None:
        click.echo(f"A million texts cost ${report.usd_per_million_texts:.3f} at the best load.")
    if not report.complete:
        click.echo("The time was over before everything was measured: raise --budget.", err=True)
