"""`hfendpoint local`: the servers for this machine."""

from __future__ import annotations

import click

from langchain_hfendpoint._cli import LazyGroup


@click.group(
    cls=LazyGroup,
    lazy={
        "endpoint": "langchain_hfendpoint._cli.local_endpoint.endpoint",
        "pinecone": "langchain_hfendpoint._cli.local_pinecone.pinecone",
    },
)
def local() -> None:
    """Run an endpoint or a Pinecone on this machine."""
