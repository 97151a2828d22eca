"""`hfendpoint quickstart`: the Pinecone tutorial in one command."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict
from functools import partial

import click

from langchain_hfendpoint._cli.options import (
    endpoint_url_option,
    index_option,
    json_option,
    namespace_option,
    progress_option,
)
from langchain_hfendpoint._cli.render import print_json, print_query, print_statistics, say
from langchain_hfendpoint._cli.services import Workspace, open_endpoint, open_pinecone_access

EXAMPLE_QUERY = "A person on a horse jumps over a broken down airplane."


@click.command()
@click.option(
    "--data",
    metavar="SOURCE",
    help="Hub id, local file (parquet, jsonl, csv, tsv), or `sample`.  [default: "
    "stanfordnlp/snli, or the sample without internet]",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=50_000,
    show_default=True,
    help="Unique hypotheses to take.",
)
@index_option
@namespace_option
@endpoint_url_option
@json_option
@progress_option
def quickstart(
    *,
    data: str | None,
    limit: int,
    index_name: str,
    namespace: str | None,
    endpoint_url: str | None,
    as_json: bool,
    progress: bool | None,
) -> None:
    """Embed SNLI, keep it in Pinecone, and search it.

    Brings up an endpoint and a Pinecone index (on this machine, unless HF_ENDPOINT_URL and
    PINECONE_API_KEY say otherwise), embeds the unique hypotheses of SNLI, and asks three premises
    for their five nearest. Run it again and it continues where it stopped.

    Example: hfendpoint quickstart --data sample --limit 1000
    """
    from langchain_hfendpoint._quickstart import Stopwatch, run_quickstart
    from langchain_hfendpoint.record_manager import SQLiteRecordManager
    from langchain_hfendpoint.vectorstores import open_pinecone

    workspace = Workspace.from_environment()
    stopwatch = Stopwatch()
    with ExitStack() as servers:
        with stopwatch.stage("endpoint"):
            endpoint = servers.enter_context(open_endpoint(endpoint_url))
        say("Endpoint", endpoint.description)
        with stopwatch.stage("index"):
            pinecone = servers.enter_context(open_pinecone_access(workspace))
        say("Index", f"{index_name} in {pinecone.description}")
        report = run_quickstart(
            endpoint.embeddings,
            partial(
                open_pinecone,
                index_name,
                api_key=pinecone.api_key,
                controller_host=pinecone.controller_host,
                namespace=namespace,
            ),
            SQLiteRecordManager(
                f"{pinecone.description}/{index_name}/{namespace or ''}", workspace.records
            ),
            data=data,
            limit=limit,
            stopwatch=stopwatch,
            say=say,
            progress=progress,
        )
    if as_json:
        print_json(asdict(report))
        return
    print_statistics(report.stats)
    for query in report.queries:
        print_query(query)
    click.echo(f"\nThe vectors lie in {pinecone.description}. Search them:")
    click.echo(f'  hfendpoint search "{EXAMPLE_QUERY}" -k 5')
