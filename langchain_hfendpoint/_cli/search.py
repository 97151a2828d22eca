"""`hfendpoint search`: ask an index through its retriever."""

from __future__ import annotations

import sys
from dataclasses import asdict

import click

from langchain_hfendpoint._cli.options import (
    endpoint_url_option,
    index_option,
    json_option,
    namespace_option,
)
from langchain_hfendpoint._cli.render import print_json, print_query
from langchain_hfendpoint._cli.services import Workspace, open_endpoint, open_pinecone_access


@click.command()
@click.argument("query")
@click.option(
    "-k", "--top-k", type=click.IntRange(1, 10_000), default=5, show_default=True, help="Answers."
)
@index_option
@namespace_option
@endpoint_url_option
@json_option
def search(
    *,
    query: str,
    top_k: int,
    index_name: str,
    namespace: str | None,
    endpoint_url: str | None,
    as_json: bool,
) -> None:
    """Print the stored texts nearest to QUERY.

    A QUERY of `-` is read from standard input.

    Example: hfendpoint search "A person on a horse jumps over a broken down airplane." -k 5
    """
    from langchain_hfendpoint._quickstart import ask
    from langchain_hfendpoint.vectorstores import open_pinecone

    text = sys.stdin.read().strip() if query == "-" else query
    if not text.strip():
        raise click.BadParameter("the query is empty", param_hint="QUERY")
    workspace = Workspace.from_environment()
    with open_endpoint(endpoint_url) as endpoint, open_pinecone_access(workspace) as pinecone:
        store = open_pinecone(
            index_name,
            endpoint.embeddings,
            api_key=pinecone.api_key,
            controller_host=pinecone.controller_host,
            namespace=namespace,
            create=False,
        )
        found = ask(store, text, k=top_k)
    if as_json:
        print_json(asdict(found))
    else:
        print_query(found)
