"""The benchmark as a picture: throughput and latency over the load."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from langchain_hfendpoint._bench.points import BenchReport
from langchain_hfendpoint._extras import import_extra


def check_can_plot() -> None:
    """Find out before an endpoint is loaded whether there can be a picture.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    import_extra("matplotlib.figure", "bench")


def write_plot(report: BenchReport, path: Path) -> None:
    """Draw a report into a PNG file.

    Args:
        report: The report.
        path: The file.

    Raises:
        MissingExtraError: If matplotlib is not installed.
        OSError: If the file cannot be written.
    """
    # `Figure` without pyplot: no window, no global state.
    figure = import_extra("matplotlib.figure", "bench").Figure(
        figsize=(10, 4.5), layout="constrained"
    )
    throughput, latency = figure.subplots(1, 2)
    for batch_size, group in groupby(report.points, key=lambda point: point.batch_size):
        points = list(group)
        loads = [point.in_flight for point in points]
        rates = [point.texts_per_second for point in points]
        medians = [point.p50 * 1000 for point in points]
        (line,) = throughput.plot(loads, rates, marker="o", label=str(batch_size))
        latency.plot(loads, medians, marker="o", color=line.get_color())
        latency.fill_between(
            loads,
            medians,
            [point.p99 * 1000 for point in points],
            color=line.get_color(),
            alpha=0.15,
        )
    knee = report.saturation
    throughput.plot(
        [knee.in_flight],
        [knee.texts_per_second],
        marker="o",
        markersize=14,
        fillstyle="none",
        linestyle="none",
        color="black",
        label="saturation",
    )
    if report.auto is not None:
        throughput.axhline(
            report.auto.texts_per_second, linestyle="--", color="gray", label="auto mode"
        )
    throughput.set(title="Throughput", ylabel="texts a second")
    throughput.legend(title="texts a request")
    latency.set(title="Latency, median to 99th percentile", ylabel="milliseconds")
    ticks = sorted({point.in_flight for point in report.points})
    for axes in (throughput, latency):
        axes.set_xscale("log", base=2)
        axes.set_xticks(ticks, labels=[str(tick) for tick in ticks])
        axes.set_xlabel("requests in flight")
        axes.set_ylim(bottom=0)
        axes.grid(visible=True, alpha=0.3)
    figure.suptitle(f"{report.software} at {report.url}")
    figure.savefig(path, format="png", dpi=150)
