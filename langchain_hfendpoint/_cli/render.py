"""How outcomes look: results on stdout, what is being done on stderr."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
import orjson

if TYPE_CHECKING:
    from langchain_hfendpoint._quickstart import Query


def say(step: str, outcome: str) -> None:
    """Tell on stderr what a step came to."""
    click.echo(f"{step:<11}{outcome}", err=True)


def print_json(outcome: object) -> None:
    """Print an outcome as one JSON object."""
    click.echo(orjson.dumps(outcome, option=orjson.OPT_INDENT_2).decode())


def print_table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table, numbers to the right."""
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    right = [all(_is_number(row[i]) for row in cells) for i in range(len(headings))]
    lines = [list(headings), *cells]
    widths = [max(len(line[i]) for line in lines) for i in range(len(headings))]
    for number, line in enumerate(lines):
        text = "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        ).rstrip()
        click.echo(click.style(text, bold=True) if number == 0 else text)


def print_fields(fields: Mapping[str, object]) -> None:
    """Print what is known of one thing, a line a field; what is `None` is left out."""
    known = {name: value for name, value in fields.items() if value is not None}
    width = max(map(len, known), default=0)
    for name, value in known.items():
        click.echo(f"{name:<{width}}  {value}")


def _is_number(cell: str) -> bool:
    return not cell or cell.strip("$%").replace(",", "").replace(".", "", 1).isdigit()


def print_query(query: Query) -> None:
    """Print a query and its answers, best first."""
    click.echo(f"\n{click.style(query.text, bold=True)}")
    if not query.answers:
        click.echo("  (no answers: the index holds nothing)")
    for answer in query.answers:
        click.echo(f"  {answer.score:6.3f}  {answer.text}")


def print_statistics(stats: Mapping[str, Any]) -> None:
    """Print an index's statistics in a line, and a line for each namespace if there are several."""
    click.echo(
        f"{stats['total_vector_count']:,} vectors of {stats['dimension']} dimensions, "
        f"metric {stats.get('metric', 'unknown')}"
    )
    namespaces = stats["namespaces"]
    if len(namespaces) > 1:
        for name, summary in namespaces.items():
            click.echo(f"  {name or '(unnamed)'}: {summary['vector_count']:,} vectors")
