"""Options that several commands share, so that they mean the same everywhere."""

from __future__ import annotations

import click

from langchain_hfendpoint._cli.services import ENDPOINT_URL_VARIABLE

index_option = click.option(
    "--index",
    "index_name",
    envvar="PINECONE_INDEX_NAME",
    default="hf-endpoints",
    show_default=True,
    show_envvar=True,
    help="Pinecone index.",
)

namespace_option = click.option(
    "--namespace", help="Namespace of the index.  [default: the unnamed one]"
)

endpoint_url_option = click.option(
    "--endpoint-url",
    envvar=ENDPOINT_URL_VARIABLE,
    show_envvar=True,
    help="Inference Endpoint to embed with.  [default: a local server on the CPU]",
)

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print the outcome as one JSON object."
)

progress_option = click.option(
    "--progress/--no-progress",
    default=None,
    help="Show a progress bar.  [default: if stderr is a terminal]",
)

yes_option = click.option("-y", "--yes", is_flag=True, help="Do not ask.")
