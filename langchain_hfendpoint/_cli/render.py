"""How outcomes look: results on stdout, what is being done on stderr."""

from __future__ import annotations

from collections.abc import Mapping
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
