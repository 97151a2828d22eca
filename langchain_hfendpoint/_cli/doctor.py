"""`hfendpoint doctor`: examine the whole chain, a verdict a line."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

import click

from langchain_hfendpoint._cli.options import endpoint_url_option, index_option, json_option
from langchain_hfendpoint._cli.render import print_json
from langchain_hfendpoint._cli.services import Workspace, open_endpoint, open_pinecone_access

if TYPE_CHECKING:
    from langchain_hfendpoint._doctor.verdicts import Verdict

_COLORS = {"ok": "green", "warning": "yellow", "problem": "red", "skipped": "bright_black"}


@click.command()
@endpoint_url_option
@index_option
@click.option(
    "--round-trip",
    is_flag=True,
    help="Also write a vector to the index, find it and delete it again.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=1),
    default=30.0,
    show_default=True,
    help="Seconds the endpoint may take to answer.",
)
@json_option
def doctor(
    *, endpoint_url: str | None, index_name: str, round_trip: bool, timeout: float, as_json: bool
) -> None:
    """Examine the whole chain, a verdict a line.

    Packages, token, network, endpoint, Pinecone, and whether they fit each other.

    Changes nothing (but for --round-trip, in a namespace of its own), and wakes no endpoint that
    Hugging Face says is asleep. Without an endpoint or a Pinecone account it examines the local
    servers. Exit code 1 if there is a problem.

    Example: hfendpoint doctor --round-trip
    """
    from langchain_hfendpoint._doctor.examination import examine

    verdicts = []
    for verdict in examine(
        endpoint_url=endpoint_url,
        open_endpoint=partial(
            open_endpoint,
            endpoint_url,
            timeout=timeout,
            retry_deadline=timeout,
            cold_start_timeout=timeout,
        ),
        open_pinecone=partial(open_pinecone_access, Workspace.from_environment()),
        index_name=index_name,
        round_trip=round_trip,
    ):
        verdicts.append(verdict)
        if not as_json:
            _print(verdict)
    levels = Counter(verdict.level for verdict in verdicts)
    if as_json:
        print_json(
            {"healthy": not levels["problem"], "verdicts": [asdict(each) for each in verdicts]}
        )
    else:
        click.echo(
            f"\n{levels['ok']} ok, {levels['warning']} to look at, {levels['problem']} problems."
        )
    if levels["problem"]:
        raise click.exceptions.Exit(1)


def _print(verdict: Verdict) -> None:
    level = click.style(f"{verdict.level:<8}", fg=_COLORS[verdict.level])
    click.echo(f"{level} {verdict.check:<11} {verdict.found}")
    if verdict.remedy is not None:
        click.echo(f"{'':<8} {'':<11} -> {verdict.remedy}")
